from django.apps import AppConfig


class TeamsConfig(AppConfig):
    """The pages of a team: members, invitations, roles, API tokens, settings and the audit trail."""

    name = "console.teams"
    label = "teams"
