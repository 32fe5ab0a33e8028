"""The emulator as a Django app. Only its management commands need Django."""

from django.apps import AppConfig


class EmulatorConfig(AppConfig):
    name = "iot_emulator"
    label = "emulator"
