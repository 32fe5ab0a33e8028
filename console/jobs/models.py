"""Background work as rows: what a job is, how far it is, what came of each of its lines.

The database is the truth about a job; the broker only rings. Queries here must bear 100,000 rows a job on SQLite and
PostgreSQL: updates by sets, no query per row.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.db.models.expressions import CombinedExpression
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from console.access.encryption import EncryptedTextField
from console.access.models import ApiToken, Team
from console.connections.models import Connection


def said(text: str, **args: Any) -> dict[str, Any]:
    """A sentence kept for people: `text` is a msgid (mark it with gettext_noop), `args` fill it when it is read."""
    return {"text": text, "args": args} if args else {"text": text}


def read(sentence: dict[str, Any] | None) -> str:
    """A kept sentence in the reader's language; "" for none."""
    if not sentence:
        return ""
    text = gettext(sentence["text"])
    return text % sentence["args"] if sentence.get("args") else text


def in_seconds(seconds: float) -> CombinedExpression:
    """The moment so many seconds from now, by the database's clock."""
    return Now() + timedelta(seconds=seconds)


class JobQuerySet(models.QuerySet["Job"]):
    def for_team(self, team: Team) -> JobQuerySet:
        """The team's own jobs."""
        return self.filter(team=team)

    def at_work(self) -> JobQuerySet:
        """Jobs that workers have something to do for, now or later."""
        return self.filter(state__in=Job.AT_WORK)

    def locked(self) -> JobQuerySet:
        """For changing, inside a transaction. Rows and events of the job can still be added by others meanwhile: who waits
        here may hold what they wait for."""
        return self.select_for_update(no_key=True)


class Job(models.Model):
    """One piece of background work that somebody started on a connection.

    A job from a file is first a draft: `checking` while the file is read, `ready` (or `rejected`) when its findings wait
    for a person. `created_by` made it; it acts with the rights of `started_by`.
    """

    class State(models.TextChoices):
        CHECKING = "checking", _("Checking")
        READY = "ready", _("Ready to start")
        REJECTED = "rejected", _("Cannot be used")
        QUEUED = "queued", _("Queued")
        RUNNING = "running", _("Running")
        CANCELING = "canceling", _("Canceling")
        SUCCEEDED = "succeeded", _("Succeeded")
        PARTIAL = "partial", _("Done, with failures")
        FAILED = "failed", _("Failed")
        CANCELED = "canceled", _("Canceled")

    DRAFTS = (State.CHECKING, State.READY, State.REJECTED)
    AT_WORK = (State.QUEUED, State.RUNNING, State.CANCELING)
    OVER = (State.SUCCEEDED, State.PARTIAL, State.FAILED, State.CANCELED)

    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="+")
    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="jobs")
    kind = models.CharField(_("kind"), max_length=40)
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.QUEUED)
    parent = models.ForeignKey("self", on_delete=models.SET_NULL, null=True, related_name="children")
    # What the job is about where there may be only one of it at a time, e.g. the update batch that is watched.
    subject = models.CharField(max_length=128, blank=True, default="")
    params = models.JSONField(default=dict)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    started_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    # Whose rights the job has at most, where a program started (or drafted) it. It cannot be deleted under the job: the
    # job would have all rights of the person then.
    token = models.ForeignKey(ApiToken, on_delete=models.RESTRICT, null=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    cancel_requested = models.BooleanField(default=False)
    error = models.JSONField(
        null=True
    )  # a sentence of `said`: why the whole job stopped, or the file cannot be used
    # Rows by state, and what they add up to. `total` does not count the rows left out before the start.
    counts = models.JSONField(default=dict)
    total = models.PositiveIntegerField(default=0)
    succeeded = models.PositiveIntegerField(default=0)
    failed = models.PositiveIntegerField(default=0)
    skipped = models.PositiveIntegerField(default=0)

    objects = JobQuerySet.as_manager()

    class Meta:
        indexes: ClassVar = [models.Index(fields=["connection", "-id"], name="jobs_of_connection")]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["connection", "kind", "subject"],
                condition=models.Q(finished_at__isnull=True) & ~models.Q(subject=""),
                name="one_running_job_a_subject",
            )
        ]
        ordering: ClassVar = ["-id"]

    def __str__(self) -> str:
        return f"{self.kind} {self.pk}"

    @property
    def done(self) -> int:
        """Rows whose outcome is known."""
        return self.succeeded + self.failed

    @property
    def is_draft(self) -> bool:
        """Whether nothing has been sent yet and a person must start it."""
        return self.state in self.DRAFTS

    @property
    def is_at_work(self) -> bool:
        """Whether workers have something to do for it."""
        return self.state in self.AT_WORK

    @property
    def is_over(self) -> bool:
        """Whether it came to its end."""
        return self.state in self.OVER

    @property
    def moves(self) -> bool:
        """Whether its page changes by itself."""
        return self.is_at_work or self.state == self.State.CHECKING

    @property
    def why(self) -> str:
        """Why the job stopped, or why its file cannot be used."""
        return read(self.error)

    def seconds(self, now: datetime | None = None) -> float:
        """Seconds from its start until its end, or until now."""
        if self.started_at is None:
            return 0.0
        return max(0.0, ((self.finished_at or now or timezone.now()) - self.started_at).total_seconds())

    def rate(self, now: datetime | None = None) -> float | None:
        """Rows a second since the start; None while none is done."""
        seconds = self.seconds(now)
        return self.done / seconds if self.done and seconds > 0 else None

    def time_left(self, now: datetime | None = None) -> timedelta | None:
        """How long the rest takes at the present rate; None when that cannot be said."""
        rate = self.rate(now)
        if not self.is_at_work or not rate or self.total <= self.done:
            return None
        return timedelta(seconds=(self.total - self.done) / rate)


