"""The number formats of languages that differ from those of Django."""
