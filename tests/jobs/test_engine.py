"""The engine loses nothing and does nothing twice, whatever happens to workers, users and the platform."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest
from cryptography.fernet import Fernet
from django.utils import timezone

from console.accounts.models import CustomRole, Membership
from console.accounts.roles import Area, Level
from console.areas.devices.registration.actions import register_generated_names
from console.audit.models import AuditRecord
from console.audit.records import Origin
from console.celery import app
from console.jobs import actions, engine, work
from console.jobs.models import Chunk, Item, Job, Secret
from console.teams import custom_roles
from console.teams.changes import Actor
from tests.registrations import device_count
from tests.responses import page_text, read_csv
from tests.running_jobs import abandon_chunk, past_time, run_until_step

REAL_WAKE_CHUNK = engine.wake_chunk


def test_a_duplicate_wake_message_is_harmless(start_registration, clock):
    chunk = start_registration().chunks.get(number=1)
    claimed = engine._claim(chunk.pk)
    assert claimed is not None
    assert engine.run_step(chunk.pk) is None, "a worker has it"
    chunk.refresh_from_db()
    assert chunk.lease == claimed.lease


def test_an_early_wake_message_is_harmless(start_registration):
    chunk = start_registration().chunks.get(number=1)
    Chunk.objects.filter(pk=chunk.pk).update(next_at=timezone.now() + timedelta(seconds=5))
    assert engine.run_step(chunk.pk) is None
    chunk.refresh_from_db()
    assert (chunk.step, chunk.attempts) == ("submit", 0)


def test_the_result_of_a_worker_with_an_expired_lease_is_discarded(
    start_registration, run_job, monkeypatch, org, product
):
    """A worker hangs in its call, another one takes over and finishes, then the first one continues."""
    job = start_registration()
    chunk = job.chunks.get(number=1)
    from console.areas.devices.registration import applications

    calls = []
    real = applications.submit_names

    def submit_slowly(*args, **kwargs):
        calls.append(1)
        response = real(*args, **kwargs)
        if len(calls) == 1:
            Chunk.objects.filter(pk=chunk.pk).update(leased_until=timezone.now() - timedelta(seconds=1))
            engine.run_step(chunk.pk)
        return response

    monkeypatch.setattr(applications, "submit_names", submit_slowly)
    assert engine.run_step(chunk.pk) is None
    chunk.refresh_from_db()
    assert chunk.step == "await_check"
    assert len(calls) == 2
    assert run_job(job).counts == {"succeeded": 3}
    assert device_count(org, product) == 3


@pytest.mark.parametrize("step", ["submit", "await_check", "register", "await_devices"])
def test_a_worker_killed_in_any_step_loses_no_device(start_registration, run_job, clock, org, product, step):
    job = start_registration(5)
    abandon_chunk(run_until_step(job, step, clock))
    assert engine.find_overdue_chunks() or True  # beat wakes the chunk; here the test runs it
    assert run_job(job).counts == {"succeeded": 5}
    assert device_count(org, product) == 5


def test_an_accepted_application_is_not_sent_again_after_a_worker_is_killed(
    start_registration, run_job, clock, org, product
):
    job = start_registration(5)
    chunk = run_until_step(job, "register", clock)
    org.gateway().call("BatchRegisterDeviceWithApplyId", ProductKey=product, ApplyId=chunk.data["apply_id"])
    clock.advance(10)
    abandon_chunk(chunk)
    job = run_job(job)
    assert job.counts == {"succeeded": 5}, "these devices belong to the job; they are not existing names"
    assert AuditRecord.objects.filter(operation="BatchRegisterDeviceWithApplyId", job=job.pk).count() == 0


@pytest.mark.parametrize(
    "operation", ["BatchCheckDeviceNames", "QueryBatchRegisterDeviceStatus", "BatchRegisterDeviceWithApplyId"]
)
@pytest.mark.parametrize("after", [False, True])
def test_a_lost_response_loses_no_device(
    start_registration, run_job, emulator, org, product, operation, after
):
    job = start_registration(4)
    emulator.faults.add(operation, kind="drop", times=6, after=after)
    assert run_job(job).counts == {"succeeded": 4}
    assert device_count(org, product) == 4


@pytest.mark.parametrize("kind", ["malformed", "error", "throttle"])
def test_a_job_waits_during_platform_errors_and_shows_the_reason(
    start_registration, run_job, emulator, clock, org, sign_in, product, kind
):
    job = start_registration(4)
    emulator.faults.add(
        "BatchCheckDeviceNames", kind=kind, times=8, delay=0.01 if kind == "throttle" else None
    )
    run_job(job, rounds=1)
    page = page_text(sign_in("viewer").get(org.url(f"jobs/{job.pk}/")))
    assert ("call limit" if kind == "throttle" else "The platform cannot be reached") in page
    assert run_job(job).counts == {"succeeded": 4}
    warnings = [event.text for event in job.events.filter(level="warning")]
    assert len(warnings) == 1, "one event, not one for each attempt"


def test_a_delayed_chunk_is_retried_with_growing_waits_of_at_most_a_minute(start_registration, emulator):
    job = start_registration()
    emulator.faults.add("BatchCheckDeviceNames", kind="error", times=1000)
    chunk = job.chunks.get(number=1)
    waits = []
    for _ in range(8):
        Chunk.objects.filter(pk=chunk.pk).update(next_at=past_time())
        waits.append(engine.run_step(chunk.pk))
    assert waits == [2, 4, 8, 16, 32, 60, 60, 60]


def test_an_error_of_the_platform_is_the_reason_of_the_rows(start_registration, run_job, emulator):
    job = start_registration(3)
    emulator.faults.add(
        "BatchRegisterDeviceWithApplyId",
        kind="error",
        status=200,
        code="iot.device.DeviceCountExceeded",
        message="Too many.",
    )
    job = run_job(job)
    assert job.counts == {"failed": 3}
    assert job.state == Job.State.FAILED
    assert Item.objects.first().reason == "iot.device.DeviceCountExceeded: Too many."


def test_rejected_keys_stop_the_job_at_once_with_the_reason(
    start_registration, run_job, emulator, org, sign_in
):
    job = start_registration(600)
    assert job.chunks.count() > 3
    emulator.faults.add(
        "BatchCheckDeviceNames", kind="error", status=404, code="InvalidAccessKeyId.NotFound", times=1
    )
    job = run_job(job)
    assert job.state == Job.State.FAILED
    assert job.counts == {"canceled": 600}
    assert "InvalidAccessKeyId.NotFound" in page_text(sign_in("viewer").get(org.url(f"jobs/{job.pk}/")))


def test_a_job_canceled_before_anything_was_sent_sends_nothing(
    start_registration, run_job, org, sign_in, product
):
    job = start_registration(600)
    browser = sign_in("operator")
    assert "Cancel this job?" in page_text(browser.get(org.url(f"jobs/{job.pk}/cancel/")))
    browser.post(org.url(f"jobs/{job.pk}/cancel/"))
    job = run_job(job)
    assert (job.state, job.counts) == (Job.State.CANCELED, {"canceled": 600})
    assert device_count(org, product) == 0
    line = read_csv(browser.get(org.url(f"jobs/{job.pk}/result.csv")))[0]
    assert (line["outcome"], line["reason"]) == ("canceled", "Not sent because the job stopped first.")


def test_sent_rows_of_a_canceled_job_are_followed_to_their_outcome(
    start_registration, run_job, clock, org, product
):
    job = start_registration(600)
    run_until_step(job, "await_devices", clock)
    assert actions.cancel(job, org.members["operator"])
    assert not actions.cancel(job, org.members["operator"]), "the second call does nothing"
    job = run_job(job)
    assert job.state == Job.State.CANCELED
    assert job.counts == {"succeeded": 250, "canceled": 350}
    assert device_count(org, product) == 250


def test_a_canceled_job_asks_the_platform_when_it_is_unknown_whether_rows_were_sent(
    start_registration, run_job, clock, org, product
):
    job = start_registration(5)
    abandon_chunk(run_until_step(job, "register", clock))
    actions.cancel(job, org.members["operator"])
    assert run_job(job).counts == {"canceled": 5}
    assert device_count(org, product) == 0


def test_a_job_can_be_canceled_while_the_platform_is_unavailable(start_registration, run_job, emulator, org):
    job = start_registration(5)
    emulator.faults.add("*", kind="error", times=1000)
    run_job(job, rounds=3)
    actions.cancel(job, org.members["operator"])
    assert run_job(job, rounds=3).state == Job.State.CANCELED


def test_a_retry_sends_unsent_rows_in_a_new_job(start_registration, run_job, clock, org, sign_in, product):
    first = start_registration(600)
    run_until_step(first, "await_devices", clock)
    actions.cancel(first, org.members["operator"])
    run_job(first)
    browser = sign_in("operator")
    browser.post(org.url(f"jobs/{first.pk}/retry/"))
    browser.post(org.url(f"jobs/{first.pk}/retry/"))
    second = Job.objects.get(parent=first)
    assert run_job(second).counts == {"succeeded": 350}
    assert second.state == Job.State.SUCCEEDED
    assert device_count(org, product) == 600
    first.refresh_from_db()
    assert first.counts == {"succeeded": 250, "canceled": 350}, "the first job does not change"
    assert Item.objects.filter(job=second).order_by("number").first().number == 252, (
        "the row number in the file"
    )


def test_a_job_stops_when_its_user_loses_the_right_to_register(
    start_registration, run_job, org, product, sign_in
):
    job = start_registration(600)
    Membership.objects.filter(user=org.members["operator"]).update(role_slug="viewer")
    job = run_job(job)
    assert (job.state, job.counts) == (Job.State.FAILED, {"canceled": 600})
    assert "the role of Operator no longer allows this" in page_text(
        sign_in("owner").get(org.url(f"jobs/{job.pk}/"))
    )
    assert device_count(org, product) == 0


def test_a_job_stops_when_the_role_of_its_user_loses_the_right(
    start_registration, run_job, org, product, clock
):
    crew = CustomRole.objects.create(
        team=org.team, slug="crew", name="Crew", levels={"devices": 2, "products": 1}
    )
    Membership.objects.filter(user=org.members["operator"]).update(role_slug="crew")
    job = start_registration(600)
    run_until_step(job, "await_devices", clock)
    owner = Membership.objects.select_related("team", "user").get(user=org.members["owner"])
    less = custom_roles.RoleDraft("Crew", "", {Area.DEVICES: Level.READ, Area.PRODUCTS: Level.READ})
    custom_roles.edit_role(Actor(owner, Origin()), crew, less)
    job = run_job(job)
    assert job.state == Job.State.FAILED
    assert device_count(org, product) < 600


def test_outcomes_are_unknown_when_the_user_leaves_the_team_during_registration(
    start_registration, run_job, clock, org
):
    job = start_registration(600)
    run_until_step(job, "await_devices", clock)
    Membership.objects.filter(user=org.members["operator"]).delete()
    assert run_job(job).counts == {"canceled": 350, "unknown": 250}


def test_an_internal_error_is_retried_and_finally_stops_the_job(
    start_registration, run_job, monkeypatch, org
):
    job = start_registration(3)
    from console.areas.devices.registration import applications

    def raise_error(*args, **kwargs):
        raise ZeroDivisionError

    monkeypatch.setattr(applications, "submit_names", raise_error)
    job = run_job(job)
    assert job.state == Job.State.FAILED
    assert "ZeroDivisionError" in job.error_text


def test_names_registered_after_the_check_are_found_and_the_rest_is_registered(
    start_registration, run_job, clock, org, product
):
    job = start_registration(5)
    run_until_step(job, "register", clock)
    org.gateway().call("RegisterDevice", ProductKey=product, DeviceName="dev-00003")
    job = run_job(job)
    assert job.counts == {"succeeded": 4, "unchanged": 1}
    assert Item.objects.get(outcome="unchanged").key == "dev-00003"


def test_an_overdue_chunk_is_woken_once_and_not_again_at_once(start_registration):
    job = start_registration()
    late = timezone.now() - timedelta(seconds=10)
    Chunk.objects.filter(job=job, state="active").update(next_at=late)
    assert engine.find_overdue_chunks() == [job.chunks.get(number=1).pk]
    assert engine.find_overdue_chunks() == []
    Chunk.objects.filter(job=job, number=1).update(
        woken_at=None, lease="x", leased_until=timezone.now() + timedelta(seconds=9)
    )
    assert engine.find_overdue_chunks() == [], "a worker has it"


def test_a_start_wakes_some_chunks_and_beat_wakes_the_others(
    org, product, monkeypatch, django_capture_on_commit_callbacks
):
    woken: list[int] = []
    monkeypatch.setattr(engine, "wake_chunk", lambda chunk, wait=0.0: not woken.append(chunk))
    monkeypatch.setattr(engine, "WOKEN_AT_ONCE", 2)
    job = register_generated_names(org.gateway("operator"), product, "Meters", 2000, "")
    with django_capture_on_commit_callbacks(execute=True):
        assert actions.start(job, org.gateway("operator"))
    chunks = list(job.chunks.filter(state="active").values_list("pk", flat=True))
    assert woken == chunks[:2]
    Chunk.objects.filter(job=job, state="active").update(next_at=timezone.now() - timedelta(seconds=10))
    assert set(engine.find_overdue_chunks()) == set(chunks)


def test_a_long_step_keeps_its_lease(start_registration, settings, transactional_db):
    settings.JOBS_LEASE_SECONDS = 0.3
    chunk = engine._claim(start_registration().chunks.get(number=1).pk)
    deadline = time.monotonic() + 30
    with work.Heartbeat(chunk):
        while Chunk.objects.get(pk=chunk.pk).leased_until <= chunk.leased_until:
            assert time.monotonic() < deadline, "the lease is never renewed"
            time.sleep(0.02)


def test_every_call_of_a_job_is_audited_with_the_job(start_registration, run_job):
    job = run_job(start_registration(3))
    record = AuditRecord.objects.get(operation="BatchRegisterDeviceWithApplyId")
    assert (record.job, record.actor_label, record.outcome) == (job.pk, "operator@acme.test", "done")


def test_secrets_are_collected_only_with_the_right_and_deleted_in_time(
    start_registration, run_job, org, sign_in, product, settings
):
    keys = settings.FIELD_ENCRYPTION_KEYS
    job = run_job(start_registration(120))
    operator, owner = sign_in("operator"), sign_in("owner")
    assert operator.post(org.url(f"devices/registrations/{job.pk}/secrets/")).status_code == 403
    assert operator.get(org.url(f"devices/registrations/{job.pk}/secrets.csv")).status_code == 403
    owner.post(org.url(f"devices/registrations/{job.pk}/secrets/"))
    collecting = Job.objects.get(kind="devices.secrets")
    assert run_job(collecting).succeeded == 120
    lines = read_csv(owner.get(org.url(f"devices/registrations/{job.pk}/secrets.csv")))
    truth = org.gateway().call("QueryDeviceDetail", reveal=True, ProductKey=product, DeviceName="dev-00007")
    assert lines[7]["product_key"] == product, "a device signs in with product key, name and secret"
    assert lines[7]["device_secret"] == truth["Data"]["DeviceSecret"] != ""
    assert AuditRecord.objects.filter(operation="DownloadDeviceSecrets", actor=org.members["owner"]).exists()
    assert AuditRecord.objects.filter(operation="QueryPageByApplyId", job=collecting.pk).exists()
    assert "device_secret" not in read_csv(operator.get(org.url(f"jobs/{job.pk}/result.csv")))[0]
    secrets = list(Secret.objects.all())
    assert all(secret.value for secret in secrets), "reading decrypts them"
    settings.FIELD_ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    Secret.objects.bulk_update(secrets, ["value"])  # with a key that the console does not have afterwards
    settings.FIELD_ENCRYPTION_KEYS = keys
    unreadable = owner.get(org.url(f"devices/registrations/{job.pk}/secrets.csv"))
    assert (unreadable.status_code, unreadable.streaming) == (503, False), "a file without its secrets"
    Secret.objects.bulk_update(secrets, ["value"])
    Secret.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert (
        read_csv(owner.get(org.url(f"devices/registrations/{job.pk}/secrets.csv")))[7]["device_secret"] == ""
    )
    from console.jobs.cleanup import delete_expired

    delete_expired()
    assert not Secret.objects.exists()


def test_a_busy_database_is_not_an_error_of_the_job(start_registration, run_job, monkeypatch):
    from django.db import OperationalError

    from console.areas.devices.registration import applications

    job = start_registration(3)
    chunk = job.chunks.get(number=1)
    real, calls = applications.submit_names, []

    def fail_once(*args, **kwargs):
        calls.append(1)
        if len(calls) == 1:
            raise OperationalError("database is locked")
        return real(*args, **kwargs)

    monkeypatch.setattr(applications, "submit_names", fail_once)
    assert engine.run_step(chunk.pk) is None
    Chunk.objects.filter(pk=chunk.pk).update(leased_until=timezone.now() - timedelta(seconds=1))
    assert run_job(job).counts == {"succeeded": 3}


def test_a_job_canceled_during_a_failed_attempt_ends_soon(start_registration, emulator, org, monkeypatch):
    job = start_registration(3)
    chunk = job.chunks.get(number=1)
    emulator.faults.add("BatchCheckDeviceNames", kind="error", times=1000)
    Chunk.objects.filter(pk=chunk.pk).update(attempts=8)
    from console.areas.devices.registration import applications

    real = applications.submit_names

    def cancel_and_submit(*args, **kwargs):
        actions.cancel(job, org.members["operator"])
        return real(*args, **kwargs)

    monkeypatch.setattr(applications, "submit_names", cancel_and_submit)
    assert engine.run_step(chunk.pk) == 2.0


def test_a_start_is_not_lost_when_the_broker_is_unavailable(
    org, upload_registration, sign_in, run_job, monkeypatch, django_capture_on_commit_callbacks
):
    """One wake message fails; the job is in the database, and beat wakes it later."""
    attempts = []

    def fail_to_send(*args, **kwargs):
        attempts.append(1)
        raise ConnectionError

    monkeypatch.setattr(app, "send_task", fail_to_send)
    monkeypatch.setattr(engine, "wake_chunk", REAL_WAKE_CHUNK)
    upload_registration("\n".join(["name", *(f"dev-{n:05d}" for n in range(1000))]).encode())
    job = Job.objects.get()
    with django_capture_on_commit_callbacks(execute=True):
        response = sign_in("operator").post(org.url(f"devices/registrations/{job.pk}/start/"))
    assert response.status_code == 302
    assert attempts == [1], "it is not attempts for every chunk"
    assert run_job(job).counts == {"succeeded": 1000}
