"""A server for `make bench pages`: the console, and Django's own admin with a list of the same devices, in one process."""
