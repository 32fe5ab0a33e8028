"""The HTTP API of over-the-air updates."""
