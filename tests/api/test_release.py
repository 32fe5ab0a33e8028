"""The pipeline of a release engineer: upload a package, verify it, create a batch, wait for its end."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from console.accounts.scope import AccessScope
from console.approvals.models import ApprovalRequest
from console.areas.ota import api
from console.audit.models import AuditRecord
from console.jobs import engine
from console.jobs.models import Chunk
from tests.api_programs import CreateProgram, Program, problem_kind
from tests.conftest import Organization
from tests.running_jobs import past_time

FIRMWARE = b"firmware " * 1000
PACKAGES = "sandbox/ota/packages"


@pytest.fixture
def lamps(emulator: Any, lamp_product: str) -> str:
    """The ProductKey of five online lamps on version 1.0.0."""
    with emulator.store.write() as db:
        db.execute("UPDATE devices SET status = 'ONLINE', due = NULL")
        db.execute("DELETE FROM device_modules")
        db.execute(
            "INSERT INTO device_modules (account, instance, iot_id, module, version, reported)"
            " SELECT account, instance, iot_id, 'default', '1.0.0', 0 FROM devices"
        )
    return lamp_product


@pytest.fixture
def pipeline(create_program: CreateProgram) -> Program:
    """A build server with the token of a release engineer."""
    return create_program("release-engineer", "release-engineer", name="build server")


def upload(program: Program, product_key: str, *, key: str = "", **fields: Any) -> Any:
    """Create a package and return the response. `file`: its name and content."""
    name, content = fields.pop("file", ("lamp.bin", FIRMWARE))
    sent = {"product_key": product_key, "name": "lamp-2", "version": "2.0.0", **fields}
    return program.upload(PACKAGES, name, content, key=key, **sent)


def packages(org: Organization) -> tuple[api.Package, ...]:
    return api.list_packages(org.gateway(), size=100).packages


def wait_for_end(program: Program, job_id: int, emulator: Any, clock: Any) -> dict[str, Any]:
    """Return the job that monitors a batch after it ended. The platform's clock advances 30 seconds between two checks."""
    with emulator.store.write() as db:
        db.execute(
            "UPDATE ota_tasks SET failures = 0, final_progress = 100"
        )  # random failures are not the subject of the test
    for _ in range(60):
        job: dict[str, Any] = program.get(f"sandbox/jobs/{job_id}").json()
        if job["finished_at"]:
            return job
        clock.advance(30)
        for chunk in Chunk.objects.filter(job=job_id, state=Chunk.State.ACTIVE):
            Chunk.objects.filter(pk=chunk.pk).update(next_at=past_time())
            engine.run_step(chunk.pk)
    raise AssertionError("the batch did not end")


def test_a_pipeline_uploads_and_verifies_a_package_and_updates_devices(
    lamps: str, org: Organization, pipeline: Program, emulator: Any, clock: Any
) -> None:
    created, repeated = upload(pipeline, lamps, key="build-17"), upload(pipeline, lamps, key="build-17")
    assert (created.status_code, repeated["Idempotent-Replayed"]) == (201, "true")
    assert created.json() == repeated.json()
    assert len(packages(org)) == 1
    address = f"{PACKAGES}/{created.json()['package_id']}"
    package = pipeline.get(address).json()
    assert (package["verification"], package["ready"]) == ("unverified", False)
    assert (package["size"], package["checksum"]) == (len(FIRMWARE), hashlib.md5(FIRMWARE).hexdigest())
    assert problem_kind(pipeline.post(f"{address}/static-batches", {"target": "ALL"})) == "conflict"

    verification = pipeline.post(f"{address}/verification", {"device_names": ["lamp-1"]}).json()
    assert pipeline.get(address).json()["verification"] == "verifying"
    assert pipeline.post(f"{address}/verification", {"device_names": ["lamp-2"]}).status_code == 409
    assert wait_for_end(pipeline, verification["monitoring_job_id"], emulator, clock)["status"] == "succeeded"
    assert pipeline.get(address).json()["ready"]

    new_batch = {"target": "ALL", "source_versions": ["1.0.0"], "rate": 100}
    batch = pipeline.post(f"{address}/static-batches", new_batch).json()
    job = wait_for_end(pipeline, batch["monitoring_job_id"], emulator, clock)
    assert (job["succeeded"], job["failed"], job["counts"]) == (4, 0, {"SUCCEEDED": 4})
    at = f"sandbox/ota/batches/{batch['batch_id']}"
    assert pipeline.get(at).json()["status"] == "COMPLETED"
    assert pipeline.get(f"{at}/counts").json()["counts"]["SUCCEEDED"] == 4
    history = pipeline.get(f"{at}/history").json()
    assert [sum(one["counts"].values()) for one in history] == [4] * len(history)
    assert history[-1]["counts"]["SUCCEEDED"] == 4
    (task,) = pipeline.get(f"{at}/tasks?device_name=lamp-3").json()["items"]
    assert (task["device_name"], task["status"]) == ("lamp-3", "SUCCEEDED")
    for lamp in ("lamp-1", "lamp-5"):
        updates = pipeline.get(f"sandbox/devices/{lamps}/{lamp}/updates").json()
        assert updates == {
            "module_versions": [{"module": "default", "version": "2.0.0"}],
            "active_updates": [],
        }

    records = AuditRecord.objects.filter(
        token=pipeline.credentials.token.label, connection=org.connection.slug
    )
    assert [(one.operation, one.outcome) for one in records.order_by("pk")] == [
        ("GenerateOTAUploadURL", "done"),
        ("CreateOTAFirmware", "done"),
        ("CreateOTAVerifyJob", "done"),
        ("CreateOTAVerifyJob", "failed"),
        ("CreateOTAStaticUpgradeJob", "done"),
    ]


