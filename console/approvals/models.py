"""Requests for approval, and the outcome of each of their calls."""

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

from console.accounts.encryption import EncryptedTextField
from console.accounts.models import ApiToken, Team, User
from console.connections.approval import PlannedCall
from console.connections.approval_rules import ApprovalRule, find_rule
from console.connections.models import Connection
from console.jobs.models import Item, Job, read_sentence


def compute_digest(connection: int, calls: Sequence[PlannedCall]) -> str:
    """SHA-256 of the connection's id and the canonical form of the calls, in hexadecimal."""
    text = "\n".join([str(connection), *(call.canonical for call in calls)])
    return hashlib.sha256(text.encode()).hexdigest()


def compute_job_digest(job: Job) -> str:
    """SHA-256 of what a job is going to do: its connection and account, its parameters, and the keys of its items in order, in
    hexadecimal."""
    identity = [job.connection_id, job.account, job.pk, job.kind, job.params]
    digest = hashlib.sha256(json.dumps(identity, sort_keys=True).encode())
    keys = Item.objects.filter(job=job).order_by("number").values_list("key", flat=True)
    for key in keys.iterator(chunk_size=2000):
        digest.update(f"\n{json.dumps(key)}".encode())
    return digest.hexdigest()


class NotPending(PermissionDenied):
    """The request is no longer pending: it was decided or withdrawn, or it expired."""

    def __init__(self) -> None:
        super().__init__(_("This request is no longer pending. Reload the page to see its status."))


class RequestAltered(PermissionDenied):
    """What is stored differs from what was requested."""

    def __init__(self) -> None:
        super().__init__(_("The stored request was modified. Nothing was sent."))


class OtherRequestShown(PermissionDenied):
    """The decision is for calls other than those of the request, for example from a page that is out of date."""

    def __init__(self) -> None:
        super().__init__(
            _("Your decision was for another version of this request. Check the request and decide again.")
        )


class ApprovalQuerySet(models.QuerySet["ApprovalRequest"]):
    def for_team(self, team: Team) -> ApprovalQuerySet:
        return self.filter(team=team)

    def without_drafts(self) -> ApprovalQuerySet:
        """The requests that were submitted."""
        return self.exclude(state=ApprovalRequest.State.DRAFT)


