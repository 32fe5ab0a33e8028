from django.apps import AppConfig


class UiConfig(AppConfig):
    """The design system: layouts, components, template tags."""

    name = "console.ui"
    label = "ui"
