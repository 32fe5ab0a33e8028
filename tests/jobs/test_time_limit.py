"""A step that hangs is ended: its job stops and says so, its lease is free, and nothing is sent twice."""

from __future__ import annotations

import os
import signal
import threading
import time

import pytest
from celery.exceptions import SoftTimeLimitExceeded

from console.areas.devices.registration import applications
from console.jobs import actions, engine, tables
from console.jobs.models import Chunk, Job
from tests.registrations import device_count
from tests.responses import page_text
from tests.running_jobs import past_time, run_next_step, run_until_step

REASON = "Stopped: a step took longer than 600 seconds. See the log of the console."


@pytest.fixture
def hang():
    """Return a function that hangs until it is ended as Celery ends a task at its time limit: by a signal."""

    def end(*_arguments: object) -> None:
        raise SoftTimeLimitExceeded

    def run() -> None:
        threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGUSR1)).start()
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            time.sleep(0.01)

    earlier = signal.signal(signal.SIGUSR1, end)
    yield run
    signal.signal(signal.SIGUSR1, earlier)


def check_stopped(job: Job, outcomes: dict[str, int]) -> None:
    job.refresh_from_db()
    assert (job.state, job.error_text, job.counts) == (Job.State.FAILED, REASON, outcomes)
    assert not job.chunks.exclude(lease="").exists()
    assert not job.chunks.filter(state=Chunk.State.ACTIVE).exists()


def test_a_hanging_step_that_sent_nothing_leaves_its_items_unsent(
    start_registration, monkeypatch, hang, clock
):
    job = start_registration(3)
    run_until_step(job, "submit", clock)
    monkeypatch.setattr(applications, "submit_names", lambda *args: hang())
    run_next_step(job)
    check_stopped(job, {"canceled": 3})


def test_what_a_hanging_step_sent_is_unknown_and_not_sent_again(
    start_registration, monkeypatch, hang, clock, run_job, org, product, calls
):
    job = start_registration(3)
    run_until_step(job, "register", clock)
    real = applications.register

    def send_and_hang(*arguments: object) -> None:
        real(*arguments)
        hang()

    monkeypatch.setattr(applications, "register", send_and_hang)
    run_next_step(job)
    check_stopped(job, {"unknown": 3})
    retried = actions.retry(job, org.gateway("operator"))
    actions.start(run_job(retried), org.gateway("operator"))
    assert run_job(retried).counts == {"succeeded": 3}
    assert device_count(org, product) == 3
    assert calls.count("BatchRegisterDeviceWithApplyId") == 1


def test_a_file_whose_reading_hangs_cannot_be_started(upload_registration, monkeypatch, hang, org, sign_in):
    monkeypatch.setattr("console.jobs.actions.INLINE_BYTES", 0)
    upload_registration(b"name\nlamp-0001\n")
    monkeypatch.setattr(tables, "detect_layout", lambda *args: hang())
    job = Job.objects.get()
    run_next_step(job)
    job.refresh_from_db()
    assert job.state == Job.State.REJECTED
    assert REASON in page_text(sign_in("operator").get(org.url(f"jobs/{job.pk}/")))


def test_a_hanging_step_stops_its_job_although_another_worker_took_its_lease(
    start_registration, monkeypatch, hang, clock
):
    """A step that lets no other thread run cannot renew its lease. The other worker would hang in the same step."""
    job = start_registration(3)
    chunk = run_until_step(job, "submit", clock)
    others: list[Chunk | None] = []

    def lose_lease_and_hang(*_arguments: object) -> None:
        Chunk.objects.filter(pk=chunk.pk).update(leased_until=past_time())
        others.append(engine._claim(chunk.pk))
        hang()

    monkeypatch.setattr(applications, "submit_names", lose_lease_and_hang)
    run_next_step(job)
    assert others != [None]
    check_stopped(job, {"canceled": 3})


def test_a_worker_that_is_late_in_a_step_changes_nothing_after_another_one_ended_it(
    start_registration, monkeypatch, hang, clock
):
    job = start_registration(3)
    chunk = run_until_step(job, "submit", clock)
    real = applications.submit_names

    def let_another_worker_finish(*arguments: object) -> None:
        monkeypatch.setattr(applications, "submit_names", real)
        Chunk.objects.filter(pk=chunk.pk).update(leased_until=past_time())
        engine.run_step(chunk.pk)
        hang()

    monkeypatch.setattr(applications, "submit_names", let_another_worker_finish)
    run_next_step(job)
    chunk.refresh_from_db()
    job.refresh_from_db()
    assert (chunk.step, job.state) == ("await_check", Job.State.RUNNING)


def test_a_chunk_whose_steps_take_long_gives_others_a_turn(start_registration, monkeypatch, clock):
    chunk = run_until_step(start_registration(3), "submit", clock)
    woken: list[int] = []
    monkeypatch.setattr(engine, "SECONDS_PER_WAKE", 0.0)
    monkeypatch.setattr(engine, "wake_chunk", lambda chunk, wait=0.0: woken.append(chunk))
    engine.advance_chunk(chunk.pk)
    chunk.refresh_from_db()
    assert (chunk.step, woken) == ("await_check", [chunk.pk])
