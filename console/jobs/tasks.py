"""Celery tasks that wake the engine. All state is in the database."""

from __future__ import annotations

from celery import shared_task
from django.conf import settings

from console.jobs import cleanup, engine


@shared_task(
    name="jobs.step",
    soft_time_limit=settings.JOBS_STEP_SECONDS,
    time_limit=settings.JOBS_STEP_SECONDS + 60,  # for a step in which Python cannot raise the soft limit
)
def step(chunk: int) -> None:
    """Continue a chunk if it is due and no other worker has it."""
    engine.advance_chunk(chunk)


@shared_task(name="jobs.wake_overdue", acks_late=False)
def wake_overdue_chunks() -> None:
    """Wake chunks whose worker stopped or whose message the broker lost."""
    for chunk in engine.find_overdue_chunks():
        engine.wake_chunk(chunk)


@shared_task(name="jobs.clean_up")
def clean_up() -> None:
    """Delete expired secrets, old drafts that were never started, and old finished jobs."""
    cleanup.delete_expired()
