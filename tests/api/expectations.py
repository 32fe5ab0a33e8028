"""What each operation of the HTTP API is expected to allow, and calls of them with example values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from console.api.document import PREFIX, document, operations
from console.approvals.models import ApprovalRequest
from tests.api.conftest import Program
from tests.populated import PopulatedTeam

ROLES = ("viewer", "operator", "release-engineer", "administrator")
EVERYBODY, FLEET = frozenset(ROLES), frozenset({"operator", "administrator"})
RELEASES, ADMINS = frozenset({"release-engineer", "administrator"}), frozenset({"administrator"})


@dataclass(frozen=True)
class Expectation:
    """The roles that may use an operation, an example request, and the status of its response."""

    may: frozenset[str]
    status: int = 200
    body: Any = None
    query: str = ""
    file: tuple[str, bytes] | None = None


EXPECTED: dict[str, Expectation] = {
    "get_token": Expectation(EVERYBODY),
    "list_connections": Expectation(EVERYBODY),
    "list_products": Expectation(EVERYBODY),
    "create_product": Expectation(FLEET, 201, {"name": "made_by_api"}),
    "get_product": Expectation(EVERYBODY),
    "edit_product": Expectation(FLEET, 204, {"name": "renamed_by_api"}),
    "delete_product": Expectation(FLEET, 409),  # it is published
    "publish_product": Expectation(FLEET, 204),
    "unpublish_product": Expectation(FLEET, 204),
    "set_product_tag": Expectation(FLEET, 204, {"value": "here"}),
    "remove_product_tag": Expectation(FLEET, 204),
    "list_devices": Expectation(EVERYBODY, query="product_key={product_key}"),
    "search_devices": Expectation(EVERYBODY, query="text={name}"),
    "register_device": Expectation(FLEET, 201, {"product_key": "{product_key}", "name": "made-by-api"}),
    "get_device": Expectation(EVERYBODY),
    "edit_device": Expectation(FLEET, 204, {"nickname": "Boiler"}),
    "delete_device": Expectation(FLEET, 204),
    "enable_device": Expectation(FLEET, 204),
    "disable_device": Expectation(FLEET, 204),
    "list_groups": Expectation(EVERYBODY),
    "create_group": Expectation(FLEET, 201, {"name": "made_by_api"}),
    "get_group": Expectation(EVERYBODY),
    "edit_group": Expectation(FLEET, 204, {"description": "Changed"}),
    "delete_group": Expectation(FLEET, 204),
    "list_group_devices": Expectation(EVERYBODY),
    "add_group_devices": Expectation(
        FLEET, 200, {"product_key": "{product_key}", "device_names": ["{name}"]}
    ),
    "remove_group_devices": Expectation(
        FLEET, 200, {"devices": [{"product_key": "{product_key}", "name": "{name}"}]}
    ),
    "list_device_groups": Expectation(EVERYBODY),
    "get_device_updates": Expectation(EVERYBODY),
    "set_device_tag": Expectation(FLEET, 204, {"value": "here"}),
    "remove_device_tag": Expectation(FLEET, 204),
    "run_device_action": Expectation(
        FLEET, 200, {"action": "disable", "devices": [{"product_key": "{product_key}", "name": "{name}"}]}
    ),
    "set_group_tag": Expectation(FLEET, 204, {"value": "here"}),
    "remove_group_tag": Expectation(FLEET, 204),
    "list_packages": Expectation(EVERYBODY),
    "create_package": Expectation(
        RELEASES,
        201,
        {"product_key": "{product_key}", "name": "made_by_api", "version": "9.9.9"},
        file=("firmware.bin", b"firmware"),
    ),
    "get_package": Expectation(EVERYBODY),
    "delete_package": Expectation(RELEASES, 204),
    "verify_package": Expectation(RELEASES, 409, {"device_names": ["meter-00001"]}),  # it is verified
    "list_modules": Expectation(EVERYBODY),
    "create_module": Expectation(RELEASES, 201, {"name": "made_by_api"}),
    "edit_module": Expectation(RELEASES, 204, {"alias": "Modem", "description": "Changed"}),
    "delete_module": Expectation(RELEASES, 204),
    "list_batches": Expectation(EVERYBODY),
    "create_static_batch": Expectation(RELEASES, 201, {"target": "ALL"}),
    "create_dynamic_batch": Expectation(
        RELEASES, 409, {"source_versions": ["0.0.9"]}
    ),  # the package is for another version
    "get_batch": Expectation(EVERYBODY),
    "list_tasks": Expectation(EVERYBODY),
    "count_tasks": Expectation(EVERYBODY),
    "get_batch_history": Expectation(EVERYBODY),
    "monitor_batch": Expectation(RELEASES, 202),
    "cancel_device_updates": Expectation(RELEASES, 404, {"device_names": ["not-of-the-batch"]}),
    "confirm_tasks": Expectation(RELEASES, 404, {"task_ids": ["never-was-one"]}),
    "cancel_batch": Expectation(RELEASES, 204, {"statuses": ["QUEUED"]}),
    "stop_batch": Expectation(RELEASES, 409),  # it is no dynamic one
    "register_devices": Expectation(
        FLEET, 202, {"product_key": "{product_key}", "devices": [{"name": "made-by-api"}]}
    ),
    "register_devices_from_file": Expectation(
        FLEET, 202, {"product_key": "{product_key}"}, file=("devices.csv", b"DeviceName\nmade-by-api\n")
    ),
    "register_generated_devices": Expectation(FLEET, 202, {"product_key": "{product_key}", "count": 2}),
    "list_jobs": Expectation(EVERYBODY),
    "get_job": Expectation(EVERYBODY),
    "list_job_rows": Expectation(EVERYBODY),
    "download_job_results": Expectation(EVERYBODY),
    "download_job_errors": Expectation(EVERYBODY),
    "download_invalid_rows": Expectation(EVERYBODY),
    "map_job_columns": Expectation(FLEET, 409, {"name": 0}),  # it was started
    "start_job": Expectation(FLEET, 409),  # it was started
    "cancel_job": Expectation(FLEET),
    "retry_job": Expectation(FLEET, 409),  # it is not over
    "delete_job": Expectation(FLEET, 409),  # it was started
    "get_approval": Expectation(EVERYBODY),
    "list_audit_records": Expectation(ADMINS),
    "export_audit_records": Expectation(ADMINS),
}
BY_ID = {
    operation["operationId"]: (path, method, operation) for path, method, operation in operations(document())
}

# Names that differ for some operations.
OTHER_NAMES = {name: {"name": "radio"} for name in ("edit_module", "delete_module")}


def find_names(populated: PopulatedTeam) -> dict[str, Any]:
    """Return the values for the placeholders of paths, queries and bodies."""
    things = populated.things
    waiting = ApprovalRequest.objects.filter(state="waiting", operation="DeleteDevice")
    approval = waiting.first() or ApprovalRequest.objects.create(
        team=populated.org.team,
        connection=populated.org.connection,
        rule="deletion",
        state="waiting",
        operation="DeleteDevice",
        products=[things["devices"]["product_key"]],
        calls="[]",
    )
    return {
        "approval_id": approval.pk,
        "connection": populated.org.connection.slug,
        "product_key": things["devices"]["product_key"],
        "name": things["devices"]["name"],
        "group_id": things["groups"]["group_id"],
        "package_id": things["ota"]["package_id"],
        "batch_id": things["ota"]["batch_id"],
        "job_id": things["jobs"]["job"],
        "tag": "site",
    }


def fill_in(value: Any, names: dict[str, Any]) -> Any:
    if isinstance(value, str):
        return value.format(**names)
    if isinstance(value, list):
        return [fill_in(one, names) for one in value]
    return {key: fill_in(one, names) for key, one in value.items()} if isinstance(value, dict) else value


def call_operation(program: Program, name: str, names: dict[str, Any]) -> Any:
    """Call the operation `name` and return the response."""
    path, method, _operation = BY_ID[name]
    expectation, names = EXPECTED[name], names | OTHER_NAMES.get(name, {})
    address = path.removeprefix(PREFIX).format(**names)
    if expectation.query:
        address += "?" + fill_in(expectation.query, names)
    body = fill_in(expectation.body, names)
    if expectation.file:
        return program.upload(address, *expectation.file, **body)
    return program.send(method, address, body)


def read_content(response: Any) -> bytes:
    return b"".join(response.streaming_content) if response.streaming else response.content
