"""The pages of a team: members, invitations, roles, API tokens, settings and the audit trail."""
