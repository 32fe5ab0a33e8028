from django.apps import AppConfig


class AccessConfig(AppConfig):
    """Users, teams, roles and the audit trail."""

    name = "console.access"
    label = "access"

    def ready(self) -> None:
        from console.access.sign_in import audit_records

        audit_records.connect_signals()
