"""Actions of users on jobs: create a draft, start it, cancel, retry, discard. Each action is safe to repeat."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext_noop

from console.access.models import User
from console.access.reauthentication import ReauthenticationNeeded
from console.connections.gateway import Gateway
from console.jobs import engine, files, kinds
from console.jobs.models import Chunk, Event, Job, Part, Row, make_sentence, retryable_rows

INLINE_BYTES = 1024 * 1024  # smaller files are read within the request
INLINE_ROWS = 20_000
_ROWS_PER_DELETE = 20_000  # rows deleted in one transaction


def create_draft(
    gateway: Gateway, kind: str, params: dict[str, Any], content: Iterable[bytes] | None = None
) -> Job:
    """Create a draft, which a user reviews before anything is sent, from a file or from `params`. A small one is ready on
    return."""
    job = Job.objects.create(
        team=gateway.membership.team,
        connection=gateway.connection,
        kind=kind,
        state=Job.State.CHECKING,
        params=params,
        created_by=gateway.actor,
        token=gateway.membership.token,
    )
    size = files.store(job, content) if content is not None else 0
    if content is not None:
        job.params = {**params, "size": size}
        job.save(update_fields=["params"])
    chunk = Chunk.objects.create(job=job, number=0, step="prepare")
    _prepare(job, chunk, inline=size <= INLINE_BYTES and params.get("count", 0) <= INLINE_ROWS)
    return job


def _prepare(job: Job, chunk: Chunk, inline: bool) -> None:
    if inline:
        engine.run_step(chunk.pk)
        job.refresh_from_db()
    else:
        engine.wake_chunk(chunk.pk)


def reread_file(job: Job, chosen: dict[str, int], headless: bool) -> bool:
    """Read a draft's file again with the columns that a user chose. Returns False if the job is not a draft any more."""
    with transaction.atomic():
        readable = Job.objects.for_update().filter(pk=job.pk, state__in=[Job.State.READY, Job.State.REJECTED])
        locked = readable.first()
        if locked is None or not locked.parts.exists():
            return False
        Row.objects.filter(job=locked).delete()
        locked.chunks.all().delete()
        locked.state, locked.error, locked.total, locked.skipped = Job.State.CHECKING, None, 0, 0
        locked.params = {**locked.params, "chosen": chosen, "headless": headless}
        locked.save()
        chunk = Chunk.objects.create(job=locked, number=0, step="prepare")
    _prepare(locked, chunk, inline=locked.params.get("size", 0) <= INLINE_BYTES)
    return True


def start(job: Job, gateway: Gateway, params: dict[str, Any] | None = None) -> bool:
    """Start a draft with the rights of the gateway's actor.

    Returns True for exactly one of several calls, and False if no row can be sent. Raises ReauthenticationNeeded like
    `start_follow_up`.
    """
    _require_reauthentication(gateway, job.kind)
    with transaction.atomic():
        locked = Job.objects.for_update().filter(pk=job.pk, state=Job.State.READY, total__gt=0).first()
        if locked is None:
            return False
        now = timezone.now()
        locked.state, locked.started_by, locked.started_at = Job.State.QUEUED, gateway.actor, now
        locked.token = gateway.membership.token
        locked.params = {**locked.params, **(params or {}), "account": locked.connection.account}
        locked.save()
        locked.chunks.filter(state=Chunk.State.HELD).update(state=Chunk.State.ACTIVE, next_at=Now())
        Part.objects.filter(job=locked).delete()
        _add_event(locked, gettext_noop("Started by %(user)s."), gateway.actor)
        engine.wake_job(locked.pk)
    return True


def cancel(job: Job, actor: User) -> bool:
    """Cancel a job before its next write; sent rows are followed until their outcome is known.

    Returns False if the job has ended or is already being canceled.
    """
    with transaction.atomic():
        running = Job.objects.for_update().filter(pk=job.pk, state__in=[Job.State.QUEUED, Job.State.RUNNING])
        locked = running.first()
        if locked is None:
            return False
        locked.state, locked.cancel_requested = Job.State.CANCELING, True
        locked.started_at = locked.started_at or timezone.now()
        locked.save()
        # Chunks that wait for the platform or for their turn can end now.
        locked.chunks.filter(state=Chunk.State.ACTIVE, lease="").update(next_at=Now())
        _add_event(locked, gettext_noop("Canceled by %(user)s."), actor, Event.Level.WARNING)
        engine.wake_job(locked.pk)
    return True


