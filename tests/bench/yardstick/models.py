"""A device as a row of a table."""

from django.db import models

from console.ui.statuses import all_statuses


def _list_statuses() -> list[tuple[str, str]]:
    return [(value, str(status.label)) for value, status in all_statuses()["device"].items()]


class Device(models.Model):
    name = models.CharField(max_length=128)
    status = models.CharField(max_length=16, choices=_list_statuses)
    nickname = models.CharField(max_length=128, blank=True)
    created = models.DateTimeField()

    class Meta:
        app_label = "yardstick"
