"""Users, teams, memberships, roles, access scopes and encryption."""
