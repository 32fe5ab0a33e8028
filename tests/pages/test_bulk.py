"""Actions on several objects: in the request for a few, as a reviewed job over a frozen list for many."""

from __future__ import annotations

import json
import re

import pytest

from console.accounts.models import Membership
from console.areas.devices import actions as devices_actions
from console.areas.devices import api
from console.areas.devices.actions import BULK_DELETE, BULK_DISABLE
from console.audit.models import AuditRecord
from console.connections.models import Connection
from console.jobs.models import Chunk, Item, Job
from console.pages import bulk_views
from iot_client.errors import Unavailable
from tests.pages.devices import COUNT, read_statuses
from tests.responses import page_text, read_csv
from tests.running_jobs import past_time, run_next_step


def test_all_that_match_are_frozen_when_the_user_asks_and_exactly_these_are_processed(
    org, product, select_all, run_job, sign_in
):
    job = select_all("disable")
    assert (job.state, job.total) == (Job.State.READY, COUNT)
    assert "DISABLE" not in read_statuses(org, product).values(), "a draft has sent something"
    api.register_device(org.gateway(), product, name="lamp-late")
    browser = sign_in("operator")
    review = browser.get(org.url(f"jobs/{job.pk}/")).content.decode()
    assert f"Disable {COUNT} devices?" in review
    assert "lamp-0000" in review
    browser.post(org.url(f"bulk/{job.pk}/start/"))
    job = run_job(job)
    assert (job.state, job.succeeded, job.failed) == (Job.State.SUCCEEDED, COUNT, 0)
    statuses = read_statuses(org, product)
    assert statuses.pop("lamp-late") == "UNACTIVE"
    assert set(statuses.values()) == {"DISABLE"}
    result = b"".join(browser.get(org.url(f"jobs/{job.pk}/result.csv")).streaming_content).decode()
    assert result.count("succeeded") == COUNT


def test_the_items_of_a_bulk_job_have_a_number_and_no_row_of_a_file(
    org, product, select_all, run_job, sign_in
):
    job, browser = select_all("disable"), sign_in("operator")
    headings = re.findall(
        r"<th[^>]*>(.*?)</th>", browser.get(org.url(f"jobs/{job.pk}/")).content.decode(), re.S
    )
    texts = [" ".join(re.sub(r"<[^>]+>", " ", heading).split()) for heading in headings]
    assert "No." in texts
    assert "Row" not in texts
    browser.post(org.url(f"bulk/{job.pk}/start/"))
    run_job(job)
    rows = read_csv(browser.get(org.url(f"jobs/{job.pk}/result.csv")))
    assert rows[0] == {
        "number": "1",
        "key": f"{product}/lamp-0007",
        "name": "lamp-0007",
        "outcome": "succeeded",
        "reason": "",
    }


def test_few_that_match_are_asked_about_at_once(org, product, sign_in):
    data = {"all_matching": "1", "query": f"product={product}&q=lamp-0001"}
    response = sign_in("operator").post(org.url("devices/bulk/disable/"), data)
    assert response.context["keys"] == [f"{product}/lamp-0001"]
    assert not Job.objects.exists()


def test_many_selected_rows_become_a_job_of_exactly_these(org, product, sign_in):
    keys = [f"{product}/lamp-{number:04}" for number in range(5)]
    sign_in("operator").post(org.url("devices/bulk/disable/"), {"selected": keys})
    job = Job.objects.get()
    assert (job.state, job.total) == (Job.State.READY, 5)
    assert list(Item.objects.order_by("number").values_list("key", flat=True)) == keys
    assert keys[0] not in json.dumps(job.params), "every list of jobs would read all keys"


@pytest.mark.parametrize("text", ["a1/" + "x" * 600, "a1/lamp\x00", "a1", "/lamp", ""])
def test_a_text_that_no_job_can_store_is_not_a_key(text, org, product, sign_in):
    keys = [f"{product}/lamp-{number:04}" for number in range(5)]
    sign_in("operator").post(org.url("devices/bulk/disable/"), {"selected": [*keys, text]})
    job = Job.objects.get()
    assert (job.state, job.total) == (Job.State.READY, 5)


def test_a_deletion_starts_only_when_the_number_is_typed(org, product, select_all, run_job, sign_in):
    job, browser = select_all("delete"), sign_in("operator")
    wrong = browser.post(org.url(f"bulk/{job.pk}/start/"), {"typed": "7"})
    assert wrong.status_code == 422
    assert list(wrong.context["form"].errors) == ["typed"]
    job.refresh_from_db()
    assert job.state == Job.State.READY
    browser.post(org.url(f"bulk/{job.pk}/start/"), {"typed": f"delete {COUNT} devices"})
    assert run_job(job).succeeded == COUNT
    assert read_statuses(org, product) == {}


