"""Runs jobs, chunk by chunk and step by step.

A bell (a Celery message, console/jobs/tasks.py) says that a chunk may have something to do. Whoever hears it claims the
chunk by a conditional update, runs one step, and commits what it learned under the lease it got. So the same bell heard
twice, a bell never heard (`due` finds what is overdue) and a worker that died half-way cost a delay and nothing else.

Leases and turns go by the database's clock, the one that all machines share: that of a worker may be off.
"""

from __future__ import annotations

import logging
import secrets
from collections import Counter
from dataclasses import replace
from typing import Any

import redis
from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.db import InterfaceError, OperationalError, models, transaction
from django.db.models.functions import Coalesce, Now
from django.utils import timezone
from django.utils.translation import gettext_noop

from console.access.audit import Origin
from console.access.encryption import Undecryptable
from console.access.models import Membership, User
from console.access.tokens.authentication import InvalidToken, find_membership
from console.celery import app
from console.cloud.errors import CloudError
from console.cloud.quota import Lane
from console.connections.gateway import Gateway
from console.jobs import kinds, trouble
from console.jobs.kinds import Kind, Next
from console.jobs.models import Chunk, Event, Job, Row, in_seconds, said
from console.jobs.visibility import reaches
from console.jobs.work import Heartbeat, LeaseLost, Work

log = logging.getLogger(__name__)

STEPS_A_BELL = 20  # then others get a turn
MOST_DEATHS = 30  # claims of a step that nobody came back from
_CANCELED_WAIT = 2.0  # seconds

_ENDINGS = {
    Job.State.SUCCEEDED: (Event.Level.INFO, gettext_noop("Finished.")),
    Job.State.PARTIAL: (Event.Level.WARNING, gettext_noop("Finished, with failures.")),
    Job.State.CANCELED: (
        Event.Level.WARNING,
        gettext_noop("Canceled. What had been sent before was carried through."),
    ),
    Job.State.FAILED: (Event.Level.ERROR, gettext_noop("Failed.")),
}


class Refused(Exception):
    """The job may not go on: the person who started it is gone, or may no longer do this."""

    def __init__(self, text: str, **args: Any) -> None:
        super().__init__(text % args if args else text)
        self.sentence = said(text, **args)


# -- bells -----------------------------------------------------------------------------------------------------------


def ring(chunk: int, wait: float = 0.0) -> bool:
    """Send for a worker, after `wait` seconds. False when the broker is away: the database remembers, and beat rings again."""
    try:
        app.send_task("jobs.step", (chunk,), countdown=wait, retry=False)
    except Exception:  # whatever the broker's client raises
        log.warning("no bell for chunk %s: the broker cannot be reached", chunk)
        return False
    return True


def ring_job(job: int) -> None:
    """Send for workers for all that a job has to do, once the present transaction is committed."""
    chunks = list(Chunk.objects.filter(job=job, state=Chunk.State.ACTIVE).values_list("pk", flat=True))

    def bells() -> None:
        for chunk in chunks:
            if not ring(chunk):
                return

    transaction.on_commit(bells)


def due(limit: int = 500) -> list[int]:
    """Chunks that nobody came for: overdue, not held, and not rung for lately. Marks them as rung for."""
    lately = in_seconds(-3.0 * settings.JOBS_REVIVE_SECONDS)
    found = list(
        Chunk.objects.filter(state=Chunk.State.ACTIVE, next_at__lt=in_seconds(-1.0))
        .filter(models.Q(leased_until__isnull=True) | models.Q(leased_until__lt=Now()))
        .filter(models.Q(rung_at__isnull=True) | models.Q(rung_at__lt=lately))
        .order_by("next_at")
        .values_list("pk", flat=True)[:limit]
    )
    Chunk.objects.filter(pk__in=found).update(rung_at=Now())
    return found


def advance(chunk: int) -> None:
    """What a bell does: step after step, until the chunk must wait, is done, or has had its share."""
    for _turn in range(STEPS_A_BELL):
        wait = run_step(chunk)
        if wait is None:
            return
        if wait > 0:
            ring(chunk, wait)
            return
    ring(chunk)


# -- one step --------------------------------------------------------------------------------------------------------


def run_step(pk: int) -> float | None:
    """Claim the chunk, run its step, commit. Seconds until its next step; None when there is nothing (more) to do here."""
    chunk = _claim(pk)
    if chunk is None:
        return None
    job, kind = chunk.job, kinds.get(chunk.job.kind)
    _started(job)
    try:
        work, following = _run(job, chunk, kind)
        return _committed(work, kind, following)
    except LeaseLost:
        log.info("chunk %s was taken over; what this worker learned is thrown away", pk)
        return None
    except (OperationalError, InterfaceError):
        # Nothing was committed: the lease will be over, and a bell is rung for the chunk again.
        log.warning("the database was busy or away at chunk %s", pk, exc_info=True)
        return None


