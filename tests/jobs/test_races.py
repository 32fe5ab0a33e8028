"""Concurrent workers, different clocks and concurrent users: one of them wins, and nothing is sent to the platform twice."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import timedelta

import pytest
from django.utils import timezone

from console.accounts.models import User
from console.areas.devices.jobs import REGISTER
from console.areas.devices.registration.actions import register_generated_names
from console.audit.models import AuditRecord
from console.connections.models import Connection
from console.jobs import actions, engine
from console.jobs.kinds import Step, StepResult
from console.jobs.models import Chunk, Event, Item, Job
from console.jobs.work import LeaseLost, Work
from tests.registrations import device_count
from tests.responses import page_text
from tests.running_jobs import abandon_chunk, past_time, run_until_step


def expire_lease(chunk: Chunk) -> None:
    """Make the lease of the chunk expire, as if its worker had disappeared."""
    Chunk.objects.filter(pk=chunk.pk).update(leased_until=past_time(), next_at=past_time())


# -- workers -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", ["submit", "await_check", "register", "await_devices"])
@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_worker_that_stalls_around_its_call_and_loses_its_chunk_does_no_harm(
    start_registration, run_job, clock, org, product, network, step, moment
):
    job = start_registration(5)
    chunk = run_until_step(job, step, clock)
    operation = {"submit": "BatchCheckDeviceNames", "register": "BatchRegisterDeviceWithApplyId"}.get(
        step, "QueryBatchRegisterDeviceStatus"
    )

    def stall(response=None) -> None:
        getattr(network, moment).clear()
        expire_lease(chunk)
        engine.run_step(chunk.pk)

    getattr(network, moment)[operation] = stall
    assert engine.run_step(chunk.pk) is None
    assert run_job(job).counts == {"succeeded": 5}
    assert device_count(org, product) == 5
    assert len(Job.objects.get().chunks.get(number=1).data["apply_ids"]) == 1


def test_a_worker_that_stalls_before_its_call_registers_nothing_for_a_canceled_job(
    start_registration, run_job, clock, org, product
):
    job = start_registration(5)
    chunk = run_until_step(job, "register", clock)
    stalled_chunk = engine._claim(chunk.pk)
    assert stalled_chunk is not None
    actions.cancel(job, org.members["operator"])
    expire_lease(chunk)
    engine.run_step(chunk.pk)
    with pytest.raises(LeaseLost):
        REGISTER.steps["register"].run(Work(job, stalled_chunk, org.gateway("operator")))
    clock.advance(10)
    assert run_job(job).counts == {"canceled": 5}
    assert device_count(org, product) == 0


@contextmanager
def shifted_clock(monkeypatch, by: timedelta):
    """Shift the clock of this process."""
    real = timezone.now
    with monkeypatch.context() as patch:
        patch.setattr(timezone, "now", lambda: real() + by)
        yield


def test_a_worker_with_a_fast_clock_takes_no_chunk_from_another_worker(start_registration, monkeypatch):
    chunk = start_registration().chunks.get(number=1)
    claimed = engine._claim(chunk.pk)
    assert claimed is not None
    with shifted_clock(monkeypatch, timedelta(hours=1)):
        assert engine._claim(chunk.pk) is None
        assert engine.find_overdue_chunks() == []


@pytest.mark.parametrize("by", [timedelta(hours=-1), timedelta(hours=1)])
def test_a_machine_with_a_wrong_clock_works(start_registration, monkeypatch, by):
    with shifted_clock(monkeypatch, by):
        job = start_registration()
        assert engine.run_step(job.chunks.get(number=1).pk) is not None
    assert job.chunks.get(number=1).step == "await_check"
    assert engine.run_step(job.chunks.get(number=1).pk) is not None


def test_an_internal_error_in_the_write_of_a_step_finally_stops_the_job(
    start_registration, run_job, monkeypatch, clock
):
    job = start_registration()
    run_until_step(job, "await_devices", clock)

    def raise_error(job):
        raise ZeroDivisionError

    step = Step(lambda work: StepResult(done=True, write=raise_error), "", sent="yes")
    monkeypatch.setitem(REGISTER.steps, "await_devices", step)
    run_job(job, rounds=3)
    assert job.chunks.get(number=1).data["crashes"] == 3
    job = run_job(job)
    assert job.state == Job.State.FAILED
    assert job.counts == {"unknown": 3}
    assert "ZeroDivisionError" in job.error_text


def test_a_chunk_that_kills_every_worker_finally_stops_the_job(start_registration, run_job):
    job = start_registration()
    Chunk.objects.filter(job=job, number=1).update(
        attempts=engine.MAX_LOST_WORKERS, lease="dead", leased_until=past_time()
    )
    job = run_job(job)
    assert job.state == Job.State.FAILED
    assert "crashed" in job.error_text
    assert job.counts == {"canceled": 3}


def test_a_long_wait_requested_by_the_platform_is_limited(start_registration, emulator):
    job = start_registration()
    emulator.faults.add("BatchCheckDeviceNames", kind="throttle", times=10, delay=86_400.0)
    assert engine.run_step(job.chunks.get(number=1).pk) == 300


def test_a_recurring_delay_adds_an_event_only_once_in_a_while(start_registration, emulator, run_job):
    job = start_registration(3)
    for _ in range(5):
        emulator.faults.add("BatchCheckDeviceNames", kind="throttle", times=4, delay=0.0)
        run_job(job, rounds=1)
        Chunk.objects.filter(job=job).update(delay_reason="")
    assert job.events.filter(level="warning").count() == 1


# -- people ------------------------------------------------------------------------------------------------------------


def test_a_job_does_not_use_the_rights_of_the_user_who_only_uploaded_the_file(org, product, run_job):
    job = register_generated_names(org.gateway("owner"), product, "Meters", 600, "")
    assert actions.start(job, org.gateway("operator"))
    org.members["operator"].delete()
    job = run_job(job)
    assert (job.state, job.counts) == (Job.State.FAILED, {"canceled": 600})
    assert "no longer exists" in job.error_text


def test_jobs_of_a_deactivated_user_stop(org, start_registration, run_job, product):
    job = start_registration(600)
    User.objects.filter(pk=org.members["operator"].pk).update(is_active=False)
    assert run_job(job).counts == {"canceled": 600}
    assert device_count(org, product) == 0


def test_a_monitoring_job_canceled_during_a_step_ends_soon(org, fleet, network):
    from console.areas.ota import api, jobs

    gateway = org.gateway("release-engineer")
    batch = next(
        found
        for package in api.list_packages(gateway, size=100).packages
        for found in api.list_batches(gateway, package.id, size=100).batches
        if found.is_running
    )
    job = jobs.monitor_batch(gateway, batch.id, product_key="k1")
    Job.objects.update(started_at=timezone.now() - timedelta(days=1), state="running")

    def cancel_job() -> None:
        network.before.clear()
        assert actions.cancel(job, org.members["release-engineer"])

    network.before["ListOTATaskByJob"] = cancel_job
    wait = engine.run_step(job.chunks.get().pk)
    assert wait is not None
    assert wait <= 2


def test_a_canceled_job_ends_even_if_the_platform_stays_unavailable(
    org, start_registration, run_job, clock, emulator
):
    job = start_registration(600)
    run_until_step(job, "await_devices", clock)
    emulator.faults.add("*", kind="error", times=100_000)
    run_job(job, rounds=1)
    Chunk.objects.filter(job=job).update(attempts=1000)
    run_job(job, rounds=2)
    assert job.is_active, "it waits as long as nobody cancels it"
    actions.cancel(job, org.members["operator"])
    Chunk.objects.filter(job=job).update(attempts=1)
    run_job(job, rounds=5)
    assert job.is_active, "it does not give up at once"
    job = run_job(job, rounds=20)
    assert job.state == Job.State.CANCELED
    assert job.counts == {"canceled": 350, "unknown": 250}


def test_two_clicks_on_retry_start_one_job_even_after_it_ended(
    org, start_registration, run_job, clock, sign_in
):
    first = start_registration(600)
    run_until_step(first, "await_devices", clock)
    actions.cancel(first, org.members["operator"])
    first = run_job(first)
    second = actions.retry(first, org.gateway("operator"))
    assert second is not None
    assert actions.retry(first, org.gateway("operator")) == second
    assert run_job(second).counts == {"succeeded": 350}
    assert actions.retry(first, org.gateway("operator")) is None, "no rows are left to retry"
    page = page_text(sign_in("operator").get(org.url(f"jobs/{first.pk}/")))
    assert "Retry failed items" not in page


def test_two_concurrent_jobs_with_the_same_names_register_each_device_once(
    org, start_registration, product, clock, run_job
):
    one, two = start_registration(5), start_registration(5)
    run_until_step(one, "register", clock)
    run_until_step(two, "register", clock)
    for _ in range(2):
        for job in (one, two):
            run_job(job, rounds=1)
    assert run_job(one).counts == {"succeeded": 5}
    assert run_job(two).counts == {"unchanged": 5}
    assert device_count(org, product) == 5


def test_a_job_stops_when_its_connection_changes_to_another_account(org, start_registration, run_job, clock):
    job = start_registration(600)
    run_until_step(job, "await_devices", clock)
    two = job.chunks.get(number=2)
    engine.run_step(two.pk)
    clock.advance(5)
    Chunk.objects.filter(pk=two.pk).update(next_at=past_time())
    engine.run_step(two.pk)
    assert Chunk.objects.get(pk=two.pk).step == "register"
    Connection.objects.update(instance_id="iot-other")
    job = run_job(job)
    assert (job.state, job.counts) == (Job.State.FAILED, {"unknown": 250, "canceled": 350})
    assert "another account, region or instance" in job.error["text"]
    assert (
        not AuditRecord.objects.filter(operation="BatchRegisterDeviceWithApplyId", outcome="done").count() > 1
    )


def test_items_of_a_job_are_not_retried_in_another_account(org, start_registration, run_job, clock):
    job = start_registration(600)
    run_until_step(job, "await_devices", clock)
    Connection.objects.update(instance_id="iot-other")
    job = run_job(job)
    writes = AuditRecord.objects.filter(operation__startswith="BatchRegisterDevice").count()
    retried = run_job(actions.retry(job, org.gateway("operator")))
    assert retried.state == Job.State.FAILED
    assert "another account, region or instance" in retried.error["text"]
    assert AuditRecord.objects.filter(operation__startswith="BatchRegisterDevice").count() == writes


def test_deleting_a_connection_during_a_job_deletes_everything(org, start_registration, clock, network):
    job = start_registration(5)
    chunk = run_until_step(job, "await_devices", clock)
    network.before["QueryBatchRegisterDeviceStatus"] = lambda: org.connection.delete()
    assert engine.run_step(chunk.pk) is None
    assert not Job.objects.exists()
    assert not Item.objects.exists()
    assert not Event.objects.exists()


def test_deleting_a_connection_during_a_delayed_job_is_not_an_error(
    org, start_registration, network, emulator
):
    job = start_registration(5)
    emulator.faults.add("*", kind="error", times=100)
    network.before["BatchCheckDeviceNames"] = lambda: org.connection.delete()
    assert engine.run_step(job.chunks.get(number=1).pk) is None
    assert not Job.objects.exists()


@pytest.mark.parametrize("step", ["submit", "await_check", "register", "await_devices"])
def test_a_job_canceled_in_any_step_has_the_correct_outcome_of_every_row(
    org, start_registration, run_job, clock, product, step
):
    job = start_registration(600)
    run_until_step(job, step, clock)
    actions.cancel(job, org.members["operator"])
    job = run_job(job)
    assert job.state == Job.State.CANCELED
    assert (
        job.counts.get("succeeded", 0)
        == device_count(org, product)
        == (250 if step == "await_devices" else 0)
    )
    assert sum(job.counts.values()) == 600


def test_a_canceled_job_of_a_stopped_worker_has_correct_outcomes(
    org, start_registration, run_job, clock, product
):
    job = start_registration(5)
    chunk = run_until_step(job, "register", clock)
    org.gateway().call("BatchRegisterDeviceWithApplyId", ProductKey=product, ApplyId=chunk.data["apply_id"])
    abandon_chunk(chunk)
    actions.cancel(job, org.members["operator"])
    assert run_job(job).counts == {"succeeded": 5}