def test_a_deletion_whose_list_became_complete_during_the_request_starts_only_when_the_number_is_typed(
    org, product, select_all, sign_in, monkeypatch
):
    job, browser = select_all("delete"), sign_in("operator")
    find_job = bulk_views.find_job

    def find_earlier(request, pk):
        found = find_job(request, pk)
        found.state = Job.State.CHECKING  # as it was when the request began
        return found

    monkeypatch.setattr(bulk_views, "find_job", find_earlier)
    browser.post(org.url(f"bulk/{job.pk}/start/"))
    job.refresh_from_db()
    assert job.state == Job.State.READY


def test_a_failed_object_has_its_reason_and_does_not_stop_the_others(
    org, product, select_all, run_job, sign_in
):
    job, browser = select_all("delete"), sign_in("operator")
    api.delete_device(org.gateway(), product, "lamp-0002")
    browser.post(org.url(f"bulk/{job.pk}/start/"), {"typed": f"delete {COUNT} devices"})
    job = run_job(job)
    assert (job.state, job.succeeded, job.failed) == (Job.State.PARTIAL, COUNT - 1, 1)
    page = browser.get(org.url(f"jobs/{job.pk}/?outcome=failed")).content.decode()
    assert "lamp-0002" in page
    assert "does not exist" in page


def test_failed_objects_are_reviewed_again_and_not_sent_by_one_click(
    org, product, select_all, run_job, sign_in
):
    job, browser = select_all("delete"), sign_in("operator")
    browser.post(org.url(f"bulk/{job.pk}/start/"), {"typed": f"delete {COUNT} devices"})
    run_next_step(job)
    browser.post(org.url(f"jobs/{job.pk}/cancel/"))
    run_job(job)
    assert "Review failed items" in browser.get(org.url(f"jobs/{job.pk}/")).content.decode()
    for _twice in range(2):
        browser.post(org.url(f"jobs/{job.pk}/retry/"))
    again = run_job(Job.objects.get(parent=job))
    assert (again.state, again.total) == (Job.State.READY, COUNT - 3)
    assert len(read_statuses(org, product)) == COUNT - 3
    browser.post(org.url(f"bulk/{again.pk}/start/"), {"typed": f"delete {COUNT - 3} devices"})
    assert run_job(again).state == Job.State.SUCCEEDED
    assert read_statuses(org, product) == {}
    assert "Review failed items" not in browser.get(org.url(f"jobs/{job.pk}/")).content.decode()


def test_a_program_retries_failed_objects_as_a_job_that_it_starts(
    org, product, select_all, run_job, create_program
):
    job, program = select_all("disable"), create_program("owner", "operator")
    program.post(f"sandbox/jobs/{job.pk}/start")
    run_next_step(job)
    program.post(f"sandbox/jobs/{job.pk}/cancel")
    run_job(job)
    again = program.post(f"sandbox/jobs/{job.pk}/retry").json()
    assert (again["status"], again["total"], again["parent_id"]) == ("ready", COUNT - 3, job.pk)
    program.post(f"sandbox/jobs/{again['id']}/start")
    assert run_job(Job.objects.get(pk=again["id"])).succeeded == COUNT - 3


def test_an_error_that_every_call_would_get_stops_the_job(
    emulator, org, product, select_all, run_job, sign_in
):
    job = select_all("disable")
    sign_in("operator").post(org.url(f"bulk/{job.pk}/start/"))
    emulator.faults.add("DisableThing", kind="error", times=50, code="Forbidden.RAM", status=403)
    job = run_job(job)
    assert job.state in (Job.State.FAILED, Job.State.PARTIAL)
    assert job.counts.get("canceled", 0) >= COUNT - 6, (
        "calls were sent after the platform refused the account"
    )
    assert job.error_text


def test_a_list_that_cannot_be_read_leaves_a_draft_that_says_why_and_can_be_discarded(
    emulator, org, product, sign_in, run_job
):
    browser = sign_in("operator")
    data = {"all_matching": "1", "query": f"product={product}"}
    browser.post(org.url("devices/bulk/disable/"), data)
    emulator.faults.add("QueryDevice", kind="error", times=50, code="iot.prod.NotExistedProduct", status=200)
    job = run_job(Job.objects.get())
    assert job.state == Job.State.REJECTED
    assert "The list cannot be read" in browser.get(org.url(f"jobs/{job.pk}/")).content.decode()
    assert browser.post(org.url(f"jobs/{job.pk}/discard/")).status_code == 302
    assert not Job.objects.exists()


