"""The single sign-on rules of a team."""
