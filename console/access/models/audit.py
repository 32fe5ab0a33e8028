"""The audit trail."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from console.access.encryption import EncryptedTextField
from console.access.models.people import User
from console.access.models.teams import Team


class AuditChain(models.Model):
    """The chain that a team's records are links of; the one without a team holds what belongs to none.

    Each record is two links, its opening and its closing, in the order they were written. A link's seal is the HMAC of its
    content and of the chain before it, so that nothing can be removed, changed or put in between by who has the database
    and not FIELD_ENCRYPTION_KEYS. Head and base are states, which no record shows (console/access/audit/seals.py): a
    chain cut at either end cannot be given a new one.
    """

    team = models.OneToOneField(Team, on_delete=models.SET_NULL, null=True, related_name="audit_chain")
    # What tells chains apart when their team is gone; unique, so that two first records make one chain.
    name = models.CharField(max_length=40, unique=True)
    key = EncryptedTextField()
    length = models.BigIntegerField(default=0)
    state = models.CharField(max_length=64, blank=True)
    # Where it begins, since older links were deleted when their time was over.
    base_length = models.BigIntegerField(default=0)
    base_state = models.CharField(max_length=64, blank=True)

    def __str__(self) -> str:
        return self.name


class AuditQuerySet(models.QuerySet["AuditRecord"]):
    def for_team(self, team: Team) -> AuditQuerySet:
        """The team's own records."""
        return self.filter(team=team)


class AuditRecord(models.Model):
    """One write, reveal of a secret, sign-in or change of access: opened before it is done, closed after, then never edited.

    Names are copied, not referenced, so that a record outlives the person, the connection and the job it speaks of.
    """

    class Outcome(models.TextChoices):
        OPEN = "open", _("No answer yet")
        DONE = "done", _("Done")
        FAILED = "failed", _("Failed")
        REFUSED = "refused", _("Refused")
        UNKNOWN = "unknown", _("Not known: the answer was lost")

    at = models.DateTimeField(_("time"), default=timezone.now, db_index=True)
    closed_at = models.DateTimeField(null=True)
    team = models.ForeignKey(Team, on_delete=models.SET_NULL, null=True, related_name="+")
    actor = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    actor_label = models.CharField(_("person"), max_length=255)
    token = models.CharField(_("API token"), max_length=100, blank=True)
    ip = models.GenericIPAddressField(_("address"), null=True)
    user_agent = models.CharField(max_length=255, blank=True)
    connection = models.CharField(_("connection"), max_length=80, blank=True)
    job = models.BigIntegerField(_("job"), null=True)
    operation = models.CharField(_("operation"), max_length=64)
    target = models.CharField(_("target"), max_length=255, blank=True)
    parameters = models.JSONField(_("parameters"), default=dict)
    # What an edit found in the place of what it wrote; None where it is not known or does not apply.
    before = models.JSONField(_("before"), null=True)
    outcome = models.CharField(_("outcome"), max_length=8, choices=Outcome, default=Outcome.OPEN)
    code = models.CharField(max_length=128, blank=True)
    message = models.CharField(max_length=1000, blank=True)
    request_id = models.CharField(max_length=64, blank=True)

    chain = models.ForeignKey(AuditChain, on_delete=models.PROTECT, null=True, related_name="records")
    opened_number = models.BigIntegerField(null=True)
    opened_seal = models.CharField(max_length=64, blank=True)
    closed_number = models.BigIntegerField(null=True)
    closed_seal = models.CharField(max_length=64, blank=True)

    objects = AuditQuerySet.as_manager()

    class Meta:
        # What the audit page looks for, newest first: without these the rare takes half a second among a million.
        indexes: ClassVar = [
            models.Index(fields=["team", "-at", "-id"], name="audit_by_team"),
            models.Index(fields=["team", "operation", "-at", "-id"], name="audit_by_operation"),
            models.Index(fields=["team", "actor_label", "-at", "-id"], name="audit_by_person"),
            models.Index(fields=["team", "target", "-at", "-id"], name="audit_by_target"),
            models.Index(fields=["team", "token", "-at", "-id"], name="audit_by_token"),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["chain", "opened_number"], name="one_opening_a_number"),
            models.UniqueConstraint(fields=["chain", "closed_number"], name="one_closing_a_number"),
        ]
        ordering: ClassVar = ["-at", "-id"]

    def __str__(self) -> str:
        return f"{self.operation} {self.target} by {self.actor_label}"


class ReadCount(models.Model):
    """How often somebody read something from the cloud on one day (UTC): reads are counted, not recorded one by one."""

    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="+")
    day = models.DateField(_("day"))
    actor_label = models.CharField(_("person"), max_length=255)
    connection = models.CharField(_("connection"), max_length=80)
    operation = models.CharField(_("operation"), max_length=64)
    count = models.PositiveBigIntegerField(_("reads"), default=0)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["team", "day", "actor_label", "connection", "operation"], name="one_count_a_day"
            )
        ]
        ordering: ClassVar = ["-day", "actor_label", "operation"]

    def __str__(self) -> str:
        return f"{self.operation} {self.count} on {self.day}"
