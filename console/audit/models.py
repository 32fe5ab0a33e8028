"""The audit trail."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from console.accounts.encryption import EncryptedTextField
from console.accounts.models import Team, User
from console.audit.sentences import describe_record

TEAMLESS_CHAIN = "-"
"""The name of the chain of records that belong to no team."""


class AuditChain(models.Model):
    """The hash chain of a team's audit records. The chain without a team contains the records that belong to none.

    Each record is two entries, its opening and its closing, in the order they were written. The HMAC of an entry covers its
    content and the chain before it. So somebody with access to the database, but not to FIELD_ENCRYPTION_KEYS, cannot remove,
    change or insert anything unnoticed. Head and base are states, which no record contains, and an HMAC covers the row
    (console/audit/hmacs.py): a chain that was cut at one end cannot be given a new one. Chains are numbered, and the chain
    without a team has their count: a chain that was deleted leaves a gap, also when its team was deleted.
    """

    team = models.OneToOneField(Team, on_delete=models.SET_NULL, null=True, related_name="audit_chain")
    # Identifies the chain when its team was deleted. Unique, so that two simultaneous first records create one chain.
    name = models.CharField(max_length=40, unique=True)
    number = models.PositiveIntegerField(unique=True)  # from 1; 0 is the chain without a team
    chain_count = models.PositiveIntegerField(
        default=0
    )  # of the chain without a team: how many others were created
    key = EncryptedTextField()
    length = models.BigIntegerField(default=0)
    state = models.CharField(max_length=64, blank=True)
    # Where the chain begins since older entries were pruned.
    base_length = models.BigIntegerField(default=0)
    base_state = models.CharField(max_length=64, blank=True)
    row_hmac = models.CharField(max_length=64)

    def __str__(self) -> str:
        return self.name


class AuditQuerySet(models.QuerySet["AuditRecord"]):
    def for_team(self, team: Team) -> AuditQuerySet:
        """Return the records of the team."""
        return self.filter(team=team)


class AuditRecord(models.Model):
    """A write, a reveal of a secret, a sign-in or a change of access.

    The record is opened before the action, closed after it, and then never edited. It contains names instead of references,
    so that it outlives the user, the connection and the job that it is about.
    """

    class Outcome(models.TextChoices):
        OPEN = "open", _("No response yet")
        DONE = "done", _("Done")
        FAILED = "failed", _("Failed")
        REFUSED = "refused", _("Denied")
        UNKNOWN = "unknown", _("Unknown: no response was received")

    at = models.DateTimeField(_("time"), default=timezone.now, db_index=True)
    closed_at = models.DateTimeField(null=True)
    team = models.ForeignKey(Team, on_delete=models.SET_NULL, null=True, related_name="+")
    actor = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    actor_label = models.CharField(_("user"), max_length=255)
    token = models.CharField(_("API token"), max_length=100, blank=True)
    ip = models.GenericIPAddressField(_("address"), null=True)
    user_agent = models.CharField(max_length=255, blank=True)
    connection = models.CharField(_("connection"), max_length=80, blank=True)
    job = models.BigIntegerField(_("job"), null=True)
    operation = models.CharField(_("operation"), max_length=64)
    target = models.CharField(_("target"), max_length=255, blank=True)
    parameters = models.JSONField(_("parameters"), default=dict)
    # The values before an edit; None if they are unknown or do not apply.
    before = models.JSONField(_("before"), null=True)
    outcome = models.CharField(_("outcome"), max_length=8, choices=Outcome, default=Outcome.OPEN)
    code = models.CharField(max_length=128, blank=True)
    message = models.CharField(max_length=1000, blank=True)
    request_id = models.CharField(max_length=64, blank=True)

    chain = models.ForeignKey(AuditChain, on_delete=models.PROTECT, null=True, related_name="records")
    opened_number = models.BigIntegerField(null=True)
    opened_hmac = models.CharField(max_length=64, blank=True)
    closed_number = models.BigIntegerField(null=True)
    closed_hmac = models.CharField(max_length=64, blank=True)

    objects = AuditQuerySet.as_manager()

    class Meta:
        # For the searches of the audit page, newest first: without them a rare value takes half a second among a million.
        indexes: ClassVar = [
            models.Index(fields=["team", "-at", "-id"], name="audit_by_team"),
            models.Index(fields=["team", "operation", "-at", "-id"], name="audit_by_operation"),
            models.Index(fields=["team", "actor_label", "-at", "-id"], name="audit_by_person"),
            models.Index(fields=["team", "target", "-at", "-id"], name="audit_by_target"),
            models.Index(fields=["team", "token", "-at", "-id"], name="audit_by_token"),
            models.Index(
                fields=["team", "job", "-at", "-id", "operation", "outcome"],  # the last two are counted
                condition=models.Q(job__isnull=False),
                name="audit_by_job",
            ),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["chain", "opened_number"], name="unique_opened_number"),
            models.UniqueConstraint(fields=["chain", "closed_number"], name="unique_closed_number"),
        ]
        ordering: ClassVar = ["-at", "-id"]

    def __str__(self) -> str:
        return f"{self.operation} {self.target} by {self.actor_label}"

    @property
    def sentence(self) -> str:
        """The record as a plain sentence without a full stop."""
        return describe_record(self)


class ReadCount(models.Model):
    """The number of reads of an operation by an actor on one day (UTC). Reads are counted, not recorded one by one."""

    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="+")
    day = models.DateField(_("day"))
    actor_label = models.CharField(_("user"), max_length=255)
    connection = models.CharField(_("connection"), max_length=80)
    operation = models.CharField(_("operation"), max_length=64)
    count = models.PositiveBigIntegerField(_("reads"), default=0)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["team", "day", "actor_label", "connection", "operation"], name="unique_read_count"
            )
        ]
        ordering: ClassVar = ["-day", "actor_label", "operation"]

    def __str__(self) -> str:
        return f"{self.operation} {self.count} on {self.day}"
