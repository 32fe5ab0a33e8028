"""API tokens: made and revoked by people, recognised by the HTTP API, asked again by every step of a job they started."""
