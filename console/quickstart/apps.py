from django.apps import AppConfig


class QuickstartConfig(AppConfig):
    """A running console with everything it needs, on one machine, by one command."""

    name = "console.quickstart"
    label = "quickstart"
