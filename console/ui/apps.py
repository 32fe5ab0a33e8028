from django.apps import AppConfig


class UiConfig(AppConfig):
    """Layouts, components and template tags."""

    name = "console.ui"
    label = "ui"
