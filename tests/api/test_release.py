"""What a release engineer's pipeline does: build, upload, verify, bring to the fleet, watch to the end."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from django.test import Client

from console.access.models import AuditRecord
from console.access.scope import AccessScope
from console.approvals.models import ApprovalRequest
from console.jobs import engine
from console.jobs.models import Chunk
from console.ota import api
from tests.api.conftest import MakeProgram, Program
from tests.api.test_door import kind
from tests.conftest import Organization
from tests.jobs.conftest import _no_pauses, _no_wake_messages, past_time
from tests.ota.conftest import calls, product

__all__ = ["_no_pauses", "_no_wake_messages", "calls", "product"]  # fixtures

FIRMWARE = b"firmware " * 1000
PACKAGES = "sandbox/ota/packages"


@pytest.fixture
def lamps(emulator: Any, product: str) -> str:
    """Five lamps that are online with version 1.0.0: their product's key."""
    with emulator.store.write() as db:
        db.execute("UPDATE devices SET status = 'ONLINE', due = NULL")
        db.execute("DELETE FROM device_modules")
        db.execute(
            "INSERT INTO device_modules (account, instance, iot_id, module, version, reported)"
            " SELECT account, instance, iot_id, 'default', '1.0.0', 0 FROM devices"
        )
    return product


@pytest.fixture
def pipeline(program: MakeProgram) -> Program:
    """A build server with a release engineer's token."""
    return program("release-engineer", "release-engineer", name="build server")


def upload(robot: Program, product_key: str, *, key: str = "", **fields: Any) -> Any:
    """The answer to a new package; `file` is its name and content."""
    name, content = fields.pop("file", ("lamp.bin", FIRMWARE))
    sent = {"product_key": product_key, "name": "lamp-2", "version": "2.0.0", **fields}
    return robot.upload(PACKAGES, name, content, key=key, **sent)


def packages(org: Organization) -> tuple[api.Package, ...]:
    return api.list_packages(org.gateway(), size=100).packages


def to_its_end(robot: Program, job_id: int, emulator: Any, clock: Any) -> dict[str, Any]:
    """The job that watches a batch once it is over; half a minute of the cloud's time between two looks."""
    with emulator.store.write() as db:
        db.execute(
            "UPDATE ota_tasks SET failures = 0, final_progress = 100"
        )  # some devices fail, which is not the point
    for _ in range(60):
        told: dict[str, Any] = robot.get(f"sandbox/jobs/{job_id}").json()
        if told["finished_at"]:
            return told
        clock.advance(30)
        for chunk in Chunk.objects.filter(job=job_id, state=Chunk.State.ACTIVE):
            Chunk.objects.filter(pk=chunk.pk).update(next_at=past_time())
            engine.run_step(chunk.pk)
    raise AssertionError("the batch does not end")


def test_a_pipeline_uploads_verifies_and_brings_firmware_to_the_fleet(
    lamps: str, org: Organization, pipeline: Program, emulator: Any, clock: Any
) -> None:
    made, again = upload(pipeline, lamps, key="build-17"), upload(pipeline, lamps, key="build-17")
    assert (made.status_code, again["Idempotent-Replayed"]) == (201, "true")
    assert made.json() == again.json()
    assert len(packages(org)) == 1
    address = f"{PACKAGES}/{made.json()['package_id']}"
    package = pipeline.get(address).json()
    assert (package["verification"], package["ready"]) == ("unverified", False)
    assert (package["size"], package["checksum"]) == (len(FIRMWARE), hashlib.md5(FIRMWARE).hexdigest())
    assert kind(pipeline.post(f"{address}/static-batches", {"target": "ALL"})) == "conflict"

    trial = pipeline.post(f"{address}/verification", {"names": ["lamp-1"]}).json()
    assert pipeline.get(address).json()["verification"] == "verifying"
    assert pipeline.post(f"{address}/verification", {"names": ["lamp-2"]}).status_code == 409
    assert to_its_end(pipeline, trial["watched_by_job"], emulator, clock)["state"] == "succeeded"
    assert pipeline.get(address).json()["ready"]

    wanted = {"target": "ALL", "source_versions": ["1.0.0"], "rate": 100}
    batch = pipeline.post(f"{address}/static-batches", wanted).json()
    ended = to_its_end(pipeline, batch["watched_by_job"], emulator, clock)
    assert (ended["succeeded"], ended["failed"], ended["counts"]) == (4, 0, {"SUCCEEDED": 4})
    at = f"sandbox/ota/batches/{batch['batch_id']}"
    assert pipeline.get(at).json()["status"] == "COMPLETED"
    assert pipeline.get(f"{at}/counts").json()["counts"]["SUCCEEDED"] == 4
    history = pipeline.get(f"{at}/history").json()
    assert [sum(one["counts"].values()) for one in history] == [4] * len(history)
    assert history[-1]["counts"]["SUCCEEDED"] == 4
    (task,) = pipeline.get(f"{at}/tasks?device_name=lamp-3").json()["items"]
    assert (task["device_name"], task["status"]) == ("lamp-3", "SUCCEEDED")
    for lamp in ("lamp-1", "lamp-5"):
        told = pipeline.get(f"sandbox/devices/{lamps}/{lamp}/updates").json()
        assert told == {"versions": [{"module": "default", "version": "2.0.0"}], "unfinished": []}

    trail = AuditRecord.objects.filter(token=pipeline.made.token.label, connection=org.connection.slug)
    assert [(one.operation, one.outcome) for one in trail.order_by("pk")] == [
        ("GenerateOTAUploadURL", "done"),
        ("CreateOTAFirmware", "done"),
        ("CreateOTAVerifyJob", "done"),
        ("CreateOTAVerifyJob", "failed"),
        ("CreateOTAStaticUpgradeJob", "done"),
    ]


