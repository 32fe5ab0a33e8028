from django.apps import AppConfig


class ApprovalsConfig(AppConfig):
    """Requests for approval by another team member."""

    name = "console.approvals"
    label = "approvals"