def test_a_draft_whose_action_is_not_declared_any_more_cannot_be_started(
    org, product, select_all, sign_in, monkeypatch
):
    job, browser = select_all("disable"), sign_in("operator")
    monkeypatch.setitem(devices_actions.BULK.__dict__, "actions", ())
    refused = browser.post(org.url(f"bulk/{job.pk}/start/"))
    assert (refused.status_code, "no longer available" in refused.content.decode()) == (403, True)
    assert browser.post(org.url(f"jobs/{job.pk}/discard/")).status_code == 302


def test_with_an_invalid_filter_nothing_matches_and_the_page_says_why(org, product, sign_in):
    query = f"product={product}&status=NONSENSE"
    listed = sign_in("operator").get(org.url(f"devices/?{query}")).content.decode()
    assert "NONSENSE is not one of the available choices" in listed
    assert "lamp-0001" not in listed
    response = sign_in("operator").post(
        org.url("devices/bulk/disable/"), {"all_matching": "1", "query": query}
    )
    assert response.status_code == 422
    assert "NONSENSE is not one of the available choices" in response.content.decode()


def test_a_deletion_whose_response_was_lost_is_not_reported_as_failed(
    emulator, org, product, select_all, run_job, sign_in
):
    job = select_all("delete")
    sign_in("operator").post(org.url(f"bulk/{job.pk}/start/"), {"typed": f"delete {COUNT} devices"})
    emulator.faults.add("DeleteDevice", kind="drop", after=True)
    job = run_job(job)
    assert read_statuses(org, product) == {}
    assert job.counts == {Item.Outcome.SUCCEEDED: COUNT - 1, Item.Outcome.UNKNOWN: 1}
    outcomes = AuditRecord.objects.filter(operation="DeleteDevice").values_list("outcome", flat=True)
    assert sorted(outcomes) == ["done"] * (COUNT - 1) + ["unknown"]
    page = page_text(sign_in("operator").get(org.url(f"jobs/{job.pk}/?outcome=unknown")))
    assert "no response confirmed its outcome" in page


def test_the_dialog_of_a_deletion_whose_response_was_lost_says_so(emulator, org, product, sign_in):
    emulator.faults.add("DeleteDevice", kind="drop", after=True)
    data = {"selected": f"{product}/lamp-0001", "confirmed": "1", "typed": "lamp-0001"}
    page = page_text(sign_in("operator").post(org.url("devices/bulk/delete/"), data))
    assert "0 succeeded, 0 failed, 1 not confirmed" in page
    assert "The response of the platform was lost" in page
    assert "does not exist" not in page
    assert "lamp-0001" not in read_statuses(org, product)


def test_calls_that_the_quota_did_not_allow_are_repeated(
    emulator, org, product, select_all, run_job, sign_in
):
    job = select_all("disable")
    sign_in("operator").post(org.url(f"bulk/{job.pk}/start/"))
    emulator.faults.add("DisableThing", kind="throttle", times=30)
    job = run_job(job)
    assert (job.state, job.succeeded) == (Job.State.SUCCEEDED, COUNT)


def test_objects_that_only_waited_for_the_quota_count_as_not_sent_when_the_job_stops(
    emulator, org, product, select_all, run_job, sign_in
):
    job = select_all("disable")
    sign_in("operator").post(org.url(f"bulk/{job.pk}/start/"))
    emulator.faults.add("DisableThing", kind="throttle", times=100)
    run_next_step(job)
    Membership.objects.filter(user=org.members["operator"]).update(role_slug="viewer")
    assert run_job(job).counts == {Item.Outcome.CANCELED: COUNT}


