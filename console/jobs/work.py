"""The argument of a job step, and the lease under which the step works."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection
from django.db.models import QuerySet

from console.connections.gateway import Gateway
from console.jobs import kinds
from console.jobs.kinds import StepResult
from console.jobs.models import Chunk, Event, Item, Job, make_sentence, seconds_from_now

log = logging.getLogger(__name__)


class LeaseLost(Exception):
    """Another worker has the chunk, or it was deleted: the result of this worker is discarded."""


@dataclass(frozen=True)
class Work:
    """A chunk that this worker holds, and the gateway of the user who started the job."""

    job: Job
    chunk: Chunk
    gateway: Gateway

    @property
    def data(self) -> dict[str, Any]:
        """The results of earlier steps."""
        data: dict[str, Any] = self.chunk.data
        return data

    @property
    def was_begun_before(self) -> bool:
        """Whether a worker began this step before and did not report its end."""
        return self.chunk.attempts > 1

    @property
    def is_canceled(self) -> bool:
        """Whether the job must end: a user canceled it, or another chunk stopped it with an error."""
        return self.job.cancel_requested or self.job.error is not None

    def pending_items(self) -> QuerySet[Item]:
        """Return the chunk's items that have no outcome yet, in order."""
        return Item.objects.filter(chunk=self.chunk, outcome=Item.Outcome.PENDING).order_by("number")

    def renew_lease(self) -> None:
        """Renew the lease. Call it at the start of a transaction in a long step, and right before a call that cannot be undone.

        Raises LeaseLost.
        """
        if not extend_lease(self.chunk.pk, self.chunk.lease):
            raise LeaseLost

    def add_event(self, text: str, level: Event.Level = Event.Level.INFO, **args: Any) -> None:
        """Add an event to the job; `text` is a msgid."""
        Event.objects.create(job=self.job, level=level, sentence=make_sentence(text, **args))

    def end_unsent(self) -> StepResult:
        """End the chunk; its pending items were not sent."""
        return end_chunk(self, Item.Outcome.CANCELED)


def end_chunk(work: Work, outcome: Item.Outcome, reason: str = "") -> StepResult:
    """Return the result that ends a chunk and gives its pending items this outcome."""
    return StepResult(done=True, write=lambda job: set_pending_outcome(work, outcome, reason))


def set_pending_outcome(work: Work, outcome: Item.Outcome, reason: str = "") -> None:
    """Give the chunk's pending items an outcome. Call it inside the commit of a step."""
    if kinds.get(work.job.kind).steps[work.chunk.step].starts_draft:
        return
    if work.chunk.number == 0:  # ended while the items were being created: none of them was shown yet
        Item.objects.filter(job=work.job).delete()
        work.job.chunks.exclude(pk=work.chunk.pk).delete()
    else:
        work.pending_items().order_by().update(outcome=outcome, reason=reason[:300])


def extend_lease(chunk: int, lease: str) -> bool:
    """Extend a lease to its full length from now. Returns False when it is lost."""
    until = seconds_from_now(settings.JOBS_LEASE_SECONDS)
    return bool(Chunk.objects.filter(pk=chunk, lease=lease).update(leased_until=until))


class Heartbeat:
    """Renews a lease while a step runs, so that leases can be short and another worker soon continues the chunk of a stopped
    worker."""

    def __init__(self, chunk: Chunk) -> None:
        self._chunk, self._lease = chunk.pk, chunk.lease
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="lease", daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *exception: object) -> None:
        self._stopped.set()
        self._thread.join()

    def _beat(self) -> None:
        beats = 0
        # A step that hangs in a worker without a time limit must lose its chunk eventually.
        end = time.monotonic() + settings.JOBS_STEP_SECONDS
        try:
            while not self._stopped.wait(settings.JOBS_LEASE_SECONDS / 3) and time.monotonic() < end:
                beats += 1
                try:
                    if not extend_lease(self._chunk, self._lease):
                        return
                except (DatabaseError, InterfaceError):
                    # Busy or unavailable: two more beats follow before the lease expires, on a new connection.
                    log.warning("the lease of chunk %s could not be renewed", self._chunk)
                    connection.close()
        finally:
            if beats:
                connection.close()
