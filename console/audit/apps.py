from django.apps import AppConfig


class AuditConfig(AppConfig):
    """The audit trail: records, their hash chains, search and export."""

    name = "console.audit"
    label = "audit"
