"""When a step does not go well: what is waited for, what ends a chunk, what stops the whole job."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop

from console.cloud.errors import (
    AccessDenied,
    BadAnswer,
    CloudError,
    SignatureRefused,
    Throttled,
    Unavailable,
)
from console.jobs import kinds
from console.jobs.kinds import Next
from console.jobs.models import Chunk, Event, Job, Row, said
from console.jobs.work import Work, give_pending, settle

MOST_CRASHES = 5
_LONGEST_WAIT = 300.0  # seconds, whatever the platform asks for: bells are not kept for longer
_PATIENCE = (
    12  # tries, over some seven minutes, before a job that is to stop no longer waits for what was sent
)
_SAID_AGAIN = timedelta(minutes=10)
# What a chunk can be waiting for, as its page says it.
TROUBLES: dict[str, str | Promise] = {
    "throttled": _("The platform's limit of calls is reached: waiting for a turn."),
    "unavailable": _(
        "Waiting for the cloud: it cannot be reached. The job goes on by itself as soon as it answers."
    ),
    "busy": _("The platform is still at an earlier registration: waiting for it to finish."),
    "crashed": _("An error of the console itself: trying again."),
}
_EVENTS = {
    "throttled": gettext_noop("The platform's limit of calls was reached (%(code)s); waiting."),
    "unavailable": gettext_noop("The cloud cannot be reached (%(code)s); trying again until it can."),
    "busy": gettext_noop("The platform is busy with an earlier registration (%(code)s); waiting."),
    "crashed": gettext_noop("An error of the console itself (%(code)s); trying again."),
}


def cloud_trouble(work: Work, sent: bool, error: CloudError) -> Next:
    """What follows from an error of the cloud. `sent`: something was sent whose outcome is to be learned yet."""
    if isinstance(error, Throttled | Unavailable | BadAnswer):
        if sent and work.canceled and work.chunk.attempts > _PATIENCE:
            return settle(work, Row.State.UNKNOWN, reason_of(error))
        if isinstance(error, Throttled):
            return later(work, "throttled", error, 0.5)
        return later(work, "unavailable", error, 2.0)
    if isinstance(error, AccessDenied | SignatureRefused):
        # Every other call would be refused like this one.
        return stopped(work, sent, {"cloud": told(error)})
    return failed(work, sent, error)


def failed(work: Work, sent: bool, error: CloudError) -> Next:
    """The end of a chunk that the platform refused: its rows say what it said. A job without rows stops.

    What was `sent` may have come to be all the same: a question that is refused says nothing of it.
    """
    if not kinds.get(work.job.kind).rows:
        return stopped(work, sent, {"cloud": told(error)})
    return settle(work, Row.State.UNKNOWN if sent else Row.State.FAILED, reason_of(error))


def told(error: CloudError) -> dict[str, str]:
    """An error of the cloud as a job keeps it."""
    return {
        "code": error.code,
        "message": error.message[:1000],
        "operation": error.operation,
        "request_id": error.request_id,
    }


def reason_of(error: CloudError) -> str:
    """An error of the cloud as the reason of a row."""
    return f"{error.code}: {error.message}" if error.message else error.code


def later(work: Work, trouble: str, error: CloudError, at_least: float) -> Next:
    """The same step again, later and later as it goes on; the job's page says what it waits for."""
    return waiting(work, trouble, error.code, max(error.retry_after or 0.0, at_least), error)


def waiting(work: Work, trouble: str, code: str, at_least: float, error: CloudError | None = None) -> Next:
    """As `later`, for trouble that is no error of the cloud."""
    backoff = min(at_least * 2.0 ** min(work.chunk.attempts - 1, 10), 60.0)
    text = _EVENTS[trouble]

    def said_lately(job: Job) -> bool:
        return job.events.filter(sentence__text=text, at__gt=timezone.now() - _SAID_AGAIN).exists()

    def write(job: Job) -> None:
        if not said_lately(job):
            Event.objects.create(job=job, level=Event.Level.WARNING, sentence=said(text, code=code))

    others = work.job.chunks.filter(state=Chunk.State.ACTIVE, trouble=trouble)
    return Next(
        wait=min(max(at_least, backoff), _LONGEST_WAIT),
        trouble=trouble,
        data={"trouble": told(error) if error else {"code": code}},
        write=None if others.exists() or said_lately(work.job) else write,
    )


def crashed(work: Work, sent: bool, error: Exception) -> Next:
    """An error of our own: tried again some times, then the job stops."""
    crashes = work.data.get("crashes", 0) + 1
    if crashes < MOST_CRASHES:
        following = waiting(work, "crashed", type(error).__name__, 1.0)
        return Next(
            wait=following.wait,
            trouble="crashed",
            data={**following.data, "crashes": crashes},
            write=following.write,
        )
    text = gettext_noop("Stopped by an error of the console itself (%(name)s); its log says more.")
    return stopped(work, sent, said(text, name=type(error).__name__))


def stopped(work: Work, sent: bool, sentence: dict[str, Any]) -> Next:
    """The job may not go on. What was not sent stays so; of what was sent nobody can learn the outcome."""
    state = Row.State.UNKNOWN if sent else Row.State.CANCELED

    def write(job: Job) -> None:
        give_pending(work, state)
        if job.error is None:
            job.error = sentence
            if "text" in sentence:
                Event.objects.create(job=job, level=Event.Level.ERROR, sentence=sentence)
            else:
                text = gettext_noop("Stopped: the cloud refused (%(code)s).")
                Event.objects.create(
                    job=job, level=Event.Level.ERROR, sentence=said(text, code=sentence["cloud"]["code"])
                )
            if job.state == Job.State.CHECKING:
                job.state = Job.State.REJECTED

    return Next(done=True, write=write)
