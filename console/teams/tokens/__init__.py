"""API tokens: users create and revoke them, the HTTP API authenticates by them, and jobs check theirs at every step."""
