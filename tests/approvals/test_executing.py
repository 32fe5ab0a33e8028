"""Approved calls are made exactly as approved, once, with the requester's permissions, and failures are reported."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta

import httpx
import pytest
from django.utils import timezone

from console.accounts.models import Membership
from console.approvals import actions, jobs
from console.approvals.models import ApprovalCall, ApprovalRequest
from console.areas.ota import api as ota_api
from console.areas.ota import batches
from console.audit.models import AuditRecord
from console.connections.approval import ApprovalNeeded
from console.connections.gateway import PermissionRefused
from console.jobs import actions as job_actions
from console.jobs import engine
from console.jobs.models import Chunk, Job
from console.teams.tokens.lifecycle import revoke_token
from tests.approvals.helpers import REASON, create_token, gateway_of_token, list_device_names, product_exists
from tests.running_jobs import past_time

State = ApprovalRequest.State


def approve(org, request: ApprovalRequest) -> Job:
    return actions.approve(request, org.gateway("owner"), seen=request.digest)


def read_states(request: ApprovalRequest) -> list[str]:
    return list(request.outcomes.values_list("state", flat=True))


@pytest.fixture
def devices_request(submit_request, set_rules, product, devices) -> ApprovalRequest:
    """The operator's pending request to delete the first four devices."""
    set_rules(deletion=3)
    return submit_request(
        "DeleteDevice", [{"ProductKey": product, "DeviceName": name} for name in devices[:4]]
    )


def test_exactly_the_approved_calls_are_made_in_order_by_the_requester(
    org, devices_request, product, devices, run_job, network
):
    job = approve(org, devices_request)
    assert list_device_names(org, product) == devices
    run_job(job)
    assert list_device_names(org, product) == devices[4:]
    devices_request.refresh_from_db()
    assert (devices_request.state, job.state, job.succeeded) == (State.DONE, Job.State.SUCCEEDED, 4)
    assert network.calls.count("DeleteDevice") == 4
    records = AuditRecord.objects.filter(operation="DeleteDevice").order_by("pk")
    assert [record.parameters["DeviceName"] for record in records] == devices[:4]
    assert {(record.actor, record.job, record.parameters["approved_by"]) for record in records} == {
        (org.members["operator"], job.pk, "owner@acme.test")
    }
    # Approved deletions do not count as deletions without approval.
    org.gateway("operator").call("DeleteDevice", ProductKey=product, DeviceName=devices[5])


def test_the_end_of_the_execution_is_recorded(
    org, product_request, run_job, django_capture_on_commit_callbacks
):
    job = approve(org, product_request)
    with django_capture_on_commit_callbacks(execute=True):
        run_job(job)
    (record,) = AuditRecord.objects.filter(operation="approval.execute")
    assert (record.outcome, record.actor) == ("done", org.members["operator"])


def test_a_request_of_a_removed_member_fails(org, product_request, product, run_job):
    job = approve(org, product_request)
    Membership.objects.filter(user=org.members["operator"]).delete()
    run_job(job)
    product_request.refresh_from_db()
    assert product_request.state == State.FAILED
    assert "no longer a member" in product_request.failure_text
    assert product_exists(org, product)
    assert read_states(product_request) == ["canceled"]


def test_a_request_of_a_member_with_a_reduced_role_fails(org, product_request, product, run_job):
    job = approve(org, product_request)
    Membership.objects.filter(user=org.members["operator"]).update(role_slug="viewer")
    run_job(job)
    product_request.refresh_from_db()
    assert product_request.state == State.FAILED
    assert "DeleteProduct" in product_request.failure_text
    assert product_exists(org, product)


def test_a_role_reduced_during_the_execution_stops_it(org, devices_request, product, devices, run_job):
    job = approve(org, devices_request)
    run_job(job, rounds=2)
    Membership.objects.filter(user=org.members["operator"]).update(role_slug="viewer")
    run_job(job)
    devices_request.refresh_from_db()
    assert devices_request.state == State.FAILED
    assert read_states(devices_request) == ["done", "done", "canceled", "canceled"]
    assert list_device_names(org, product) == devices[2:]


def test_a_request_of_a_revoked_token_fails(org, set_rules, product, service, run_job):
    set_rules(product=True)
    token = create_token(org, service, "administrator", org.members["administrator"])
    gateway = gateway_of_token(org, token)
    with pytest.raises(ApprovalNeeded) as raised:
        gateway.call("DeleteProduct", ProductKey=product)
    request = actions.request_approval(actions.prepare_request(raised.value), gateway, REASON)
    job = approve(org, request)
    revoke_token(token, org.members["owner"], gateway.origin)
    run_job(job)
    request.refresh_from_db()
    assert request.state == State.FAILED
    assert request.failure_text
    assert product_exists(org, product)


