"""Errors in a step: which ones are retried after a delay, which ones end a chunk, which ones stop the whole job."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop

from console.jobs import kinds
from console.jobs.kinds import StepResult
from console.jobs.models import Chunk, Event, Item, Job, make_sentence
from console.jobs.work import Work, end_chunk, set_pending_outcome
from iot_client.errors import (
    AccessDenied,
    BadResponse,
    CloudError,
    SignatureRefused,
    Throttled,
    Unavailable,
)

MAX_CRASHES = 5
_MAX_WAIT = 300.0  # seconds, even if the platform asks for more: wake messages are not stored for longer
# Attempts, about seven minutes, after which a canceled job stops waiting for unknown outcomes.
_MAX_CANCELED_ATTEMPTS = 12
_EVENT_INTERVAL = timedelta(minutes=10)  # between two events with the same text
# Why a chunk waits, as its page shows it.
DELAY_TEXTS: dict[str, str | Promise] = {
    "throttled": _(
        "The call limit of the platform is reached. The job continues when calls are possible again."
    ),
    "unavailable": _(
        "The platform cannot be reached. The job continues automatically when the platform responds again."
    ),
    "busy": _("Waiting for an earlier task of the platform to finish."),
    "crashed": _("An internal error occurred. The job tries again automatically."),
}
_EVENTS = {
    "throttled": gettext_noop("The call limit of the platform was reached (%(code)s). Waiting."),
    "unavailable": gettext_noop("The platform cannot be reached (%(code)s). Retrying until it responds."),
    "busy": gettext_noop("The platform is busy with an earlier task (%(code)s). Waiting."),
    "crashed": gettext_noop("An internal error occurred (%(code)s). Retrying."),
}


def handle_cloud_error(work: Work, sent: bool, error: CloudError) -> StepResult:
    """Return the step result for a cloud error. `sent`: something was sent whose outcome is not known yet."""
    if isinstance(error, Throttled | Unavailable | BadResponse):
        if sent and work.is_canceled and work.chunk.attempts > _MAX_CANCELED_ATTEMPTS:
            return end_chunk(work, Item.Outcome.UNKNOWN, item_reason(error))
        if isinstance(error, Throttled):
            return retry_later(work, "throttled", error, 0.5)
        return retry_later(work, "unavailable", error, 2.0)
    if isinstance(error, AccessDenied | SignatureRefused):
        # The platform would refuse every other call in the same way.
        return stop_job(work, sent, {"cloud": cloud_error_data(error)})
    return fail_chunk(work, sent, error)


def fail_chunk(work: Work, sent: bool, error: CloudError) -> StepResult:
    """End a chunk that the platform refused: its items get the platform's message as reason. A draft, and a job without items,
    stop.

    If something was `sent`, the outcome of the items is unknown: a rejected query does not show whether it was carried out.
    """
    if work.job.is_draft or kinds.get(work.job.kind).items is None:
        return stop_job(work, sent, {"cloud": cloud_error_data(error)})
    return end_chunk(work, Item.Outcome.UNKNOWN if sent else Item.Outcome.FAILED, item_reason(error))


def cloud_error_data(error: CloudError) -> dict[str, str]:
    """Return a cloud error as a job stores it."""
    return {
        "code": error.code,
        "message": error.message[:1000],
        "operation": error.operation,
        "request_id": error.request_id,
    }


def item_reason(error: CloudError) -> str:
    """Return a cloud error as the reason of an item."""
    return f"{error.code}: {error.message}" if error.message else error.code


def retry_later(work: Work, delay_reason: str, error: CloudError, at_least: float) -> StepResult:
    """Repeat the step after at least `at_least` seconds, with growing waits; the job's page shows the delay reason."""
    return retry_with_reason(work, delay_reason, error.code, max(error.retry_after or 0.0, at_least), error)


def retry_with_reason(
    work: Work, delay_reason: str, code: str, at_least: float, error: CloudError | None = None
) -> StepResult:
    """Like `retry_later`, also for a delay that is not caused by a cloud error."""
    backoff = min(at_least * 2.0 ** min(work.chunk.attempts - 1, 10), 60.0)
    text = _EVENTS[delay_reason]

    def has_recent_event(job: Job) -> bool:
        return job.events.filter(sentence__text=text, at__gt=timezone.now() - _EVENT_INTERVAL).exists()

    def write(job: Job) -> None:
        if not has_recent_event(job):
            Event.objects.create(job=job, level=Event.Level.WARNING, sentence=make_sentence(text, code=code))

    waiting_chunks = work.job.chunks.filter(state=Chunk.State.ACTIVE, delay_reason=delay_reason)
    return StepResult(
        wait=min(max(at_least, backoff), _MAX_WAIT),
        delay_reason=delay_reason,
        data={"delay": cloud_error_data(error) if error else {"code": code}},
        write=None if waiting_chunks.exists() or has_recent_event(work.job) else write,
    )


def handle_crash(work: Work, sent: bool, error: Exception) -> StepResult:
    """Handle an error of the console itself: retry MAX_CRASHES times, then stop the job."""
    crashes = work.data.get("crashes", 0) + 1
    if crashes < MAX_CRASHES:
        retry = retry_with_reason(work, "crashed", type(error).__name__, 1.0)
        return StepResult(
            wait=retry.wait,
            delay_reason="crashed",
            data={**retry.data, "crashes": crashes},
            write=retry.write,
        )
    text = gettext_noop("Stopped by an internal error (%(name)s). See the log of the console.")
    return stop_job(work, sent, make_sentence(text, name=type(error).__name__))


def stop_job(work: Work, sent: bool, sentence: dict[str, Any]) -> StepResult:
    """Stop the whole job with an error. Items that were not sent get this outcome; the outcome of `sent` items is unknown."""
    outcome = Item.Outcome.UNKNOWN if sent else Item.Outcome.CANCELED

    def write(job: Job) -> None:
        set_pending_outcome(work, outcome)
        if job.error is None:
            job.error = sentence
            if "text" in sentence:
                Event.objects.create(job=job, level=Event.Level.ERROR, sentence=sentence)
            else:
                text = gettext_noop("Stopped: the platform rejected the call (%(code)s).")
                Event.objects.create(
                    job=job,
                    level=Event.Level.ERROR,
                    sentence=make_sentence(text, code=sentence["cloud"]["code"]),
                )
            if job.state in (Job.State.CHECKING, Job.State.READY):
                job.state = Job.State.REJECTED

    return StepResult(done=True, write=write)
