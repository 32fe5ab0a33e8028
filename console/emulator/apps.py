"""The emulator as a Django app: only for its management command. Everything else of it works without Django."""

from django.apps import AppConfig


class EmulatorConfig(AppConfig):
    name = "console.emulator"
    label = "emulator"
