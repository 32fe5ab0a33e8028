"""The models of background work: jobs, their progress, and the outcome of each of their items.

The database holds the whole state of a job; the broker only wakes workers. Queries must cope with 100,000 items per job on
SQLite and PostgreSQL: update sets of items, never run one query per item.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.db.models.expressions import CombinedExpression
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from console.accounts.encryption import EncryptedTextField
from console.accounts.models import ApiToken, Team
from console.connections.models import Connection
from iot_client.errors import classify, explain

MAX_KEY_LENGTH = 520
"""Maximum length of the key of an item. The longest keys are those of topic routes: two topics of up to 256 characters."""
STALLED_AFTER = timedelta(minutes=1)
"""A job that did nothing for so long has no remaining time: its past rate says nothing."""


def make_sentence(text: str, **args: Any) -> dict[str, Any]:
    """Return a sentence as the database stores it. `text` is a msgid (mark it with gettext_noop); `args` are its values."""
    return {"text": text, "args": args} if args else {"text": text}


def read_sentence(sentence: dict[str, Any] | None) -> str:
    """Return a stored sentence, or what a stored cloud error means, in the reader's language; "" for None."""
    if not sentence:
        return ""
    if "cloud" in sentence:
        code = str(sentence["cloud"]["code"])
        return gettext(explain(classify(code)(code)).title)
    text = gettext(sentence["text"])
    return text % sentence["args"] if sentence.get("args") else text


def seconds_from_now(seconds: float) -> CombinedExpression:
    """Return an expression for the time `seconds` from now, by the database's clock."""
    return Now() + timedelta(seconds=seconds)


class JobQuerySet(models.QuerySet["Job"]):
    def for_team(self, team: Team) -> JobQuerySet:
        return self.filter(team=team)

    def active(self) -> JobQuerySet:
        """Jobs that workers still have to work on, now or later."""
        return self.filter(state__in=Job.ACTIVE)

    def for_update(self) -> JobQuerySet:
        """Lock the jobs for a change, inside a transaction. Other transactions can still add items and events to a job: a
        stronger lock could deadlock with them."""
        return self.select_for_update(no_key=True)


