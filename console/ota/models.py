"""Forms that must not be sent twice: making a package or a batch cannot be asked for again safely."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone

from console.connections.models import Connection


class Submission(models.Model):
    """A form that was sent, by the token it carried. `result` is the id of what was made; "" while that is not known."""

    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="+")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    token = models.CharField(max_length=64)
    at = models.DateTimeField(default=timezone.now, db_index=True)
    result = models.CharField(max_length=64, blank=True, default="")

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["connection", "user", "token"], name="one_sending_a_form")
        ]

    def __str__(self) -> str:
        return f"{self.token}: {self.result or 'not known'}"
