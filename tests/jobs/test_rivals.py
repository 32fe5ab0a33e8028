"""Two of everything at once: workers, clocks, people. One of them wins, and the platform is asked for nothing twice."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import timedelta

import pytest
from django.utils import timezone

from console.access.models import AuditRecord, User
from console.connections.models import Connection
from console.devices.jobs import REGISTER
from console.jobs import actions, engine
from console.jobs.kinds import Next, Step
from console.jobs.models import Chunk, Event, Job, Row
from console.jobs.work import LeaseLost, Work
from tests.jobs.conftest import a_moment_ago, abandon, device_count, text, until


def over(chunk: Chunk) -> None:
    """The lease of the chunk is over: its worker was not heard of."""
    Chunk.objects.filter(pk=chunk.pk).update(leased_until=a_moment_ago(), next_at=a_moment_ago())


# -- workers -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", ["check", "checked", "register", "made"])
@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_worker_that_stalls_around_its_call_and_wakes_when_another_has_the_chunk_does_no_harm(
    started, drain, clock, org, product, wire, step, moment
):
    job = started(5)
    chunk = until(job, step, clock)
    operation = {"check": "BatchCheckDeviceNames", "register": "BatchRegisterDeviceWithApplyId"}.get(
        step, "QueryBatchRegisterDeviceStatus"
    )

    def stall(answer=None) -> None:
        getattr(wire, moment).clear()
        over(chunk)
        engine.run_step(chunk.pk)

    getattr(wire, moment)[operation] = stall
    assert engine.run_step(chunk.pk) is None
    assert drain(job).counts == {"created": 5}
    assert device_count(org, product) == 5
    assert len(Job.objects.get().chunks.get(number=1).data["applies"]) == 1


def test_a_worker_that_wakes_before_its_call_makes_no_devices_of_a_job_that_was_stopped_meanwhile(
    started, drain, clock, org, product
):
    job = started(5)
    chunk = until(job, "register", clock)
    asleep = engine._claim(chunk.pk)
    assert asleep is not None
    actions.cancel(job, org.members["operator"])
    over(chunk)
    engine.run_step(chunk.pk)
    with pytest.raises(LeaseLost):
        REGISTER.steps["register"].run(Work(job, asleep, org.gateway("operator")))
    clock.advance(10)
    assert drain(job).counts == {"canceled": 5}
    assert device_count(org, product) == 0


@contextmanager
def a_clock_that_is_off(monkeypatch, by: timedelta):
    """This process's clock shows another time."""
    real = timezone.now
    with monkeypatch.context() as patch:
        patch.setattr(timezone, "now", lambda: real() + by)
        yield


def test_a_worker_whose_clock_is_ahead_takes_no_part_away_from_another(started, monkeypatch):
    chunk = started().chunks.get(number=1)
    held = engine._claim(chunk.pk)
    assert held is not None
    with a_clock_that_is_off(monkeypatch, timedelta(hours=1)):
        assert engine._claim(chunk.pk) is None
        assert engine.due() == []


@pytest.mark.parametrize("by", [timedelta(hours=-1), timedelta(hours=1)])
def test_a_machine_whose_clock_is_off_works_all_the_same(started, monkeypatch, by):
    with a_clock_that_is_off(monkeypatch, by):
        job = started()
        assert engine.run_step(job.chunks.get(number=1).pk) is not None
    assert job.chunks.get(number=1).step == "checked"
    assert engine.run_step(job.chunks.get(number=1).pk) is not None


def test_an_error_of_our_own_in_what_a_step_writes_stops_the_job_in_the_end(
    started, drain, monkeypatch, clock
):
    job = started()
    until(job, "made", clock)

    def broken(job):
        raise ZeroDivisionError

    made = Step(lambda work: Next(done=True, write=broken), "", sent="yes")
    monkeypatch.setitem(REGISTER.steps, "made", made)
    drain(job, rounds=3)
    assert job.chunks.get(number=1).data["crashes"] == 3
    job = drain(job)
    assert job.state == Job.State.FAILED
    assert job.counts == {"unknown": 3}
    assert "ZeroDivisionError" in job.why


def test_a_part_that_kills_every_worker_is_given_up_in_the_end(started, drain):
    job = started()
    Chunk.objects.filter(job=job, number=1).update(
        attempts=engine.MOST_DEATHS, lease="dead", leased_until=a_moment_ago()
    )
    job = drain(job)
    assert job.state == Job.State.FAILED
    assert "died" in job.why
    assert job.counts == {"canceled": 3}


def test_a_wish_of_the_platform_to_wait_for_a_day_is_not_waited_for_that_long(started, emulator):
    job = started()
    emulator.faults.add("BatchCheckDeviceNames", kind="throttle", times=10, delay=86_400.0)
    assert engine.run_step(job.chunks.get(number=1).pk) == 300


def test_trouble_that_comes_and_goes_is_said_once_in_a_while(started, emulator, drain):
    job = started(3)
    for _ in range(5):
        emulator.faults.add("BatchCheckDeviceNames", kind="throttle", times=4, delay=0.0)
        drain(job, rounds=1)
        Chunk.objects.filter(job=job).update(trouble="")
    assert job.events.filter(level="warning").count() == 1


# -- people ------------------------------------------------------------------------------------------------------------


def test_a_job_does_not_go_on_with_the_rights_of_who_only_uploaded_the_file(org, product, drain):
    params = {"product_key": product, "source": "count", "count": 600}
    job = actions.draft(org.gateway("owner"), "devices.register", params)
    assert actions.start(job, org.gateway("operator"))
    org.members["operator"].delete()
    job = drain(job)
    assert (job.state, job.counts) == (Job.State.FAILED, {"canceled": 600})
    assert "no longer here" in job.why