def retry(job: Job, gateway: Gateway) -> Job | None:
    """Start a new job with the rows that failed, were not sent or have an unknown outcome. The first job is not changed.

    Returns None when there are no rows to retry. Only one retry of a job runs at a time: a second call returns the first one.
    """
    if not job.is_finished or not retryable_rows(job.pk).exists():
        return None
    params = {
        key: job.params[key]
        for key in ("product_key", "product_name", "tags", "filename")
        if key in job.params
    }
    return _start_child(
        job, gateway, job.kind, {**params, "source": "retry"}, gettext_noop("Retried by %(user)s.")
    )


def start_follow_up(job: Job, gateway: Gateway, kind: str) -> Job:
    """Start a job of another kind for the results of this one. Only one runs at a time.

    Raises ReauthenticationNeeded if the kind reads secrets: the user must confirm their identity before the job starts.
    """
    params = {key: job.params[key] for key in ("product_key", "product_name") if key in job.params}
    return _start_child(job, gateway, kind, params, gettext_noop("Started by %(user)s."))


def _start_child(parent: Job, gateway: Gateway, kind: str, params: dict[str, Any], text: str) -> Job:
    _require_reauthentication(gateway, kind)
    new_job = Job(
        team=parent.team,
        connection=parent.connection,
        kind=kind,
        parent=parent,
        subject=f"job {parent.pk}",
        params=params,
        created_by=gateway.actor,
        started_by=gateway.actor,
        token=gateway.membership.token,
        started_at=timezone.now(),
    )
    job = start_or_find(new_job, "prepare", 0)
    if job == new_job:
        _add_event(job, text, gateway.actor)
    return job


def _require_reauthentication(gateway: Gateway, kind: str) -> None:
    if kinds.get(kind).reveals and not gateway.reauthenticated:
        raise ReauthenticationNeeded


def start_or_find(new_job: Job, step: str, number: int) -> Job:
    """Start `new_job` with one chunk, or return the unfinished job with the same kind and subject if there is one."""
    new_job.params = {**new_job.params, "account": new_job.connection.account}
    unfinished = Job.objects.filter(
        connection=new_job.connection, kind=new_job.kind, subject=new_job.subject, finished_at__isnull=True
    )
    for is_last_try in (False, True):
        existing = unfinished.first()
        if existing is not None:
            return existing
        try:
            with transaction.atomic():
                new_job.save(force_insert=True)
                Chunk.objects.create(job=new_job, number=number, step=step)
                engine.wake_job(new_job.pk)
            break
        except IntegrityError:  # another request started the same job at this moment
            if is_last_try:
                raise
            new_job.pk = None
    return new_job


def discard(job: Job) -> bool:
    """Delete a draft with its file and rows. Returns False if the job is not a draft any more."""
    with transaction.atomic():
        if not Job.objects.filter(pk=job.pk, state__in=Job.DRAFTS).update(state=Job.State.REJECTED):
            return False
        # A worker that reads the file at this moment loses its lease in its next transaction.
        job.chunks.update(lease="", state=Chunk.State.DONE)
    delete(job)
    return True


def delete(job: Job) -> None:
    """Delete a job that no worker works on, in small transactions: a single large one would block all other writers."""
    rows = Row.objects.filter(job=job)
    while (
        edge := rows.order_by("number")
        .values_list("number", flat=True)[_ROWS_PER_DELETE : _ROWS_PER_DELETE + 1]
        .first()
    ):
        if not rows.filter(number__lt=edge).delete()[0]:
            break
    with transaction.atomic():
        rows.delete()
        job.delete()


def may_control(job: Job, gateway: Gateway) -> bool:
    """Return whether the user may start, cancel, discard or retry this job."""
    kind = kinds.get(job.kind)
    return kind.is_allowed(gateway) and all(
        map(gateway.allows, (*kind.control_operations, *kind.job_operations(job)))
    )


def _add_event(job: Job, text: str, actor: User, level: Event.Level = Event.Level.INFO) -> None:
    Event.objects.create(job=job, level=level, sentence=make_sentence(text, user=str(actor)))
