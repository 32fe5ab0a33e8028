"""Shared parts of all pages: the shell around them, components, tables, forms, template tags."""
