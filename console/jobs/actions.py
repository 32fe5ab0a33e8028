"""Actions of users on jobs: create a draft, start it, cancel, retry, discard. Each action is safe to repeat."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext_noop

from console.accounts.models import ApiToken, User
from console.connections.gateway import Gateway
from console.connections.models import Connection
from console.jobs import engine, files, kinds
from console.jobs.models import Chunk, Event, Item, Job, Part, make_sentence, retryable_items
from console.jobs.params import JobParams
from console.sign_in.reauthentication import ReauthenticationNeeded

# A draft with more than this is prepared by a worker: within a request, a row takes up to 0.1 ms.
INLINE_BYTES = 1024 * 1024
INLINE_ITEMS = 10_000
_ITEMS_PER_DELETE = 20_000  # items deleted in one transaction


def build_job(
    kind: str,
    params: JobParams,
    *,
    connection: Connection,
    user: User | None,
    token: ApiToken | None,
    **fields: Any,
) -> Job:
    """Return an unsaved job of a kind that `user` creates, with the parameters of that kind. `fields`: other fields of Job."""
    return Job(
        team_id=connection.team_id,
        connection=connection,
        kind=kind,
        scope_key=kinds.get(kind).scope_key(params),
        account=connection.account,
        params=params.as_json(),
        created_by=user,
        token=token,
        **fields,
    )


def create_draft(
    gateway: Gateway,
    kind: str,
    params: JobParams,
    content: Iterable[bytes] | None = None,
    *,
    file_name: str = "",
    expected_items: int = 0,
) -> Job:
    """Create a draft, which a user reviews before anything is sent, from a file or from `params`. A small one is ready on
    return: pass the number of `expected_items` if there is no file."""
    job = build_job(
        kind,
        params,
        connection=gateway.connection,
        user=gateway.actor,
        token=gateway.membership.token,
        state=Job.State.CHECKING,
        file_name=file_name,
    )
    job.save()
    if content is not None:
        files.store(job, content)
    chunk = Chunk.objects.create(job=job, number=0, step="prepare")
    _prepare(job, chunk, inline=_has_small_file(job) and expected_items <= INLINE_ITEMS)
    return job


def _has_small_file(job: Job) -> bool:
    """Return whether the job's file, if it has one, is small in bytes and in lines. A compressed one may be large."""
    if job.file_size > INLINE_BYTES:
        return False
    with files.open_file(job) as file:
        content = file.read()
    if content.startswith(b"PK\x03\x04"):
        return False
    return max(content.count(b"\n"), content.count(b"\r")) <= INLINE_ITEMS + 1  # one line is the header


def _prepare(job: Job, chunk: Chunk, inline: bool) -> None:
    if inline:
        while engine.run_step(chunk.pk) == 0.0:
            pass
        job.refresh_from_db()
    else:
        engine.wake_chunk(chunk.pk)


def reread_file(job: Job, **choices: Any) -> bool:
    """Read a draft's file again, with `choices` as its parameters. Returns False if the job is not a draft any more."""
    with transaction.atomic():
        readable = Job.objects.for_update().filter(pk=job.pk, state__in=[Job.State.READY, Job.State.REJECTED])
        locked = readable.first()
        if locked is None or not locked.parts.exists():
            return False
        Item.objects.filter(job=locked).delete()
        locked.chunks.all().delete()
        locked.state, locked.error, locked.total, locked.skipped = Job.State.CHECKING, None, 0, 0
        _change_params(locked, choices)
        locked.save()
        chunk = Chunk.objects.create(job=locked, number=0, step="prepare")
    _prepare(locked, chunk, inline=_has_small_file(locked))
    return True


def _change_params(job: Job, choices: dict[str, Any]) -> None:
    if choices:
        job.params = replace(kinds.get(job.kind).params.read(job), **choices).as_json()


def start(job: Job, gateway: Gateway, **choices: Any) -> bool:
    """Start a draft with the rights of the gateway's actor, and `choices` as its parameters.

    Returns True for exactly one of several calls, and False if no item can be sent. Raises ReauthenticationNeeded like
    `start_follow_up`, and what the kind's `check_start` raises.
    """
    _require_reauthentication(gateway, job.kind)
    with transaction.atomic():
        locked = Job.objects.for_update().filter(pk=job.pk, state=Job.State.READY, total__gt=0).first()
        if locked is None:
            return False
        kinds.get(locked.kind).check_start(gateway, locked)
        locked.started_at, locked.account = timezone.now(), locked.connection.account
        _change_params(locked, choices)
        _start(locked, gateway.actor, gateway.membership.token)
    return True


def _start(locked: Job, user: User, token: ApiToken | None) -> None:
    locked.state, locked.started_by, locked.token = Job.State.QUEUED, user, token
    locked.save()
    locked.chunks.filter(state=Chunk.State.HELD).update(state=Chunk.State.ACTIVE, next_at=Now())
    Part.objects.filter(job=locked).delete()
    _add_event(locked, gettext_noop("Started by %(user)s."), user)
    engine.wake_job(locked.pk)


