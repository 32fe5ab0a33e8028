"""What was approved is done exactly so, once, with the rights of who asked, and told honestly when it went wrong."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta

import httpx
import pytest
from django.utils import timezone

from console.access.models import AuditRecord, Membership
from console.access.tokens.lifecycle import revoke_token
from console.approvals import actions, jobs
from console.approvals.models import ApprovalCall, ApprovalRequest
from console.connections.approval import ApprovalNeeded
from console.connections.gateway import PermissionRefused
from console.jobs import actions as job_actions
from console.jobs import engine
from console.jobs.models import Chunk, Job
from console.ota import api as ota_api
from tests.approvals.conftest import REASON, exists, there
from tests.approvals.test_deciding import acting, service, token_of
from tests.jobs.conftest import a_moment_ago

__all__ = ["service"]  # fixtures
State = ApprovalRequest.State


def approved(org, request: ApprovalRequest) -> Job:
    return actions.approve(request, org.gateway("owner"), seen=request.digest)


def outcomes(request: ApprovalRequest) -> list[str]:
    return list(request.outcomes.values_list("state", flat=True))


@pytest.fixture
def of_devices(asked, rules, product, devices) -> ApprovalRequest:
    """The operator's request to delete the first four devices, which waits."""
    rules(deletion=3)
    return asked("DeleteDevice", [{"ProductKey": product, "DeviceName": name} for name in devices[:4]])


def test_exactly_what_was_approved_is_done_in_order_by_who_asked(
    org, of_devices, product, devices, drain, wire
):
    job = approved(org, of_devices)
    assert there(org, product) == devices
    drain(job)
    assert there(org, product) == devices[4:]
    of_devices.refresh_from_db()
    assert (of_devices.state, job.state, job.succeeded) == (State.DONE, Job.State.SUCCEEDED, 4)
    assert wire.calls.count("DeleteDevice") == 4
    records = AuditRecord.objects.filter(operation="DeleteDevice").order_by("pk")
    assert [record.parameters["DeviceName"] for record in records] == devices[:4]
    assert {(record.actor, record.job, record.parameters["approved_by"]) for record in records} == {
        (org.members["operator"], job.pk, "owner@acme.test")
    }
    # What was approved does not count as what the person deleted by themselves.
    org.gateway("operator").call("DeleteDevice", ProductKey=product, DeviceName=devices[5])


def test_the_end_is_recorded(org, of_product, drain, django_capture_on_commit_callbacks):
    job = approved(org, of_product)
    with django_capture_on_commit_callbacks(execute=True):
        drain(job)
    (record,) = AuditRecord.objects.filter(operation="approval.execute")
    assert (record.outcome, record.actor) == ("done", org.members["operator"])


def test_who_was_removed_meanwhile_lends_their_request_nothing(org, of_product, product, drain):
    job = approved(org, of_product)
    Membership.objects.filter(user=org.members["operator"]).delete()
    drain(job)
    of_product.refresh_from_db()
    assert of_product.state == State.FAILED
    assert "no longer a member" in of_product.why_text
    assert exists(org, product)
    assert outcomes(of_product) == ["canceled"]


def test_who_was_lowered_meanwhile_lends_their_request_nothing(org, of_product, product, drain):
    job = approved(org, of_product)
    Membership.objects.filter(user=org.members["operator"]).update(role_slug="viewer")
    drain(job)
    of_product.refresh_from_db()
    assert of_product.state == State.FAILED
    assert "DeleteProduct" in of_product.why_text
    assert exists(org, product)


def test_who_was_lowered_half_way_is_stopped_there(org, of_devices, product, devices, drain):
    job = approved(org, of_devices)
    drain(job, rounds=2)
    Membership.objects.filter(user=org.members["operator"]).update(role_slug="viewer")
    drain(job)
    of_devices.refresh_from_db()
    assert of_devices.state == State.FAILED
    assert outcomes(of_devices) == ["done", "done", "canceled", "canceled"]
    assert there(org, product) == devices[2:]


