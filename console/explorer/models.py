"""What each person has called from the explorer, so that it can be called again."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from console.access.models import AuditRecord, User
from console.connections.models import Connection


class ExplorerCallQuerySet(models.QuerySet["ExplorerCall"]):
    def of(self, user: User, connection: Connection) -> ExplorerCallQuerySet:
        """The person's own calls on a connection; nobody sees another's."""
        return self.filter(user=user, connection=connection)


class ExplorerCall(models.Model):
    """One call from the explorer. What was done is in the audit trail; this is a person's own list, and is pruned.

    `left_out` names the parameters whose values are not kept: those that may be secret, and those that are very long.
    """

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="+")
    at = models.DateTimeField(_("time"), default=timezone.now)
    operation = models.CharField(_("operation"), max_length=64)
    parameters = models.JSONField(_("parameters"), default=dict)
    left_out = models.JSONField(default=list)
    outcome = models.CharField(_("outcome"), max_length=8, choices=AuditRecord.Outcome)
    code = models.CharField(_("code"), max_length=128, blank=True)
    request_id = models.CharField(_("request ID"), max_length=64, blank=True)
    milliseconds = models.PositiveIntegerField(_("time taken"), null=True)

    objects = ExplorerCallQuerySet.as_manager()

    class Meta:
        indexes: ClassVar = [models.Index(fields=["user", "connection", "-id"], name="explorer_by_person")]
        ordering: ClassVar = ["-id"]

    def __str__(self) -> str:
        return f"{self.operation} by {self.user}"