def test_a_request_whose_rule_no_longer_exists_is_shown_and_not_sent(
    org, product_request, product, run_job, sign_in
):
    job = approve(org, product_request)
    ApprovalRequest.objects.update(rule="of_a_removed_area")
    run_job(job)
    product_request.refresh_from_db()
    assert product_request.state == State.FAILED
    assert "rule of this request no longer exists" in product_request.failure_text
    assert product_exists(org, product)
    page = sign_in("operator").get(org.url(f"approvals/{product_request.pk}/"))
    assert page.status_code == 200
    assert product in page.content.decode()


def test_calls_that_were_modified_after_the_approval_are_not_sent(org, product_request, product, run_job):
    other = org.gateway().call("CreateProduct", ProductName="Other", NodeType=0)["Data"]["ProductKey"]
    job = approve(org, product_request)
    ApprovalRequest.objects.update(
        calls=json.dumps([{"operation": "DeleteProduct", "params": {"ProductKey": other}}])
    )
    run_job(job)
    product_request.refresh_from_db()
    assert product_request.state == State.FAILED
    assert product_exists(org, product)
    assert product_exists(org, other)


def test_calls_that_could_not_be_sent_within_an_hour_are_not_sent(org, product_request, product, run_job):
    job = approve(org, product_request)
    ApprovalRequest.objects.update(decided_at=timezone.now() - timedelta(minutes=61))
    run_job(job)
    product_request.refresh_from_db()
    assert product_request.state == State.FAILED
    assert product_exists(org, product)


def test_a_worker_that_stops_after_sending_leaves_the_call_unknown_and_it_is_not_repeated(
    org, devices_request, product, devices, run_job, network
):
    job = approve(org, devices_request)
    run_job(job, rounds=1)
    done = iter([None])

    def stop_worker(response: object) -> Iterator[None]:
        if next(done, "again") is None:
            raise KeyboardInterrupt

    network.after["DeleteDevice"] = stop_worker
    chunk = Chunk.objects.get(job=job)
    Chunk.objects.update(next_at=past_time())
    with pytest.raises(KeyboardInterrupt):
        engine.run_step(chunk.pk)
    assert read_states(devices_request) == ["done", "sending", "pending", "pending"]
    Chunk.objects.update(leased_until=past_time())
    run_job(job)
    devices_request.refresh_from_db()
    assert devices_request.state == State.UNKNOWN
    assert read_states(devices_request) == ["done", "unknown", "done", "done"]
    assert network.calls.count("DeleteDevice") == 4


def test_a_worker_that_stops_before_sending_only_delays_the_calls(org, devices_request, run_job, network):
    job = approve(org, devices_request)
    Chunk.objects.filter(job=job).update(lease="dead", leased_until=past_time(), attempts=1)
    run_job(job)
    devices_request.refresh_from_db()
    assert devices_request.state == State.DONE
    assert network.calls.count("DeleteDevice") == 4


def test_a_failed_call_is_reported_and_the_other_calls_are_made(
    org, devices_request, product, devices, run_job, set_rules
):
    job = approve(org, devices_request)
    set_rules()
    org.gateway().call("DeleteDevice", ProductKey=product, DeviceName=devices[1])
    run_job(job)
    devices_request.refresh_from_db()
    assert devices_request.state == State.FAILED
    assert read_states(devices_request) == ["done", "failed", "done", "done"]
    failed = ApprovalCall.objects.get(state="failed")
    assert failed.code
    assert failed.request_id
    assert job.state == Job.State.PARTIAL


def test_the_job_waits_while_the_cloud_cannot_be_reached(org, product_request, product, run_job, network):
    job = approve(org, product_request)

    def fail_to_connect() -> None:
        raise httpx.ConnectError("fail_to_connect")

    network.before["DeleteProduct"] = fail_to_connect
    run_job(job, rounds=3)
    product_request.refresh_from_db()
    assert product_request.state == State.APPROVED
    assert read_states(product_request) == ["pending"]
    network.before.clear()
    run_job(job)
    product_request.refresh_from_db()
    assert product_request.state == State.DONE
    assert not product_exists(org, product)