def test_a_token_that_was_revoked_meanwhile_lends_its_request_nothing(org, rules, product, service, drain):
    rules(product=True)
    token = token_of(org, service, "administrator", org.members["administrator"])
    gateway = acting(org, token)
    with pytest.raises(ApprovalNeeded) as raised:
        gateway.call("DeleteProduct", ProductKey=product)
    request = actions.ask(actions.prepare(raised.value), gateway, REASON)
    job = approved(org, request)
    revoke_token(token, org.members["owner"], gateway.origin)
    drain(job)
    request.refresh_from_db()
    assert request.state == State.FAILED
    assert request.why_text
    assert exists(org, product)


def test_calls_that_were_altered_after_the_approval_are_not_done(org, of_product, product, drain):
    other = org.gateway().call("CreateProduct", ProductName="Other", NodeType=0)["Data"]["ProductKey"]
    job = approved(org, of_product)
    ApprovalRequest.objects.update(
        calls=json.dumps([{"operation": "DeleteProduct", "params": {"ProductKey": other}}])
    )
    drain(job)
    of_product.refresh_from_db()
    assert of_product.state == State.FAILED
    assert exists(org, product)
    assert exists(org, other)


def test_what_could_not_be_sent_within_an_hour_is_not_sent_any_more(org, of_product, product, drain):
    job = approved(org, of_product)
    ApprovalRequest.objects.update(decided_at=timezone.now() - timedelta(minutes=61))
    drain(job)
    of_product.refresh_from_db()
    assert of_product.state == State.FAILED
    assert exists(org, product)


def test_a_worker_that_dies_between_sending_and_writing_leaves_that_call_unknown_and_nobody_repeats_it(
    org, of_devices, product, devices, drain, wire
):
    job = approved(org, of_devices)
    drain(job, rounds=1)
    done = iter([None])

    def die(answer: object) -> Iterator[None]:
        if next(done, "again") is None:
            raise KeyboardInterrupt

    wire.after["DeleteDevice"] = die
    chunk = Chunk.objects.get(job=job)
    Chunk.objects.update(next_at=a_moment_ago())
    with pytest.raises(KeyboardInterrupt):
        engine.run_step(chunk.pk)
    assert outcomes(of_devices) == ["done", "sending", "pending", "pending"]
    Chunk.objects.update(leased_until=a_moment_ago())
    drain(job)
    of_devices.refresh_from_db()
    assert of_devices.state == State.UNKNOWN
    assert outcomes(of_devices) == ["done", "unknown", "done", "done"]
    assert wire.calls.count("DeleteDevice") == 4


def test_a_worker_that_dies_before_it_sends_costs_nothing_but_time(org, of_devices, drain, wire):
    job = approved(org, of_devices)
    Chunk.objects.filter(job=job).update(lease="dead", leased_until=a_moment_ago(), attempts=1)
    drain(job)
    of_devices.refresh_from_db()
    assert of_devices.state == State.DONE
    assert wire.calls.count("DeleteDevice") == 4


def test_what_the_platform_refuses_is_told_and_the_rest_is_done(
    org, of_devices, product, devices, drain, rules
):
    job = approved(org, of_devices)
    rules()
    org.gateway().call("DeleteDevice", ProductKey=product, DeviceName=devices[1])
    drain(job)
    of_devices.refresh_from_db()
    assert of_devices.state == State.FAILED
    assert outcomes(of_devices) == ["done", "failed", "done", "done"]
    failed = ApprovalCall.objects.get(state="failed")
    assert failed.code
    assert failed.request_id
    assert job.state == Job.State.PARTIAL


def test_a_cloud_that_cannot_be_reached_is_waited_for(org, of_product, product, drain, wire):
    job = approved(org, of_product)

    def away() -> None:
        raise httpx.ConnectError("away")

    wire.before["DeleteProduct"] = away
    drain(job, rounds=3)
    of_product.refresh_from_db()
    assert of_product.state == State.APPROVED
    assert outcomes(of_product) == ["pending"]
    wire.before.clear()
    drain(job)
    of_product.refresh_from_db()
    assert of_product.state == State.DONE
    assert not exists(org, product)


def test_a_job_that_is_stopped_sends_no_more(org, of_devices, product, devices, drain):
    job = approved(org, of_devices)
    drain(job, rounds=1)
    assert job_actions.cancel(job, org.members["owner"])
    drain(job)
    of_devices.refresh_from_db()
    assert of_devices.state == State.FAILED
    assert outcomes(of_devices) == ["done", "canceled", "canceled", "canceled"]
    assert job.state == Job.State.CANCELED