class Job(models.Model):
    """One piece of background work on a connection.

    A job that a user has to review is first a draft: `checking` while its items are created, then `ready` (or `rejected`)
    until a user has seen the findings, and `waiting` if its start needs an approval. `created_by` created the draft; the job acts
    with the rights of `started_by`.
    """

    class State(models.TextChoices):
        CHECKING = "checking", _("Checking")
        READY = "ready", _("Ready to start")
        WAITING = "waiting", _("Waiting for approval")
        REJECTED = "rejected", _("Cannot be started")
        QUEUED = "queued", _("Queued")
        RUNNING = "running", _("Running")
        CANCELING = "canceling", _("Canceling")
        SUCCEEDED = "succeeded", _("Succeeded")
        PARTIAL = "partial", _("Partly failed")
        FAILED = "failed", _("Failed")
        CANCELED = "canceled", _("Canceled")

    DISCARDABLE = (State.CHECKING, State.READY, State.REJECTED)
    DRAFTS = (*DISCARDABLE, State.WAITING)
    ACTIVE = (State.QUEUED, State.RUNNING, State.CANCELING)
    FINISHED = (State.SUCCEEDED, State.PARTIAL, State.FAILED, State.CANCELED)

    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="+")
    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="jobs")
    kind = models.CharField(_("kind"), max_length=40)
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.QUEUED)
    parent = models.ForeignKey("self", on_delete=models.SET_NULL, null=True, related_name="children")
    # The object of a job that may run only once at a time, for example the ID of what it monitors.
    subject = models.CharField(max_length=128, blank=True, default="")
    # The key by which access scopes include the job; "" if it concerns no single object of a scope.
    scope_key = models.TextField(blank=True, default="")
    # `Connection.account` when the job started. The job stops if its connection points elsewhere.
    account = models.TextField(blank=True, default="")
    params = models.JSONField(default=dict)  # the fields of `Kind.params`
    # The uploaded file of the job, its size in bytes and its SHA-256; "" and 0 without one. Its content is stored in parts.
    file_name = models.CharField(max_length=120, blank=True, default="")
    file_size = models.PositiveIntegerField(default=0)
    file_digest = models.CharField(max_length=64, blank=True, default="")
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    started_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    # The API token that started (or drafted) the job; it limits the rights of the job. It cannot be deleted while the job
    # exists: without it, the job would have all rights of the user.
    token = models.ForeignKey(ApiToken, on_delete=models.RESTRICT, null=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    cancel_requested = models.BooleanField(default=False)
    # Why the whole job stopped or its file cannot be used: a sentence of `make_sentence`, or {"cloud": cloud error}.
    error = models.JSONField(null=True)
    # Number of items by outcome, and sums of them. `total` does not include items that were skipped before the start.
    counts = models.JSONField(default=dict)
    total = models.PositiveIntegerField(default=0)
    succeeded = models.PositiveIntegerField(default=0)
    failed = models.PositiveIntegerField(default=0)
    skipped = models.PositiveIntegerField(default=0)
    # When `done` changed last, and its value at the first count: a monitored batch may have begun long before its job.
    advanced_at = models.DateTimeField(null=True)
    done_at_start = models.PositiveIntegerField(default=0)

    objects = JobQuerySet.as_manager()

    class Meta:
        indexes: ClassVar = [models.Index(fields=["connection", "-id"], name="jobs_of_connection")]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["connection", "kind", "subject"],
                condition=models.Q(finished_at__isnull=True) & ~models.Q(subject=""),
                name="one_unfinished_job_per_subject",
            )
        ]
        ordering: ClassVar = ["-id"]

    def __str__(self) -> str:
        return f"{self.kind} {self.pk}"

    @property
    def done(self) -> int:
        """The number of items whose outcome is known. Items that were not sent because the job was canceled are not done."""
        return self.succeeded + self.failed - int(self.counts.get(Item.Outcome.CANCELED, 0))

    @property
    def is_draft(self) -> bool:
        """Whether the job was not started yet. Nothing has been sent."""
        return self.state in self.DRAFTS

    @property
    def is_discardable(self) -> bool:
        """Whether a user can delete the job: it is a draft, and nobody has to decide on it."""
        return self.state in self.DISCARDABLE

    @property
    def is_active(self) -> bool:
        """Whether workers still have to work on the job."""
        return self.state in self.ACTIVE

    @property
    def is_finished(self) -> bool:
        """Whether the job has ended, with any outcome."""
        return self.state in self.FINISHED

    @property
    def is_changing(self) -> bool:
        """Whether the page of the job has to refresh itself."""
        return self.is_active or self.state == self.State.CHECKING

    @property
    def error_text(self) -> str:
        """Why the job stopped or its file cannot be used; "" without such an error."""
        return read_sentence(self.error)

    def duration_seconds(self) -> float:
        """Return the seconds from the start of the job to its end, or until now."""
        if self.started_at is None:
            return 0.0
        return max(0.0, ((self.finished_at or timezone.now()) - self.started_at).total_seconds())

    def rate(self) -> float | None:
        """Return the items per second since the start; None while none was done since then."""
        seconds, done = self.duration_seconds(), self.done - self.done_at_start
        return done / seconds if done > 0 and seconds > 0 else None


class Chunk(models.Model):
    """A part of a job that one worker handles at a time: its current `step` and the results of earlier steps (`data`).

    A worker holds a chunk by a `lease`. The results of a worker whose lease has expired are discarded.
    """

    class State(models.TextChoices):
        HELD = "held"  # until the job is started
        ACTIVE = "active"
        DONE = "done"

    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="chunks")
    number = models.PositiveIntegerField()
    state = models.CharField(max_length=6, choices=State, default=State.ACTIVE)
    step = models.CharField(max_length=24)
    data = models.JSONField(default=dict)
    attempts = models.PositiveIntegerField(default=0)  # claims since the last commit; >1: the step ran before
    # Why the chunk waits: a key of delays.DELAY_TEXTS.
    delay_reason = models.CharField(max_length=16, blank=True, default="")
    lease = models.CharField(max_length=32, blank=True, default="")
    leased_until = models.DateTimeField(null=True)
    next_at = models.DateTimeField(db_default=Now())
    woken_at = models.DateTimeField(
        null=True
    )  # when the task `wake_overdue_chunks` last sent a message; avoids duplicate messages
    counts = models.JSONField(default=dict)  # number of its items by outcome

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["job", "number"], name="unique_chunk_number")
        ]
        indexes: ClassVar = [
            models.Index(fields=["next_at"], condition=models.Q(state="active"), name="chunks_to_wake"),
        ]
        ordering: ClassVar = ["number"]

    def __str__(self) -> str:
        return f"chunk {self.number} of job {self.job_id}"


