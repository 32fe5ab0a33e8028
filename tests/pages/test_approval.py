"""Jobs that a rule of the team covers: decided once, for the whole frozen list, by another member."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone

from console.accounts.models import Membership
from console.approvals import actions, tasks
from console.approvals.models import ApprovalCall, ApprovalRequest, RequestAltered
from console.areas.devices import api
from console.areas.devices.actions import BULK_DELETE
from console.areas.messaging.actions import BULK_DELETE as BULK_DELETE_CATEGORIES
from console.areas.messaging.actions import BULK_DELETE_ROUTES
from console.audit.models import AuditRecord
from console.connections.approval import ApprovalNeeded
from console.connections.approval_rules import covered_operations
from console.connections.models import Connection, RecentAction
from console.jobs import actions as job_actions
from console.jobs import cleanup
from console.jobs.models import Chunk, Item, Job
from console.ui.areas import all_areas
from tests.pages.devices import COUNT, read_statuses
from tests.responses import page_text
from tests.running_jobs import past_time, run_next_step

State = ApprovalRequest.State


@pytest.fixture
def job(select_all) -> Job:
    """The operator's job to delete all devices, ready to start."""
    return select_all("delete")


@pytest.fixture
def submit(org, job, sign_in) -> Callable[[], ApprovalRequest]:
    """Starts the job as the operator, and submits the request that this needs."""

    def ask() -> ApprovalRequest:
        browser = sign_in("operator")
        page = browser.post(org.url(f"bulk/{job.pk}/start/"), {"typed": f"delete {COUNT} devices"})[
            "Location"
        ]
        assert "approvals/" in page
        browser.post(f"{page}ask/", {"reason": "Scrapped"})
        return ApprovalRequest.objects.get(state=State.WAITING)

    return ask


@pytest.fixture
def request_for_job(submit, set_rules) -> ApprovalRequest:
    """The operator's pending request for the job. The rule allows one deletion less than the job makes."""
    set_rules(deletion=COUNT - 1)
    return submit()


def approve(org, request: ApprovalRequest, sign_in, role: str = "administrator"):
    data = {"seen": request.digest, "reason": "fine"}
    return sign_in(role).post(org.url(f"approvals/{request.pk}/approve/"), data)


def read_state(record: Job | ApprovalRequest) -> str:
    record.refresh_from_db()
    return record.state


# -- one decision for the whole list ---------------------------------------------------------------------------------------


def test_one_request_names_the_job_and_the_number_of_its_objects(org, product, job, request_for_job, sign_in):
    assert (request_for_job.job, request_for_job.devices) == (job, COUNT)
    assert request_for_job.calls == "[]"
    assert request_for_job.target == f"lamp-{COUNT - 1:04} (+{COUNT - 1})"
    assert read_state(job) == Job.State.WAITING
    shown = page_text(sign_in("administrator").get(org.url(f"approvals/{request_for_job.pk}/")))
    assert all(name in shown for name in read_statuses(org, product))
    assert all(
        words in shown for words in ("Scrapped", "Approve…", "exactly these objects", "are deleted too")
    )
    review = page_text(sign_in("operator").get(org.url(f"jobs/{job.pk}/")))
    assert "waits for approval by another team member" in review
    assert "Discard draft" not in review


def test_another_member_approves_and_the_job_runs_with_the_rights_of_the_requester(
    org, product, job, request_for_job, sign_in, run_job
):
    assert approve(org, request_for_job, sign_in, "operator").status_code == 403
    assert read_state(job) == Job.State.WAITING
    approve(org, request_for_job, sign_in)
    run_job(job)
    assert (job.state, job.succeeded, job.started_by) == (Job.State.SUCCEEDED, COUNT, org.members["operator"])
    assert read_statuses(org, product) == {}
    assert (read_state(request_for_job), request_for_job.decided_by) == (
        State.DONE,
        org.members["administrator"],
    )
    records = AuditRecord.objects.filter(operation="DeleteDevice")
    assert records.count() == COUNT
    assert {record.parameters["approved_by"] for record in records} == {"administrator@acme.test"}
    assert {record.parameters["approval"] for record in records} == {request_for_job.pk}
    assert not ApprovalCall.objects.exists()
    assert "View request" in page_text(sign_in("operator").get(org.url(f"jobs/{job.pk}/")))


