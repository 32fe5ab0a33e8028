from django.apps import AppConfig


class ConnectionsConfig(AppConfig):
    """A team's cloud accounts, and the gateway that makes every call to the cloud."""

    name = "console.connections"
    label = "connections"

    def ready(self) -> None:
        """Checks CLOUD_ENDPOINTS when the process starts, not at the first call."""
        from console.connections.endpoints import check_setting

        check_setting()
