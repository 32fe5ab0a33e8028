"""Responses of the platform to a registration, also lost and unusual ones: the outcome of each row is always correct."""

from __future__ import annotations

import pytest

from console.accounts.models import Membership, User
from console.areas.devices.registration.actions import collect_secrets
from console.audit.models import AuditRecord
from console.jobs import actions, engine
from console.jobs.models import Item, Job
from tests.registrations import device_count
from tests.responses import page_text
from tests.running_jobs import run_next_step, run_until_step


@pytest.mark.parametrize("count", [1, 249, 250, 251])
def test_a_job_of_any_size_registers_all_of_its_rows(start_registration, run_job, org, product, count):
    job = start_registration(count)
    assert job.chunks.exclude(number=0).count() == -(-count // 250)
    assert run_job(job).counts == {"succeeded": count}
    assert device_count(org, product) == count


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("kind", ["drop", "malformed", "error"])
def test_a_tag_is_set_even_if_the_response_is_lost(
    start_registration, run_job, emulator, org, product, kind, after
):
    job = start_registration(table="name,tag:site\ndev-0001,east\ndev-0002,west\n")
    emulator.faults.add("SaveDeviceProp", kind=kind, times=9, after=after)
    assert run_job(job).state == Job.State.SUCCEEDED
    assert set(Item.objects.values_list("reason", flat=True)) == {""}
    props = org.gateway().call("QueryDeviceProp", ProductKey=product, DeviceName="dev-0002")
    assert "west" in str(props)


@pytest.mark.parametrize("kind", ["malformed", "error"])
@pytest.mark.parametrize("operation", ["BatchCheckDeviceNames", "BatchRegisterDeviceWithApplyId"])
def test_a_write_with_a_malformed_response_is_not_repeated(
    start_registration, run_job, emulator, org, product, kind, operation
):
    job = start_registration(4)
    emulator.faults.add(operation, kind=kind, times=6, after=True)
    assert run_job(job).counts == {"succeeded": 4}
    assert device_count(org, product) == 4


TAGGED = "name,tag:site\n" + "".join(f"dev-{number:04},east\n" for number in range(1, 151))


def read_tags(org, product, name: str) -> str:
    return str(
        org.gateway().call("QueryDeviceProp", fresh=True, ProductKey=product, DeviceName=name)["Props"]
    )


def test_a_job_canceled_before_all_tags_were_set_says_which_devices_lack_them(
    start_registration, run_job, clock, org, product, sign_in
):
    job = start_registration(table=TAGGED)
    run_until_step(job, "tags", clock)
    run_next_step(job)
    actions.cancel(job, org.members["operator"])
    job = run_job(job)
    assert (job.state, job.counts) == (Job.State.CANCELED, {"succeeded": 100, "partial": 50})
    assert (job.succeeded, job.failed) == (100, 50)
    assert any("tags" in event.text for event in job.events.all())
    browser = sign_in("operator")
    page = page_text(browser.get(org.url(f"jobs/{job.pk}/?outcome=partial")))
    assert "Not set for 50 devices" in page
    assert "dev-0101" in page
    assert "dev-0100" not in page
    result = browser.get(org.url(f"jobs/{job.pk}/result.csv")).getvalue().decode()
    assert result.count("The device was created, but its tags were not set.") == 50


def test_a_retry_sets_the_tags_of_created_devices_and_registers_nothing(
    start_registration, run_job, clock, org, product, sign_in
):
    job = start_registration(table=TAGGED)
    run_until_step(job, "tags", clock)
    actions.cancel(job, org.members["operator"])
    run_job(job)
    assert "east" not in read_tags(org, product, "dev-0150")
    registered = AuditRecord.objects.filter(operation="BatchRegisterDeviceWithApplyId")
    before = registered.count()
    sign_in("operator").post(org.url(f"jobs/{job.pk}/retry/"))
    retried = run_job(Job.objects.latest("pk"))
    assert (retried.state, retried.counts) == (Job.State.SUCCEEDED, {"succeeded": 150})
    assert "east" in read_tags(org, product, "dev-0150")
    assert registered.count() == before
    first, second = (page_text(sign_in("owner").get(org.url(f"jobs/{pk}/"))) for pk in (job.pk, retried.pk))
    assert "Retry failed items" not in first
    assert "Collect secrets" in first
    assert "Collect secrets" not in second


def test_progress_counts_a_device_when_its_tags_are_set(start_registration, clock):
    job = start_registration(table=TAGGED)
    run_until_step(job, "tags", clock)
    job.refresh_from_db()
    assert (job.done, job.total) == (0, 150)
    run_next_step(job)
    job.refresh_from_db()
    assert job.done == 100


def test_a_job_stopped_by_an_error_while_tags_are_set_says_which_devices_lack_them(
    start_registration, run_job, clock, org
):
    job = start_registration(table=TAGGED)
    run_until_step(job, "tags", clock)
    User.objects.filter(pk=org.members["operator"].pk).update(is_active=False)
    job = run_job(job)
    assert (job.state, job.counts) == (Job.State.FAILED, {"partial": 150})


def test_tags_that_the_platform_rejects_make_the_job_partly_failed(start_registration, run_job, emulator):
    job = start_registration(table="name,tag:site\ndev-0001,east\ndev-0002,west\n")
    emulator.faults.add(
        "SaveDeviceProp", kind="error", status=200, code="iot.common.InvalidTagParams", times=1
    )
    job = run_job(job)
    assert (job.state, job.counts) == (Job.State.PARTIAL, {"succeeded": 1, "partial": 1})
    assert Item.objects.get(outcome="partial").reason


def test_rows_are_unknown_when_the_status_of_their_application_cannot_be_read(
    start_registration, run_job, clock, emulator
):
    """An error of a status query says nothing about devices whose registration was requested."""
    job = start_registration(4)
    run_until_step(job, "await_devices", clock)
    emulator.faults.add(
        "QueryBatchRegisterDeviceStatus",
        kind="error",
        status=200,
        code="iot.device.DeviceApplyIsNotFound",
        times=1,
    )
    job = run_job(job)
    assert job.counts == {"unknown": 4}
    assert "iot.device.DeviceApplyIsNotFound" in Item.objects.first().reason


def test_a_retry_recognizes_unknown_rows_that_were_registered(
    start_registration, run_job, clock, org, product
):
    first = start_registration(300)
    run_until_step(first, "await_devices", clock)
    membership = Membership.objects.get(user=org.members["operator"])
    Membership.objects.filter(pk=membership.pk).update(role_slug="viewer")
    assert run_job(first).counts == {"unknown": 250, "canceled": 50}
    Membership.objects.filter(pk=membership.pk).update(role_slug="operator")
    second = actions.retry(first, org.gateway("operator"))
    second = run_job(second)
    assert second.counts == {"succeeded": 300}, "they are not existing names"
    assert device_count(org, product) == 300
    calls = AuditRecord.objects.filter(operation="BatchRegisterDeviceWithApplyId", outcome="done")
    assert calls.count() == 2, "one for each application"
    third = collect_secrets(second, org.gateway("owner"))
    assert run_job(third).succeeded == 300, "the secrets of both jobs"


def test_a_retry_registers_unknown_rows_that_were_not_registered(
    start_registration, run_job, clock, org, product, emulator
):
    first = start_registration(4)
    run_until_step(first, "await_devices", clock)
    emulator.faults.add(
        "QueryBatchRegisterDeviceStatus",
        kind="error",
        status=200,
        code="iot.device.DeviceApplyIsNotFound",
        times=1,
    )
    assert run_job(first).counts == {"unknown": 4}
    first.chunks.filter(number=1).update(
        data={"apply_id": 4_000_000}
    )  # an application that the platform no longer knows
    for name in ("dev-00000", "dev-00001", "dev-00002", "dev-00003"):
        org.gateway().call("DeleteDevice", ProductKey=product, DeviceName=name)
    second = actions.retry(first, org.gateway("operator"))
    assert run_job(second).counts == {"succeeded": 4}


def test_names_rejected_only_because_of_other_existing_names_are_registered(
    start_registration, run_job, clock, org, product, network
):
    """The platform may reject all names of an application because one of them exists."""
    job = start_registration(5)
    run_until_step(job, "register", clock)
    org.gateway().call("RegisterDevice", ProductKey=product, DeviceName="dev-00003")

    def reject_all(response):
        if response["Data"]["Status"].endswith("_FAILED"):
            response["Data"]["InvalidList"]["Name"] = [f"dev-{n:05d}" for n in range(5)]
            response["Data"].pop("InvalidDetailList", None)
        return response

    network.after["QueryBatchRegisterDeviceStatus"] = reject_all
    assert run_job(job).counts == {"succeeded": 4, "unchanged": 1}


def test_names_that_are_rejected_again_are_invalid(start_registration, run_job, network):
    job = start_registration(5)

    def reject_one(response):
        response["Data"]["Status"] = "CHECK_FAILED"
        response["Data"]["InvalidList"] = {"Name": ["dev-00003"]}
        network.after.clear()
        return response

    network.after["QueryBatchRegisterDeviceStatus"] = reject_one
    assert run_job(job).counts == {"succeeded": 4, "invalid": 1}


def test_a_rejection_of_names_that_were_not_sent_ends_the_chunk(start_registration, run_job, network):
    """The platform rejects other names than those that were sent; it would do so forever."""
    job = start_registration(5)

    def reject_unknown_name(response):
        return {
            "Success": False,
            "Code": "iot.device.InvalidFormattedDeviceName",
            "ErrorMessage": "no",
            "RequestId": "R",
            "Data": {"InvalidDeviceNameList": {"InvalidDeviceName": ["else"]}},
        }

    network.after["BatchCheckDeviceNames"] = reject_unknown_name
    job = run_job(job, rounds=50)
    assert job.counts == {"failed": 5}


def test_devices_of_a_failed_application_are_recognized_even_in_the_last_round(
    start_registration, run_job, network, clock, org, product
):
    job = start_registration(5)
    chunk = run_until_step(job, "await_devices", clock)
    chunk.data["rounds"] = 5
    chunk.save()
    clock.advance(10)
    failed = {
        "Data": {"Status": "CREATE_FAILED", "ValidList": {}, "InvalidList": {"Name": []}},
        "Success": True,
    }

    def fail_once(response):
        network.after.clear()
        return failed

    network.after["QueryBatchRegisterDeviceStatus"] = fail_once
    assert run_job(job).counts == {"succeeded": 5}
    assert device_count(org, product) == 5


def test_deleting_the_product_during_a_job_ends_it_with_the_reason(
    start_registration, run_job, clock, org, product
):
    job = start_registration(600)
    run_until_step(job, "await_check", clock)
    org.gateway().call("DeleteProduct", ProductKey=product)
    job = run_job(job)
    assert job.state == Job.State.FAILED
    assert job.counts == {"failed": 600}
    assert "NotExistedProduct" in Item.objects.first().reason


def test_an_application_that_never_finishes_is_not_polled_forever(
    start_registration, run_job, network, clock
):
    job = start_registration(4)
    run_until_step(job, "await_devices", clock)

    def keep_pending(response):
        response["Data"]["Status"] = "CREATE"
        return response

    network.after["QueryBatchRegisterDeviceStatus"] = keep_pending
    for polls in (0, 100, 300):
        job.chunks.filter(number=1).update(data={"apply_id": 1_000_001, "polls": polls})
        run_job(job, rounds=3)
        assert job.is_active
    job.chunks.filter(number=1).update(data={"apply_id": 1_000_001, "polls": 370})
    assert run_job(job, rounds=1).counts == {"unknown": 4}


def test_no_transaction_is_open_while_the_platform_is_called(
    start_registration, run_job, network, transactional_db
):
    from django.db import connection

    job = start_registration(table="name,tag:site\ndev-0001,east\n")
    transactions = []
    for name in ("BatchCheckDeviceNames", "QueryBatchRegisterDeviceStatus", "BatchRegisterDeviceWithApplyId",
                 "SaveDeviceProp"):  # fmt: skip
        network.before[name] = lambda: transactions.append(connection.in_atomic_block)
    assert run_job(job).counts == {"succeeded": 1}
    assert len(transactions) >= 5
    assert not any(transactions)


def test_the_number_of_queries_does_not_grow_with_the_rows(
    start_registration, run_job, django_assert_max_num_queries
):
    counts = []
    for rows in (20, 240):
        from django.db import connection
        from django.test.utils import CaptureQueriesContext

        job = start_registration(table="name\n" + "".join(f"job-{rows}-{n:05d}\n" for n in range(rows)))
        with CaptureQueriesContext(connection) as captured:
            assert run_job(job).counts == {"succeeded": rows}
        counts.append(len(captured))
    assert counts[1] <= counts[0] + 10
    assert engine.find_overdue_chunks() == []