def test_a_job_within_the_limit_is_counted_once_and_never_stops_midway(
    org, product, job, set_rules, sign_in, run_job
):
    set_rules(deletion=COUNT)
    sign_in("operator").post(org.url(f"bulk/{job.pk}/start/"), {"typed": f"delete {COUNT} devices"})
    assert list(RecentAction.objects.values_list("count", flat=True)) == [COUNT]
    run_job(job)
    assert (job.state, job.succeeded) == (Job.State.SUCCEEDED, COUNT)
    assert list(RecentAction.objects.values_list("count", flat=True)) == [COUNT]
    assert not ApprovalRequest.objects.exists()


def test_chunks_within_the_limit_do_not_hide_the_number_of_the_job(org, product, job, set_rules):
    set_rules(deletion=BULK_DELETE.direct)
    with pytest.raises(ApprovalNeeded) as raised:
        job_actions.start(job, org.gateway("operator"))
    assert raised.value.count == COUNT
    assert read_state(job) == Job.State.READY
    assert len(read_statuses(org, product)) == COUNT


def test_earlier_deletions_of_the_user_count_together_with_the_job(org, product, job, set_rules):
    set_rules(deletion=COUNT)
    api.register_device(org.gateway(), product, name="lamp-more")
    api.delete_device(org.gateway("operator"), product, "lamp-more")
    with pytest.raises(ApprovalNeeded):
        job_actions.start(job, org.gateway("operator"))
    assert not Job.objects.filter(state=Job.State.QUEUED).exists()


def test_a_job_that_started_counts_for_later_deletions(org, product, job, set_rules, sign_in):
    set_rules(deletion=COUNT)
    sign_in("operator").post(org.url(f"bulk/{job.pk}/start/"), {"typed": f"delete {COUNT} devices"})
    with pytest.raises(ApprovalNeeded):
        api.delete_device(org.gateway("operator"), product, "lamp-0000")


def test_two_starts_count_the_job_once(org, job, set_rules, sign_in):
    set_rules(deletion=COUNT)
    for _twice in range(2):
        sign_in("operator").post(org.url(f"bulk/{job.pk}/start/"), {"typed": f"delete {COUNT} devices"})
    assert list(RecentAction.objects.values_list("count", flat=True)) == [COUNT]
    assert read_state(job) == Job.State.QUEUED


def test_a_rule_that_is_set_while_the_job_runs_does_not_stop_it(org, job, set_rules, sign_in, run_job):
    sign_in("operator").post(org.url(f"bulk/{job.pk}/start/"), {"typed": f"delete {COUNT} devices"})
    run_next_step(job)
    set_rules(deletion=0)
    run_job(job)
    assert (job.state, job.succeeded) == (Job.State.SUCCEEDED, COUNT)


def test_every_bulk_action_that_a_rule_can_cover_plans_its_calls():
    actions_of_areas = [action for area in all_areas() for pages in area.bulk for action in pages.actions]
    covered = [action for action in actions_of_areas if action.operation in covered_operations()]
    assert covered
    assert all(action.plan is not None for action in covered)


@pytest.mark.parametrize(
    ("action", "keys"),
    [
        (BULK_DELETE, ["a1/lamp-1", "a2/lamp-1"]),
        (BULK_DELETE_CATEGORIES, ["1/alarm", "2/alarm/high"]),
        (
            BULK_DELETE_ROUTES,
            ["/a1/x/user/get /a1/y/user/get", "/a1/x/user/get /a1/z/user/get", "/a2/x/u /a1/x/u"],
        ),
    ],
)
def test_a_bulk_action_makes_exactly_the_calls_that_it_plans(action, keys):
    sent: list[tuple[str, object]] = []

    class FakeGateway:
        def call(self, name, **params):  # the topic categories of the product
            topics = {"1": "alarm", "2": "alarm/high"}
            items = [
                {"Id": topic_id, "TopicShortName": f"/a1/${{deviceName}}/user/{short_name}", "Operation": "0"}
                for topic_id, short_name in topics.items()
            ]
            return {"Data": {"ProductTopicInfo": items}}

        def call_each(self, name, many, **options):
            sent.extend((name, dict(params)) for params in many)
            return [{"Success": True} for _params in many]

    action.run(FakeGateway(), keys, {"product_key": "a1"})  # the arguments of the URL of topics
    assert sent == [(action.operation, params) for params in action.plan(keys)]


# -- not approved ------------------------------------------------------------------------------------------------------------


