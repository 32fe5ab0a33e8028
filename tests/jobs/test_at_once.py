"""Two database connections at the same time: SQLite runs them one after the other, PostgreSQL in parallel."""

from __future__ import annotations

import threading

import pytest

from console.areas.devices.registration import loading
from console.areas.devices.registration.actions import register_from_file, register_generated_names
from console.jobs import actions, engine
from console.jobs.models import Chunk, Item, Job, Part
from tests.at_once import WAIT, run_at_once
from tests.running_jobs import past_time

pytestmark = [
    pytest.mark.django_db(transaction=True),
]


@pytest.fixture
def create_ready_draft(org, product):
    """Return a function that creates a draft with `count` devices."""

    def make(count: int = 500) -> Job:
        return register_generated_names(org.gateway("operator"), product, "Meters", count, "")

    return make


def test_two_concurrent_starts_start_the_job_once(org, create_ready_draft):
    job = create_ready_draft()
    gateways = [org.gateway("operator"), org.gateway("owner")]
    assert sorted(run_at_once(*(lambda g=g: actions.start(job, g) for g in gateways))) == [False, True]
    assert job.events.count() == 1


def test_two_concurrent_retries_start_one_job(org, create_ready_draft, run_job):
    job = create_ready_draft()
    assert actions.start(job, org.gateway("operator"))
    job.refresh_from_db()
    actions.cancel(job, org.members["operator"])
    job = run_job(job)
    gateways = [org.gateway("operator"), org.gateway("owner")]
    runs = run_at_once(*(lambda g=g: actions.retry(job, g) for g in gateways))
    assert runs[0] == runs[1]
    assert Job.objects.filter(parent=job).count() == 1


def test_a_chunk_is_claimed_by_only_one_worker(org, create_ready_draft):
    job = create_ready_draft()
    actions.start(job, org.gateway("operator"))
    chunk = job.chunks.get(number=1)
    for _ in range(5):
        claims = run_at_once(*[lambda: engine._claim(chunk.pk)] * 4)
        assert sum(claim is not None for claim in claims) == 1
        Chunk.objects.update(lease="", leased_until=None)


def test_canceling_while_chunks_are_committed_loses_nothing(org, create_ready_draft, run_job):
    job = create_ready_draft(2000)
    actions.start(job, org.gateway("operator"))
    parts = list(job.chunks.exclude(number=0).values_list("pk", flat=True))
    Chunk.objects.update(next_at=past_time())
    run_at_once(
        *(lambda pk=pk: engine.run_step(pk) for pk in parts[:4]),
        lambda: actions.cancel(job, org.members["operator"]),
    )
    job = run_job(job)
    assert (job.state, job.counts) == (Job.State.CANCELED, {"canceled": 2000})


def test_chunks_that_end_at_the_same_time_are_all_counted(org, create_ready_draft):
    job = create_ready_draft(2000)
    actions.start(job, org.gateway("operator"))
    actions.cancel(job, org.members["operator"])
    parts = list(job.chunks.exclude(number=0).values_list("pk", flat=True))
    assert len(parts) > 4
    run_at_once(*(lambda pk=pk: engine.run_step(pk) for pk in parts))
    job.refresh_from_db()
    assert (job.state, job.counts) == (Job.State.CANCELED, {"canceled": 2000})
    assert job.events.count() == 3, "started, canceled, ended once"


def test_a_draft_can_be_discarded_while_its_file_is_read(org, product, monkeypatch):
    monkeypatch.setattr(actions, "INLINE_BYTES", 0)
    monkeypatch.setattr(loading, "_BATCH_ROWS", 50)
    content = b"name\n" + b"".join(b"dev-%05d\n" % n for n in range(5000))
    job = register_from_file(org.gateway("operator"), product, "Meters", [content], "d.csv")
    reading = threading.Event()
    real = loading.insert_items

    def insert_slowly(items):
        """Signal the start of a transaction in the middle of the file."""
        items = list(items)
        if items[0].number > 1000:
            reading.set()
        real(items)

    monkeypatch.setattr(loading, "insert_items", insert_slowly)

    def discard() -> bool:
        assert reading.wait(WAIT)
        return actions.discard(job)

    chunk = job.chunks.get()
    waited, discarded = run_at_once(lambda: engine.run_step(chunk.pk), discard)
    assert (waited, discarded) == (None, True)
    for model in (Job, Item, Part, Chunk):
        assert not model.objects.exists()
