"""Runs jobs, chunk by chunk and step by step.

A wake message (a Celery message, console/jobs/tasks.py) says that a chunk may have something to do. The worker that receives
it claims the chunk by a conditional update, runs one step, and commits the result under its lease. A duplicate message, a
lost message (`find_overdue_chunks` finds its chunk) and a worker that stops in a step therefore cost a delay and nothing else.

Leases and waiting times use the database's clock, which all machines share: the clock of a worker may be wrong.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import redis
from celery.exceptions import SoftTimeLimitExceeded
from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.db import InterfaceError, OperationalError, models, transaction
from django.db.models.functions import Coalesce, Now
from django.utils import timezone
from django.utils.translation import gettext_noop

from console.accounts.encryption import Undecryptable
from console.celery import app
from console.jobs import delays, kinds
from console.jobs.kinds import Kind, StepResult
from console.jobs.models import Chunk, Event, Item, Job, make_sentence, seconds_from_now
from console.jobs.rights import JobRefused, create_gateway
from console.jobs.work import Heartbeat, LeaseLost, Work
from iot_client.errors import CloudError

log = logging.getLogger(__name__)

WOKEN_AT_ONCE = 500  # chunks
STEPS_PER_WAKE = 20  # after these, other chunks get a turn
SECONDS_PER_WAKE = 60.0  # after these, too: the time limit of the task is meant for one step
MAX_LOST_WORKERS = 30  # claims of one step whose workers never reported back
_CANCELED_WAIT = 2.0  # seconds

_ENDINGS = {
    Job.State.SUCCEEDED: (Event.Level.INFO, gettext_noop("Finished.")),
    Job.State.PARTIAL: (Event.Level.WARNING, gettext_noop("Finished with failures.")),
    Job.State.CANCELED: (
        Event.Level.WARNING,
        gettext_noop("Canceled. Items that were already sent were processed."),
    ),
    Job.State.FAILED: (Event.Level.ERROR, gettext_noop("Failed.")),
}


# -- waking workers ------------------------------------------------------------------------------------------------


def wake_chunk(chunk: int, wait: float = 0.0) -> bool:
    """Send a wake message for a chunk, to be delivered after `wait` seconds.

    Returns False when the broker cannot be reached; the task `wake_overdue_chunks` sends the message again later.
    """
    try:
        app.send_task("jobs.step", (chunk,), countdown=wait, retry=False)
    except Exception:  # the client of the broker can raise any error
        log.warning("no wake message for chunk %s: the broker cannot be reached", chunk)
        return False
    return True


def wake_job(job: int) -> None:
    """Send a wake message for the first active chunks of a job, after the current transaction is committed. The task
    `wake_overdue_chunks` wakes the others: a request cannot wait for the messages of 20,000 chunks."""
    active = Chunk.objects.filter(job=job, state=Chunk.State.ACTIVE).order_by("number")
    chunks = list(active.values_list("pk", flat=True)[:WOKEN_AT_ONCE])

    def wake_all() -> None:
        for chunk in chunks:
            if not wake_chunk(chunk):
                return

    transaction.on_commit(wake_all)


def find_overdue_chunks(limit: int = WOKEN_AT_ONCE) -> list[int]:
    """Return the IDs of chunks that are overdue, have no lease and got no wake message recently; mark them as woken."""
    woken_before = seconds_from_now(-3.0 * settings.JOBS_REVIVE_SECONDS)
    chunks = list(
        Chunk.objects.filter(state=Chunk.State.ACTIVE, next_at__lt=seconds_from_now(-1.0))
        .filter(models.Q(leased_until__isnull=True) | models.Q(leased_until__lt=Now()))
        .filter(models.Q(woken_at__isnull=True) | models.Q(woken_at__lt=woken_before))
        .order_by("next_at")
        .values_list("pk", flat=True)[:limit]
    )
    Chunk.objects.filter(pk__in=chunks).update(woken_at=Now())
    return chunks


def advance_chunk(chunk: int) -> None:
    """Run the steps of a chunk until it must wait, is done, or has used STEPS_PER_WAKE steps or SECONDS_PER_WAKE."""
    start = time.monotonic()
    for _step in range(STEPS_PER_WAKE):
        wait = run_step(chunk)
        if wait is None:
            return
        if wait > 0:
            wake_chunk(chunk, wait)
            return
        if time.monotonic() - start > SECONDS_PER_WAKE:
            break
    wake_chunk(chunk)


# -- one step --------------------------------------------------------------------------------------------------------


def run_step(pk: int) -> float | None:
    """Claim a chunk, run its current step and commit the result.

    Returns the seconds until its next step; None when this worker has nothing more to do for it.
    """
    chunk = _claim(pk)
    if chunk is None:
        return None
    job, kind = chunk.job, kinds.get(chunk.job.kind)
    _mark_running(job)
    try:
        work, result = _execute(job, chunk, kind)
        return _commit_or_handle_crash(work, kind, result)
    except LeaseLost:
        log.info("chunk %s was taken over by another worker; the result of this one is discarded", pk)
        return None
    except (OperationalError, InterfaceError):
        # Nothing was committed: the lease will expire, and the task `wake_overdue_chunks` wakes the chunk again.
        log.warning("the database was busy or unavailable at chunk %s", pk, exc_info=True)
        return None


def _claim(pk: int) -> Chunk | None:
    """Take the lease of a chunk. Returns None when the chunk is not due or another worker has it."""
    token = secrets.token_hex(16)
    claimed = (
        Chunk.objects.filter(pk=pk, state=Chunk.State.ACTIVE, next_at__lte=Now())
        .filter(models.Q(leased_until__isnull=True) | models.Q(leased_until__lt=Now()))
        .update(
            lease=token,
            leased_until=seconds_from_now(settings.JOBS_LEASE_SECONDS),
            attempts=models.F("attempts") + 1,
        )
    )
    if not claimed:
        return None
    return (
        Chunk.objects.select_related(
            *("job__connection", "job__team", "job__started_by", "job__created_by"),
            *("job__token__team", "job__token__user"),
        )
        .filter(pk=pk, lease=token)
        .first()
    )


def _mark_running(job: Job) -> None:
    if job.state == Job.State.QUEUED:
        started_at = Coalesce("started_at", timezone.now())
        Job.objects.filter(pk=job.pk, state=Job.State.QUEUED).update(
            state=Job.State.RUNNING, started_at=started_at
        )
        job.state = Job.State.RUNNING


def _execute(job: Job, chunk: Chunk, kind: Kind[Any]) -> tuple[Work, StepResult]:
    step = kind.steps[chunk.step]
    sent = step.may_have_sent(chunk)
    if step.starts_draft and job.state != Job.State.READY:
        return Work(job, chunk, None), StepResult(done=True)  # type: ignore[arg-type]  # a user was faster
    try:
        gateway = create_gateway(job, kind)
    except JobRefused as refusal:
        work = Work(job, chunk, None)  # type: ignore[arg-type]  # ending a chunk needs no gateway
        return work, delays.stop_job(work, sent, refusal.sentence)
    work = Work(job, chunk, gateway)
    if work.is_canceled and not sent:
        return work, work.end_unsent()
    if chunk.attempts > MAX_LOST_WORKERS and not chunk.delay_reason:
        text = gettext_noop("Stopped: %(count)d workers crashed at the same step. Check their logs.")
        return work, delays.stop_job(work, sent, make_sentence(text, count=MAX_LOST_WORKERS))
    try:
        with Heartbeat(chunk):
            return work, step.run(work)
    except LeaseLost:
        raise
    except SoftTimeLimitExceeded:
        log.exception("step %s of chunk %s was ended by its time limit", chunk.step, chunk.pk)
        _take_lease_back(chunk)
        text = gettext_noop("Stopped: a step took longer than %(count)d seconds. See the log of the console.")
        sent = step.sent == "maybe" or step.may_have_sent(chunk)  # also by this worker
        return work, delays.stop_job(work, sent, make_sentence(text, count=settings.JOBS_STEP_SECONDS))
    except PermissionDenied as error:  # the role does not allow it, or a rule requires an approval
        text = gettext_noop("Stopped: %(reason)s")
        return work, delays.stop_job(work, sent, make_sentence(text, reason=str(error)))
    except Undecryptable:
        text = gettext_noop(
            "Stopped: the AccessKey secret of the connection cannot be decrypted because its encryption key is missing."
        )
        return work, delays.stop_job(work, sent, make_sentence(text))
    except CloudError as error:
        return work, delays.handle_cloud_error(work, sent, error)
    except (redis.RedisError, OSError) as error:
        return work, delays.retry_with_reason(work, "unavailable", type(error).__name__, 2.0)
    except (OperationalError, InterfaceError):
        raise
    except Exception as error:
        log.exception("step %s of chunk %s failed", chunk.step, chunk.pk)
        return work, delays.handle_crash(work, sent, error)


def _take_lease_back(chunk: Chunk) -> None:
    """Take the lease from a worker that runs the same step again: this step may have let no other thread renew the lease."""
    same_step = Chunk.objects.filter(pk=chunk.pk, state=Chunk.State.ACTIVE, step=chunk.step)
    same_step.filter(attempts__gte=chunk.attempts).update(
        lease=chunk.lease, leased_until=seconds_from_now(settings.JOBS_LEASE_SECONDS)
    )


# -- committing ------------------------------------------------------------------------------------------------------


def _commit_or_handle_crash(work: Work, kind: Kind[Any], result: StepResult) -> float | None:
    """Commit a result like `_commit`, and treat an error in its `write` function like an error of the step."""
    try:
        return _commit(work, kind, result)
    except (LeaseLost, OperationalError, InterfaceError):
        raise
    except Exception as error:
        log.exception("the result of step %s of chunk %s cannot be written", work.chunk.step, work.chunk.pk)
        sent = kind.steps[work.chunk.step].sent != "no"
        return _commit(work, kind, delays.handle_crash(work, sent, error))


def _commit(work: Work, kind: Kind[Any], result: StepResult) -> float | None:
    """Write the result of a step if the lease is still valid. Returns the seconds until the next step; None after the last."""
    if result.write is None and not result.done and result.counts is None:
        canceled = result.wait > _CANCELED_WAIT and Job.objects.filter(pk=work.job.pk, cancel_requested=True)
        result = _shorten_wait(work, kind, result, bool(canceled and canceled.exists()))
        _release(work.chunk, _chunk_values(work.chunk, result))
        return result.wait
    chunk = work.chunk
    has_items = kind.items is not None and chunk.number > 0
    with transaction.atomic():
        job = Job.objects.for_update().filter(pk=chunk.job_id).first()
        if job is None:
            raise LeaseLost
        if kind.steps[chunk.step].starts_draft and job.state != Job.State.READY:
            result = StepResult(done=True)  # it was started, by this step or by a user
        result = _shorten_wait(work, kind, result, job.cancel_requested)
        _release(chunk, _chunk_values(chunk, result))
        if result.write is not None:
            result.write(job)
        _update_totals(job, kind, chunk, _count_items(chunk) if has_items else result.counts)
        is_last = _finish_job(job) if result.done and job.is_active else False
        job.save()
        if result.done and not chunk.number and job.is_active and not is_last:
            wake_job(job.pk)
    return None if result.done else result.wait


def _shorten_wait(work: Work, kind: Kind[Any], result: StepResult, is_canceled: bool) -> StepResult:
    """Return the result with a short wait if the job was canceled in the meantime: the next step ends the chunk."""
    step = kind.steps[result.step or work.chunk.step]
    is_long = step.sent != "yes" and result.wait > _CANCELED_WAIT
    return replace(result, wait=_CANCELED_WAIT) if is_canceled and is_long else result


def _chunk_values(chunk: Chunk, result: StepResult) -> dict[str, Any]:
    """Return the new field values of the chunk."""
    is_same_step = not result.step or result.step == chunk.step
    data = {**chunk.data, **result.data}
    if not result.delay_reason:
        data["delay"] = None
    return {
        "step": result.step or chunk.step,
        "state": Chunk.State.DONE if result.done else Chunk.State.ACTIVE,
        "data": {key: value for key, value in data.items() if value is not None},
        "next_at": seconds_from_now(result.wait),
        "attempts": chunk.attempts if is_same_step and result.delay_reason else 0,
        "delay_reason": result.delay_reason,
        "lease": "",
        "leased_until": None,
        "woken_at": None,
    }


def _release(chunk: Chunk, values: dict[str, Any]) -> None:
    if not Chunk.objects.filter(pk=chunk.pk, lease=chunk.lease).update(**values):
        raise LeaseLost


def _count_items(chunk: Chunk) -> dict[str, int]:
    """Return the number of the chunk's items by outcome."""
    items = Item.objects.filter(chunk=chunk).order_by()
    return dict(items.values_list("outcome").annotate(n=models.Count("pk")))


