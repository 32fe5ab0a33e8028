"""Actions on several objects: the same shape for all lists, by keys or by filters, at once or as a job."""

from __future__ import annotations

import html
from collections.abc import Callable
from typing import Any

import pytest

from console.accounts.scope import AccessScope
from console.approvals.models import ApprovalRequest
from console.areas.devices.actions import BULK_DELETE, BULK_DISABLE
from console.audit.models import AuditRecord
from console.connections.models import Connection
from console.jobs import actions as job_actions
from console.jobs import engine
from console.jobs.models import Chunk, Item, Job
from tests.api_programs import CreateProgram, Program, problem_kind
from tests.conftest import Organization
from tests.running_jobs import past_time

pytestmark = pytest.mark.usefixtures("no_wake_messages")
COUNT = 5
DISABLE, DELETE = "sandbox/devices/bulk/disable", "sandbox/devices/bulk/delete"


@pytest.fixture
def program(create_program: CreateProgram) -> Program:
    return create_program("owner", "operator", name="robot")


@pytest.fixture
def keys(org: Organization, meter_product: str) -> list[str]:
    """The keys of COUNT devices."""
    names = [f"lamp-{number:04}" for number in range(COUNT)]
    for name in names:
        org.gateway().call("RegisterDevice", ProductKey=meter_product, DeviceName=name)
    return [f"{meter_product}/{name}" for name in names]


