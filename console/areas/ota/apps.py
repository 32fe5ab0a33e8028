from django.apps import AppConfig


class OTAConfig(AppConfig):
    name = "console.areas.ota"
    label = "ota"