# -- uploading ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sent", "at"),
    [
        ({"file": ("lamp.exe", b"MZ")}, "file"),
        ({"file": ("lamp.bin", b"")}, "file"),
        ({"file": ("lamp.zip", b"no zip")}, "file"),
        ({"name": "_lamp"}, "name"),
        ({"version": "2 0"}, "version"),
        ({"delta": "true"}, "source_version"),
        ({"delta": "true", "source_version": "2.0.0"}, "source_version"),
        ({"delta": "perhaps"}, "delta"),
        ({"message": "x" * 4097}, "message"),
        ({"colour": "red"}, "colour"),
        ({"product_key": "x" * 65}, "product_key"),
    ],
)
def test_what_is_wrong_with_a_package_is_told_by_its_field_before_anything_is_sent(
    sent: dict[str, Any], at: str, lamps: str, org: Organization, pipeline: Program, calls: list[str]
) -> None:
    answer = upload(pipeline, **{"product_key": lamps, **sent})
    assert kind(answer) == "not-valid"
    assert [error["field"] for error in answer.json()["errors"]] == [at]
    assert "GenerateOTAUploadURL" not in calls


def test_a_delta_package_keeps_all_that_it_was_made_with(lamps: str, pipeline: Program) -> None:
    pipeline.post(f"sandbox/products/{lamps}/modules", {"name": "radio"})
    sent = {"module": "radio", "source_version": "1.0.0", "description": "Smaller", "message": "now"}
    made = upload(pipeline, lamps, delta="true", verify="false", **sent).json()
    told = pipeline.get(f"{PACKAGES}/{made['package_id']}").json()
    assert {name: told[name] for name in sent} == sent
    assert (told["delta"], told["verification"]) == (True, "unneeded")
    address = f"{PACKAGES}/{made['package_id']}"
    assert pipeline.ask("DELETE", address).status_code == 204
    assert pipeline.get(address).status_code == 404


class Unread:
    """A body that nobody may read."""

    def read(self, *size: int) -> bytes:
        raise AssertionError("the body was read")

    readline = read


@pytest.mark.parametrize(
    ("role", "length", "expected"),
    [
        ("viewer", 1_000, 403),
        ("operator", 1_000_000_000, 403),
        ("release-engineer", api.MAX_PACKAGE_BYTES + 100_000, 413),
    ],
)
def test_who_may_not_send_a_package_is_refused_before_it_is_read(
    role: str, length: int, expected: int, org: Organization, program: MakeProgram
) -> None:
    answer = Client().generic(
        "POST",
        f"/api/v1/{PACKAGES}",
        content_type="multipart/form-data; boundary=x",
        headers={"Authorization": f"Bearer {program('owner', role).made.key}", "Idempotency-Key": "one"},
        **{"CONTENT_LENGTH": str(length), "wsgi.input": Unread()},
    )
    assert answer.status_code == expected


