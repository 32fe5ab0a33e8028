from django.apps import AppConfig
from django.urls import register_converter

from console.ui.converters import IdConverter, IdPathConverter


class UiConfig(AppConfig):
    """Layouts, components, template tags, and how identifiers are written in URLs."""

    name = "console.ui"
    label = "ui"

    def ready(self) -> None:
        """Register the converters before any URLconf is read."""
        register_converter(IdConverter, "id")
        register_converter(IdPathConverter, "idpath")