def test_a_refused_job_is_ready_again_and_nothing_was_deleted(
    org, product, job, request_for_job, submit, sign_in
):
    sign_in("administrator").post(org.url(f"approvals/{request_for_job.pk}/refuse/"), {"reason": "Not now"})
    assert (read_state(request_for_job), read_state(job)) == (State.REFUSED, Job.State.READY)
    assert len(read_statuses(org, product)) == COUNT
    again = submit()
    assert (again.pk != request_for_job.pk, read_state(job)) == (True, Job.State.WAITING)


def test_a_withdrawn_or_expired_request_makes_the_job_ready_again(org, job, request_for_job, submit, sign_in):
    sign_in("operator").post(org.url(f"approvals/{request_for_job.pk}/withdraw/"))
    assert (read_state(request_for_job), read_state(job)) == (State.WITHDRAWN, Job.State.READY)
    again = submit()
    ApprovalRequest.objects.filter(pk=again.pk).update(expires_at=past_time())
    tasks.clean_up()
    assert (read_state(again), read_state(job)) == (State.EXPIRED, Job.State.READY)


def test_a_waiting_job_can_neither_be_started_nor_discarded_nor_cleaned_up(
    org, job, request_for_job, sign_in
):
    browser = sign_in("operator")
    browser.post(org.url(f"bulk/{job.pk}/start/"), {"typed": f"delete {COUNT} devices"})
    browser.post(org.url(f"jobs/{job.pk}/discard/"))
    Job.objects.update(created_at=timezone.now() - timedelta(days=30))
    cleanup.delete_expired()
    assert read_state(job) == Job.State.WAITING
    assert ApprovalRequest.objects.count() == 1


def test_a_draft_of_a_request_for_a_job_that_started_cannot_be_submitted(org, job, set_rules, sign_in):
    set_rules(deletion=0)
    browser = sign_in("operator")
    page = browser.post(org.url(f"bulk/{job.pk}/start/"), {"typed": f"delete {COUNT} devices"})["Location"]
    set_rules()
    browser.post(org.url(f"bulk/{job.pk}/start/"), {"typed": f"delete {COUNT} devices"})
    browser.post(f"{page}ask/", {"reason": "Scrapped"})
    assert ApprovalRequest.objects.get().state == State.DRAFT
    assert "started or discarded in the meantime" in page_text(browser.get(page))
    assert read_state(job) == Job.State.QUEUED


# -- what changes before the approval ----------------------------------------------------------------------------------


def test_objects_that_match_later_are_not_processed_and_those_that_are_gone_fail(
    org, product, job, request_for_job, sign_in, run_job, set_rules
):
    api.register_device(org.gateway(), product, name="lamp-late")
    set_rules()
    api.delete_device(org.gateway(), product, "lamp-0002")
    approve(org, request_for_job, sign_in)
    run_job(job)
    assert (job.state, job.succeeded, job.failed) == (Job.State.PARTIAL, COUNT - 1, 1)
    assert list(read_statuses(org, product)) == ["lamp-late"]
    assert read_state(request_for_job) == State.FAILED


def test_a_list_that_was_modified_in_the_database_cannot_be_approved(
    org, product, job, request_for_job, sign_in
):
    Item.objects.filter(job=job, number=1).update(key=f"{product}/lamp-other")
    with pytest.raises(RequestAltered):
        actions.approve(request_for_job, org.gateway("administrator"), seen=request_for_job.digest)
    approve(org, request_for_job, sign_in)
    assert (read_state(request_for_job), read_state(job)) == (State.FAILED, Job.State.REJECTED)
    assert AuditRecord.objects.filter(operation="approval.altered").exists()
    assert len(read_statuses(org, product)) == COUNT


def test_a_connection_that_points_to_another_account_deletes_nothing(
    org, product, job, request_for_job, sign_in, run_job, set_rules
):
    Connection.objects.filter(pk=org.connection.pk).update(region="cn-beijing")
    approve(org, request_for_job, sign_in)
    run_job(job)
    assert (job.state, job.counts) == (Job.State.FAILED, {"canceled": COUNT})
    assert (read_state(request_for_job), len(read_statuses(org, product))) == (State.FAILED, COUNT)
    assert "changed to another account" in request_for_job.failure_text


def test_a_requester_who_lost_the_right_deletes_nothing(org, product, job, request_for_job, sign_in, run_job):
    Membership.objects.filter(user=org.members["operator"]).update(role_slug="viewer")
    approve(org, request_for_job, sign_in)
    run_job(job)
    assert (job.state, job.counts) == (Job.State.FAILED, {"canceled": COUNT})
    assert (read_state(request_for_job), len(read_statuses(org, product))) == (State.FAILED, COUNT)
    assert "cannot call DeleteDevice" in request_for_job.failure_text


