from django.apps import AppConfig


class ConnectionsConfig(AppConfig):
    """A team's cloud accounts and the gateway, the one door to the cloud."""

    name = "console.connections"
    label = "connections"