class ApprovalRequest(models.Model):
    """Calls that need approval by another team member, exactly as they will be sent, or a `job` with its frozen list of items.
    They never change.

    A draft is created when a call needs an approval. It becomes pending when the user submits it with a reason.
    """

    class State(models.TextChoices):
        DRAFT = "draft", _("Draft")
        WAITING = "waiting", _("Waiting")
        APPROVED = "approved", _("Approved, running")
        REFUSED = "refused", _("Rejected")
        EXPIRED = "expired", _("Expired")
        WITHDRAWN = "withdrawn", _("Withdrawn")
        DONE = "done", _("Done")
        FAILED = "failed", _("Failed")
        UNKNOWN = "unknown", _("Unknown")

    FINISHED_STATES = (State.REFUSED, State.EXPIRED, State.WITHDRAWN, State.DONE, State.FAILED, State.UNKNOWN)

    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="+")
    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="+")
    rule = models.CharField(_("rule"), max_length=40)  # the slug of an ApprovalRule
    state = models.CharField(_("status"), max_length=10, choices=State, default=State.DRAFT)
    requested_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    requester_label = models.CharField(_("requested by"), max_length=255)
    # The API token that made the request; its permissions limit those of the user. It must not be deleted before the
    # request: the calls would then be made with all permissions of the user.
    token = models.ForeignKey(ApiToken, on_delete=models.RESTRICT, null=True, related_name="+")
    calls = EncryptedTextField()  # JSON list of PlannedCall.stored_form; may contain secrets
    digest = models.CharField(max_length=64)
    operation = models.CharField(_("operation"), max_length=64)
    target = models.CharField(_("target"), max_length=255, blank=True)
    subject_id = models.CharField(
        max_length=255, blank=True
    )  # the id of the product, package or device that it is about
    products = models.JSONField(
        default=list
    )  # ProductKeys that the calls name; "" for a call that names none
    devices = models.PositiveIntegerField(_("devices"), null=True)  # None: unknown
    reason = models.CharField(_("reason"), max_length=500, blank=True)
    created_at = models.DateTimeField(_("created"), default=timezone.now)
    asked_at = models.DateTimeField(_("requested"), null=True)
    expires_at = models.DateTimeField(_("expires"), null=True)
    decided_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    decider_label = models.CharField(_("decided by"), max_length=255, blank=True)
    decided_at = models.DateTimeField(_("decided"), null=True)
    decision = models.CharField(pgettext_lazy("of a decision", "reason"), max_length=500, blank=True)
    # The job that makes the calls. With `covers_job`, it is what needs approval: there are no calls, and it waits from the
    # request on.
    job = models.ForeignKey(Job, on_delete=models.SET_NULL, null=True, related_name="+")
    covers_job = models.BooleanField(default=False)
    finished_at = models.DateTimeField(_("finished"), null=True)
    failure = models.JSONField(null=True)  # why it failed, as `make_sentence` returns it

    objects = ApprovalQuerySet.as_manager()

    class Meta:
        indexes: ClassVar = [models.Index(fields=["team", "state", "-id"], name="approvals_of_team")]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["connection", "digest"],
                condition=models.Q(state="waiting"),
                name="one_waiting_request_per_calls",
            )
        ]
        ordering: ClassVar = ["-id"]

    def __str__(self) -> str:
        return f"{self.rule} {self.target}"

    @property
    def planned_calls(self) -> list[PlannedCall]:
        """The calls. Raises RequestAltered if they are not the requested ones, Undecryptable if no key decrypts them."""
        try:
            calls = [PlannedCall.from_stored(stored) for stored in json.loads(self.calls)]
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise RequestAltered from error
        if not calls or compute_digest(self.connection_id, calls) != self.digest:
            raise RequestAltered
        return calls

    @property
    def declared_rule(self) -> ApprovalRule | None:
        """The rule that covers the calls; None if no area declares it any more."""
        return find_rule(self.rule)

    @property
    def rule_label(self) -> str:
        """What the request asks for, in the active language."""
        rule = self.declared_rule
        return self.rule if rule is None else str(rule.action)

    @property
    def audit_target(self) -> str:
        """The target for the audit trail: by its id alone, as in other audit records, where `target` contains a name too."""
        rule = self.declared_rule
        has_name = rule is not None and rule.description_of(self.operation).name_target is not None
        return self.subject_id if has_name and self.subject_id else self.target

    @property
    def requester_ids(self) -> set[int]:
        """The ids of the users who made the request: the user, and the creator of the token that acted."""
        ids = {self.requested_by_id, self.token.created_by_id if self.token else None}
        return {pk for pk in ids if pk is not None}

    @property
    def is_waiting(self) -> bool:
        """Whether the request is pending and has not expired."""
        return self.state == self.State.WAITING and not self.is_overdue

    @property
    def is_overdue(self) -> bool:
        """Whether the request has expired, even if its state does not say so yet."""
        return self.expires_at is not None and self.expires_at <= timezone.now()

    @property
    def shown_state(self) -> str:
        """The state to show: an overdue request is expired, even before the background task has closed it."""
        return (
            self.State.EXPIRED.value
            if self.state == self.State.WAITING and self.is_overdue
            else str(self.state)
        )

    @property
    def failure_text(self) -> str:
        """Why the request failed, in the active language."""
        return read_sentence(self.failure)

    @property
    def requested_at(self) -> datetime:
        """When the request was submitted; for a draft, when it was created."""
        return self.asked_at or self.created_at


class ApprovalCall(models.Model):
    """A call of an approved request. The worker that changes it from PENDING to SENDING sends it, so it is sent at most once."""

    class State(models.TextChoices):
        PENDING = "pending", _("Pending")
        SENDING = "sending", _("Sending")
        DONE = "done", _("Done")
        FAILED = "failed", _("Failed")
        UNKNOWN = "unknown", _("Unknown")
        CANCELED = "canceled", _("Not sent")

    approval = models.ForeignKey(ApprovalRequest, on_delete=models.CASCADE, related_name="outcomes")
    number = models.PositiveIntegerField()  # its position in the request, from 0
    state = models.CharField(_("outcome"), max_length=8, choices=State, default=State.PENDING)
    code = models.CharField(_("code"), max_length=128, blank=True)
    message = models.CharField(_("message"), max_length=1000, blank=True)
    request_id = models.CharField(_("request ID"), max_length=64, blank=True)
    batch_id = models.CharField(max_length=64, blank=True)  # the id of the update batch that it created

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["approval", "number"], name="unique_call_number")
        ]
        ordering: ClassVar = ["number"]

    def __str__(self) -> str:
        return f"call {self.number} of request {self.approval_id}"
