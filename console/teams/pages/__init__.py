"""The pages of a team: its members, invitations, roles and settings."""
