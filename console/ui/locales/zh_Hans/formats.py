"""Django writes 1346000: a fleet's numbers are hard to read so, and the platform's own console groups them."""

THOUSAND_SEPARATOR = ","
NUMBER_GROUPING = 3