def _claim(pk: int) -> Chunk | None:
    """Take the chunk if it is due and nobody holds it."""
    token = secrets.token_hex(16)
    taken = (
        Chunk.objects.filter(pk=pk, state=Chunk.State.ACTIVE, next_at__lte=Now())
        .filter(models.Q(leased_until__isnull=True) | models.Q(leased_until__lt=Now()))
        .update(
            lease=token,
            leased_until=in_seconds(settings.JOBS_LEASE_SECONDS),
            attempts=models.F("attempts") + 1,
        )
    )
    if not taken:
        return None
    return (
        Chunk.objects.select_related(
            *("job__connection", "job__team", "job__started_by", "job__created_by"),
            *("job__token__team", "job__token__user"),
        )
        .filter(pk=pk, lease=token)
        .first()
    )


def _started(job: Job) -> None:
    if job.state == Job.State.QUEUED:
        started_at = Coalesce("started_at", timezone.now())
        Job.objects.filter(pk=job.pk, state=Job.State.QUEUED).update(
            state=Job.State.RUNNING, started_at=started_at
        )
        job.state = Job.State.RUNNING


def gateway_for(job: Job, kind: Kind) -> Gateway:
    """The gateway of who started the job, with the rights they have now. Raises Refused."""
    # Who made a draft lends a started job nothing: they may never have wanted it to start.
    actor = job.created_by if job.is_draft else job.started_by
    if actor is None or not actor.is_active:
        raise Refused(gettext_noop("Stopped: the person who started this job is no longer here."))
    if not job.is_draft and job.params.get("account", job.connection.account) != job.connection.account:
        raise Refused(
            gettext_noop(
                "Stopped: the connection was changed to another account, region or instance after this job was started."
            )
        )
    membership = _membership(job, actor)
    if not (membership.includes_connection(job.connection_id) and reaches(membership, job)):
        raise Refused(
            gettext_noop("Stopped: the access of %(person)s does not reach this any more."), person=str(actor)
        )
    gateway = Gateway(
        actor=actor,
        membership=membership,
        connection=job.connection,
        lane=Lane.BACKGROUND,
        origin=Origin(job_id=job.pk, token=job.token.label if job.token else ""),
        reauthenticated=True,  # whoever started a job that reveals was asked then
    )
    if not kind.allowed(gateway):
        raise Refused(
            gettext_noop("Stopped: the role of %(person)s does not allow this any more."), person=str(actor)
        )
    return gateway


def _membership(job: Job, actor: User) -> Membership:
    """The actor's membership as it is now, limited by the token that the job was started with. Raises Refused."""
    if job.token is not None:
        try:
            return find_membership(job.token)
        except InvalidToken as ended:
            raise Refused(ended.text, **ended.values) from ended
    membership = Membership.objects.select_related("team").filter(team=job.team_id, user=actor).first()
    if membership is None:
        raise Refused(
            gettext_noop("Stopped: %(person)s is no longer a member of the team."), person=str(actor)
        )
    return membership


def _run(job: Job, chunk: Chunk, kind: Kind) -> tuple[Work, Next]:
    step = kind.steps[chunk.step]
    sent = step.sent == "yes" or (step.sent == "maybe" and chunk.attempts > 1)
    try:
        gateway = gateway_for(job, kind)
    except Refused as refusal:
        work = Work(job, chunk, None)  # type: ignore[arg-type]  # settling needs no gateway
        return work, trouble.stopped(work, sent, refusal.sentence)
    work = Work(job, chunk, gateway)
    if work.canceled and not sent:
        return work, work.cut()
    if chunk.attempts > MOST_DEATHS and not chunk.trouble:
        text = gettext_noop("Stopped: %(count)d workers died at the same step; their logs may say why.")
        return work, trouble.stopped(work, sent, said(text, count=MOST_DEATHS))
    try:
        with Heartbeat(chunk):
            return work, step.run(work)
    except LeaseLost:
        raise
    except PermissionDenied as error:  # the role does not reach it, or a rule asks for a second person
        text = gettext_noop("Stopped: %(reason)s")
        return work, trouble.stopped(work, sent, said(text, reason=str(error)))
    except Undecryptable:
        text = gettext_noop(
            "Stopped: the connection's AccessKey secret cannot be read; its encryption key is missing."
        )
        return work, trouble.stopped(work, sent, said(text))
    except CloudError as error:
        return work, trouble.cloud_trouble(work, sent, error)
    except (redis.RedisError, OSError) as error:
        return work, trouble.waiting(work, "unavailable", type(error).__name__, 2.0)
    except (OperationalError, InterfaceError):
        raise
    except Exception as error:
        log.exception("step %s of chunk %s failed", chunk.step, chunk.pk)
        return work, trouble.crashed(work, sent, error)


