from django.apps import AppConfig


class DevicesConfig(AppConfig):
    name = "console.devices"
    label = "devices"