def test_a_job_that_begins_an_hour_after_the_approval_deletes_nothing(
    org, product, job, request_for_job, sign_in, run_job
):
    approve(org, request_for_job, sign_in)
    ApprovalRequest.objects.update(decided_at=timezone.now() - timedelta(minutes=61))
    run_job(job)
    assert (read_state(request_for_job), len(read_statuses(org, product))) == (State.FAILED, COUNT)
    assert "within one hour" in request_for_job.failure_text


def test_a_job_that_began_in_time_may_take_longer_than_an_hour(
    org, product, job, request_for_job, sign_in, run_job
):
    approve(org, request_for_job, sign_in)
    run_next_step(job)
    hours = timedelta(hours=5)
    ApprovalRequest.objects.update(decided_at=timezone.now() - hours)
    Job.objects.update(started_at=timezone.now() - hours)
    run_job(job)
    assert (read_state(request_for_job), read_statuses(org, product)) == (State.DONE, {})


def test_a_worker_that_stops_midway_leaves_its_objects_unknown_and_the_others_are_deleted(
    org, product, job, request_for_job, sign_in, run_job, network
):
    approve(org, request_for_job, sign_in)
    run_next_step(job)

    def stop_worker(response: object) -> None:
        raise SystemExit

    network.after["DeleteDevice"] = stop_worker
    with pytest.raises(SystemExit):
        run_next_step(job)
    del network.after["DeleteDevice"]
    Chunk.objects.filter(job=job).update(leased_until=past_time())
    run_job(job)
    assert job.counts == {"succeeded": COUNT - 3, "unknown": 3}
    assert read_state(request_for_job) == State.UNKNOWN
    assert network.calls.count("DeleteDevice") == COUNT, "an approved call was sent twice"


def test_an_approved_job_is_started_once(org, job, request_for_job, sign_in, run_job):
    for role in ("administrator", "owner"):
        approve(org, request_for_job, sign_in, role)
    assert read_state(request_for_job) == State.APPROVED
    assert request_for_job.decided_by == org.members["administrator"]
    assert run_job(job).succeeded == COUNT


# -- access and programs -------------------------------------------------------------------------------------------------------


def test_a_member_whose_scope_does_not_include_the_job_can_neither_see_nor_approve_it(
    org, product, job, request_for_job, sign_in
):
    limited = Membership.objects.filter(user=org.members["administrator"])
    limited.update(access_scope={"products": ["a1another00"]})
    assert sign_in("administrator").get(org.url(f"approvals/{request_for_job.pk}/")).status_code == 404
    assert approve(org, request_for_job, sign_in).status_code == 404
    limited.update(access_scope={"products": [product]})
    approve(org, request_for_job, sign_in)
    assert read_state(job) == Job.State.QUEUED


def test_the_request_of_a_job_is_not_found_in_another_team(org, job, request_for_job, sign_in):
    for place in (org.url(), f"/{org.other_team.slug}/{org.other_connection.slug}/"):
        for rest in (f"approvals/{request_for_job.pk}/", f"jobs/{job.pk}/"):
            assert sign_in("outsider").get(place + rest).status_code == 404


def test_a_program_gets_the_request_when_it_starts_the_job(
    org, job, set_rules, create_program, sign_in, run_job
):
    set_rules(deletion=0)
    program = create_program("administrator", "operator")
    start = f"sandbox/jobs/{job.pk}/start"
    response = program.post(start, **{"Approval-Reason": "Scrapped"})
    assert response.status_code == 202
    answer = response.json()
    assert (answer["status"], answer["job_id"], answer["device_count"]) == ("waiting", job.pk, COUNT)
    assert program.get(f"sandbox/jobs/{job.pk}").json()["status"] == "waiting"
    assert program.send("DELETE", f"sandbox/jobs/{job.pk}").status_code == 409
    request = ApprovalRequest.objects.get()
    assert approve(org, request, sign_in, "administrator").status_code == 403, (
        "the token acts for the administrator"
    )
    approve(org, request, sign_in, "owner")
    run_job(job)
    assert (job.token, job.succeeded) == (program.credentials.token, COUNT)
    assert program.get(answer["url"].partition("/api/v1/")[2]).json()["status"] == "done"
