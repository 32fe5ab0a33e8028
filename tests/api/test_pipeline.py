"""The request pipeline: request limits, guessed tokens, idempotency keys, malformed bodies, secrets and the audit trail."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
import redis
import time_machine
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection as database
from django.db import connections
from django.test import Client
from django.utils import timezone

from console.api.models import StoredResponse
from console.audit.models import AuditRecord
from console.connections.models import Connection
from console.teams.tokens import keys
from tests.api_programs import CreateProgram, Program, problem_kind
from tests.conftest import KEY_SECRET, Organization
from tests.populated import PopulatedTeam
from tests.stored_data import dump_redis, dump_tables, read_device_secrets

GROUPS = "sandbox/groups"
NEW = {"name": "boilers"}


# -- request limits ----------------------------------------------------------------------------------------------------


def test_a_token_that_exceeds_its_limit_is_refused_and_others_are_not(
    org: Organization, create_program: CreateProgram, settings: Any
) -> None:
    settings.API_REQUESTS, settings.API_SECONDS = 3, 60
    busy, idle = create_program(name="busy"), create_program(name="idle")
    with time_machine.travel(1_790_000_000, tick=False) as clock:
        remaining = [busy.get("token")["RateLimit-Remaining"] for _ in range(3)]
        assert remaining == ["2", "1", "0"]
        refused = busy.get("token")
        assert problem_kind(refused) == "too-many-requests"
        assert 0 < int(refused["Retry-After"]) <= 60
        assert refused["Retry-After"] == refused["RateLimit-Reset"]
        assert idle.get("token").status_code == 200
        clock.shift(int(refused["Retry-After"]))
        assert busy.get("token").status_code == 200


def test_requests_are_counted_while_redis_is_unavailable(
    org: Organization, create_program: CreateProgram, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.API_REQUESTS, settings.API_SECONDS = 2, 60
    busy = create_program()

    def fail(*args: Any, **kwargs: Any) -> Any:
        raise redis.ConnectionError

    with time_machine.travel(1_790_000_000, tick=False):
        monkeypatch.setattr(redis.connection.ConnectionPool, "get_connection", fail)
        responses = [busy.get("token").status_code for _ in range(4)]
    assert responses == [200, 200, 429, 429]


def test_an_address_that_guesses_tokens_is_refused_but_valid_tokens_work_from_there(
    org: Organization, create_program: CreateProgram, settings: Any
) -> None:
    settings.API_GUESSES = 3
    valid = create_program()
    with time_machine.travel(1_790_000_000, tick=False) as clock:
        for _ in range(3):
            invalid = Client().get("/api/v1/token", headers={"Authorization": f"Bearer {keys.new_key()}"})
            assert problem_kind(invalid) == "unauthorized"
        guess = {"Authorization": f"Bearer {keys.new_key()}"}
        refused = Client().get("/api/v1/token", headers=guess)
        assert problem_kind(refused) == "too-many-requests"
        assert valid.get("token").status_code == 200
        other_address = Client(REMOTE_ADDR="10.9.8.7").get("/api/v1/token", headers=guess)
        assert problem_kind(other_address) == "unauthorized"
        clock.shift(int(refused["Retry-After"]))
        assert problem_kind(Client().get("/api/v1/token", headers=guess)) == "unauthorized"


# -- idempotency -------------------------------------------------------------------------------------------------------


def count_created_groups(populated: PopulatedTeam) -> int:
    return populated.upstream.writes.count("CreateDeviceGroup")


def test_a_repeated_request_with_the_same_key_is_executed_once_and_gets_the_same_response(
    populated: PopulatedTeam, create_program: CreateProgram
) -> None:
    program = create_program()
    first = program.post(GROUPS, NEW, **{"Idempotency-Key": "one"})
    repeated = program.post(GROUPS, NEW, **{"Idempotency-Key": "one"})
    assert (first.status_code, repeated.status_code) == (201, 201)
    assert first.content == repeated.content
    assert "Idempotent-Replayed" not in first
    assert repeated["Idempotent-Replayed"] == "true"
    assert count_created_groups(populated) == 1


def test_an_idempotency_key_is_valid_for_one_request_of_one_token_for_one_day(
    populated: PopulatedTeam, create_program: CreateProgram
) -> None:
    program, other = create_program(name="a"), create_program(name="b")
    key = {"Idempotency-Key": "one"}
    assert program.post(GROUPS, NEW, **key).status_code == 201
    assert problem_kind(program.post(GROUPS, {"name": "pumps"}, **key)) == "idempotency-key-reused"
    assert problem_kind(program.post("sandbox/devices", NEW, **key)) == "idempotency-key-reused"
    assert other.post(GROUPS, {"name": "pumps"}, **key).status_code == 201
    with time_machine.travel(timezone.now() + timedelta(hours=24, seconds=5), tick=True):
        assert program.post(GROUPS, {"name": "fans"}, **key).status_code == 201
    assert StoredResponse.objects.count() == 1


def test_a_failed_request_can_be_corrected_and_sent_with_the_same_key(
    populated: PopulatedTeam, create_program: CreateProgram
) -> None:
    program, key = create_program(), {"Idempotency-Key": "one"}
    assert problem_kind(program.post(GROUPS, {"name": "x"}, **key)) == "validation-failed"
    assert program.post(GROUPS, NEW, **key).status_code == 201


def test_a_request_without_a_response_is_not_executed_again(
    populated: PopulatedTeam, emulator: Any, create_program: CreateProgram
) -> None:
    program, key = create_program(), {"Idempotency-Key": "one"}
    emulator.faults.add("CreateDeviceGroup", "drop", times=1)
    first = program.post(GROUPS, NEW, **key)
    assert problem_kind(first) == "platform-timeout"
    repeated = program.post(GROUPS, NEW, **key)
    assert (repeated.status_code, repeated.content) == (first.status_code, first.content)
    assert count_created_groups(populated) == 1


def test_the_outcome_is_unknown_after_the_worker_stopped(
    populated: PopulatedTeam, create_program: CreateProgram
) -> None:
    program, key = create_program(), {"Idempotency-Key": "one"}
    program.post(GROUPS, NEW, **key)
    StoredResponse.objects.update(status=None, content="")
    immediate = program.post(GROUPS, NEW, **key)
    assert problem_kind(immediate) == "in-progress"
    assert immediate["Retry-After"] == "1"
    StoredResponse.objects.update(at=timezone.now() - timedelta(minutes=3))
    assert problem_kind(program.post(GROUPS, NEW, **key)) == "outcome-unknown"
    assert count_created_groups(populated) == 1


def test_the_key_stays_used_after_an_internal_error(
    populated: PopulatedTeam, create_program: CreateProgram, monkeypatch: pytest.MonkeyPatch
) -> None:
    program, key = create_program(), {"Idempotency-Key": "one"}
    handle_request = populated.upstream.handle_request

    def fail(request: Any) -> Any:
        if b"CreateDeviceGroup" in request.content + request.url.query:
            raise LookupError("an internal mistake")
        return handle_request(request)

    monkeypatch.setattr(populated.upstream, "handle_request", fail)
    failed = program.post(GROUPS, NEW, **key)
    assert problem_kind(failed) == "internal-error"
    assert b"mistake" not in failed.content
    assert problem_kind(program.post(GROUPS, NEW, **key)) == "in-progress"


def test_one_of_two_overlapping_requests_is_executed(
    populated: PopulatedTeam, create_program: CreateProgram, monkeypatch: pytest.MonkeyPatch
) -> None:
    program, key = create_program(), {"Idempotency-Key": "one"}
    handle_request, overlapping = populated.upstream.handle_request, []

    def slow(request: Any) -> Any:
        if not overlapping and b"CreateDeviceGroup" in request.content + request.url.query:
            overlapping.append(None)
            overlapping[0] = program.post(GROUPS, NEW, **key)
        return handle_request(request)

    monkeypatch.setattr(populated.upstream, "handle_request", slow)
    assert program.post(GROUPS, NEW, **key).status_code == 201
    assert problem_kind(overlapping[0]) == "in-progress"
    assert count_created_groups(populated) == 1


@pytest.mark.django_db(transaction=True)
def test_one_of_four_simultaneous_requests_is_executed(
    populated: PopulatedTeam, create_program: CreateProgram
) -> None:
    program = create_program()
    barrier = threading.Barrier(4)

    def post() -> int:
        barrier.wait(30)
        try:
            return int(program.post(GROUPS, NEW, **{"Idempotency-Key": "one"}).status_code)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as pool:
        responses = [future.result(30) for future in [pool.submit(post) for _ in range(4)]]
    assert count_created_groups(populated) == 1
    assert set(responses) <= {201, 409}
    assert 201 in responses


@pytest.mark.parametrize("key", ["", "with space", "x" * 129, "é"])
def test_an_invalid_idempotency_key_is_refused(
    populated: PopulatedTeam, create_program: CreateProgram, key: str
) -> None:
    assert problem_kind(create_program().post(GROUPS, NEW, **{"Idempotency-Key": key})) == "validation-failed"
    assert count_created_groups(populated) == 0


def test_a_repeated_upload_creates_no_second_job(
    populated: PopulatedTeam, create_program: CreateProgram
) -> None:
    program = create_program()

    def upload(content: bytes) -> Any:
        body = {
            "product_key": populated.things["products"]["key"],
            "file": SimpleUploadedFile("d.csv", content),
        }
        head = {"Authorization": f"Bearer {program.credentials.key}", "Idempotency-Key": "one"}
        return Client().post("/api/v1/sandbox/registrations/upload", body, headers=head)

    first, repeated = upload(b"DeviceName\napi-00001\n"), upload(b"DeviceName\napi-00001\n")
    assert first.status_code == 202
    assert json.loads(first.content)["id"] == json.loads(repeated.content)["id"]
    assert problem_kind(upload(b"DeviceName\napi-00002\n")) == "idempotency-key-reused"


# -- request bodies ----------------------------------------------------------------------------------------------------


def send(program: Program, content: bytes, content_type: str = "application/json") -> Any:
    return Client().generic(
        "POST",
        f"/api/v1/{GROUPS}",
        content,
        content_type=content_type,
        headers={"Authorization": f"Bearer {program.credentials.key}"},
    )


def test_a_body_that_is_too_large_or_not_json_is_refused(
    populated: PopulatedTeam, create_program: CreateProgram
) -> None:
    program = create_program()
    assert problem_kind(send(program, b"x" * (2_621_440 + 1))) == "request-too-large"
    assert problem_kind(send(program, b"{")) == "bad-request"
    assert problem_kind(send(program, b"\xff\xfe")) == "bad-request"
    assert problem_kind(send(program, b"[1]")) == "validation-failed"
    assert problem_kind(send(program, b"name=boilers", "application/x-www-form-urlencoded")) in {
        "bad-request",
        "validation-failed",
    }
    assert count_created_groups(populated) == 0


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("audit?since=0001-01-01T00:00:00%2B23:59", 422),
        ("audit?until=9999-12-31T23:59:59-23:59", 422),
        ("audit.jsonl?since=0001-01-01T00:00:00%2B23:59", 422),
        ("audit?page_token=0001-01-01T00:00:00%2B23:59_1", 422),
        ("audit?user=a%00b", 400),
        ("sandbox/jobs?kind=%00", 400),
        ("sandbox/devices?product_key=%00", 400),
    ],
)
def test_values_that_a_database_cannot_search_for_are_refused(
    populated: PopulatedTeam, create_program: CreateProgram, path: str, status: int
) -> None:
    assert create_program().get(path).status_code == status


@pytest.mark.parametrize(
    ("address", "status", "kind"),
    [
        ("sandbox/products?search=" + "x" * 8200, 414, "address-too-long"),
        ("sandbox/jobs/1/items?search=" + "\U0001f41f" * 700, 414, "address-too-long"),
        ("sandbox/products/" + "x" * 129, 404, "not-found"),
        ("sandbox/device-search?text=%07%F3%BF%B1%88", 422, "validation-failed"),
        ("sandbox/devices?search=%07%F3%BF%B1%88", 422, "validation-failed"),
        ("sandbox/devices?product_key=a%20b&search=meter", 422, "validation-failed"),
        ("sandbox/jobs?status=nearly", 422, "validation-failed"),
        ("audit?since=0.5", 422, "validation-failed"),
        ("audit?until=1790000000", 422, "validation-failed"),
        ("audit?page_token=%C3%BC", 422, "validation-failed"),
    ],
)
def test_values_beyond_the_limits_of_the_document_are_refused(
    address: str, status: int, kind: str, populated: PopulatedTeam, create_program: CreateProgram
) -> None:
    response = create_program("owner", "administrator").get(address)
    assert (response.status_code, problem_kind(response)) == (status, kind)
    assert populated.upstream.writes == []


def test_a_reason_that_is_too_long_is_refused_before_anything_is_sent(
    populated: PopulatedTeam, create_program: CreateProgram
) -> None:
    program, body = create_program("owner", "administrator"), {"name": "made_by_api"}
    response = program.send("post", "sandbox/groups", body, **{"Approval-Reason": "x" * 501})
    assert response.status_code == 422
    assert response.json()["errors"][0]["field"] == "Approval-Reason"
    assert populated.upstream.writes == []


def test_errors_name_their_field(populated: PopulatedTeam, create_program: CreateProgram) -> None:
    program = create_program()
    errors = program.post(GROUPS, {"name": "x", "color": "red"}).json()["errors"]
    assert {error["field"] for error in errors} == {"name", "color"}
    unknown = next(error["message"] for error in errors if error["field"] == "color")
    assert unknown == "Unknown field. Valid fields: name, description, parent_id."
    devices = {"product_key": "a1product", "devices": [{"name": "lamp-1", "color": "red"}]}
    [in_a_list] = program.post("sandbox/registrations", devices).json()["errors"]
    assert in_a_list == {
        "field": "devices.0.color",
        "message": "Unknown field. Valid fields: name, nickname.",
    }
    by_platform = program.post(GROUPS, {"name": "no spaces allowed"}).json()
    assert [error["field"] for error in by_platform["errors"]] == ["group_name"]
    assert program.get("sandbox/devices").json()["errors"][0]["field"] == "product_key"
    assert program.get("sandbox/products?limit=0").json()["errors"][0]["field"] == "limit"
    for token in ("x", "0.5", "1.999", "-1.5"):
        assert program.get(f"sandbox/jobs?page_token={token}").status_code in {200, 422}
    assert program.get("sandbox/products?page_token=x").json()["errors"][0]["field"] == "page_token"
    assert program.get("audit?page_token=x").json()["errors"][0]["field"] == "page_token"


def test_an_error_of_the_platform_has_its_code_and_request_id(
    populated: PopulatedTeam, create_program: CreateProgram
) -> None:
    program = create_program()
    missing = program.get("sandbox/groups/nosuchgroup")
    assert problem_kind(missing) == "not-found"
    assert missing.json()["platform_code"].startswith("iot.")
    assert missing.json()["platform_request_id"]


@pytest.mark.parametrize(
    ("fault", "expected", "status"),
    [
        ("throttle", "platform-throttled", 503),
        ("malformed", "platform-error", 502),
        ("drop", "platform-timeout", 504),
    ],
)
def test_each_kind_of_platform_failure_has_its_own_status(
    populated: PopulatedTeam,
    emulator: Any,
    create_program: CreateProgram,
    fault: str,
    expected: str,
    status: int,
) -> None:
    emulator.faults.add("QueryDeviceGroupList", fault, times=20)
    response = create_program().get(GROUPS)
    assert (problem_kind(response), response.status_code) == (expected, status)
    assert ("Retry-After" in response) == (status in {503, 504})


# -- secrets and audit trail -------------------------------------------------------------------------------------------


def test_no_response_contains_a_secret_even_for_users_who_may_view_them_in_the_console(
    populated: PopulatedTeam,
    emulator: Any,
    create_program: CreateProgram,
    redis_url: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    from tests.api.expectations import EXPECTED, call_operation, find_names, read_content

    caplog.set_level("DEBUG")
    program = create_program("owner", "administrator")
    secrets = [KEY_SECRET, program.credentials.key, *read_device_secrets(emulator)]
    contents = {}
    for name in EXPECTED:
        contents[name] = read_content(call_operation(program, name, find_names(populated))).decode()
    registered = program.post(
        "sandbox/devices", {"product_key": find_names(populated)["product_key"], "name": "canary-1"}
    )
    assert registered.status_code == 201
    contents["register"] = registered.content.decode()
    secrets += [secret for secret in read_device_secrets(emulator) if secret not in secrets]
    stored = "\n".join(dump_tables()) + dump_redis(redis_url).decode(errors="replace")
    logged = "\n".join(record.getMessage() + str(record.exc_text or "") for record in caplog.records)
    for secret in secrets:
        assert [name for name, text in contents.items() if secret in text] == []
        assert secret not in stored
        assert secret not in logged


def test_the_audit_trail_names_the_token_of_each_write(
    populated: PopulatedTeam, create_program: CreateProgram
) -> None:
    personal, team = create_program(name="nightly"), create_program(name="robot", team_token=True)
    personal.post(GROUPS, NEW)
    team.post(GROUPS, {"name": "pumps"})
    viewer = create_program(role="viewer", name="watcher")
    viewer.post(GROUPS, {"name": "fans"})
    records = AuditRecord.objects.filter(operation="CreateDeviceGroup").order_by("id")
    assert [(record.actor_label, record.token.partition(" ")[0], record.outcome) for record in records] == [
        ("owner@acme.test", "nightly", "done"),
        ("robot", "robot", "done"),
        ("owner@acme.test", "watcher", "refused"),
    ]
    records = create_program(name="auditor").get("audit?token=nightly&operation=CreateDevice").json()["items"]
    assert [record["target"] for record in records] == ["boilers"]


def test_the_audit_trail_is_paged_and_exported_and_records_the_export(
    org: Organization, create_program: CreateProgram
) -> None:
    program = create_program()
    AuditRecord.objects.bulk_create(
        AuditRecord(team=org.team, operation=f"x.{number}", actor_label="x") for number in range(7)
    )
    names: list[str] = []
    token = ""
    while token is not None:
        page = program.get(f"audit?operation=x.&limit=3&page_token={token.replace('+', '%2B')}").json()
        names += [record["operation"] for record in page["items"]]
        token = page["next_page_token"]
    assert sorted(names) == [f"x.{number}" for number in range(7)]
    lines = b"".join(program.get("audit.jsonl?operation=x.").streaming_content).decode().splitlines()
    assert [json.loads(line)["operation"] for line in lines] == names
    record = AuditRecord.objects.get(operation="audit.export")
    assert record.token == program.credentials.token.label
    until = timezone.now() - timedelta(days=1)
    assert program.get(f"audit?until={until:%Y-%m-%dT%H:%M:%SZ}").json()["items"] == []


def test_all_pages_of_a_list_can_be_read(populated: PopulatedTeam, create_program: CreateProgram) -> None:
    program = create_program()
    key = populated.things["products"]["key"]
    names: list[str] = []
    token = ""
    while token is not None:
        page = program.get(f"sandbox/devices?product_key={key}&limit=4&page_token={token}").json()
        assert len(page["items"]) <= 4
        names += [device["name"] for device in page["items"]]
        token = page["next_page_token"]
    assert len(names) == len(set(names)) == page["total"] > 8


def test_a_connection_that_cannot_be_decrypted_has_its_own_error(
    org: Organization, emulator: Any, create_program: CreateProgram
) -> None:
    with database.cursor() as cursor:
        cursor.execute(f"UPDATE {Connection._meta.db_table} SET access_key_secret = 'unreadable'")
    assert problem_kind(create_program().get(GROUPS)) == "credentials-unreadable"
