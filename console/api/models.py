"""Answers that are kept, so that a request that is sent again is not done again."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils import timezone

from console.access.models import ApiToken


class KeptAnswer(models.Model):
    """What a token's request with an idempotency key was answered; `status` is null while that is not known."""

    token = models.ForeignKey(ApiToken, on_delete=models.CASCADE, related_name="+")
    key = models.CharField(max_length=128)
    fingerprint = models.CharField(max_length=64)  # of method, address and body
    at = models.DateTimeField(default=timezone.now, db_index=True)
    status = models.PositiveSmallIntegerField(null=True)
    content = models.TextField(blank=True, default="")
    content_type = models.CharField(max_length=60, blank=True, default="")

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["token", "key"], name="one_answer_a_key")]

    def __str__(self) -> str:
        return f"{self.key}: {self.status or 'not known'}"
