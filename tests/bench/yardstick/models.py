"""A device as a row of a table."""

from django.db import models

from console.ui.statuses import STATUSES


class Device(models.Model):
    name = models.CharField(max_length=128)
    status = models.CharField(
        max_length=16, choices=[(key, value.label) for key, value in STATUSES["device"].items()]
    )
    nickname = models.CharField(max_length=128, blank=True)
    created = models.DateTimeField()

    class Meta:
        app_label = "yardstick"
