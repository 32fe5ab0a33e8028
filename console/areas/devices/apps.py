from django.apps import AppConfig


class DevicesConfig(AppConfig):
    name = "console.areas.devices"
    label = "devices"
