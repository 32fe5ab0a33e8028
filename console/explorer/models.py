"""The calls that each user sent from the explorer, so that they can be sent again."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from console.accounts.models import User
from console.audit.models import AuditRecord
from console.connections.models import Connection


class ExplorerCallQuerySet(models.QuerySet["ExplorerCall"]):
    def for_user(self, user: User, connection: Connection) -> ExplorerCallQuerySet:
        """Return the user's own calls on a connection. Nobody sees the calls of others."""
        return self.filter(user=user, connection=connection)


class ExplorerCall(models.Model):
    """A call sent from the explorer. This list belongs to one user and is pruned; the audit trail is the full record.

    `omitted_parameters`: names of the parameters whose values are not stored, because they may be secret or are very long.
    """

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="+")
    at = models.DateTimeField(_("time"), default=timezone.now)
    operation = models.CharField(_("operation"), max_length=64)
    parameters = models.JSONField(_("parameters"), default=dict)
    omitted_parameters = models.JSONField(default=list)
    outcome = models.CharField(_("outcome"), max_length=8, choices=AuditRecord.Outcome)
    code = models.CharField(_("code"), max_length=128, blank=True)
    request_id = models.CharField(_("request ID"), max_length=64, blank=True)
    milliseconds = models.PositiveIntegerField(_("duration"), null=True)

    objects = ExplorerCallQuerySet.as_manager()

    class Meta:
        indexes: ClassVar = [models.Index(fields=["user", "connection", "-id"], name="explorer_by_user")]
        ordering: ClassVar = ["-id"]

    def __str__(self) -> str:
        return f"{self.operation} by {self.user}"