@pytest.fixture
def few_in_a_request(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets more than 3 devices become a job."""
    for action in (BULK_DISABLE, BULK_DELETE):
        monkeypatch.setitem(action.__dict__, "direct", 3)


def read_status(program: Program, key: str) -> str:
    return program.get(f"sandbox/devices/{key}").json()["status"]


@pytest.mark.parametrize("text", ["x/" + "y" * 600, "x/\x00", "x/\ud800", "x", "a/b/c", ""])
def test_a_text_that_no_job_can_store_is_not_a_key(
    text: str, keys: list[str], program: Program, few_in_a_request: None
) -> None:
    response = program.post(DISABLE, {"keys": [*keys, text]})
    assert (response.status_code, Job.objects.exists()) == (422, False)


def test_an_address_with_nul_is_rejected(keys: list[str], program: Program) -> None:
    assert program.post("sandbox/groups/%00/devices/bulk/remove", {"keys": keys}).status_code in (400, 404)


@pytest.fixture
def unstarted(
    meter_product: str,
    keys: list[str],
    program: Program,
    few_in_a_request: None,
    run_next: Callable[[Job], None],
) -> Job:
    """A program's job that starts without a review, after its list was read and before it started."""
    program.post(DISABLE, {"filters": {"product_key": meter_product}, "start": True})
    job = Job.objects.get()
    run_next(job)
    job.refresh_from_db()
    assert (job.state, job.total) == (Job.State.READY, COUNT)
    return job


@pytest.fixture
def run_next() -> Callable[[Job], None]:
    """Runs the next step of the chunk that reads the list and starts the job."""

    def run(job: Job) -> None:
        chunk = Chunk.objects.get(job=job, number=0)
        Chunk.objects.filter(pk=chunk.pk).update(next_at=past_time())
        engine.run_step(chunk.pk)

    return run


def test_a_job_that_cannot_start_keeps_its_objects_and_says_why(
    unstarted: Job, run_job: Any, org: Organization
) -> None:
    Connection.objects.filter(pk=org.connection.pk).update(region="eu-central-1")
    job = run_job(unstarted)
    assert (job.state, Item.objects.filter(job=job).count()) == (Job.State.REJECTED, COUNT)
    assert "changed to another account" in str(job.error)
    Connection.objects.filter(pk=org.connection.pk).update(region="cn-shanghai")
    assert not job_actions.start(job, org.gateway())


def test_a_user_who_starts_and_cancels_the_job_before_the_program_loses_no_outcome(
    unstarted: Job, run_next: Callable[[Job], None], run_job: Any, org: Organization
) -> None:
    assert job_actions.start(unstarted, org.gateway("operator"))
    first = Chunk.objects.get(job=unstarted, number=1)
    engine.run_step(first.pk)
    assert job_actions.cancel(unstarted, org.members["operator"])
    run_next(unstarted)
    job = run_job(unstarted)
    assert job.state == Job.State.CANCELED
    assert job.counts == {Item.Outcome.SUCCEEDED: 3, Item.Outcome.CANCELED: COUNT - 3}


def test_a_job_that_waits_for_approval_is_not_stopped_by_its_program(
    unstarted: Job, run_job: Any, org: Organization
) -> None:
    assert job_actions.await_approval(unstarted.pk)
    unstarted.created_by.memberships.all().delete()
    job = run_job(unstarted)
    assert (job.state, job.error, Item.objects.filter(job=job).count()) == (Job.State.WAITING, None, COUNT)


def test_a_few_objects_are_processed_at_once_with_an_outcome_for_each(
    keys: list[str], meter_product: str, program: Program
) -> None:
    selected = [keys[0], f"{meter_product}/never-was", keys[1], keys[0]]
    result = program.post(DISABLE, {"keys": selected}).json()
    assert (result["succeeded"], result["failed"]) == (2, 1)
    assert [(one["key"], one["done"], bool(one["error"])) for one in result["outcomes"]] == [
        (keys[0], True, False),
        (f"{meter_product}/never-was", False, True),
        (keys[1], True, False),
    ]
    assert result["outcomes"][1]["platform_code"] == "iot.device.NotExistedDevice"
    assert read_status(program, keys[1]) == "DISABLE"
    records = AuditRecord.objects.filter(operation="DisableThing", token=program.credentials.token.label)
    assert records.count() == 3


def test_an_outcome_that_no_response_confirmed_is_unknown(
    emulator: Any, keys: list[str], program: Program
) -> None:
    emulator.faults.add("DeleteDevice", kind="drop", after=True)
    for unknown in (True, False):  # the second deletion finds no device, and no response is lost
        (outcome,) = program.post(DELETE, {"keys": keys[:1]}).json()["outcomes"]
        assert (outcome["done"], outcome["unknown"]) == (False, unknown)


def test_filters_have_the_names_of_the_list_and_all_that_match_are_processed(
    keys: list[str], meter_product: str, program: Program
) -> None:
    filters = {"product_key": meter_product, "search": "lamp-0002"}
    listed = program.get(f"sandbox/devices?product_key={meter_product}&search=lamp-0002").json()["items"]
    result = program.post(DISABLE, {"filters": filters}).json()
    assert [one["key"] for one in result["outcomes"]] == [f"{meter_product}/{one['name']}" for one in listed]
    assert [read_status(program, key) for key in keys].count("DISABLE") == 1


def test_filters_that_match_nothing_do_nothing(keys: list[str], meter_product: str, program: Program) -> None:
    result = program.post(DISABLE, {"filters": {"product_key": meter_product, "search": "pump-0001"}})
    assert result.json() == {"succeeded": 0, "failed": 0, "outcomes": []}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, ""),
        ({"keys": ["a1product/lamp-1"], "filters": {"product_key": "a1product"}}, ""),
        ({"keys": []}, "keys"),
        ({"keys": ["a1product/lamp-1", "lamp-2"]}, "keys.1"),
        ({"keys": ["a1product/" + "x" * 520]}, "keys.0"),
        ({"filters": {"product_key": "a1product", "status": "NONSENSE"}}, "filters.status"),
        ({"filters": {"product_key": "a1product", "serch": "lamp"}}, "filters.serch"),
        ({"filters": {"product_key": "a1product", "search": "lamp 1"}}, "filters.search"),
    ],
)
def test_an_invalid_selection_is_refused_and_never_affects_more_objects(
    body: dict[str, Any], field: str, keys: list[str], meter_product: str, program: Program
) -> None:
    response = program.post(DELETE, body)
    assert problem_kind(response) == "validation-failed"
    assert [error["field"] for error in response.json()["errors"]] == [field]
    assert not AuditRecord.objects.filter(operation="DeleteDevice").exists()


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (
            {"keys": ["lamp-2"]},
            "This is not a key of this list. Required: `product_key/name` of each device.",
        ),
        ({"filters": {"serch": "x"}}, "Unknown field. Valid fields: product_key, search, search_in, status."),
        ({"names": ["lamp-2"], "keys": ["a/b"]}, "Unknown field. Valid fields: keys, filters, start."),
    ],
)
def test_the_error_says_what_is_valid(body: dict[str, Any], message: str, program: Program) -> None:
    assert [error["message"] for error in program.post(DELETE, body).json()["errors"]] == [message]


