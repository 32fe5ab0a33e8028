"""Runs jobs in tests: due chunks run in this process while the clock of the emulator is advanced."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from console.jobs import engine
from console.jobs.models import Chunk, Job


@pytest.fixture
def no_wake_messages(monkeypatch) -> None:
    """Send no wake messages: the tests run the steps themselves."""
    monkeypatch.setattr(engine, "wake_chunk", lambda chunk, wait=0.0: True)


@pytest.fixture
def run_job(no_wake_messages, clock):
    """Return a function that runs a job until it ends or `rounds` are over; each round takes half a second of platform time."""

    def run(job: Job, rounds: int = 400) -> Job:
        for _ in range(rounds):
            active = Chunk.objects.filter(job=job, state=Chunk.State.ACTIVE)
            if not active.exists():
                break
            active.update(next_at=past_time())
            for chunk in list(active.order_by("number").values_list("pk", flat=True)):
                engine.run_step(chunk)
            clock.advance(0.5)
        job.refresh_from_db()
        return job

    return run


def past_time():
    """Return a time that is in the past by every clock."""
    return timezone.now() - timedelta(seconds=1)


def run_until_step(job: Job, step: str, clock) -> Chunk:
    """Run the job's first chunk until `step` is its next step. Returns the chunk."""
    for _ in range(50):
        chunk = Chunk.objects.get(job=job, number=1)
        Chunk.objects.filter(pk=chunk.pk).update(next_at=past_time())
        if chunk.step == step:
            return chunk
        engine.run_step(chunk.pk)
        clock.advance(0.5)
    raise AssertionError(f"step {step} was never reached")


def run_next_step(job: Job) -> None:
    """Run the step of the job's first active chunk."""
    chunk = Chunk.objects.filter(job=job, state=Chunk.State.ACTIVE).order_by("number").first()
    Chunk.objects.filter(pk=chunk.pk).update(next_at=past_time())
    engine.run_step(chunk.pk)


def abandon_chunk(chunk: Chunk) -> None:
    """Leave the chunk as a worker does that is killed in a step: with an expired lease and one more attempt."""
    Chunk.objects.filter(pk=chunk.pk).update(lease="dead", leased_until=past_time(), attempts=1)
