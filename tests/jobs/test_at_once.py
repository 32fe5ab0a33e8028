"""Two connections to the database at the same moment. What SQLite does one after the other, PostgreSQL does side by side."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connections

from console.devices import loading
from console.jobs import actions, engine
from console.jobs.models import Chunk, Job, Part, Row
from tests.jobs.conftest import a_moment_ago

pytestmark = [
    pytest.mark.django_db(transaction=True),
]
WAIT = 30


def at_once(*acts):
    """What each act returns, all begun at the same moment, each on a connection of its own."""
    barrier = threading.Barrier(len(acts))

    def run(act):
        try:
            barrier.wait(WAIT)
            return act()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(acts)) as pool:
        return [future.result(WAIT) for future in [pool.submit(run, act) for act in acts]]


@pytest.fixture
def ready(org, product):
    """A draft of so many devices."""

    def make(count: int = 500) -> Job:
        params = {"product_key": product, "product_name": "Meters", "source": "count", "count": count}
        return actions.draft(org.gateway("operator"), "devices.register", params)

    return make


def test_started_twice_at_once_it_starts_once(org, ready):
    job = ready()
    gateways = [org.gateway("operator"), org.gateway("owner")]
    assert sorted(at_once(*(lambda g=g: actions.start(job, g) for g in gateways))) == [False, True]
    assert job.events.count() == 1


def test_run_again_twice_at_once_is_one_job(org, ready, drain):
    job = ready()
    assert actions.start(job, org.gateway("operator"))
    job.refresh_from_db()
    actions.cancel(job, org.members["operator"])
    job = drain(job)
    gateways = [org.gateway("operator"), org.gateway("owner")]
    runs = at_once(*(lambda g=g: actions.further_run(job, g) for g in gateways))
    assert runs[0] == runs[1]
    assert Job.objects.filter(parent=job).count() == 1


def test_a_chunk_is_claimed_by_one_of_many(org, ready):
    job = ready()
    actions.start(job, org.gateway("operator"))
    chunk = job.chunks.get(number=1)
    for _ in range(5):
        claims = at_once(*[lambda: engine._claim(chunk.pk)] * 4)
        assert sum(claim is not None for claim in claims) == 1
        Chunk.objects.update(lease="", leased_until=None)


def test_stopped_at_the_moment_that_parts_are_committed_nothing_is_lost(org, ready, drain):
    job = ready(2000)
    actions.start(job, org.gateway("operator"))
    parts = list(job.chunks.exclude(number=0).values_list("pk", flat=True))
    Chunk.objects.update(next_at=a_moment_ago())
    at_once(
        *(lambda pk=pk: engine.run_step(pk) for pk in parts[:4]),
        lambda: actions.cancel(job, org.members["operator"]),
    )
    job = drain(job)
    assert (job.state, job.counts) == (Job.State.CANCELED, {"canceled": 2000})


def test_a_draft_discarded_while_it_is_read_is_gone_and_nobody_hangs(org, product, monkeypatch):
    monkeypatch.setattr(actions, "INLINE_BYTES", 0)
    monkeypatch.setattr(loading, "_BATCH", 50)
    content = b"name\n" + b"".join(b"dev-%05d\n" % n for n in range(5000))
    params = {"product_key": product, "product_name": "Meters", "source": "file", "filename": "d.csv"}
    job = actions.draft(org.gateway("operator"), "devices.register", params, [content])
    reading = threading.Event()
    real = loading.insert_rows

    def slowly(rows):
        """In the middle of a transaction."""
        rows = list(rows)
        if rows[0].number > 1000:
            reading.set()
        real(rows)

    monkeypatch.setattr(loading, "insert_rows", slowly)

    def discard() -> bool:
        assert reading.wait(WAIT)
        return actions.discard(job)

    chunk = job.chunks.get()
    waited, discarded = at_once(lambda: engine.run_step(chunk.pk), discard)
    assert (waited, discarded) == (None, True)
    for model in (Job, Row, Part, Chunk):
        assert not model.objects.exists()