@pytest.mark.usefixtures("few_in_a_request")
@pytest.mark.parametrize("by", ["keys", "filters"])
def test_many_objects_become_a_job_over_a_frozen_list_that_waits_to_be_started(
    by: str,
    org: Organization,
    keys: list[str],
    meter_product: str,
    program: Program,
    run_job: Callable[[Job], Job],
) -> None:
    body = {"keys": keys} if by == "keys" else {"filters": {"product_key": meter_product}}
    response = program.post(DISABLE, body)
    assert response.status_code == 202
    job = run_job(Job.objects.get(pk=response.json()["id"]))
    assert (job.state, job.total, job.token) == (Job.State.READY, COUNT, program.credentials.token)
    org.gateway().call("RegisterDevice", ProductKey=meter_product, DeviceName="lamp-late")
    assert program.post(f"sandbox/jobs/{job.pk}/start").json()["status"] == "queued"
    assert run_job(job).succeeded == COUNT
    assert {read_status(program, key) for key in keys} == {"DISABLE"}
    assert read_status(program, f"{meter_product}/lamp-late") == "UNACTIVE"
    items = program.get(f"sandbox/jobs/{job.pk}/items").json()["items"]
    assert {(item["key"], item["status"]) for item in items} == {(key, "succeeded") for key in keys}


@pytest.mark.usefixtures("few_in_a_request")
@pytest.mark.parametrize("by", ["keys", "filters"])
def test_a_job_starts_without_review_if_the_program_says_so(
    by: str, keys: list[str], meter_product: str, program: Program, run_job: Callable[[Job], Job]
) -> None:
    body = {"keys": keys} if by == "keys" else {"filters": {"product_key": meter_product}}
    response = program.post(DISABLE, {**body, "start": True})
    assert (response.status_code, response.json()["status"]) == (
        202,
        "queued" if by == "keys" else "checking",
    )
    job = run_job(Job.objects.get())
    assert (job.state, job.succeeded, job.started_by) == (Job.State.SUCCEEDED, COUNT, job.created_by)
    assert job.token == program.credentials.token
    assert {read_status(program, key) for key in keys} == {"DISABLE"}


@pytest.mark.usefixtures("few_in_a_request")
def test_a_job_that_needs_approval_does_not_start_without_it(
    set_rules: Callable[..., None],
    keys: list[str],
    meter_product: str,
    program: Program,
    run_job: Callable[[Job], Job],
) -> None:
    set_rules(deletion=COUNT - 1)
    response = program.post(DELETE, {"keys": keys, "start": True}, **{"Approval-Reason": "Scrapped"})
    assert (response.status_code, response.json()["reason"]) == (202, "Scrapped")
    assert Job.objects.get().state == Job.State.WAITING
    job = program.post(DELETE, {"filters": {"product_key": meter_product}, "start": True}).json()["id"]
    assert run_job(Job.objects.get(pk=job)).state == Job.State.READY
    response = program.post(f"sandbox/jobs/{job}/start")
    assert (response.status_code, response.json()["job_id"]) == (202, job)
    assert [program.get(f"sandbox/devices/{key}").status_code for key in keys] == [200] * COUNT


@pytest.mark.usefixtures("few_in_a_request")
def test_the_same_request_with_an_idempotency_key_creates_one_job(keys: list[str], program: Program) -> None:
    responses = [program.post(DISABLE, {"keys": keys}, **{"Idempotency-Key": "night"}) for _twice in range(2)]
    assert responses[0].json() == responses[1].json()
    assert responses[1]["Idempotent-Replayed"] == "true"
    assert Job.objects.count() == 1


def test_deleting_several_devices_needs_approval_if_a_rule_requires_it(
    set_rules: Callable[..., None], keys: list[str], program: Program
) -> None:
    set_rules(deletion=1)
    response = program.post(DELETE, {"keys": keys[:2]}, **{"Approval-Reason": "Scrapped"})
    assert (response.status_code, response.json()["device_count"]) == (202, 2)
    assert ApprovalRequest.objects.get().reason == "Scrapped"
    assert [program.get(f"sandbox/devices/{key}").status_code for key in keys[:2]] == [200, 200]