# -- uploading ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "field"),
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
        ({"color": "red"}, "color"),
        ({"product_key": "x" * 65}, "product_key"),
    ],
)
def test_an_invalid_package_is_refused_with_the_name_of_the_field_before_the_upload(
    fields: dict[str, Any], field: str, lamps: str, org: Organization, pipeline: Program, calls: list[str]
) -> None:
    response = upload(pipeline, **{"product_key": lamps, **fields})
    assert problem_kind(response) == "validation-failed"
    assert [error["field"] for error in response.json()["errors"]] == [field]
    assert "GenerateOTAUploadURL" not in calls


def test_an_unknown_field_of_a_package_is_refused_with_the_valid_fields(
    lamps: str, pipeline: Program
) -> None:
    [error] = upload(pipeline, lamps, color="red").json()["errors"]
    assert error["message"].startswith("Unknown field. Valid fields: product_key, name, ")
    assert error["message"].endswith(", file.")


def test_a_delta_package_has_all_values_it_was_created_with(lamps: str, pipeline: Program) -> None:
    pipeline.post(f"sandbox/products/{lamps}/modules", {"name": "radio"})
    fields = {"module": "radio", "source_version": "1.0.0", "description": "Smaller", "message": "now"}
    created = upload(pipeline, lamps, delta="true", verify="false", **fields).json()
    package = pipeline.get(f"{PACKAGES}/{created['package_id']}").json()
    assert {name: package[name] for name in fields} == fields
    assert (package["delta"], package["verification"]) == (True, "not_required")
    address = f"{PACKAGES}/{created['package_id']}"
    assert pipeline.send("DELETE", address).status_code == 204
    assert pipeline.get(address).status_code == 404


class UnreadableBody:
    """A body that must not be read."""

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
def test_a_token_without_permission_is_refused_before_its_file_is_read(
    role: str, length: int, expected: int, org: Organization, create_program: CreateProgram
) -> None:
    response = Client().generic(
        "POST",
        f"/api/v1/{PACKAGES}",
        content_type="multipart/form-data; boundary=x",
        headers={
            "Authorization": f"Bearer {create_program('owner', role).credentials.key}",
            "Idempotency-Key": "one",
        },
        **{"CONTENT_LENGTH": str(length), "wsgi.input": UnreadableBody()},
    )
    assert response.status_code == expected


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
        ("application/json", b"{}", "validation-failed"),
    ],
)
def test_a_malformed_form_is_refused(
    content_type: str,
    content: bytes,
    expected: str,
    key: dict[str, str],
    org: Organization,
    pipeline: Program,
) -> None:
    headers = {"Authorization": f"Bearer {pipeline.credentials.key}", **key}
    response = Client().generic("POST", f"/api/v1/{PACKAGES}", content, content_type, headers=headers)
    assert problem_kind(response) == expected


def test_a_package_of_a_product_out_of_scope_is_not_uploaded(
    lamps: str, org: Organization, create_program: CreateProgram, calls: list[str]
) -> None:
    limited = AccessScope(products=frozenset({"anotherkey1"}))
    program = create_program("owner", "release-engineer", access_scope=limited)
    assert upload(program, lamps).status_code in {403, 404}
    assert "GenerateOTAUploadURL" not in calls
    assert packages(org) == ()


def test_a_duplicate_name_is_refused_and_the_idempotency_key_can_be_used_again(
    lamps: str, pipeline: Program
) -> None:
    upload(pipeline, lamps)
    assert problem_kind(upload(pipeline, lamps, key="one")) == "already-exists"
    assert upload(pipeline, lamps, key="one", name="lamp-3", version="3.0.0").status_code == 201


# -- verifying, confirming, canceling ------------------------------------------------------------------------------------


def test_a_verification_needs_approval_if_a_rule_requires_it(
    lamps: str, set_rules: Callable[..., None], pipeline: Program
) -> None:
    set_rules(batch=1)
    package_id = upload(pipeline, lamps).json()["package_id"]
    response = pipeline.post(f"{PACKAGES}/{package_id}/verification", {"device_names": ["lamp-1", "lamp-2"]})
    assert response.status_code == 202
    assert ApprovalRequest.objects.get(pk=response.json()["id"]).operation == "CreateOTAVerifyJob"
    assert pipeline.get(f"{PACKAGES}/{package_id}").json()["verification"] == "unverified"


