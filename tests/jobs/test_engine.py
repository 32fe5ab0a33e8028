"""The engine: nothing is lost and nothing is done twice, whatever happens to workers, people and the cloud."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest
from django.utils import timezone

from console.access import custom_roles
from console.access.audit import Origin
from console.access.models import AuditRecord, CustomRole, Membership
from console.access.roles import Area, Level
from console.access.teams import Actor
from console.celery import app
from console.jobs import actions, engine, work
from console.jobs.models import Chunk, Job, Row, Secret
from tests.jobs.conftest import a_moment_ago, abandon, device_count, table, text, until

REAL_RING = engine.ring


def test_the_same_bell_twice_is_harmless(started, clock):
    chunk = started().chunks.get(number=1)
    taken = engine._claim(chunk.pk)
    assert taken is not None
    assert engine.run_step(chunk.pk) is None, "somebody has it"
    chunk.refresh_from_db()
    assert chunk.lease == taken.lease


def test_a_bell_before_its_time_is_harmless(started):
    chunk = started().chunks.get(number=1)
    Chunk.objects.filter(pk=chunk.pk).update(next_at=timezone.now() + timedelta(seconds=5))
    assert engine.run_step(chunk.pk) is None
    chunk.refresh_from_db()
    assert (chunk.step, chunk.attempts) == ("check", 0)


def test_what_a_worker_learned_after_its_lease_was_over_is_thrown_away(
    started, drain, monkeypatch, org, product
):
    """A worker hangs in its call; another takes over and finishes; then the first comes back."""
    job = started()
    chunk = job.chunks.get(number=1)
    from console.devices import batches

    calls = []
    real = batches.check_names

    def slow(*args, **kwargs):
        calls.append(1)
        answer = real(*args, **kwargs)
        if len(calls) == 1:
            Chunk.objects.filter(pk=chunk.pk).update(leased_until=timezone.now() - timedelta(seconds=1))
            engine.run_step(chunk.pk)
        return answer

    monkeypatch.setattr(batches, "check_names", slow)
    assert engine.run_step(chunk.pk) is None
    chunk.refresh_from_db()
    assert chunk.step == "checked"
    assert len(calls) == 2
    assert drain(job).counts == {"created": 3}
    assert device_count(org, product) == 3


@pytest.mark.parametrize("step", ["check", "checked", "register", "made"])
def test_a_worker_killed_in_any_step_costs_no_device(started, drain, clock, org, product, step):
    job = started(5)
    abandon(until(job, step, clock))
    assert engine.due() or True  # a bell is rung for it by beat; here the test drives it
    assert drain(job).counts == {"created": 5}
    assert device_count(org, product) == 5


def test_a_worker_killed_after_the_platform_took_the_form_does_not_send_it_again(
    started, drain, clock, org, product
):
    job = started(5)
    chunk = until(job, "register", clock)
    org.gateway().call("BatchRegisterDeviceWithApplyId", ProductKey=product, ApplyId=chunk.data["apply_id"])
    clock.advance(10)
    abandon(chunk)
    job = drain(job)
    assert job.counts == {"created": 5}, "they are ours, not names that exist already"
    assert AuditRecord.objects.filter(operation="BatchRegisterDeviceWithApplyId", job=job.pk).count() == 0


@pytest.mark.parametrize(
    "operation", ["BatchCheckDeviceNames", "QueryBatchRegisterDeviceStatus", "BatchRegisterDeviceWithApplyId"]
)
@pytest.mark.parametrize("after", [False, True])
def test_an_answer_that_is_lost_costs_no_device(started, drain, emulator, org, product, operation, after):
    job = started(4)
    emulator.faults.add(operation, kind="drop", times=6, after=after)
    assert drain(job).counts == {"created": 4}
    assert device_count(org, product) == 4


@pytest.mark.parametrize("kind", ["malformed", "error", "throttle"])
def test_trouble_of_the_cloud_is_waited_for_and_shown(
    started, drain, emulator, clock, org, sign_in, product, kind
):
    job = started(4)
    emulator.faults.add(
        "BatchCheckDeviceNames", kind=kind, times=8, delay=0.01 if kind == "throttle" else None
    )
    drain(job, rounds=1)
    page = text(sign_in("viewer").get(org.url(f"jobs/{job.pk}/")))
    assert ("limit of calls" if kind == "throttle" else "Waiting for the cloud") in page
    assert drain(job).counts == {"created": 4}
    warnings = [event.text for event in job.events.filter(level="warning")]
    assert len(warnings) == 1, "said once, not at every try"


def test_a_chunk_in_trouble_comes_back_later_and_later_but_at_least_once_a_minute(started, emulator):
    job = started()
    emulator.faults.add("BatchCheckDeviceNames", kind="error", times=1000)
    chunk = job.chunks.get(number=1)
    waits = []
    for _ in range(8):
        Chunk.objects.filter(pk=chunk.pk).update(next_at=a_moment_ago())
        waits.append(engine.run_step(chunk.pk))
    assert waits == [2, 4, 8, 16, 32, 60, 60, 60]


def test_a_refusal_of_the_platform_is_the_reason_of_its_rows(started, drain, emulator):
    job = started(3)
    emulator.faults.add(
        "BatchRegisterDeviceWithApplyId",
        kind="error",
        status=200,
        code="iot.device.DeviceCountExceeded",
        message="Too many.",
    )
    job = drain(job)
    assert job.counts == {"failed": 3}
    assert job.state == Job.State.FAILED
    assert Row.objects.first().reason == "iot.device.DeviceCountExceeded: Too many."


def test_refused_keys_stop_the_job_at_once_and_say_so(started, drain, emulator, org, sign_in):
    job = started(600)
    assert job.chunks.count() > 3
    emulator.faults.add(
        "BatchCheckDeviceNames", kind="error", status=404, code="InvalidAccessKeyId.NotFound", times=1
    )
    job = drain(job)
    assert job.state == Job.State.FAILED
    assert job.counts == {"canceled": 600}
    assert "InvalidAccessKeyId.NotFound" in text(sign_in("viewer").get(org.url(f"jobs/{job.pk}/")))


def test_canceled_before_anything_was_sent(started, drain, org, sign_in, product):
    job = started(600)
    browser = sign_in("operator")
    assert "Stop this job?" in text(browser.get(org.url(f"jobs/{job.pk}/cancel/")))
    browser.post(org.url(f"jobs/{job.pk}/cancel/"))
    job = drain(job)
    assert (job.state, job.counts) == (Job.State.CANCELED, {"canceled": 600})
    assert device_count(org, product) == 0
    line = table(browser.get(org.url(f"jobs/{job.pk}/result.csv")))[0]
    assert (line["outcome"], line["reason"]) == ("canceled", "Not sent: the job stopped before.")


def test_canceled_half_way_what_was_sent_is_followed_to_its_end(started, drain, clock, org, product):
    job = started(600)
    until(job, "made", clock)
    assert actions.cancel(job, org.members["operator"])
    assert not actions.cancel(job, org.members["operator"]), "once is enough"
    job = drain(job)
    assert job.state == Job.State.CANCELED
    assert job.counts == {"created": 250, "canceled": 350}
    assert device_count(org, product) == 250


def test_canceled_when_nobody_knows_whether_it_was_sent_the_platform_is_asked(
    started, drain, clock, org, product
):
    job = started(5)
    abandon(until(job, "register", clock))
    actions.cancel(job, org.members["operator"])
    assert drain(job).counts == {"canceled": 5}
    assert device_count(org, product) == 0


def test_canceled_while_the_cloud_is_away(started, drain, emulator, org):
    job = started(5)
    emulator.faults.add("*", kind="error", times=1000)
    drain(job, rounds=3)
    actions.cancel(job, org.members["operator"])
    assert drain(job, rounds=3).state == Job.State.CANCELED


def test_run_again_takes_what_was_not_sent_into_a_new_job(started, drain, clock, org, sign_in, product):
    first = started(600)
    until(first, "made", clock)
    actions.cancel(first, org.members["operator"])
    drain(first)
    browser = sign_in("operator")
    browser.post(org.url(f"jobs/{first.pk}/again/"))
    browser.post(org.url(f"jobs/{first.pk}/again/"))
    second = Job.objects.get(parent=first)
    assert drain(second).counts == {"created": 350}
    assert second.state == Job.State.SUCCEEDED
    assert device_count(org, product) == 600
    first.refresh_from_db()
    assert first.counts == {"created": 250, "canceled": 350}, "the first job stays as it was"
    assert Row.objects.filter(job=second).order_by("number").first().number == 252, "the line in the file"


def test_who_lost_the_right_to_register_stops_their_jobs(started, drain, org, product, sign_in):
    job = started(600)
    Membership.objects.filter(user=org.members["operator"]).update(role_slug="viewer")
    job = drain(job)
    assert (job.state, job.counts) == (Job.State.FAILED, {"canceled": 600})
    assert "the role of Operator does not allow this any more" in text(
        sign_in("owner").get(org.url(f"jobs/{job.pk}/"))
    )
    assert device_count(org, product) == 0


def test_who_holds_a_role_that_lost_the_right_stops_their_jobs(started, drain, org, product, clock):
    crew = CustomRole.objects.create(
        team=org.team, slug="crew", name="Crew", levels={"devices": 2, "products": 1}
    )
    Membership.objects.filter(user=org.members["operator"]).update(role_slug="crew")
    job = started(600)
    until(job, "made", clock)
    owner = Membership.objects.select_related("team", "user").get(user=org.members["owner"])
    less = custom_roles.RoleDraft("Crew", "", {Area.DEVICES: Level.READ, Area.PRODUCTS: Level.READ})
    custom_roles.edit_role(Actor(owner, Origin()), crew, less)
    job = drain(job)
    assert job.state == Job.State.FAILED
    assert device_count(org, product) < 600


def test_who_left_the_team_while_devices_were_made_leaves_outcomes_unknown(started, drain, clock, org):
    job = started(600)
    until(job, "made", clock)
    Membership.objects.filter(user=org.members["operator"]).delete()
    assert drain(job).counts == {"canceled": 350, "unknown": 250}


def test_an_error_of_our_own_is_tried_again_and_stops_the_job_in_the_end(started, drain, monkeypatch, org):
    job = started(3)
    from console.devices import batches

    def broken(*args, **kwargs):
        raise ZeroDivisionError

    monkeypatch.setattr(batches, "check_names", broken)
    job = drain(job)
    assert job.state == Job.State.FAILED
    assert "ZeroDivisionError" in job.why


def test_names_taken_between_check_and_making_are_found_and_the_rest_is_made(
    started, drain, clock, org, product
):
    job = started(5)
    until(job, "register", clock)
    org.gateway().call("RegisterDevice", ProductKey=product, DeviceName="dev-00003")
    job = drain(job)
    assert job.counts == {"created": 4, "exists": 1}
    assert Row.objects.get(state="exists").name == "dev-00003"


def test_what_is_overdue_is_rung_for_but_not_over_and_over(started):
    job = started()
    late = timezone.now() - timedelta(seconds=10)
    Chunk.objects.filter(job=job, state="active").update(next_at=late)
    assert engine.due() == [job.chunks.get(number=1).pk]
    assert engine.due() == []
    Chunk.objects.filter(job=job, number=1).update(
        rung_at=None, lease="x", leased_until=timezone.now() + timedelta(seconds=9)
    )
    assert engine.due() == [], "somebody is at it"


def test_a_long_step_keeps_its_lease(started, settings, transactional_db):
    settings.JOBS_LEASE_SECONDS = 0.3
    chunk = engine._claim(started().chunks.get(number=1).pk)
    deadline = time.monotonic() + 30
    with work.Heartbeat(chunk):
        while Chunk.objects.get(pk=chunk.pk).leased_until <= chunk.leased_until:
            assert time.monotonic() < deadline, "it is never renewed"
            time.sleep(0.02)


def test_every_call_of_a_job_is_audited_under_it(started, drain):
    job = drain(started(3))
    record = AuditRecord.objects.get(operation="BatchRegisterDeviceWithApplyId")
    assert (record.job, record.actor_label, record.outcome) == (job.pk, "operator@acme.test", "done")


def test_secrets_are_collected_by_who_may_see_them_and_deleted_in_time(started, drain, org, sign_in, product):
    job = drain(started(120))
    operator, owner = sign_in("operator"), sign_in("owner")
    assert operator.post(org.url(f"jobs/{job.pk}/secrets/")).status_code == 403
    assert operator.get(org.url(f"jobs/{job.pk}/secrets.csv")).status_code == 403
    owner.post(org.url(f"jobs/{job.pk}/secrets/"))
    collecting = Job.objects.get(kind="devices.secrets")
    assert drain(collecting).succeeded == 120
    lines = table(owner.get(org.url(f"jobs/{job.pk}/secrets.csv")))
    truth = org.gateway().call("QueryDeviceDetail", reveal=True, ProductKey=product, DeviceName="dev-00007")
    assert lines[7]["device_secret"] == truth["Data"]["DeviceSecret"] != ""
    assert AuditRecord.objects.filter(operation="DownloadDeviceSecrets", actor=org.members["owner"]).exists()
    assert AuditRecord.objects.filter(operation="QueryPageByApplyId", job=collecting.pk).exists()
    assert "device_secret" not in table(operator.get(org.url(f"jobs/{job.pk}/result.csv")))[0]
    Secret.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert table(owner.get(org.url(f"jobs/{job.pk}/secrets.csv")))[7]["device_secret"] == ""
    from console.jobs.upkeep import tidy

    tidy()
    assert not Secret.objects.exists()


def test_a_busy_database_is_no_error_of_the_job(started, drain, monkeypatch):
    from django.db import OperationalError

    from console.devices import batches

    job = started(3)
    chunk = job.chunks.get(number=1)
    real, calls = batches.check_names, []

    def locked_once(*args, **kwargs):
        calls.append(1)
        if len(calls) == 1:
            raise OperationalError("database is locked")
        return real(*args, **kwargs)

    monkeypatch.setattr(batches, "check_names", locked_once)
    assert engine.run_step(chunk.pk) is None
    Chunk.objects.filter(pk=chunk.pk).update(leased_until=timezone.now() - timedelta(seconds=1))
    assert drain(job).counts == {"created": 3}


def test_canceled_in_the_middle_of_a_vain_try_it_stops_soon(started, emulator, org, monkeypatch):
    job = started(3)
    chunk = job.chunks.get(number=1)
    emulator.faults.add("BatchCheckDeviceNames", kind="error", times=1000)
    Chunk.objects.filter(pk=chunk.pk).update(attempts=8)
    from console.devices import batches

    real = batches.check_names

    def canceled_meanwhile(*args, **kwargs):
        actions.cancel(job, org.members["operator"])
        return real(*args, **kwargs)

    monkeypatch.setattr(batches, "check_names", canceled_meanwhile)
    assert engine.run_step(chunk.pk) == 2.0


def test_a_start_is_kept_when_the_broker_is_away(
    org, upload, sign_in, drain, monkeypatch, django_capture_on_commit_callbacks
):
    """The bell fails, once; the job is in the database, and beat rings for it."""
    tried = []

    def away(*args, **kwargs):
        tried.append(1)
        raise ConnectionError

    monkeypatch.setattr(app, "send_task", away)
    monkeypatch.setattr(engine, "ring", REAL_RING)
    upload("\n".join(["name", *(f"dev-{n:05d}" for n in range(1000))]).encode())
    job = Job.objects.get()
    with django_capture_on_commit_callbacks(execute=True):
        answer = sign_in("operator").post(org.url(f"jobs/{job.pk}/start/"))
    assert answer.status_code == 302
    assert tried == [1], "it is not tried for every part"
    assert drain(job).counts == {"created": 1000}
