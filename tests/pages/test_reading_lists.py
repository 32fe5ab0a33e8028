"""Reading the list of a bulk job: each page once, whatever interrupts it, and each object once."""

from __future__ import annotations

from typing import Any

import pytest

from console.areas.devices import api, lists
from console.jobs.models import Chunk, Item, Job, read_sentence
from console.pages import freezing
from tests.pages.devices import COUNT
from tests.running_jobs import past_time, run_next_step


@pytest.fixture(autouse=True)
def _small_pages(monkeypatch):
    """Read two devices a call, and two pages a step."""
    monkeypatch.setattr(lists, "PAGE_SIZE", 2)
    monkeypatch.setattr(freezing, "_PAGES_PER_STEP", 2)


@pytest.fixture
def draft(org, product, sign_in) -> Job:
    """The job of an action on all devices of the product, before its list is read."""
    data = {"all_matching": "1", "query": f"product={product}"}
    sign_in("operator").post(org.url("devices/bulk/disable/"), data)
    return Job.objects.get()


@pytest.fixture
def pages_read(draft, network) -> list[int]:
    """The numbers of the pages that the platform has returned to the job."""
    numbers: list[int] = []

    def record(response: dict[str, Any]) -> None:
        if response.get("Success"):
            numbers.append(response["Page"])

    network.after["QueryDevice"] = record
    return numbers


def list_keys(job: Job) -> list[str]:
    return list(Item.objects.filter(job=job).order_by("number").values_list("key", flat=True))


def test_a_throttled_page_is_read_again_and_the_pages_before_it_are_not(
    draft, pages_read, run_job, emulator, network, product
):
    attempts = iter(range(100))

    def throttle_the_third_page() -> None:
        if next(attempts) == 2:
            emulator.faults.add("QueryDevice", kind="throttle", times=30)

    network.before["QueryDevice"] = throttle_the_third_page
    run_job(draft, rounds=2)
    assert (draft.state, pages_read) == (Job.State.CHECKING, [1, 2])
    assert Item.objects.filter(job=draft).count() == 4, "what was read is not stored"
    chunk = Chunk.objects.get(job=draft, number=0)
    assert chunk.delay_reason == "throttled"
    run_job(draft)
    assert (draft.state, draft.total) == (Job.State.READY, COUNT)
    assert pages_read == [1, 2, 3, 4]
    assert list_keys(draft) == [f"{product}/lamp-{number:04}" for number in reversed(range(COUNT))]


def test_a_page_that_fails_in_the_middle_of_a_step_ends_the_step_and_is_read_next(
    draft, pages_read, run_job, emulator, network
):
    attempts = iter(range(100))

    def fail_at_the_second_page() -> None:
        if next(attempts) == 1:
            emulator.faults.add("QueryDevice", kind="error", times=10)

    network.before["QueryDevice"] = fail_at_the_second_page
    run_next_step(draft)
    assert (pages_read, Item.objects.filter(job=draft).count()) == ([1], 2)
    run_job(draft)
    assert pages_read == [1, 2, 3, 4]
    assert (draft.state, draft.total) == (Job.State.READY, COUNT)


def test_a_worker_that_takes_over_goes_on_where_the_last_step_ended(draft, pages_read, run_job, network):
    run_next_step(draft)

    def stop_worker() -> None:
        raise SystemExit

    network.before["QueryDevice"] = stop_worker
    with pytest.raises(SystemExit):
        run_next_step(draft)
    del network.before["QueryDevice"]
    Chunk.objects.filter(job=draft).update(leased_until=past_time())
    run_job(draft)
    assert pages_read == [1, 2, 3, 4]
    assert (draft.state, len(list_keys(draft))) == (Job.State.READY, COUNT)


def test_an_object_that_moves_to_the_next_page_meanwhile_is_listed_once(
    org, product, draft, pages_read, run_job
):
    run_next_step(draft)
    api.register_device(org.gateway(), product, name="lamp-late")  # the newest device is the first one
    run_job(draft)
    assert pages_read == [1, 2, 3, 4, 5]
    assert sorted(list_keys(draft)) == [f"{product}/lamp-{number:04}" for number in range(COUNT)]
    assert [item.number for item in Item.objects.filter(job=draft).order_by("number")] == list(
        range(1, COUNT + 1)
    )
    sizes = [chunk.items.count() for chunk in Chunk.objects.filter(job=draft, number__gt=0)]
    assert sizes == [3, 3, 2], "a chunk has not as many objects as the action takes"


def test_a_filter_that_became_invalid_ends_the_job_and_no_other_devices_are_listed(draft, run_job, network):
    draft.params = {**draft.params, "query": f"{draft.params['query']}&status=RETIRED"}
    draft.save()
    network.before["QueryDevice"] = network.before["QueryDeviceByStatus"] = pytest.fail
    run_job(draft)
    assert (draft.state, list_keys(draft)) == (Job.State.REJECTED, [])
    assert "not valid any more" in read_sentence(draft.error)


def test_no_step_holds_more_than_its_pages(draft, pages_read):
    for step in range(1, COUNT // 4 + 1):
        run_next_step(draft)
        assert Item.objects.filter(job=draft).count() == 4 * step
        assert len(pages_read) == 2 * step


def test_the_page_of_the_draft_says_how_many_objects_were_read(org, draft, sign_in):
    run_next_step(draft)
    page = sign_in("operator").get(org.url(f"jobs/{draft.pk}/")).content.decode()
    assert "Items so far: 4" in page


@pytest.mark.parametrize(
    ("filters", "operation"),
    [("status=UNACTIVE", "QueryDeviceByStatus"), ("q=lamp", "QueryDeviceBySQL")],
)
def test_lists_of_other_operations_go_on_too(
    org, product, sign_in, network, run_job, emulator, monkeypatch, filters, operation
):
    monkeypatch.setattr(lists, "FULL_SCAN_LIMIT", 1)
    sign_in("operator").post(
        org.url("devices/bulk/disable/"), {"all_matching": "1", "query": f"product={product}&{filters}"}
    )
    job = Job.objects.get()
    run_next_step(job)
    assert len(list_keys(job)) == 4
    emulator.faults.add(operation, kind="throttle", times=30)
    before = len(network.calls)
    run_job(job)
    assert (job.state, job.total, len(set(list_keys(job)))) == (Job.State.READY, COUNT, COUNT)
    read_again = network.calls[before:].count(operation) - 30
    assert read_again <= COUNT // 2 - 2 + 1, "pages were read again"
