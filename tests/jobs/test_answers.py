"""What the platform may say to a registration, lost and strange answers included: each row's outcome is the truth."""

from __future__ import annotations

import pytest

from console.access.models import AuditRecord, Membership
from console.jobs import actions, engine
from console.jobs.models import Job, Row
from tests.jobs.conftest import device_count, until


@pytest.mark.parametrize("count", [1, 249, 250, 251])
def test_a_job_of_any_size_has_no_row_too_many_or_too_few(started, drain, org, product, count):
    job = started(count)
    assert job.chunks.exclude(number=0).count() == -(-count // 250)
    assert drain(job).counts == {"created": count}
    assert device_count(org, product) == count


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("kind", ["drop", "malformed", "error"])
def test_a_tag_whose_answer_is_lost_is_set_all_the_same(started, drain, emulator, org, product, kind, after):
    job = started(table="name,tag:site\ndev-0001,east\ndev-0002,west\n")
    emulator.faults.add("SaveDeviceProp", kind=kind, times=9, after=after)
    assert drain(job).state == Job.State.SUCCEEDED
    assert set(Row.objects.values_list("reason", flat=True)) == {""}
    props = org.gateway().call("QueryDeviceProp", ProductKey=product, DeviceName="dev-0002")
    assert "west" in str(props)


@pytest.mark.parametrize("kind", ["malformed", "error"])
@pytest.mark.parametrize("operation", ["BatchCheckDeviceNames", "BatchRegisterDeviceWithApplyId"])
def test_a_write_that_was_done_and_answered_strangely_is_not_done_twice(
    started, drain, emulator, org, product, kind, operation
):
    job = started(4)
    emulator.faults.add(operation, kind=kind, times=6, after=True)
    assert drain(job).counts == {"created": 4}
    assert device_count(org, product) == 4


def test_stopped_before_all_tags_were_set_it_says_so(started, drain, clock, org):
    job = started(table="name,tag:site\ndev-0001,east\ndev-0002,west\n")
    until(job, "tags", clock)
    actions.cancel(job, org.members["operator"])
    job = drain(job)
    assert job.counts == {"created": 2}
    assert any("tags" in event.text for event in job.events.all())


def test_a_form_whose_outcome_cannot_be_asked_for_leaves_its_rows_unknown(started, drain, clock, emulator):
    """Of devices that the platform was told to make, an error of a question says nothing."""
    job = started(4)
    until(job, "made", clock)
    emulator.faults.add(
        "QueryBatchRegisterDeviceStatus",
        kind="error",
        status=200,
        code="iot.device.DeviceApplyIsNotFound",
        times=1,
    )
    job = drain(job)
    assert job.counts == {"unknown": 4}
    assert "iot.device.DeviceApplyIsNotFound" in Row.objects.first().reason


def test_rows_of_unknown_outcome_that_were_made_are_found_to_be_ours_by_a_further_run(
    started, drain, clock, org, product
):
    first = started(300)
    until(first, "made", clock)
    membership = Membership.objects.get(user=org.members["operator"])
    Membership.objects.filter(pk=membership.pk).update(role_slug="viewer")
    assert drain(first).counts == {"unknown": 250, "canceled": 50}
    Membership.objects.filter(pk=membership.pk).update(role_slug="operator")
    second = actions.further_run(first, org.gateway("operator"))
    second = drain(second)
    assert second.counts == {"created": 300}, "not names that exist already"
    assert device_count(org, product) == 300
    calls = AuditRecord.objects.filter(operation="BatchRegisterDeviceWithApplyId", outcome="done")
    assert calls.count() == 2, "one for each form"
    third = actions.follow_up(second, org.gateway("owner"), "devices.secrets")
    assert drain(third).succeeded == 300, "the secrets of both"


def test_rows_of_unknown_outcome_that_were_not_made_are_made_by_a_further_run(
    started, drain, clock, org, product, emulator
):
    first = started(4)
    until(first, "made", clock)
    emulator.faults.add(
        "QueryBatchRegisterDeviceStatus",
        kind="error",
        status=200,
        code="iot.device.DeviceApplyIsNotFound",
        times=1,
    )
    assert drain(first).counts == {"unknown": 4}
    first.chunks.filter(number=1).update(
        data={"apply_id": 4_000_000}
    )  # a form that the platform has forgotten
    for name in ("dev-00000", "dev-00001", "dev-00002", "dev-00003"):
        org.gateway().call("DeleteDevice", ProductKey=product, DeviceName=name)
    second = actions.further_run(first, org.gateway("operator"))
    assert drain(second).counts == {"created": 4}


def test_names_refused_only_because_others_of_the_form_exist_are_made(
    started, drain, clock, org, product, wire
):
    """The platform may name the whole form where one name of it is taken."""
    job = started(5)
    until(job, "register", clock)
    org.gateway().call("RegisterDevice", ProductKey=product, DeviceName="dev-00003")

    def everything(answer):
        if answer["Data"]["Status"].endswith("_FAILED"):
            answer["Data"]["InvalidList"]["Name"] = [f"dev-{n:05d}" for n in range(5)]
            answer["Data"].pop("InvalidDetailList", None)
        return answer

    wire.after["QueryBatchRegisterDeviceStatus"] = everything
    assert drain(job).counts == {"created": 4, "exists": 1}


def test_names_refused_again_by_themselves_are_not_valid(started, drain, wire):
    job = started(5)

    def refused(answer):
        answer["Data"]["Status"] = "CHECK_FAILED"
        answer["Data"]["InvalidList"] = {"Name": ["dev-00003"]}
        wire.after.clear()
        return answer

    wire.after["QueryBatchRegisterDeviceStatus"] = refused
    assert drain(job).counts == {"created": 4, "invalid": 1}


def test_a_refusal_of_names_that_nobody_sent_ends(started, drain, wire):
    """The platform names names, but none of ours: it would be the same for ever."""
    job = started(5)

    def strange(answer):
        return {
            "Success": False,
            "Code": "iot.device.InvalidFormattedDeviceName",
            "ErrorMessage": "no",
            "RequestId": "R",
            "Data": {"InvalidDeviceNameList": {"InvalidDeviceName": ["else"]}},
        }

    wire.after["BatchCheckDeviceNames"] = strange
    job = drain(job, rounds=50)
    assert job.counts == {"failed": 5}


def test_what_a_failed_form_made_is_ours_even_when_it_is_the_last_try(
    started, drain, wire, clock, org, product
):
    job = started(5)
    chunk = until(job, "made", clock)
    chunk.data["rounds"] = 5
    chunk.save()
    clock.advance(10)
    failed = {
        "Data": {"Status": "CREATE_FAILED", "ValidList": {}, "InvalidList": {"Name": []}},
        "Success": True,
    }

    def pretend(answer):
        wire.after.clear()
        return failed

    wire.after["QueryBatchRegisterDeviceStatus"] = pretend
    assert drain(job).counts == {"created": 5}
    assert device_count(org, product) == 5


def test_a_product_deleted_in_the_middle_ends_the_job_with_the_reason(started, drain, clock, org, product):
    job = started(600)
    until(job, "checked", clock)
    org.gateway().call("DeleteProduct", ProductKey=product)
    job = drain(job)
    assert job.state == Job.State.FAILED
    assert job.counts == {"failed": 600}
    assert "NotExistedProduct" in Row.objects.first().reason


def test_a_platform_that_never_says_what_became_of_a_form_is_not_asked_for_ever(started, drain, wire, clock):
    job = started(4)
    until(job, "made", clock)

    def still(answer):
        answer["Data"]["Status"] = "CREATE"
        return answer

    wire.after["QueryBatchRegisterDeviceStatus"] = still
    for polls in (0, 100, 300):
        job.chunks.filter(number=1).update(data={"apply_id": 1_000_001, "polls": polls})
        drain(job, rounds=3)
        assert job.is_at_work
    job.chunks.filter(number=1).update(data={"apply_id": 1_000_001, "polls": 370})
    assert drain(job, rounds=1).counts == {"unknown": 4}


def test_no_transaction_is_open_while_the_platform_is_called(started, drain, wire, transactional_db):
    from django.db import connection

    job = started(table="name,tag:site\ndev-0001,east\n")
    open_ones = []
    for name in ("BatchCheckDeviceNames", "QueryBatchRegisterDeviceStatus", "BatchRegisterDeviceWithApplyId",
                 "SaveDeviceProp"):  # fmt: skip
        wire.before[name] = lambda: open_ones.append(connection.in_atomic_block)
    assert drain(job).counts == {"created": 1}
    assert len(open_ones) >= 5
    assert not any(open_ones)


def test_the_statements_of_a_job_do_not_grow_with_its_rows(started, drain, django_assert_max_num_queries):
    counts = []
    for rows in (20, 240):
        from django.db import connection
        from django.test.utils import CaptureQueriesContext

        job = started(table="name\n" + "".join(f"job-{rows}-{n:05d}\n" for n in range(rows)))
        with CaptureQueriesContext(connection) as captured:
            assert drain(job).counts == {"created": rows}
        counts.append(len(captured))
    assert counts[1] <= counts[0] + 10
    assert engine.due() == []