def await_approval(job: int) -> bool:
    """Let a draft wait for an approval of its start. Returns False if it is not ready any more."""
    ready = Job.objects.filter(pk=job, state=Job.State.READY)
    return bool(ready.update(state=Job.State.WAITING))


def end_waiting(job: int, error: dict[str, Any] | None = None) -> None:
    """Make a draft ready again whose approval was not given; with an `error`, a sentence, nobody can start it."""
    state = Job.State.READY if error is None else Job.State.REJECTED
    Job.objects.filter(pk=job, state=Job.State.WAITING).update(state=state, error=error)


def start_approved(job: Job, user: User, token: ApiToken | None) -> bool:
    """Start a draft whose approval was given, with the rights of the user who asked for it, limited by their token.

    Returns False if it does not wait for an approval. The job stops at once if its connection was changed since the draft was
    created. `started_at` is set when a worker begins.
    """
    with transaction.atomic():
        locked = Job.objects.for_update().filter(pk=job.pk, state=Job.State.WAITING).first()
        if locked is None:
            return False
        _start(locked, user, token)
    return True


def cancel(job: Job, actor: User) -> bool:
    """Cancel a job before its next write; sent items are followed until their outcome is known.

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
    """Create a new job with the items that failed, were not sent or have an unknown outcome. The first job is not changed.

    The new job starts at once, or if its kind says so it is a draft that the user reviews. Returns None when there are no items
    to retry. A job has only one unfinished retry: a second call returns the first one.
    """
    kind = kinds.get(job.kind)
    if kind.retry_params is None or not job.is_finished or not retryable_items(job.pk).exists():
        return None
    params = kind.retry_params(kind.params.read(job))
    new_job = _build_child(job, gateway, job.kind, params)
    if not kind.reviews_retry:
        return _start_child(new_job, gateway.actor, gettext_noop("Retried by %(user)s."))
    new_job.state = Job.State.CHECKING
    draft = start_or_find(new_job, "prepare", 0)
    if draft == new_job:
        _prepare(draft, draft.chunks.get(number=0), inline=job.failed <= INLINE_ITEMS)
    return draft


def start_follow_up(job: Job, gateway: Gateway, kind: str, params: JobParams) -> Job:
    """Start a job of another kind for the results of this one. Only one runs at a time.

    Raises ReauthenticationNeeded if the kind reads secrets: the user must confirm their identity before the job starts.
    """
    _require_reauthentication(gateway, kind)
    new_job = _build_child(job, gateway, kind, params)
    return _start_child(new_job, gateway.actor, gettext_noop("Started by %(user)s."))


def _build_child(parent: Job, gateway: Gateway, kind: str, params: JobParams) -> Job:
    """A job for the same account: it stops if the connection was changed since the parent started, like the parent itself."""
    child = build_job(
        kind,
        params,
        connection=parent.connection,
        user=gateway.actor,
        token=gateway.membership.token,
        parent=parent,
        subject=f"job {parent.pk}",
        file_name=parent.file_name if kind == parent.kind else "",
    )
    child.account = parent.account
    return child


def _start_child(new_job: Job, user: User, text: str) -> Job:
    new_job.started_by, new_job.started_at = user, timezone.now()
    job = start_or_find(new_job, "prepare", 0)
    if job == new_job:
        _add_event(job, text, user)
    return job


def _require_reauthentication(gateway: Gateway, kind: str) -> None:
    if kinds.get(kind).reveals and not gateway.reauthenticated:
        raise ReauthenticationNeeded


def start_or_find(new_job: Job, step: str, number: int) -> Job:
    """Save `new_job` with one chunk and wake a worker, or return the unfinished job with the same kind and subject if there is
    one."""
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
    """Delete a draft with its file and items. Returns False if the job is not a draft any more, or waits for an approval."""
    with transaction.atomic():
        if not Job.objects.filter(pk=job.pk, state__in=Job.DISCARDABLE).update(state=Job.State.REJECTED):
            return False
        # A worker that reads the file at this moment loses its lease in its next transaction.
        job.chunks.update(lease="", state=Chunk.State.DONE)
    delete(job)
    return True


def delete(job: Job) -> None:
    """Delete a job that no worker works on, in small transactions: a single large one would block all other writers."""
    items = Item.objects.filter(job=job)
    while (
        edge := items.order_by("number")
        .values_list("number", flat=True)[_ITEMS_PER_DELETE : _ITEMS_PER_DELETE + 1]
        .first()
    ):
        if not items.filter(number__lt=edge).delete()[0]:
            break
    with transaction.atomic():
        items.delete()
        job.delete()


def may_control(job: Job, gateway: Gateway) -> bool:
    """Return whether the user may start, cancel, discard or retry this job."""
    kind = kinds.get(job.kind)
    return kind.is_allowed(gateway) and all(
        map(gateway.allows, (*kind.control_operations, *kind.job_operations(job)))
    )


def _add_event(job: Job, text: str, actor: User, level: Event.Level = Event.Level.INFO) -> None:
    Event.objects.create(job=job, level=level, sentence=make_sentence(text, user=str(actor)))