class Item(models.Model):
    """One item of a job and its outcome. Items are numbered from 1; those of a file have the number of their row.

    `key` identifies the item for the platform, `label` is the name that users give it ("" for none), and `data` is the kind's
    own. A kind says how pages and files call them (`kinds.Items`).
    """

    class Outcome(models.TextChoices):
        PENDING = "pending"
        SUCCEEDED = "succeeded"
        PARTIAL = "partial"  # the platform has the item, but not yet all that belongs to it
        UNCHANGED = "unchanged"  # the platform had nothing to do
        INVALID = "invalid"  # the platform does not accept the item
        FAILED = "failed"
        UNKNOWN = "unknown"  # sent, and no response shows what happened
        CANCELED = "canceled"  # not sent
        SKIPPED = "skipped"  # not part of the job: a user saw before the start why

    SUCCESSFUL = (Outcome.SUCCEEDED,)
    UNSUCCESSFUL = (
        Outcome.UNCHANGED,
        Outcome.INVALID,
        Outcome.FAILED,
        Outcome.UNKNOWN,
        Outcome.CANCELED,
    )
    # Outcomes that a retry takes up (`retryable_items`). Others would be the same again.
    RETRYABLE = (Outcome.PARTIAL, Outcome.FAILED, Outcome.UNKNOWN, Outcome.CANCELED)

    # The foreign keys need no separate indexes: the indexes below start with them.
    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="items", db_index=False)
    chunk = models.ForeignKey(
        Chunk, on_delete=models.CASCADE, null=True, related_name="items", db_index=False
    )
    number = models.PositiveIntegerField()
    key = models.CharField(max_length=MAX_KEY_LENGTH)
    label = models.CharField(max_length=MAX_KEY_LENGTH, blank=True, default="")
    data = models.JSONField(null=True)
    outcome = models.CharField(max_length=9, choices=Outcome, default=Outcome.PENDING)
    reason = models.CharField(max_length=300, blank=True, default="")

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["job", "number"], name="items_in_order"),
            models.Index(fields=["chunk", "outcome"], name="items_of_chunk"),
            models.Index(fields=["job", "key"], name="items_by_key"),
        ]
        ordering: ClassVar = ["number"]

    def __str__(self) -> str:
        return f"item {self.number}: {self.key}"


def retryable_items(job: int | None) -> models.QuerySet[Item]:
    """Return the items of a job that a retry takes up: those that did not succeed, also not in earlier retries."""
    succeeded = Item.objects.filter(
        job__parent=job, key=models.OuterRef("key"), outcome=Item.Outcome.SUCCEEDED
    )
    return Item.objects.filter(~models.Exists(succeeded), job=job, outcome__in=Item.RETRYABLE)


class Secret(models.Model):
    """A secret value of an item of a job, by the item's key. It is stored for a download and deleted when it expires."""

    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="secrets", db_index=False)
    key = models.CharField(max_length=200)
    value = EncryptedTextField()
    expires_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["job", "key"], name="unique_secret_key")]

    def __str__(self) -> str:
        return f"secret of {self.key}"


class Part(models.Model):
    """A part of an uploaded file, stored until the job starts. It is in the database so that every worker can read it."""

    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="parts", db_index=False)
    number = models.PositiveIntegerField()
    content = models.BinaryField()

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["job", "number"], name="unique_part_number")]
        ordering: ClassVar = ["number"]

    def __str__(self) -> str:
        return f"part {self.number} of job {self.job_id}"


class Event(models.Model):
    """An event that the page of a job lists."""

    class Level(models.TextChoices):
        INFO = "info", _("Note")
        WARNING = "warning", _("Warning")
        ERROR = "error", _("Error")

    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="events", db_index=False)
    at = models.DateTimeField(default=timezone.now)
    level = models.CharField(max_length=7, choices=Level, default=Level.INFO)
    sentence = models.JSONField()  # of `make_sentence`

    class Meta:
        indexes: ClassVar = [models.Index(fields=["job", "-id"], name="events_of_job")]
        ordering: ClassVar = ["-id"]

    def __str__(self) -> str:
        return self.text

    @property
    def text(self) -> str:
        """The event in the reader's language."""
        return read_sentence(self.sentence)


class Sample(models.Model):
    """The counts of a job at one time: numbers by status of what the job monitors."""

    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="samples", db_index=False)
    at = models.DateTimeField(default=timezone.now)
    counts = models.JSONField()

    class Meta:
        indexes: ClassVar = [models.Index(fields=["job", "at"], name="samples_in_order")]
        ordering: ClassVar = ["at", "id"]

    def __str__(self) -> str:
        return f"{self.job_id} at {self.at:%F %T}"
