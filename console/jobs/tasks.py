"""The bells: Celery tasks that wake the engine. All state is in the database."""

from __future__ import annotations

from celery import shared_task

from console.jobs import engine, upkeep


@shared_task(name="jobs.step")
def step(chunk: int) -> None:
    """Go on with a chunk, if it is due and nobody else has it."""
    engine.advance(chunk)


@shared_task(name="jobs.revive", acks_late=False)
def revive() -> None:
    """Ring for what a dead worker or an emptied broker left behind."""
    for chunk in engine.due():
        engine.ring(chunk)


@shared_task(name="jobs.tidy")
def tidy() -> None:
    """Delete secrets that expired, drafts that nobody started, and jobs that ended long ago."""
    upkeep.tidy()
