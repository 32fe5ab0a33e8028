"""The recorded numbers of devices."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from console.connections.models import Connection

MAX_KEY_LENGTH = 64


class DeviceCountSample(models.Model):
    """The numbers of devices of a subject at one time: all, activated (connected at least once), online.

    `at` is the minute in which the numbers were read; there is one sample for each subject in it.
    """

    class Kind(models.TextChoices):
        FLEET = "fleet"  # the key is that of `history.fleet_key`
        PRODUCT = "product"  # the key is the ProductKey
        GROUP = "group"  # the key is the GroupId

    # The foreign key needs no separate index: the unique index below starts with it.
    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="+", db_index=False)
    kind = models.CharField(max_length=7, choices=Kind)
    key = models.CharField(max_length=MAX_KEY_LENGTH)
    at = models.DateTimeField(db_index=True)
    devices = models.PositiveIntegerField()
    activated = models.PositiveIntegerField()
    online = models.PositiveIntegerField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["connection", "kind", "key", "at"], name="unique_device_count_sample"
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.key} at {self.at:%F %T}"
