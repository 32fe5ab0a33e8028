"""What each operation of the HTTP API is expected to allow, and calls of them with example values.

Those of an area are in tests/areas/<area>/expectations.py.
"""

from __future__ import annotations

from typing import Any

from console.api.document import PREFIX, document, operations
from console.approvals.models import ApprovalRequest
from tests.api_programs import Program
from tests.expectations import AREAS
from tests.populated import PopulatedTeam
from tests.roles import ADMINS, EVERYBODY, FLEET, Expectation

ROLES = EVERYBODY - {"owner"}  # no token has the role of the owner

EXPECTED: dict[str, Expectation] = {
    "get_token": Expectation(EVERYBODY),
    "list_connections": Expectation(EVERYBODY),
    "list_jobs": Expectation(EVERYBODY),
    "get_job": Expectation(EVERYBODY),
    "list_job_items": Expectation(EVERYBODY),
    "download_job_results": Expectation(EVERYBODY),
    "start_job": Expectation(FLEET, 409),  # it was started
    "cancel_job": Expectation(FLEET),
    "retry_job": Expectation(FLEET, 409),  # it is not over
    "delete_job": Expectation(FLEET, 409),  # it was started
    "get_approval": Expectation(EVERYBODY),
    "list_audit_records": Expectation(ADMINS),
    "export_audit_records": Expectation(ADMINS),
}

for _area in AREAS.values():
    EXPECTED |= _area.OPERATIONS
BY_ID = {
    operation["operationId"]: (path, method, operation) for path, method, operation in operations(document())
}


def find_names(populated: PopulatedTeam) -> dict[str, Any]:
    """Return the values for the placeholders of paths, queries and bodies."""
    things = populated.things
    waiting = ApprovalRequest.objects.filter(state="waiting", operation="DeleteDevice")
    approval = waiting.first() or ApprovalRequest.objects.create(
        team=populated.org.team,
        connection=populated.org.connection,
        rule="device_deletion",
        state="waiting",
        operation="DeleteDevice",
        products=[things["devices"]["product_key"]],
        calls="[]",
    )
    names = {"connection": populated.org.connection.slug, "approval_id": approval.pk, "tag": "site"}
    for slug in reversed(AREAS):  # where two areas use the same name, the first one counts
        names |= things.get(slug, {})
    return names | {"job_id": things["jobs"]["job"]}


def fill_in(value: Any, names: dict[str, Any]) -> Any:
    if isinstance(value, str):
        return value.format(**names)
    if isinstance(value, list):
        return [fill_in(one, names) for one in value]
    return {key: fill_in(one, names) for key, one in value.items()} if isinstance(value, dict) else value


def call_operation(program: Program, name: str, names: dict[str, Any]) -> Any:
    """Call the operation `name` and return the response."""
    path, method, _operation = BY_ID[name]
    expectation = EXPECTED[name]
    address = path.removeprefix(PREFIX).format(**names)
    if expectation.query:
        address += "?" + fill_in(expectation.query, names)
    body = fill_in(expectation.body, names)
    if expectation.file:
        return program.upload(address, *expectation.file, **body)
    return program.send(method, address, body)


def read_content(response: Any) -> bytes:
    return b"".join(response.streaming_content) if response.streaming else response.content