def test_what_a_stopped_worker_may_have_sent_stays_unknown_when_the_next_worker_must_wait(
    emulator, org, product, select_all, run_job, sign_in, monkeypatch
):
    job, browser = select_all("disable"), sign_in("operator")
    browser.post(org.url(f"bulk/{job.pk}/start/"))
    run = BULK_DISABLE.run

    def stop(gateway, keys, ids):
        run(gateway, keys, ids)
        raise SystemExit

    monkeypatch.setitem(BULK_DISABLE.__dict__, "run", stop)
    with pytest.raises(SystemExit):
        run_next_step(job)
    monkeypatch.setitem(BULK_DISABLE.__dict__, "run", run)
    Chunk.objects.filter(job=job).update(leased_until=past_time())
    emulator.faults.add("DisableThing", kind="throttle", times=100)
    run_next_step(job)
    browser.post(org.url(f"jobs/{job.pk}/cancel/"))
    assert run_job(job).counts == {Item.Outcome.UNKNOWN: 3, Item.Outcome.CANCELED: COUNT - 3}


@pytest.mark.parametrize(
    ("action", "typed", "unknown"), [("delete", f"delete {COUNT} devices", 3), ("disable", "", 0)]
)
def test_a_worker_that_stops_while_it_sends_leaves_objects_unknown_unless_the_action_is_repeatable(
    org, product, select_all, run_job, sign_in, monkeypatch, action, typed, unknown
):
    job = select_all(action)
    sign_in("operator").post(org.url(f"bulk/{job.pk}/start/"), {"typed": typed})
    found = {"delete": BULK_DELETE, "disable": BULK_DISABLE}[action]
    run = found.run

    def stop(gateway, keys, ids):
        run(gateway, keys, ids)
        raise SystemExit  # as a killed worker: nothing after the calls happens

    monkeypatch.setitem(found.__dict__, "run", stop)
    with pytest.raises(SystemExit):
        run_next_step(job)
    monkeypatch.setitem(found.__dict__, "run", run)
    Chunk.objects.filter(job=job).update(leased_until=past_time())
    job = run_job(job)
    assert job.counts.get("unknown", 0) == unknown
    assert job.succeeded == COUNT - unknown


def test_a_lost_response_leaves_the_object_unknown(org, product, select_all, run_job, sign_in, monkeypatch):
    job = select_all("delete")
    sign_in("operator").post(org.url(f"bulk/{job.pk}/start/"), {"typed": f"delete {COUNT} devices"})

    def lose(gateway, keys, ids):
        return [Unavailable("Client.Timeout", operation="DeleteDevice") for _key in keys]

    monkeypatch.setitem(BULK_DELETE.__dict__, "run", lose)
    run_next_step(job)
    assert Item.objects.filter(job=job, outcome=Item.Outcome.UNKNOWN).count() == 3


def test_a_canceled_job_leaves_the_objects_that_were_not_sent(org, product, select_all, run_job, sign_in):
    job, browser = select_all("disable"), sign_in("operator")
    browser.post(org.url(f"bulk/{job.pk}/start/"))
    run_next_step(job)
    browser.post(org.url(f"jobs/{job.pk}/cancel/"))
    job = run_job(job)
    assert (job.state, job.succeeded) == (Job.State.CANCELED, 3)
    assert list(read_statuses(org, product).values()).count("DISABLE") == 3
    assert job.counts["canceled"] == COUNT - 3


def test_a_role_that_may_not_delete_cannot_start_the_job(org, product, select_all, sign_in):
    job = select_all("delete")
    response = sign_in("viewer").post(org.url(f"bulk/{job.pk}/start/"), {"typed": f"delete {COUNT} devices"})
    assert response.status_code == 403
    assert sign_in("viewer").post(org.url(f"jobs/{job.pk}/discard/")).status_code == 403
    assert len(read_statuses(org, product)) == COUNT


def test_a_list_of_another_account_cannot_be_started(org, product, select_all, sign_in):
    job = select_all("disable")
    Connection.objects.filter(pk=org.connection.pk).update(region="cn-beijing")
    response = sign_in("operator").post(org.url(f"bulk/{job.pk}/start/"))
    assert response.status_code == 403
    assert "after the list was read" in response.content.decode()
    job.refresh_from_db()
    assert job.state == Job.State.READY


def test_two_starts_run_the_job_once(org, product, select_all, run_job, sign_in):
    job, browser = select_all("disable"), sign_in("operator")
    for _ in range(2):
        assert browser.post(org.url(f"bulk/{job.pk}/start/")).status_code == 302
    assert run_job(job).succeeded == COUNT


def test_a_list_that_became_empty_cannot_be_started(org, product, select_all, sign_in):
    for name in read_statuses(org, product):
        api.delete_device(org.gateway(), product, name)
    data = {"all_matching": "1", "query": f"product={product}"}
    response = sign_in("operator").post(org.url("devices/bulk/disable/"), data)
    assert response.status_code == 422
    assert not Job.objects.exists()