@pytest.mark.parametrize(
    ("role", "may"), [("viewer", False), ("release-engineer", False), ("operator", True)]
)
def test_who_may_not_make_the_calls_may_not_stop_them_either(org, of_product, sign_in, role, may):
    job = approved(org, of_product)
    assert job_actions.may(job, org.gateway(role)) == may
    answer = sign_in(role).post(org.url(f"jobs/{job.pk}/cancel/"))
    assert answer.status_code == (302 if may else 403)


def test_a_rule_set_while_it_is_being_done_does_not_stop_it(org, of_devices, product, devices, drain, rules):
    job = approved(org, of_devices)
    rules(product=True, deletion=0, batch=0)
    drain(job)
    assert there(org, product) == devices[4:]


# -- batches ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def package(fleet, org) -> ota_api.Package:
    """A package of the sample fleet that batches can be made of."""
    packages = ota_api.list_packages(org.gateway(), size=100).packages
    return next(found for found in packages if found.ready and not found.delta and found.product_key)


def asked_for_batch(org, package, aim: ota_api.Aim) -> ApprovalRequest:
    gateway = org.gateway("release-engineer")
    with pytest.raises(ApprovalNeeded) as raised:
        ota_api.create_static_job(gateway, package, aim, ota_api.Strategy(rate=100))
    return actions.ask(actions.prepare(raised.value), gateway, REASON)


def test_an_approved_batch_is_made_and_watched(org, rules, package, drain, clock):
    rules(batch=0)
    request = asked_for_batch(org, package, ota_api.Aim("ALL"))
    job = approved(org, request)
    drain(job)
    made = request.outcomes.get().made
    assert ota_api.get_job(org.gateway(), made).rate == 100
    watch = Job.objects.get(kind="ota.watch")
    assert (watch.subject, watch.started_by) == (made, org.members["release-engineer"])


def test_a_list_of_names_is_brought_to_the_store_anew_and_says_its_names_to_who_decides(
    org, rules, package, drain
):
    names = [
        device["DeviceName"]
        for device in org.gateway().call("QueryDevice", ProductKey=package.product_key, PageSize=50)["Data"][
            "DeviceInfo"
        ]
    ]
    for number in range(201 - len(names)):
        names.append(f"further-{number:03d}")
        org.gateway().call("RegisterDevice", ProductKey=package.product_key, DeviceName=names[-1])
    rules(batch=len(names) - 1)
    request = asked_for_batch(org, package, ota_api.Aim("SPECIFIC", names=tuple(names)))
    assert request.devices == len(names)
    (planned,) = request.planned
    assert planned.listed == tuple(names)
    assert "DnListFileUrl" not in planned.params
    drain(approved(org, request))
    request.refresh_from_db()
    assert request.state == State.DONE, request.outcomes.get().message
    assert AuditRecord.objects.filter(operation="CreateOTAStaticUpgradeJob", outcome="done").count() == 1
    assert AuditRecord.objects.filter(operation="GenerateDeviceNameListURL").count() == 2


def test_a_batch_whose_answer_was_lost_is_unknown_and_not_made_again(org, rules, package, drain, wire):
    rules(batch=0)
    request = asked_for_batch(org, package, ota_api.Aim("ALL"))

    def lost(answer: object) -> None:
        raise httpx.ReadTimeout("lost")

    wire.after["CreateOTAStaticUpgradeJob"] = lost
    drain(approved(org, request))
    request.refresh_from_db()
    assert request.state == State.UNKNOWN
    assert wire.calls.count("CreateOTAStaticUpgradeJob") == 1


def test_a_job_of_this_kind_without_its_request_does_nothing(org, of_product, product, drain):
    """A row of a job that somebody forged, or whose request was deleted."""
    job = approved(org, of_product)
    ApprovalRequest.objects.all().delete()
    drain(job)
    assert exists(org, product)
    with pytest.raises(PermissionRefused):
        org.gateway("viewer").require(*jobs.EXECUTE.making(job))
