from django.apps import AppConfig


class DeviceCountsConfig(AppConfig):
    """How many devices a connection, its products and its groups had over time."""

    name = "console.device_counts"
    label = "device_counts"
