from django.apps import AppConfig


class OTAConfig(AppConfig):
    name = "console.ota"
    label = "ota"