def test_a_canceled_job_sends_no_more_calls(org, devices_request, product, devices, run_job):
    job = approve(org, devices_request)
    run_job(job, rounds=1)
    assert job_actions.cancel(job, org.members["owner"])
    run_job(job)
    devices_request.refresh_from_db()
    assert devices_request.state == State.FAILED
    assert read_states(devices_request) == ["done", "canceled", "canceled", "canceled"]
    assert job.state == Job.State.CANCELED


@pytest.mark.parametrize(
    ("role", "may"), [("viewer", False), ("release-engineer", False), ("operator", True)]
)
def test_a_role_that_cannot_make_the_calls_cannot_cancel_them(org, product_request, sign_in, role, may):
    job = approve(org, product_request)
    assert job_actions.may_control(job, org.gateway(role)) == may
    response = sign_in(role).post(org.url(f"jobs/{job.pk}/cancel/"))
    assert response.status_code == (302 if may else 403)


def test_a_rule_set_during_the_execution_does_not_stop_it(
    org, devices_request, product, devices, run_job, set_rules
):
    job = approve(org, devices_request)
    set_rules(product=True, deletion=0, batch=0)
    run_job(job)
    assert list_device_names(org, product) == devices[4:]


# -- batches ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def package(fleet, org) -> ota_api.Package:
    """A package of the sample fleet for which batches can be created."""
    packages = ota_api.list_packages(org.gateway(), size=100).packages
    return next(found for found in packages if found.is_ready and not found.delta and found.product_key)


def request_batch(org, package, aim: ota_api.BatchTarget) -> ApprovalRequest:
    gateway = org.gateway("release-engineer")
    with pytest.raises(ApprovalNeeded) as raised:
        batches.create_static_batch(gateway, package, aim, ota_api.Strategy(rate=100))
    return actions.request_approval(actions.prepare_request(raised.value), gateway, REASON)


def test_an_approved_batch_is_created_and_monitored(org, set_rules, package, run_job, clock):
    set_rules(batch=0)
    request = request_batch(org, package, ota_api.BatchTarget("ALL"))
    job = approve(org, request)
    run_job(job)
    made = request.outcomes.get().batch_id
    assert ota_api.get_batch(org.gateway(), made).rate == 100
    watch = Job.objects.get(kind="ota.monitor")
    assert (watch.subject, watch.started_by) == (made, org.members["release-engineer"])


def test_a_list_of_names_is_uploaded_again_and_the_approver_sees_its_names(org, set_rules, package, run_job):
    names = [
        device["DeviceName"]
        for device in org.gateway().call("QueryDevice", ProductKey=package.product_key, PageSize=50)["Data"][
            "DeviceInfo"
        ]
    ]
    for number in range(201 - len(names)):
        names.append(f"further-{number:03d}")
        org.gateway().call("RegisterDevice", ProductKey=package.product_key, DeviceName=names[-1])
    set_rules(batch=len(names) - 1)
    request = request_batch(org, package, ota_api.BatchTarget("SPECIFIC", names=tuple(names)))
    assert request.devices == len(names)
    (planned,) = request.planned_calls
    assert planned.listed_names == tuple(names)
    assert "DnListFileUrl" not in planned.params
    run_job(approve(org, request))
    request.refresh_from_db()
    assert request.state == State.DONE, request.outcomes.get().message
    assert AuditRecord.objects.filter(operation="CreateOTAStaticUpgradeJob", outcome="done").count() == 1
    assert AuditRecord.objects.filter(operation="GenerateDeviceNameListURL").count() == 2


def test_a_batch_without_a_response_is_unknown_and_not_created_again(
    org, set_rules, package, run_job, network
):
    set_rules(batch=0)
    request = request_batch(org, package, ota_api.BatchTarget("ALL"))

    def lose_response(response: object) -> None:
        raise httpx.ReadTimeout("lost")

    network.after["CreateOTAStaticUpgradeJob"] = lose_response
    run_job(approve(org, request))
    request.refresh_from_db()
    assert request.state == State.UNKNOWN
    assert network.calls.count("CreateOTAStaticUpgradeJob") == 1


def test_a_job_of_this_kind_without_its_request_does_nothing(org, product_request, product, run_job):
    """A forged job row, or one whose request was deleted."""
    job = approve(org, product_request)
    ApprovalRequest.objects.all().delete()
    run_job(job)
    assert product_exists(org, product)
    with pytest.raises(PermissionRefused):
        org.gateway("viewer").require(*jobs.EXECUTE.job_operations(job))