@pytest.mark.parametrize("key", [{}, {"Idempotency-Key": "one"}])
@pytest.mark.parametrize(
    ("content_type", "content", "expected"),
    [
        ("multipart/form-data", b"no boundary", "bad-request"),
        (
            "multipart/form-data; boundary=x",
            (b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n' * 2_002) + b"--x--\r\n",
            "bad-request",
        ),
        ("application/json", b"{}", "not-valid"),
    ],
)
def test_a_form_that_is_none_is_refused(
    content_type: str,
    content: bytes,
    expected: str,
    key: dict[str, str],
    org: Organization,
    pipeline: Program,
) -> None:
    headers = {"Authorization": f"Bearer {pipeline.made.key}", **key}
    answer = Client().generic("POST", f"/api/v1/{PACKAGES}", content, content_type, headers=headers)
    assert kind(answer) == expected


def test_a_package_of_a_product_out_of_reach_is_not_brought_to_the_store(
    lamps: str, org: Organization, program: MakeProgram, calls: list[str]
) -> None:
    narrowed = AccessScope(products=frozenset({"anotherkey1"}))
    robot = program("owner", "release-engineer", access_scope=narrowed)
    assert upload(robot, lamps).status_code in {403, 404}
    assert "GenerateOTAUploadURL" not in calls
    assert packages(org) == ()


def test_a_name_that_is_taken_is_told_and_the_key_can_be_used_again(lamps: str, pipeline: Program) -> None:
    upload(pipeline, lamps)
    assert kind(upload(pipeline, lamps, key="one")) == "already-exists"
    assert upload(pipeline, lamps, key="one", name="lamp-3", version="3.0.0").status_code == 201


# -- verifying, confirming, canceling ------------------------------------------------------------------------------------


def test_verifying_waits_for_a_second_person_where_a_rule_asks_for_one(
    lamps: str, org: Organization, pipeline: Program
) -> None:
    org.team.approve_batch_over = 1
    org.team.save()
    package_id = upload(pipeline, lamps).json()["package_id"]
    answer = pipeline.post(f"{PACKAGES}/{package_id}/verification", {"names": ["lamp-1", "lamp-2"]})
    assert answer.status_code == 202
    assert ApprovalRequest.objects.get(pk=answer.json()["id"]).operation == "CreateOTAVerifyJob"
    assert pipeline.get(f"{PACKAGES}/{package_id}").json()["verification"] == "unverified"


def test_tasks_that_wait_are_confirmed_or_canceled_one_by_one(lamps: str, pipeline: Program) -> None:
    package_id = upload(pipeline, lamps, verify="false").json()["package_id"]
    wanted = {"target": "ALL", "need_confirm": True}
    batch = pipeline.post(f"{PACKAGES}/{package_id}/static-batches", wanted).json()["batch_id"]
    at = f"sandbox/ota/batches/{batch}"
    tasks = {one["device_name"]: one for one in pipeline.get(f"{at}/tasks").json()["items"]}
    task_ids = [tasks["lamp-1"]["id"]]
    assert pipeline.post(f"{at}/confirm", {"task_ids": task_ids}).status_code == 204
    assert pipeline.post(f"{at}/confirm", {"task_ids": task_ids}).status_code == 409
    assert pipeline.post(f"{at}/cancel-devices", {"names": ["lamp-2"]}).status_code == 204
    told = pipeline.get(f"{at}/counts").json()
    assert (told["counts"]["CONFIRM"], told["counts"]["CANCELED"], told["total"]) == (3, 1, 5)


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ({"target": "ALL", "source_versions": ["2.0.0"]}, "leads to this version"),
        ({"target": "ALL", "multi_module": True, "overwrite": True}, "several modules"),
        ({"target": "ALL", "tags": {"a b": "c"}}, "pattern"),
        ({"target": "ALL", "start_at": "2020-01-01T00:00:00Z"}, "5 minutes to 7 days"),
        ({"target": "ALL", "start_at": "tomorrow"}, "A moment with its time zone"),
        ({"target": "SPECIFIC", "names": ["a b"]}, "pattern"),
        ({"target": "SOME"}, "One of these is expected: 'ALL', 'SPECIFIC', 'GRAY' or 'GROUP'."),
        ({"target": "ALL", "rate": "many"}, "A whole number is expected."),
        ({"target": "ALL", "rate": 1}, "It must be 10 or more."),
        ({}, "This is needed."),
    ],
)
def test_a_batch_out_of_its_limits_is_told_in_plain_words(
    wanted: dict[str, Any], said: str, lamps: str, pipeline: Program, calls: list[str]
) -> None:
    package_id = upload(pipeline, lamps, verify="false").json()["package_id"]
    answer = pipeline.post(f"{PACKAGES}/{package_id}/static-batches", wanted)
    assert kind(answer) == "not-valid"
    assert said in answer.json()["errors"][0]["message"]
    assert "CreateOTAStaticUpgradeJob" not in calls


# -- modules -----------------------------------------------------------------------------------------------------------


def test_modules_are_made_changed_and_deleted_but_the_default_one(lamps: str, pipeline: Program) -> None:
    at = f"sandbox/products/{lamps}/modules"
    assert pipeline.post(at, {"name": "radio", "alias": "Radio"}).status_code == 201
    assert kind(pipeline.post(at, {"name": "RADIO"})) == "already-exists"
    assert kind(pipeline.post(at, {"name": "default"})) == "not-valid"
    change = {"alias": "Modem", "description": "LTE"}
    assert pipeline.ask("PATCH", f"{at}/radio", change).status_code == 204
    assert kind(pipeline.ask("PATCH", f"{at}/radio", {"description": "5G"})) == "not-valid"
    assert pipeline.ask("PATCH", f"{at}/default", change).status_code == 404
    told = {one["name"]: one for one in pipeline.get(at).json()}
    assert (told["radio"]["alias"], told["radio"]["description"]) == ("Modem", "LTE")
    assert told["default"]["default"]
    assert pipeline.ask("DELETE", f"{at}/radio").status_code == 204
    assert [one["name"] for one in pipeline.get(at).json()] == ["default"]
