"""What a step of a job is given, and the lease it works under."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection
from django.db.models import QuerySet

from console.connections.gateway import Gateway
from console.jobs.kinds import Next
from console.jobs.models import Chunk, Event, Job, Row, in_seconds, said

log = logging.getLogger(__name__)

_RENEWALS = 40  # a step that hangs for good must lose its chunk in the end


class LeaseLost(Exception):
    """Another worker has the chunk, or it is gone: what was learned here is thrown away."""


@dataclass(frozen=True)
class Work:
    """A chunk that this worker holds, and the gateway that acts for who started the job."""

    job: Job
    chunk: Chunk
    gateway: Gateway

    @property
    def data(self) -> dict[str, Any]:
        """What earlier steps learned."""
        data: dict[str, Any] = self.chunk.data
        return data

    @property
    def begun_before(self) -> bool:
        """Whether this step was begun before and its end is not known."""
        return self.chunk.attempts > 1

    @property
    def canceled(self) -> bool:
        """Whether the job is to stop: somebody canceled it, or it may not go on."""
        return self.job.cancel_requested or self.job.error is not None

    def pending(self) -> QuerySet[Row]:
        """The chunk's rows whose outcome is not known, in order."""
        return Row.objects.filter(chunk=self.chunk, state=Row.State.PENDING).order_by("number")

    def hold(self) -> None:
        """Take the lease for longer: at the beginning of a transaction in a long step, and right before what cannot be
        taken back. Raises LeaseLost."""
        if not renew(self.chunk.pk, self.chunk.lease):
            raise LeaseLost

    def note(self, text: str, level: Event.Level = Event.Level.INFO, **args: Any) -> None:
        """A line on the job's page; `text` is a msgid."""
        Event.objects.create(job=self.job, level=level, sentence=said(text, **args))

    def cut(self) -> Next:
        """Stop here: what is pending was not sent."""
        return settle(self, Row.State.CANCELED)


def settle(work: Work, state: Row.State, reason: str = "") -> Next:
    """The end of a chunk: its pending rows get this outcome."""
    return Next(done=True, write=lambda job: give_pending(work, state, reason))


def give_pending(work: Work, state: Row.State, reason: str = "") -> None:
    """Give the chunk's pending rows an outcome, inside the commit of a step."""
    if work.chunk.number == 0:  # cut while the rows were being made ready: there is nothing to tell of them
        Row.objects.filter(job=work.job).delete()
        work.job.chunks.exclude(pk=work.chunk.pk).delete()
    else:
        work.pending().order_by().update(state=state, reason=reason[:300])


def renew(chunk: int, lease: str) -> bool:
    """Make a lease last for its whole length from now; False when it is lost."""
    until = in_seconds(settings.JOBS_LEASE_SECONDS)
    return bool(Chunk.objects.filter(pk=chunk, lease=lease).update(leased_until=until))


class Heartbeat:
    """Renews a lease while a step runs: leases may be short, so that a dead worker's chunk is soon taken up."""

    def __init__(self, chunk: Chunk) -> None:
        self._chunk, self._lease = chunk.pk, chunk.lease
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="lease", daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *exception: object) -> None:
        self._over.set()
        self._thread.join()

    def _beat(self) -> None:
        beats = 0
        try:
            while not self._over.wait(settings.JOBS_LEASE_SECONDS / 3) and beats < _RENEWALS:
                beats += 1
                try:
                    if not renew(self._chunk, self._lease):
                        return
                except (DatabaseError, InterfaceError):
                    # Busy or away: there are two more beats before the lease is over, on a new connection.
                    log.warning("the lease of chunk %s could not be renewed", self._chunk)
                    connection.close()
        finally:
            if beats:
                connection.close()
