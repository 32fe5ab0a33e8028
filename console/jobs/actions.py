"""What people do with jobs: make a draft, start it, cancel, run again, discard. Each checks who may, and is safe to repeat."""

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
from console.jobs.models import Chunk, Event, Job, Part, Row, said, unfinished

INLINE_BYTES = 1024 * 1024  # smaller files are read while the person waits
INLINE_ROWS = 20_000
_AT_ONCE = 20_000  # rows deleted in one transaction


def draft(gateway: Gateway, kind: str, params: dict[str, Any], content: Iterable[bytes] | None = None) -> Job:
    """A job that is looked at before anything is sent: from a file, or as `params` say. Small ones are ready on return."""
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
        engine.ring(chunk.pk)


def reread(job: Job, chosen: dict[str, int], headless: bool) -> bool:
    """Read a draft's file again, with the columns that a person chose. False when it is no draft (any more)."""
    with transaction.atomic():
        readable = Job.objects.locked().filter(pk=job.pk, state__in=[Job.State.READY, Job.State.REJECTED])
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
    """Start a draft, as its actor. True for exactly one of several clicks; False also when it has nothing to send.

    Raises ReauthenticationNeeded as `follow_up` does.
    """
    _demand_presence(gateway, job.kind)
    with transaction.atomic():
        locked = Job.objects.locked().filter(pk=job.pk, state=Job.State.READY, total__gt=0).first()
        if locked is None:
            return False
        now = timezone.now()
        locked.state, locked.started_by, locked.started_at = Job.State.QUEUED, gateway.actor, now
        locked.token = gateway.membership.token
        locked.params = {**locked.params, **(params or {}), "account": locked.connection.account}
        locked.save()
        locked.chunks.filter(state=Chunk.State.HELD).update(state=Chunk.State.ACTIVE, next_at=Now())
        Part.objects.filter(job=locked).delete()
        _note(locked, gettext_noop("Started by %(person)s."), gateway.actor)
        engine.ring_job(locked.pk)
    return True


def cancel(job: Job, actor: User) -> bool:
    """Stop before the next write. What was sent already is followed to its end. False when it is over or being stopped."""
    with transaction.atomic():
        going = Job.objects.locked().filter(pk=job.pk, state__in=[Job.State.QUEUED, Job.State.RUNNING])
        locked = going.first()
        if locked is None:
            return False
        locked.state, locked.cancel_requested = Job.State.CANCELING, True
        locked.started_at = locked.started_at or timezone.now()
        locked.save()
        # Those that wait for the cloud, or for their turn, need not.
        locked.chunks.filter(state=Chunk.State.ACTIVE, lease="").update(next_at=Now())
        _note(locked, gettext_noop("Canceled by %(person)s."), actor, Event.Level.WARNING)
        engine.ring_job(locked.pk)
    return True


def further_run(job: Job, gateway: Gateway) -> Job | None:
    """A new job of the rows that failed, were not sent, or whose outcome is not known; the first stays as it is.

    None when there is nothing (more) to run again. One at a time for a job: a second click gets the first one's run.
    """
    if not job.is_over or not unfinished(job.pk).exists():
        return None
    params = {
        key: job.params[key]
        for key in ("product_key", "product_name", "tags", "filename")
        if key in job.params
    }
    return _child(
        job, gateway, job.kind, {**params, "source": "again"}, gettext_noop("Run again by %(person)s.")
    )


def follow_up(job: Job, gateway: Gateway, kind: str) -> Job:
    """Start a job of another kind about this one. One at a time.

    Raises ReauthenticationNeeded where the kind reveals secrets: while the job runs nobody is there to be asked.
    """
    about = {key: job.params[key] for key in ("product_key", "product_name") if key in job.params}
    return _child(job, gateway, kind, about, gettext_noop("Started by %(person)s."))


def _child(parent: Job, gateway: Gateway, kind: str, params: dict[str, Any], text: str) -> Job:
    _demand_presence(gateway, kind)
    wanted = Job(
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
    job = alone(wanted, "prepare", 0)
    if job == wanted:
        _note(job, text, gateway.actor)
    return job


def _demand_presence(gateway: Gateway, kind: str) -> None:
    if kinds.get(kind).reveals and not gateway.reauthenticated:
        raise ReauthenticationNeeded


def alone(wanted: Job, step: str, number: int) -> Job:
    """Start `wanted` with one chunk, or answer the unfinished job of its kind and subject that there is already."""
    wanted.params = {**wanted.params, "account": wanted.connection.account}
    same = Job.objects.filter(
        connection=wanted.connection, kind=wanted.kind, subject=wanted.subject, finished_at__isnull=True
    )
    for last in (False, True):
        existing = same.first()
        if existing is not None:
            return existing
        try:
            with transaction.atomic():
                wanted.save(force_insert=True)
                Chunk.objects.create(job=wanted, number=number, step=step)
                engine.ring_job(wanted.pk)
            break
        except IntegrityError:  # somebody else began the same at this moment
            if last:
                raise
            wanted.pk = None
    return wanted


def discard(job: Job) -> bool:
    """Delete a draft with all that was read. False when it is none (any more)."""
    with transaction.atomic():
        if not Job.objects.filter(pk=job.pk, state__in=Job.DRAFTS).update(state=Job.State.REJECTED):
            return False
        # A worker that reads the file at this moment comes to its next transaction in vain.
        job.chunks.update(lease="", state=Chunk.State.DONE)
    delete(job)
    return True


def delete(job: Job) -> None:
    """Delete a job that nobody works on. In small transactions: a million rows in one would keep all others from writing."""
    rows = Row.objects.filter(job=job)
    while edge := rows.order_by("number").values_list("number", flat=True)[_AT_ONCE : _AT_ONCE + 1].first():
        if not rows.filter(number__lt=edge).delete()[0]:
            break
    with transaction.atomic():
        rows.delete()
        job.delete()


def may(job: Job, gateway: Gateway) -> bool:
    """Whether the person may start, cancel, discard or repeat this job."""
    kind = kinds.get(job.kind)
    return kind.allowed(gateway) and all(map(gateway.allows, (*kind.steering, *kind.making(job))))


def _note(job: Job, text: str, actor: User, level: Event.Level = Event.Level.INFO) -> None:
    Event.objects.create(job=job, level=level, sentence=said(text, person=str(actor)))