class Chunk(models.Model):
    """The part of a job that one worker handles at a time: where it is (`step`) and what it learned (`data`).

    A worker holds a chunk by a `lease`; what a worker whose lease is over wants to write is thrown away.
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
    attempts = models.PositiveIntegerField(
        default=0
    )  # claims since the last commit; >1: the step was begun before
    trouble = models.CharField(
        max_length=16, blank=True, default=""
    )  # what it waits for, a key of trouble.TROUBLES
    lease = models.CharField(max_length=32, blank=True, default="")
    leased_until = models.DateTimeField(null=True)
    next_at = models.DateTimeField(db_default=Now())
    rung_at = models.DateTimeField(
        null=True
    )  # when it was last revived, so that a long queue is not made longer
    counts = models.JSONField(default=dict)  # its rows by state

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["job", "number"], name="one_chunk_a_number")]
        indexes: ClassVar = [
            models.Index(fields=["next_at"], condition=models.Q(state="active"), name="chunks_to_ring"),
        ]
        ordering: ClassVar = ["number"]

    def __str__(self) -> str:
        return f"chunk {self.number} of job {self.job_id}"


class Row(models.Model):
    """One line of a job: a device to make, and what came of it."""

    class State(models.TextChoices):
        PENDING = "pending", _("Pending")
        CREATED = "created", pgettext_lazy("of a device", "Created")
        EXISTS = "exists", _("Exists already")
        INVALID = "invalid", _("Not valid")
        FAILED = "failed", _("Failed")
        UNKNOWN = "unknown", _("Not known")
        CANCELED = "canceled", _("Not sent")
        SKIPPED = "skipped", _("Left out")

    GOOD = (State.CREATED,)
    BAD = (State.EXISTS, State.INVALID, State.FAILED, State.UNKNOWN, State.CANCELED)
    # What a further run takes up (`unfinished`). Names that exist or are not valid would come out the same.
    AGAIN = (State.FAILED, State.UNKNOWN, State.CANCELED)

    # No indexes of the foreign keys alone: those below begin with them.
    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="rows", db_index=False)
    chunk = models.ForeignKey(Chunk, on_delete=models.CASCADE, null=True, related_name="rows", db_index=False)
    number = models.PositiveIntegerField(_("line"))  # in the file, from 1
    name = models.CharField(_("device name"), max_length=200)
    nickname = models.CharField(_("nickname"), max_length=200, blank=True, default="")
    # {"tags": {…}}; of a row left out also {"cells": [its original cells], "findings": [[column, rule, value, other]]}
    extra = models.JSONField(null=True)
    state = models.CharField(_("outcome"), max_length=8, choices=State, default=State.PENDING)
    reason = models.CharField(_("reason"), max_length=300, blank=True, default="")

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["job", "number"], name="rows_in_order"),
            models.Index(fields=["chunk", "state"], name="rows_of_chunk"),
            models.Index(fields=["job", "name"], name="rows_by_name"),
        ]
        ordering: ClassVar = ["number"]

    def __str__(self) -> str:
        return f"line {self.number}: {self.name}"


def unfinished(job: int | None) -> models.QuerySet[Row]:
    """The rows of a job that a further run would take up: those that did not come to be, in an earlier further run either."""
    made = Row.objects.filter(job__parent=job, name=models.OuterRef("name"), state=Row.State.CREATED)
    return Row.objects.filter(~models.Exists(made), job=job, state__in=Row.AGAIN)


class Secret(models.Model):
    """The secret of a device that a job made, collected for a download; deleted when it expires."""

    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="secrets", db_index=False)
    name = models.CharField(max_length=200)
    value = EncryptedTextField()
    expires_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["job", "name"], name="one_secret_a_device")]

    def __str__(self) -> str:
        return f"secret of {self.name}"


class Part(models.Model):
    """A piece of an uploaded file, kept until the job starts. In the database, where every worker can read it."""

    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="parts", db_index=False)
    number = models.PositiveIntegerField()
    content = models.BinaryField()

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["job", "number"], name="one_part_a_number")]
        ordering: ClassVar = ["number"]

    def __str__(self) -> str:
        return f"part {self.number} of job {self.job_id}"


class Event(models.Model):
    """Something that happened to a job and is worth a line on its page."""

    class Level(models.TextChoices):
        INFO = "info", _("Note")
        WARNING = "warning", _("Warning")
        ERROR = "error", _("Error")

    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="events", db_index=False)
    at = models.DateTimeField(default=timezone.now)
    level = models.CharField(max_length=7, choices=Level, default=Level.INFO)
    sentence = models.JSONField()  # of `said`

    class Meta:
        indexes: ClassVar = [models.Index(fields=["job", "-id"], name="events_of_job")]
        ordering: ClassVar = ["-id"]

    def __str__(self) -> str:
        return self.text

    @property
    def text(self) -> str:
        """What happened, in the reader's language."""
        return read(self.sentence)


class Sample(models.Model):
    """Counts by state at a moment, kept over the time of a watch."""

    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="samples", db_index=False)
    at = models.DateTimeField(default=timezone.now)
    counts = models.JSONField()

    class Meta:
        indexes: ClassVar = [models.Index(fields=["job", "at"], name="samples_in_order")]
        ordering: ClassVar = ["at", "id"]

    def __str__(self) -> str:
        return f"{self.job_id} at {self.at:%F %T}"
