"""What somebody wants done that a rule of the team asks a second person for, and what became of each of its calls."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar

from django.core.exceptions import PermissionDenied
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from console.access.encryption import EncryptedTextField
from console.access.models import ApiToken, Team, User
from console.connections.approval import Planned, Rule
from console.connections.models import Connection
from console.jobs.models import Job, read

RULES = {
    Rule.PRODUCT: _("Deleting a product"),
    Rule.BATCH: _("Update batch"),
    Rule.DELETION: _("Deleting devices"),
}


def digest_of(connection: int, calls: Sequence[Planned]) -> str:
    """SHA-256 over the canonical form of the calls and the connection that they are for; hexadecimal."""
    text = "\n".join([str(connection), *(call.canonical for call in calls)])
    return hashlib.sha256(text.encode()).hexdigest()


class Altered(PermissionDenied):
    """The stored calls are not those that were asked for, or not those that were shown."""

    def __init__(self) -> None:
        super().__init__(_("What is stored is not what was asked for. Nothing was sent."))


class ApprovalQuerySet(models.QuerySet["ApprovalRequest"]):
    def for_team(self, team: Team) -> ApprovalQuerySet:
        """The team's own requests."""
        return self.filter(team=team)

    def asked(self) -> ApprovalQuerySet:
        """Without those that are only prepared: their person has not asked yet."""
        return self.exclude(state=ApprovalRequest.State.DRAFT)


class ApprovalRequest(models.Model):
    """Calls that wait for a second person, exactly as they will be sent. They are never changed once written.

    A draft is what a person met the rule with; it waits from the moment that they say why they want it.
    """

    class State(models.TextChoices):
        DRAFT = "draft", _("Not asked yet")
        WAITING = "waiting", _("Waiting")
        APPROVED = "approved", _("Approved, being done")
        REFUSED = "refused", _("Refused")
        EXPIRED = "expired", _("Expired")
        WITHDRAWN = "withdrawn", _("Withdrawn")
        DONE = "done", _("Done")
        FAILED = "failed", _("Failed")
        UNKNOWN = "unknown", _("Not known")

    OVER = (State.REFUSED, State.EXPIRED, State.WITHDRAWN, State.DONE, State.FAILED, State.UNKNOWN)

    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="+")
    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="+")
    rule = models.CharField(_("rule"), max_length=10, choices=RULES)
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.DRAFT)
    requested_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    requester_label = models.CharField(_("person"), max_length=255)
    # Whose rights limit the person's, where a program asked for them. Not to be deleted under the request: the calls
    # would be made with all rights of the person then.
    token = models.ForeignKey(ApiToken, on_delete=models.RESTRICT, null=True, related_name="+")
    calls = EncryptedTextField()  # JSON list of Planned.kept; may hold what is secret
    digest = models.CharField(max_length=64)
    operation = models.CharField(_("operation"), max_length=64)
    target = models.CharField(_("target"), max_length=255, blank=True)
    about = models.CharField(max_length=255, blank=True)  # the id that a page of the same thing knows it by
    products = models.JSONField(
        default=list
    )  # ProductKeys that the calls name; "" for a call that names none
    devices = models.PositiveIntegerField(_("devices"), null=True)  # None: nobody can say
    reason = models.CharField(_("reason"), max_length=500, blank=True)
    created_at = models.DateTimeField(_("created"), default=timezone.now)
    asked_at = models.DateTimeField(_("asked"), null=True)
    expires_at = models.DateTimeField(_("expires"), null=True)
    decided_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    decider_label = models.CharField(_("decided by"), max_length=255, blank=True)
    decided_at = models.DateTimeField(_("decided"), null=True)
    decision = models.CharField(pgettext_lazy("of a decision", "reason"), max_length=500, blank=True)
    job = models.ForeignKey(Job, on_delete=models.SET_NULL, null=True, related_name="+")
    finished_at = models.DateTimeField(_("finished"), null=True)
    why = models.JSONField(null=True)  # a sentence of `said`: why it could not be done

    objects = ApprovalQuerySet.as_manager()

    class Meta:
        indexes: ClassVar = [models.Index(fields=["team", "state", "-id"], name="approvals_of_team")]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["connection", "digest"],
                condition=models.Q(state="waiting"),
                name="one_waiting_request_for_the_same",
            )
        ]
        ordering: ClassVar = ["-id"]

    def __str__(self) -> str:
        return f"{self.rule} {self.target}"

    @property
    def planned(self) -> list[Planned]:
        """The calls. Raises Altered when they are not those that were asked for, Undecryptable when no key opens them."""
        try:
            calls = [Planned.of(kept) for kept in json.loads(self.calls)]
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise Altered from error
        if not calls or digest_of(self.connection_id, calls) != self.digest:
            raise Altered
        return calls

    @property
    def rule_label(self) -> str:
        """What the rule is about."""
        return str(RULES.get(Rule(self.rule), self.rule))

    @property
    def traced(self) -> str:
        """What it is about as the audit trail names it: a product by its key alone, as in its other records."""
        return self.about if self.rule == Rule.PRODUCT and self.about else self.target

    @property
    def waits(self) -> bool:
        """Whether somebody can still decide."""
        return self.state == self.State.WAITING and not self.late

    @property
    def late(self) -> bool:
        """Whether its time is over."""
        return self.expires_at is not None and self.expires_at <= timezone.now()

    @property
    def shown_state(self) -> str:
        """The state as people see it: a request whose time is over has expired, also before it is swept."""
        return self.State.EXPIRED.value if self.state == self.State.WAITING and self.late else str(self.state)

    @property
    def why_text(self) -> str:
        """Why it could not be done, in the reader's language."""
        return read(self.why)

    @property
    def at(self) -> datetime:
        """When it was asked."""
        return self.asked_at or self.created_at


class ApprovalCall(models.Model):
    """One call of an approved request. It is sent by whoever changes it from PENDING to SENDING, so at most once."""

    class State(models.TextChoices):
        PENDING = "pending", _("Pending")
        SENDING = "sending", _("Being sent")
        DONE = "done", _("Done")
        FAILED = "failed", _("Failed")
        UNKNOWN = "unknown", _("Not known")
        CANCELED = "canceled", _("Not sent")

    approval = models.ForeignKey(ApprovalRequest, on_delete=models.CASCADE, related_name="outcomes")
    number = models.PositiveIntegerField()  # its place among the calls, from 0
    state = models.CharField(_("outcome"), max_length=8, choices=State, default=State.PENDING)
    code = models.CharField(_("code"), max_length=128, blank=True)
    message = models.CharField(_("message"), max_length=1000, blank=True)
    request_id = models.CharField(_("request ID"), max_length=64, blank=True)
    made = models.CharField(max_length=64, blank=True)  # the id of the update batch that it made

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["approval", "number"], name="one_outcome_a_call")
        ]
        ordering: ClassVar = ["number"]

    def __str__(self) -> str:
        return f"call {self.number} of request {self.approval_id}"
