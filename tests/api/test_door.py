"""What the door refuses, and what is done once: too many requests, guesses, repeated requests, bodies."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
import redis
import time_machine
from django.core.cache import cache
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection as database
from django.db import connections
from django.test import Client
from django.utils import timezone

from console.access.models import AuditRecord
from console.access.tokens import keys
from console.api.models import KeptAnswer
from console.connections.models import Connection
from tests.api.conftest import MakeProgram, Program
from tests.conftest import KEY_SECRET, Organization
from tests.populated import PopulatedTeam
from tests.test_canary import device_secrets, redis_holds, tables

GROUPS = "sandbox/groups"
NEW = {"name": "boilers"}


def kind(answer: Any) -> str:
    """The kind of a problem."""
    assert answer["Content-Type"] == "application/problem+json"
    problem = json.loads(answer.content)
    assert problem["status"] == answer.status_code
    return problem["type"].removeprefix("urn:fleetdesk:problem:")


# -- how often ---------------------------------------------------------------------------------------------------------


def test_a_token_that_asks_too_often_has_to_wait_and_others_have_not(
    org: Organization, program: MakeProgram, settings: Any
) -> None:
    settings.API_REQUESTS, settings.API_SECONDS = 3, 60
    busy, calm = program(name="busy"), program(name="calm")
    with time_machine.travel(1_790_000_000, tick=False) as clock:
        left = [busy.get("token")["RateLimit-Remaining"] for _ in range(3)]
        assert left == ["2", "1", "0"]
        refused = busy.get("token")
        assert kind(refused) == "too-many-requests"
        assert 0 < int(refused["Retry-After"]) <= 60
        assert refused["Retry-After"] == refused["RateLimit-Reset"]
        assert calm.get("token").status_code == 200
        clock.shift(int(refused["Retry-After"]))
        assert busy.get("token").status_code == 200


def test_requests_are_counted_while_redis_is_away(
    org: Organization, program: MakeProgram, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.API_REQUESTS, settings.API_SECONDS = 2, 60
    busy = program()

    def away(*args: Any, **kwargs: Any) -> Any:
        raise redis.ConnectionError

    with time_machine.travel(1_790_000_000, tick=False):
        monkeypatch.setattr(redis.connection.ConnectionPool, "get_connection", away)
        monkeypatch.setattr(type(cache._connections[cache._alias]), "_retry_at", 0.0)
        answers = [busy.get("token").status_code for _ in range(4)]
    assert answers == [200, 200, 429, 429]


def test_an_address_that_guesses_tokens_has_to_wait_even_with_a_right_one(
    org: Organization, program: MakeProgram, settings: Any
) -> None:
    settings.API_GUESSES = 3
    right = program()
    with time_machine.travel(1_790_000_000, tick=False) as clock:
        for _ in range(3):
            wrong = Client().get("/api/v1/token", headers={"Authorization": f"Bearer {keys.new_key()}"})
            assert kind(wrong) == "unauthorized"
        refused = right.get("token")
        assert kind(refused) == "too-many-requests"
        elsewhere = Client(REMOTE_ADDR="10.9.8.7")
        key = f"Bearer {right.made.key}"
        assert elsewhere.get("/api/v1/token", headers={"Authorization": key}).status_code == 200
        clock.shift(int(refused["Retry-After"]))
        assert right.get("token").status_code == 200


# -- once --------------------------------------------------------------------------------------------------------------


def creations(populated: PopulatedTeam) -> int:
    return populated.upstream.writes.count("CreateDeviceGroup")


def test_the_same_request_with_the_same_key_is_done_once_and_answered_alike(
    populated: PopulatedTeam, program: MakeProgram
) -> None:
    robot = program()
    first = robot.post(GROUPS, NEW, **{"Idempotency-Key": "one"})
    again = robot.post(GROUPS, NEW, **{"Idempotency-Key": "one"})
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.content == again.content
    assert "Idempotent-Replayed" not in first
    assert again["Idempotent-Replayed"] == "true"
    assert creations(populated) == 1


def test_a_key_is_for_one_request_of_one_token_on_one_day(
    populated: PopulatedTeam, program: MakeProgram
) -> None:
    robot, other = program(name="a"), program(name="b")
    key = {"Idempotency-Key": "one"}
    assert robot.post(GROUPS, NEW, **key).status_code == 201
    assert kind(robot.post(GROUPS, {"name": "pumps"}, **key)) == "key-used"
    assert kind(robot.post("sandbox/devices", NEW, **key)) == "key-used"
    assert other.post(GROUPS, {"name": "pumps"}, **key).status_code == 201
    with time_machine.travel(timezone.now() + timedelta(hours=24, seconds=5), tick=True):
        assert robot.post(GROUPS, {"name": "fans"}, **key).status_code == 201
    assert KeptAnswer.objects.count() == 1


def test_a_request_that_did_nothing_can_be_mended_under_its_key(
    populated: PopulatedTeam, program: MakeProgram
) -> None:
    robot, key = program(), {"Idempotency-Key": "one"}
    assert kind(robot.post(GROUPS, {"name": "x"}, **key)) == "not-valid"
    assert robot.post(GROUPS, NEW, **key).status_code == 201


def test_a_request_whose_answer_was_lost_is_not_done_again(
    populated: PopulatedTeam, emulator: Any, program: MakeProgram
) -> None:
    robot, key = program(), {"Idempotency-Key": "one"}
    emulator.faults.add("CreateDeviceGroup", "drop", times=1)
    first = robot.post(GROUPS, NEW, **key)
    assert kind(first) == "cloud-silent"
    again = robot.post(GROUPS, NEW, **key)
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert creations(populated) == 1


def test_what_a_dead_worker_left_open_is_told_as_not_known(
    populated: PopulatedTeam, program: MakeProgram
) -> None:
    robot, key = program(), {"Idempotency-Key": "one"}
    robot.post(GROUPS, NEW, **key)
    KeptAnswer.objects.update(status=None, content="")
    at_once = robot.post(GROUPS, NEW, **key)
    assert kind(at_once) == "in-progress"
    assert at_once["Retry-After"] == "1"
    KeptAnswer.objects.update(at=timezone.now() - timedelta(minutes=3))
    assert kind(robot.post(GROUPS, NEW, **key)) == "outcome-unknown"
    assert creations(populated) == 1


def test_an_error_of_our_own_leaves_the_key_used(
    populated: PopulatedTeam, program: MakeProgram, monkeypatch: pytest.MonkeyPatch
) -> None:
    robot, key = program(), {"Idempotency-Key": "one"}
    sound = populated.upstream.handle_request

    def broken(request: Any) -> Any:
        if b"CreateDeviceGroup" in request.content + request.url.query:
            raise LookupError("a mistake of ours")
        return sound(request)

    monkeypatch.setattr(populated.upstream, "handle_request", broken)
    failed = robot.post(GROUPS, NEW, **key)
    assert kind(failed) == "internal-error"
    assert b"mistake" not in failed.content
    assert kind(robot.post(GROUPS, NEW, **key)) == "in-progress"


def test_of_two_that_come_at_once_one_is_done(
    populated: PopulatedTeam, program: MakeProgram, monkeypatch: pytest.MonkeyPatch
) -> None:
    robot, key = program(), {"Idempotency-Key": "one"}
    sound, meanwhile = populated.upstream.handle_request, []

    def slow(request: Any) -> Any:
        if not meanwhile and b"CreateDeviceGroup" in request.content + request.url.query:
            meanwhile.append(None)
            meanwhile[0] = robot.post(GROUPS, NEW, **key)
        return sound(request)

    monkeypatch.setattr(populated.upstream, "handle_request", slow)
    assert robot.post(GROUPS, NEW, **key).status_code == 201
    assert kind(meanwhile[0]) == "in-progress"
    assert creations(populated) == 1


@pytest.mark.django_db(transaction=True)
def test_of_four_in_one_moment_one_is_done(populated: PopulatedTeam, program: MakeProgram) -> None:
    robot = program()
    begin = threading.Barrier(4)

    def post() -> int:
        begin.wait(30)
        try:
            return int(robot.post(GROUPS, NEW, **{"Idempotency-Key": "one"}).status_code)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as pool:
        answers = [future.result(30) for future in [pool.submit(post) for _ in range(4)]]
    assert creations(populated) == 1
    assert set(answers) <= {201, 409}
    assert 201 in answers


@pytest.mark.parametrize("key", ["", "with space", "x" * 129, "é"])
def test_a_key_that_is_none_is_refused(populated: PopulatedTeam, program: MakeProgram, key: str) -> None:
    assert kind(program().post(GROUPS, NEW, **{"Idempotency-Key": key})) == "not-valid"
    assert creations(populated) == 0


def test_an_upload_that_is_sent_again_makes_no_second_job(
    populated: PopulatedTeam, program: MakeProgram
) -> None:
    robot = program()

    def upload(content: bytes) -> Any:
        body = {
            "product_key": populated.things["products"]["key"],
            "file": SimpleUploadedFile("d.csv", content),
        }
        head = {"Authorization": f"Bearer {robot.made.key}", "Idempotency-Key": "one"}
        return Client().post("/api/v1/sandbox/registrations/upload", body, headers=head)

    first, again = upload(b"DeviceName\napi-00001\n"), upload(b"DeviceName\napi-00001\n")
    assert first.status_code == 202
    assert json.loads(first.content)["id"] == json.loads(again.content)["id"]
    assert kind(upload(b"DeviceName\napi-00002\n")) == "key-used"


# -- what is sent ------------------------------------------------------------------------------------------------------


def send(program: Program, content: bytes, content_type: str = "application/json") -> Any:
    return Client().generic(
        "POST",
        f"/api/v1/{GROUPS}",
        content,
        content_type=content_type,
        headers={"Authorization": f"Bearer {program.made.key}"},
    )


def test_a_body_that_is_too_large_or_no_json_is_refused(
    populated: PopulatedTeam, program: MakeProgram
) -> None:
    robot = program()
    assert kind(send(robot, b"x" * (2_621_440 + 1))) == "too-large"
    assert kind(send(robot, b"{")) == "bad-request"
    assert kind(send(robot, b"\xff\xfe")) == "bad-request"
    assert kind(send(robot, b"[1]")) == "not-valid"
    assert kind(send(robot, b"name=boilers", "application/x-www-form-urlencoded")) in {
        "bad-request",
        "not-valid",
    }
    assert creations(populated) == 0


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("audit?since=0001-01-01T00:00:00%2B23:59", 422),
        ("audit?until=9999-12-31T23:59:59-23:59", 422),
        ("audit.jsonl?since=0001-01-01T00:00:00%2B23:59", 422),
        ("audit?page_token=0001-01-01T00:00:00%2B23:59_1", 422),
        ("audit?person=a%00b", 400),
        ("sandbox/jobs?kind=%00", 400),
        ("sandbox/devices?product_key=%00", 400),
    ],
)
def test_what_no_database_can_look_for_is_refused(
    populated: PopulatedTeam, program: MakeProgram, path: str, status: int
) -> None:
    assert program().get(path).status_code == status


def test_what_is_wrong_is_told_by_the_name_of_its_field(
    populated: PopulatedTeam, program: MakeProgram
) -> None:
    robot = program()
    asked = robot.post(GROUPS, {"name": "x", "colour": "red"}).json()["errors"]
    assert {error["field"] for error in asked} == {"name", "colour"}
    by_platform = robot.post(GROUPS, {"name": "no spaces allowed"}).json()
    assert [error["field"] for error in by_platform["errors"]] == ["group_name"]
    assert robot.get("sandbox/devices").json()["errors"][0]["field"] == "product_key"
    assert robot.get("sandbox/products?limit=0").json()["errors"][0]["field"] == "limit"
    for token in ("x", "0.5", "1.999", "-1.5"):
        assert robot.get(f"sandbox/jobs?page_token={token}").status_code in {200, 422}
    assert robot.get("sandbox/products?page_token=x").json()["errors"][0]["field"] == "page_token"
    assert robot.get("audit?page_token=x").json()["errors"][0]["field"] == "page_token"


def test_what_the_platform_refuses_is_told_with_its_code_and_request_id(
    populated: PopulatedTeam, program: MakeProgram
) -> None:
    robot = program()
    missing = robot.get("sandbox/groups/nosuchgroup")
    assert kind(missing) == "not-found"
    assert missing.json()["platform_code"].startswith("iot.")
    assert missing.json()["platform_request_id"]


@pytest.mark.parametrize(
    ("fault", "expected", "status"),
    [
        ("throttle", "cloud-throttled", 503),
        ("malformed", "cloud-refused", 502),
        ("drop", "cloud-silent", 504),
    ],
)
def test_trouble_of_the_cloud_has_a_status_of_its_own(
    populated: PopulatedTeam, emulator: Any, program: MakeProgram, fault: str, expected: str, status: int
) -> None:
    emulator.faults.add("QueryDeviceGroupList", fault, times=20)
    answer = program().get(GROUPS)
    assert (kind(answer), answer.status_code) == (expected, status)
    assert ("Retry-After" in answer) == (status in {503, 504})


# -- secrets and the trail ---------------------------------------------------------------------------------------------


def test_no_answer_tells_a_secret_even_to_who_may_see_them_in_the_console(
    populated: PopulatedTeam,
    emulator: Any,
    program: MakeProgram,
    redis_url: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    from tests.api.test_matrix import EXPECTED, ask, content_of, named

    caplog.set_level("DEBUG")
    robot = program("owner", "administrator")
    secrets = [KEY_SECRET, robot.made.key, *device_secrets(emulator)]
    seen = {}
    for name in EXPECTED:
        seen[name] = content_of(ask(robot, name, named(populated))).decode()
    made = robot.post("sandbox/devices", {"product_key": named(populated)["product_key"], "name": "canary-1"})
    assert made.status_code == 201
    seen["register"] = made.content.decode()
    secrets += [secret for secret in device_secrets(emulator) if secret not in secrets]
    kept = "\n".join(tables()) + redis_holds(redis_url).decode(errors="replace")
    logged = "\n".join(record.getMessage() + str(record.exc_text or "") for record in caplog.records)
    for secret in secrets:
        assert [name for name, text in seen.items() if secret in text] == []
        assert secret not in kept
        assert secret not in logged


def test_what_a_program_does_is_in_the_trail_with_its_tokens_name(
    populated: PopulatedTeam, program: MakeProgram
) -> None:
    robot, ours = program(name="nightly"), program(name="robot", team_token=True)
    robot.post(GROUPS, NEW)
    ours.post(GROUPS, {"name": "pumps"})
    viewer = program(role="viewer", name="watcher")
    viewer.post(GROUPS, {"name": "fans"})
    told = AuditRecord.objects.filter(operation="CreateDeviceGroup").order_by("id")
    assert [(record.actor_label, record.token.partition(" ")[0], record.outcome) for record in told] == [
        ("owner@acme.test", "nightly", "done"),
        ("robot", "robot", "done"),
        ("owner@acme.test", "watcher", "refused"),
    ]
    found = program(name="auditor").get("audit?token=nightly&operation=CreateDevice").json()["items"]
    assert [record["target"] for record in found] == ["boilers"]


def test_the_trail_is_paged_and_exported_and_the_export_is_in_it(
    org: Organization, program: MakeProgram
) -> None:
    robot = program()
    AuditRecord.objects.bulk_create(
        AuditRecord(team=org.team, operation=f"x.{number}", actor_label="x") for number in range(7)
    )
    names: list[str] = []
    token = ""
    while token is not None:
        page = robot.get(f"audit?operation=x.&limit=3&page_token={token.replace('+', '%2B')}").json()
        names += [record["operation"] for record in page["items"]]
        token = page["next_page_token"]
    assert sorted(names) == [f"x.{number}" for number in range(7)]
    lines = b"".join(robot.get("audit.jsonl?operation=x.").streaming_content).decode().splitlines()
    assert [json.loads(line)["operation"] for line in lines] == names
    record = AuditRecord.objects.get(operation="audit.export")
    assert record.token == robot.made.token.label
    until = timezone.now() - timedelta(days=1)
    assert robot.get(f"audit?until={until:%Y-%m-%dT%H:%M:%SZ}").json()["items"] == []


def test_lists_are_paged_to_their_end(populated: PopulatedTeam, program: MakeProgram) -> None:
    robot = program()
    key = populated.things["products"]["key"]
    names: list[str] = []
    token = ""
    while token is not None:
        page = robot.get(f"sandbox/devices?product_key={key}&limit=4&page_token={token}").json()
        assert len(page["items"]) <= 4
        names += [device["name"] for device in page["items"]]
        token = page["next_page_token"]
    assert len(names) == len(set(names)) == page["total"] > 8


def test_a_connection_that_cannot_be_read_is_told_as_such(
    org: Organization, emulator: Any, program: MakeProgram
) -> None:
    with database.cursor() as cursor:
        cursor.execute(f"UPDATE {Connection._meta.db_table} SET access_key_secret = 'unreadable'")
    assert kind(program().get(GROUPS)) == "keys-unreadable"