# -- committing ------------------------------------------------------------------------------------------------------


def _committed(work: Work, kind: Kind, following: Next) -> float | None:
    """`_commit`, where an error of our own in what the step writes counts like one in the step."""
    try:
        return _commit(work, kind, following)
    except (LeaseLost, OperationalError, InterfaceError):
        raise
    except Exception as error:
        log.exception("what step %s of chunk %s learned cannot be written", work.chunk.step, work.chunk.pk)
        sent = kind.steps[work.chunk.step].sent != "no"
        return _commit(work, kind, trouble.crashed(work, sent, error))


def _commit(work: Work, kind: Kind, following: Next) -> float | None:
    """Write what a step learned, if the lease still holds. Seconds until the next step; None after the last."""
    if following.write is None and not following.done and following.counts is None:
        stopping = following.wait > _CANCELED_WAIT and Job.objects.filter(
            pk=work.job.pk, cancel_requested=True
        )
        following = _hurried(work, kind, following, bool(stopping and stopping.exists()))
        _release(work.chunk, _update(work.chunk, following))
        return following.wait
    chunk = work.chunk
    with transaction.atomic():
        job = Job.objects.locked().filter(pk=chunk.job_id).first()
        if job is None:
            raise LeaseLost
        following = _hurried(work, kind, following, job.cancel_requested)
        _release(chunk, _update(chunk, following))
        if following.write is not None:
            following.write(job)
        if kind.rows and chunk.number:
            _count_rows(chunk)
        _total(job, kind)
        over = _finish(job) if following.done and job.is_at_work else False
        job.save()
        if following.done and not chunk.number and job.is_at_work and not over:
            ring_job(job.pk)
    return None if following.done else following.wait


def _hurried(work: Work, kind: Kind, following: Next, stopping: bool) -> Next:
    """Nobody need wait long once the job was canceled meanwhile: the next step will cut it."""
    step = kind.steps[following.step or work.chunk.step]
    long = step.sent != "yes" and following.wait > _CANCELED_WAIT
    return replace(following, wait=_CANCELED_WAIT) if stopping and long else following


def _update(chunk: Chunk, following: Next) -> dict[str, Any]:
    """What becomes of the chunk."""
    again = not following.step or following.step == chunk.step
    data = {**chunk.data, **following.data}
    if not following.trouble:
        data["trouble"] = None
    update: dict[str, Any] = {
        "step": following.step or chunk.step,
        "state": Chunk.State.DONE if following.done else Chunk.State.ACTIVE,
        "data": {key: value for key, value in data.items() if value is not None},
        "next_at": in_seconds(following.wait),
        "attempts": chunk.attempts if again and following.trouble else 0,
        "trouble": following.trouble,
        "lease": "",
        "leased_until": None,
        "rung_at": None,
    }
    if following.counts is not None:
        update["counts"] = dict(following.counts)
    return update


def _release(chunk: Chunk, update: dict[str, Any]) -> None:
    if not Chunk.objects.filter(pk=chunk.pk, lease=chunk.lease).update(**update):
        raise LeaseLost


def _count_rows(chunk: Chunk) -> None:
    counted = Row.objects.filter(chunk=chunk).order_by().values_list("state").annotate(n=models.Count("pk"))
    Chunk.objects.filter(pk=chunk.pk).update(counts=dict(counted))


def _total(job: Job, kind: Kind) -> None:
    sums: Counter[str] = Counter()
    for counts in job.chunks.values_list("counts", flat=True):
        sums.update(counts)
    kind.tally(job, sums)


def _finish(job: Job) -> bool:
    """Close the job if its last chunk is done; whether it was."""
    if job.chunks.filter(state=Chunk.State.ACTIVE).exists():
        return False
    job.finished_at = timezone.now()
    job.started_at = job.started_at or job.finished_at
    if job.error is not None:
        job.state = Job.State.FAILED
    elif job.cancel_requested and (
        any(map(job.counts.get, (Row.State.CANCELED, Row.State.UNKNOWN)))
        or not job.total
        or job.done < job.total
    ):
        job.state = Job.State.CANCELED
    elif not job.failed:
        job.state = Job.State.SUCCEEDED
    else:
        # That a name exists is no failure of the job: it was found out, as it should be.
        told = job.succeeded or job.counts.get(Row.State.EXISTS)
        job.state = Job.State.PARTIAL if told else Job.State.FAILED
    level, text = _ENDINGS[Job.State(job.state)]
    Event.objects.create(job=job, level=level, sentence=said(text))
    kinds.get(job.kind).ended(job)
    return True