def test_products_are_published_by_filters(org: Organization, meter_product: str, program: Program) -> None:
    other = org.gateway().call("CreateProduct", ProductName="Lamps", NodeType=0)["Data"]["ProductKey"]
    result = program.post("sandbox/products/bulk/publish", {"filters": {"search": "lamps"}}).json()
    assert [one["key"] for one in result["outcomes"]] == [other]
    published = [program.get(f"sandbox/products/{key}").json()["published"] for key in (meter_product, other)]
    assert published == [False, True]


def test_devices_are_removed_from_a_group(org: Organization, keys: list[str], program: Program) -> None:
    group = program.post("sandbox/groups", {"name": "north_side"}).json()["id"]
    product_key, names = keys[0].partition("/")[0], [key.partition("/")[2] for key in keys]
    program.post(f"sandbox/groups/{group}/devices", {"product_key": product_key, "device_names": names})
    result = program.post(f"sandbox/groups/{group}/devices/bulk/remove", {"keys": keys[:2]}).json()
    assert result["succeeded"] == 2
    assert (
        program.post(f"sandbox/groups/{group}/devices/bulk/remove", {"filters": {}}).json()["succeeded"] == 3
    )
    assert program.get(f"sandbox/groups/{group}/devices").json()["total"] == 0


def test_the_reference_shows_the_fields_of_the_filters_and_an_example(
    org: Organization, sign_in: Any
) -> None:
    page = html.unescape(sign_in("operator").get("/account/api/").content.decode())
    of_devices = page.partition('id="bulk_delete_devices"')[2].partition("</details>")[0]
    assert "<code>filters.product_key</code>" in of_devices
    assert "Permanently delete several devices. A small number of objects" in of_devices
    assert """-d '{"keys": ["…"]}'""" in of_devices
    of_products = page.partition('id="bulk_publish_products"')[2].partition("</details>")[0]
    assert "each <code>key</code> or <code>key=value</code>" in of_products


# -- limited access ----------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("few_in_a_request")
def test_a_token_limited_to_the_product_creates_a_job_and_one_limited_to_another_reaches_nothing(
    keys: list[str], meter_product: str, create_program: CreateProgram
) -> None:
    own = create_program(
        "owner", "operator", name="own", access_scope=AccessScope(products=frozenset({meter_product}))
    )
    assert own.post(DISABLE, {"keys": keys}).status_code == 202
    assert Job.objects.get().scope_key == meter_product
    other = create_program(
        "owner", "operator", name="other", access_scope=AccessScope(products=frozenset({"a1another00"}))
    )
    for body in ({"keys": keys[:1]}, {"keys": keys}, {"filters": {"product_key": meter_product}}):
        assert problem_kind(other.post(DISABLE, body)) == "forbidden"
    assert Job.objects.count() == 1
    assert not AuditRecord.objects.filter(operation="DisableThing", outcome="done").exists()


@pytest.mark.usefixtures("few_in_a_request")
def test_a_limited_token_that_could_not_see_the_job_is_told_the_limit(
    org: Organization, keys: list[str], meter_product: str, create_program: CreateProgram
) -> None:
    second = org.gateway().call("CreateProduct", ProductName="Lamps", NodeType=0)["Data"]["ProductKey"]
    limited = create_program(
        "owner", "operator", access_scope=AccessScope(products=frozenset({meter_product, second}))
    )
    response = limited.post(DISABLE, {"keys": [*keys[:3], f"{second}/lamp-0001"]})
    assert problem_kind(response) == "forbidden"
    assert "up to 3 objects" in response.json()["detail"]
    assert not Job.objects.exists()
    assert not Item.objects.exists()


@pytest.mark.usefixtures("few_in_a_request")
def test_a_program_of_another_team_finds_neither_the_list_nor_the_job(
    keys: list[str], program: Program, create_program: CreateProgram
) -> None:
    job = program.post(DISABLE, {"keys": keys}).json()["id"]
    outsider = create_program("outsider", "administrator")
    assert outsider.post(DISABLE, {"keys": keys[:1]}).status_code == 404
    for place in ("sandbox", "plant"):
        assert outsider.post(f"{place}/jobs/{job}/start").status_code == 404
    assert Job.objects.get().state == Job.State.READY