def test_a_person_who_was_deactivated_stops_their_jobs(org, started, drain, product):
    job = started(600)
    User.objects.filter(pk=org.members["operator"].pk).update(is_active=False)
    assert drain(job).counts == {"canceled": 600}
    assert device_count(org, product) == 0


def test_a_watch_that_is_stopped_while_a_worker_looks_ends_soon(org, fleet, wire):
    from console.ota import api, jobs

    gateway = org.gateway("release-engineer")
    batch = next(
        found
        for package in api.list_packages(gateway, size=100).packages
        for found in api.list_jobs(gateway, package.id, size=100).jobs
        if found.running
    )
    job = jobs.watch(gateway, batch.id, product_key="k1")
    Job.objects.update(started_at=timezone.now() - timedelta(days=1), state="running")

    def meanwhile() -> None:
        wire.before.clear()
        assert actions.cancel(job, org.members["release-engineer"])

    wire.before["ListOTATaskByJob"] = meanwhile
    wait = engine.run_step(job.chunks.get().pk)
    assert wait is not None
    assert wait <= 2


def test_a_stopped_job_whose_platform_stays_away_is_let_go_in_the_end(org, started, drain, clock, emulator):
    job = started(600)
    until(job, "made", clock)
    emulator.faults.add("*", kind="error", times=100_000)
    drain(job, rounds=1)
    Chunk.objects.filter(job=job).update(attempts=1000)
    drain(job, rounds=2)
    assert job.is_at_work, "as long as nobody stops it, it goes on waiting"
    actions.cancel(job, org.members["operator"])
    Chunk.objects.filter(job=job).update(attempts=1)
    drain(job, rounds=5)
    assert job.is_at_work, "it is not let go at once"
    job = drain(job, rounds=20)
    assert job.state == Job.State.CANCELED
    assert job.counts == {"canceled": 350, "unknown": 250}


def test_two_clicks_on_run_again_make_one_job_even_after_it_is_over(org, started, drain, clock, sign_in):
    first = started(600)
    until(first, "made", clock)
    actions.cancel(first, org.members["operator"])
    first = drain(first)
    second = actions.further_run(first, org.gateway("operator"))
    assert second is not None
    assert actions.further_run(first, org.gateway("operator")) == second
    assert drain(second).counts == {"created": 350}
    assert actions.further_run(first, org.gateway("operator")) is None, "nothing is left to run again"
    page = text(sign_in("operator").get(org.url(f"jobs/{first.pk}/")))
    assert "Run again" not in page


def test_two_jobs_with_the_same_names_at_once_make_each_device_once(org, started, product, clock, drain):
    one, two = started(5), started(5)
    until(one, "register", clock)
    until(two, "register", clock)
    for _ in range(2):
        for job in (one, two):
            drain(job, rounds=1)
    assert drain(one).counts == {"created": 5}
    assert drain(two).counts == {"exists": 5}
    assert device_count(org, product) == 5


def test_a_job_stops_when_its_connection_goes_over_to_another_account(org, started, drain, clock):
    job = started(600)
    until(job, "made", clock)
    two = job.chunks.get(number=2)
    engine.run_step(two.pk)
    clock.advance(5)
    Chunk.objects.filter(pk=two.pk).update(next_at=a_moment_ago())
    engine.run_step(two.pk)
    assert Chunk.objects.get(pk=two.pk).step == "register"
    Connection.objects.update(instance_id="iot-other")
    job = drain(job)
    assert (job.state, job.counts) == (Job.State.FAILED, {"unknown": 250, "canceled": 350})
    assert "another account, region or instance" in job.error["text"]
    assert (
        not AuditRecord.objects.filter(operation="BatchRegisterDeviceWithApplyId", outcome="done").count() > 1
    )


def test_a_connection_deleted_under_a_job_leaves_nothing_behind(org, started, clock, wire):
    job = started(5)
    chunk = until(job, "made", clock)
    wire.before["QueryBatchRegisterDeviceStatus"] = lambda: org.connection.delete()
    assert engine.run_step(chunk.pk) is None
    assert not Job.objects.exists()
    assert not Row.objects.exists()
    assert not Event.objects.exists()


def test_a_connection_deleted_under_a_job_in_trouble_is_no_error(org, started, wire, emulator):
    job = started(5)
    emulator.faults.add("*", kind="error", times=100)
    wire.before["BatchCheckDeviceNames"] = lambda: org.connection.delete()
    assert engine.run_step(job.chunks.get(number=1).pk) is None
    assert not Job.objects.exists()


@pytest.mark.parametrize("step", ["check", "checked", "register", "made"])
def test_a_job_stopped_at_any_step_tells_the_truth_of_every_row(org, started, drain, clock, product, step):
    job = started(600)
    until(job, step, clock)
    actions.cancel(job, org.members["operator"])
    job = drain(job)
    assert job.state == Job.State.CANCELED
    assert job.counts.get("created", 0) == device_count(org, product) == (250 if step == "made" else 0)
    assert sum(job.counts.values()) == 600


def test_abandoned_and_stopped_the_rows_are_still_told_right(org, started, drain, clock, product):
    job = started(5)
    chunk = until(job, "register", clock)
    org.gateway().call("BatchRegisterDeviceWithApplyId", ProductKey=product, ApplyId=chunk.data["apply_id"])
    abandon(chunk)
    actions.cancel(job, org.members["operator"])
    assert drain(job).counts == {"created": 5}
