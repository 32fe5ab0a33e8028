"""Django writes 1346000: the numbers of a fleet are hard to read in this form, and the platform's own console groups them."""

THOUSAND_SEPARATOR = ","
NUMBER_GROUPING = 3
