from django.apps import AppConfig


class QuickstartConfig(AppConfig):
    """The quickstart command: starts the console and everything it needs on one machine."""

    name = "console.quickstart"
    label = "quickstart"
