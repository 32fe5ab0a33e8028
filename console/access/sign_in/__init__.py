"""Signing in: the brake on guessing, second factors, sessions, and the pages about them (django-allauth does the rest)."""
