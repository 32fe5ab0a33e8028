"""How languages write numbers, where we differ from Django."""