def test_waiting_tasks_can_be_confirmed_or_canceled_one_by_one(lamps: str, pipeline: Program) -> None:
    package_id = upload(pipeline, lamps, verify="false").json()["package_id"]
    new_batch = {"target": "ALL", "need_confirm": True}
    batch = pipeline.post(f"{PACKAGES}/{package_id}/static-batches", new_batch).json()["batch_id"]
    at = f"sandbox/ota/batches/{batch}"
    tasks = {one["device_name"]: one for one in pipeline.get(f"{at}/tasks").json()["items"]}
    confirmed, canceled = (f"{tasks[name]['id']}/{name}" for name in ("lamp-1", "lamp-2"))
    results = [pipeline.post(f"{at}/tasks/bulk/confirm", {"keys": [confirmed]}).json() for _twice in range(2)]
    assert [(result["succeeded"], result["failed"]) for result in results] == [(1, 0), (0, 1)]
    assert pipeline.post(f"{at}/tasks/bulk/cancel", {"keys": [canceled]}).json()["succeeded"] == 1
    result = pipeline.get(f"{at}/counts").json()
    assert (result["counts"]["CONFIRM"], result["counts"]["CANCELED"], result["total"]) == (3, 1, 5)


@pytest.mark.parametrize(
    ("batch", "message"),
    [
        ({"target": "ALL", "source_versions": ["2.0.0"]}, "version of the package"),
        ({"target": "ALL", "multi_module": True, "overwrite": True}, "multiple modules"),
        (
            {"target": "ALL", "retry_count": 1, "retry_interval": 60, "timeout": 60},
            "shorter than the timeout",
        ),
        ({"target": "GRAY", "percent": "0"}, "greater than 0"),
        ({"target": "GRAY"}, "greater than 0"),
        ({"target": "SPECIFIC"}, "at least one device name"),
        ({"target": "GROUP"}, "Select a group"),
        ({"target": "ALL", "percent": "10"}, "GRAY requires percent"),
        ({"target": "ALL", "scheduled_end_at": "2099-01-01T00:00:00Z"}, "Set a start time"),
        ({"target": "ALL", "tags": {"a b": "c"}}, "pattern"),
        ({"target": "ALL", "scheduled_start_at": "2020-01-01T00:00:00Z"}, "5 minutes to 7 days"),
        ({"target": "ALL", "scheduled_start_at": "tomorrow"}, "date and time with a time zone"),
        ({"target": "SPECIFIC", "device_names": ["a b"]}, "pattern"),
        ({"target": "SOME"}, "Must be one of: 'ALL', 'SPECIFIC', 'GRAY' or 'GROUP'."),
        ({"target": "ALL", "rate": "many"}, "Must be a whole number."),
        ({"target": "ALL", "rate": 1}, "Must be 10 or more."),
        ({}, "This field is required."),
    ],
)
def test_an_invalid_batch_is_refused_with_a_plain_message(
    batch: dict[str, Any], message: str, lamps: str, pipeline: Program, calls: list[str]
) -> None:
    package_id = upload(pipeline, lamps, verify="false").json()["package_id"]
    response = pipeline.post(f"{PACKAGES}/{package_id}/static-batches", batch)
    assert problem_kind(response) == "validation-failed"
    assert message in response.json()["errors"][0]["message"]
    assert "CreateOTAStaticUpgradeJob" not in calls


# -- modules -----------------------------------------------------------------------------------------------------------


def test_modules_can_be_created_edited_and_deleted_except_the_default_one(
    lamps: str, pipeline: Program
) -> None:
    at = f"sandbox/products/{lamps}/modules"
    assert pipeline.post(at, {"name": "radio", "alias": "Radio"}).status_code == 201
    assert problem_kind(pipeline.post(at, {"name": "RADIO"})) == "already-exists"
    assert problem_kind(pipeline.post(at, {"name": "default"})) == "validation-failed"
    change = {"alias": "Modem", "description": "LTE"}
    assert pipeline.send("PATCH", f"{at}/radio", change).status_code == 204
    assert problem_kind(pipeline.send("PATCH", f"{at}/radio", {"description": "5G"})) == "validation-failed"
    assert pipeline.send("PATCH", f"{at}/default", change).status_code == 404
    modules = {module["name"]: module for module in pipeline.get(at).json()}
    assert (modules["radio"]["alias"], modules["radio"]["description"]) == ("Modem", "LTE")
    assert modules["default"]["default"]
    assert pipeline.send("DELETE", f"{at}/radio").status_code == 204
    assert [one["name"] for one in pipeline.get(at).json()] == ["default"]
