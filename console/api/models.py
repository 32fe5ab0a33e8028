"""Stored responses, so that a repeated request is not executed again."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils import timezone

from console.accounts.models import ApiToken


class StoredResponse(models.Model):
    """The response to a token's request with an idempotency key; `status` is null while the response is unknown."""

    token = models.ForeignKey(ApiToken, on_delete=models.CASCADE, related_name="+")
    key = models.CharField(max_length=128)
    fingerprint = models.CharField(max_length=64)  # of method, address and body
    at = models.DateTimeField(default=timezone.now, db_index=True)
    status = models.PositiveSmallIntegerField(null=True)
    content = models.TextField(blank=True, default="")
    content_type = models.CharField(max_length=60, blank=True, default="")

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["token", "key"], name="one_response_per_key")
        ]

    def __str__(self) -> str:
        return f"{self.key}: {self.status or 'unknown'}"
