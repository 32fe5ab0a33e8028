from django.apps import AppConfig


class ApprovalsConfig(AppConfig):
    """What waits for a second person's word before it is done."""

    name = "console.approvals"
    label = "approvals"