def _update_totals(job: Job, kind: Kind[Any], chunk: Chunk, counts: Mapping[str, int] | None) -> None:
    """Set the counts of a chunk, None if they did not change, and the numbers of its job, whose row is locked.

    Only the difference is added to the job: a job of a million items has 20,000 chunks, too many to sum at each commit.
    """
    done, is_first = job.done, not job.counts
    if counts is not None:
        chunks = Chunk.objects.filter(pk=chunk.pk)
        sums = Counter(job.counts)
        sums.update(counts)
        sums.subtract(chunks.values_list("counts", flat=True).get())
        chunks.update(counts=dict(counts))
        job.counts = {name: n for name, n in sums.items() if n}
    kind.tally(job)
    if kind.items is None and is_first:
        job.done_at_start = job.done
    elif job.done != done:
        job.advanced_at = timezone.now()


def _finish_job(job: Job) -> bool:
    """Set the final state of the job if its last chunk is done. Returns whether it was the last."""
    if job.chunks.filter(state=Chunk.State.ACTIVE).exists():
        return False
    job.finished_at = timezone.now()
    job.started_at = job.started_at or job.finished_at
    partial = job.counts.get(Item.Outcome.PARTIAL, 0)
    job.failed += partial  # while the job ran, they were not done
    if job.error is not None:
        job.state = Job.State.FAILED
    elif job.cancel_requested and (
        partial
        or any(map(job.counts.get, (Item.Outcome.CANCELED, Item.Outcome.UNKNOWN)))
        or not job.total
        or job.done < job.total
    ):
        job.state = Job.State.CANCELED
    elif not job.failed:
        job.state = Job.State.SUCCEEDED
    else:
        # An unchanged item is not a failure of the job: the platform has what was asked for.
        has_results = job.succeeded or partial or job.counts.get(Item.Outcome.UNCHANGED)
        job.state = Job.State.PARTIAL if has_results else Job.State.FAILED
    level, text = _ENDINGS[Job.State(job.state)]
    Event.objects.create(job=job, level=level, sentence=make_sentence(text))
    kinds.get(job.kind).on_end(job)
    return True
