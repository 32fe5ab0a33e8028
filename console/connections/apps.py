from django.apps import AppConfig


class ConnectionsConfig(AppConfig):
    """A team's cloud accounts and the gateway, the one door to the cloud."""

    name = "console.connections"
    label = "connections"

    def ready(self) -> None:
        """A list of endpoints that cannot be read is told at start, not at the first call."""
        from console.connections.endpoints import check_setting

        check_setting()
