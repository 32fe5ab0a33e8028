"""Every operation of the OpenAPI document × every role, narrowed or not × every method; and every answer × its schema.

A new operation without an expectation fails here: decide who may use it, and write it down.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import product
from typing import Any

import pytest
from django.test import Client
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from console.access.models import AuditRecord
from console.access.scope import AccessScope
from console.api.document import PREFIX, document, operations
from console.api.urls import urlpatterns
from console.approvals.models import ApprovalRequest
from console.connections.models import Connection
from console.jobs.models import Job
from tests.api.conftest import MakeProgram, Program
from tests.populated import PopulatedTeam

ROLES = ("viewer", "operator", "release-engineer", "administrator")
EVERYBODY, FLEET = frozenset(ROLES), frozenset({"operator", "administrator"})
RELEASES, ADMINS = frozenset({"release-engineer", "administrator"}), frozenset({"administrator"})


@dataclass(frozen=True)
class Ask:
    """Who may, what is asked, and what they are answered."""

    may: frozenset[str]
    answer: int = 200
    body: Any = None
    query: str = ""
    file: tuple[str, bytes] | None = None


BATCH = {"target": "SPECIFIC", "names": ["meter-00001"]}
EXPECTED: dict[str, Ask] = {
    "get_token": Ask(EVERYBODY),
    "list_connections": Ask(EVERYBODY),
    "list_products": Ask(EVERYBODY),
    "create_product": Ask(FLEET, 201, {"name": "made_by_api"}),
    "get_product": Ask(EVERYBODY),
    "edit_product": Ask(FLEET, 204, {"name": "renamed_by_api"}),
    "delete_product": Ask(FLEET, 409),  # it is published
    "publish_product": Ask(FLEET, 204),
    "unpublish_product": Ask(FLEET, 204),
    "set_product_tag": Ask(FLEET, 204, {"value": "here"}),
    "remove_product_tag": Ask(FLEET, 204),
    "list_devices": Ask(EVERYBODY, query="product_key={product_key}"),
    "search_devices": Ask(EVERYBODY, query="text={name}"),
    "register_device": Ask(FLEET, 201, {"product_key": "{product_key}", "name": "made-by-api"}),
    "get_device": Ask(EVERYBODY),
    "rename_device": Ask(FLEET, 204, {"nickname": "Boiler"}),
    "delete_device": Ask(FLEET, 204),
    "enable_device": Ask(FLEET, 204),
    "disable_device": Ask(FLEET, 204),
    "list_groups": Ask(EVERYBODY),
    "create_group": Ask(FLEET, 201, {"name": "made_by_api"}),
    "get_group": Ask(EVERYBODY),
    "edit_group": Ask(FLEET, 204, {"description": "Changed"}),
    "delete_group": Ask(FLEET, 204),
    "list_group_devices": Ask(EVERYBODY),
    "add_group_devices": Ask(FLEET, 200, {"product_key": "{product_key}", "names": ["{name}"]}),
    "remove_group_devices": Ask(
        FLEET, 200, {"devices": [{"product_key": "{product_key}", "name": "{name}"}]}
    ),
    "list_device_groups": Ask(EVERYBODY),
    "get_device_updates": Ask(EVERYBODY),
    "set_device_tag": Ask(FLEET, 204, {"value": "here"}),
    "remove_device_tag": Ask(FLEET, 204),
    "act_on_devices": Ask(
        FLEET, 200, {"action": "disable", "devices": [{"product_key": "{product_key}", "name": "{name}"}]}
    ),
    "set_group_tag": Ask(FLEET, 204, {"value": "here"}),
    "remove_group_tag": Ask(FLEET, 204),
    "list_packages": Ask(EVERYBODY),
    "create_package": Ask(
        RELEASES,
        201,
        {"product_key": "{product_key}", "name": "made_by_api", "version": "9.9.9"},
        file=("firmware.bin", b"firmware"),
    ),
    "get_package": Ask(EVERYBODY),
    "delete_package": Ask(RELEASES, 204),
    "verify_package": Ask(RELEASES, 409, {"names": ["meter-00001"]}),  # it is verified
    "list_modules": Ask(EVERYBODY),
    "create_module": Ask(RELEASES, 201, {"name": "made_by_api"}),
    "edit_module": Ask(RELEASES, 204, {"alias": "Modem", "description": "Changed"}),
    "delete_module": Ask(RELEASES, 204),
    "list_batches": Ask(EVERYBODY),
    "create_static_batch": Ask(RELEASES, 201, {"target": "ALL"}),
    "create_dynamic_batch": Ask(
        RELEASES, 409, {"source_versions": ["0.0.9"]}
    ),  # the package is for another version
    "get_batch": Ask(EVERYBODY),
    "list_tasks": Ask(EVERYBODY),
    "count_tasks": Ask(EVERYBODY),
    "get_batch_history": Ask(EVERYBODY),
    "watch_batch": Ask(RELEASES, 202),
    "cancel_devices": Ask(RELEASES, 404, {"names": ["not-of-the-batch"]}),
    "confirm_tasks": Ask(RELEASES, 404, {"task_ids": ["never-was-one"]}),
    "cancel_batch": Ask(RELEASES, 204, {"states": ["QUEUED"]}),
    "stop_batch": Ask(RELEASES, 409),  # it is no dynamic one
    "register_devices": Ask(
        FLEET, 202, {"product_key": "{product_key}", "devices": [{"name": "made-by-api"}]}
    ),
    "upload_registration": Ask(
        FLEET, 202, {"product_key": "{product_key}"}, file=("devices.csv", b"DeviceName\nmade-by-api\n")
    ),
    "register_random_devices": Ask(FLEET, 202, {"product_key": "{product_key}", "count": 2}),
    "list_jobs": Ask(EVERYBODY),
    "get_job": Ask(EVERYBODY),
    "list_job_rows": Ask(EVERYBODY),
    "get_job_result": Ask(EVERYBODY),
    "get_job_findings": Ask(EVERYBODY),
    "get_job_invalid_rows": Ask(EVERYBODY),
    "choose_columns": Ask(FLEET, 409, {"name": 0}),  # it was started
    "start_job": Ask(FLEET, 409),  # it was started
    "cancel_job": Ask(FLEET),
    "retry_job": Ask(FLEET, 409),  # it is not over
    "discard_job": Ask(FLEET, 409),  # it was started
    "get_approval": Ask(EVERYBODY),
    "list_audit_records": Ask(ADMINS),
    "export_audit_records": Ask(ADMINS),
}
BY_ID = {
    operation["operationId"]: (path, method, operation) for path, method, operation in operations(document())
}


# What an operation is asked about instead.
INSTEAD = {name: {"name": "radio"} for name in ("edit_module", "delete_module")}


def named(populated: PopulatedTeam) -> dict[str, Any]:
    """What paths, queries and bodies name, filled with things of the team."""
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


def filled(value: Any, names: dict[str, Any]) -> Any:
    if isinstance(value, str):
        return value.format(**names)
    if isinstance(value, list):
        return [filled(one, names) for one in value]
    return {key: filled(one, names) for key, one in value.items()} if isinstance(value, dict) else value


def ask(program: Program, name: str, names: dict[str, Any]) -> Any:
    """The answer to the operation `name`."""
    path, method, _operation = BY_ID[name]
    wanted, names = EXPECTED[name], names | INSTEAD.get(name, {})
    address = path.removeprefix(PREFIX).format(**names)
    if wanted.query:
        address += "?" + filled(wanted.query, names)
    body = filled(wanted.body, names)
    if wanted.file:
        return program.upload(address, *wanted.file, **body)
    return program.ask(method, address, body)


def content_of(answer: Any) -> bytes:
    return b"".join(answer.streaming_content) if answer.streaming else answer.content


def test_every_operation_has_an_expectation() -> None:
    assert set(BY_ID) == set(EXPECTED)


def test_every_address_is_in_the_document() -> None:
    told = {path.removeprefix(PREFIX) for path in document()["paths"]}
    served = {
        str(pattern.pattern).replace("slug:", "").replace("int:", "").replace("<", "{").replace(">", "}")
        for pattern in urlpatterns
    }
    assert served - told == {"openapi.json", ""}


def test_the_document_is_valid_openapi() -> None:
    assert document()["openapi"].startswith("3.1")
    OpenAPIV31SpecValidator(json.loads(json.dumps(document()))).validate()


def test_every_operation_says_what_it_does_and_how_it_fails() -> None:
    for path, method, operation in operations(document()):
        assert len(operation["description"]) >= 12, path
        assert operation["tags"], path
        answers = set(operation["responses"])
        assert {"401", "403", "429", "500"} <= answers, path
        assert not answers.isdisjoint({"200", "201", "202", "204"}), path
        headers = {p["name"] for p in operation.get("parameters", []) if p["in"] == "header"}
        assert ("Idempotency-Key" in headers) == (method == "post"), path
        assert headers <= {"Idempotency-Key", "Approval-Reason"}


@pytest.mark.parametrize("name", EXPECTED)
def test_each_role_gets_what_it_may_and_no_more(
    populated: PopulatedTeam, program: MakeProgram, name: str
) -> None:
    wanted, names = EXPECTED[name], named(populated)
    if name == "remove_product_tag":
        ask(program("owner", "administrator", name="first"), "set_product_tag", names)
    if name == "unpublish_product":
        ask(program("owner", "administrator", name="first"), "publish_product", names)
    populated.upstream.writes.clear()
    for role, of_team in product(sorted(EVERYBODY - wanted.may), (False, True)):
        refused = program("owner", role, name=f"{role} {of_team}", team_token=of_team)
        answer = ask(refused, name, names)
        assert answer.status_code == 403, f"{role}: {content_of(answer)!r}"
        assert answer["Content-Type"] == "application/problem+json"
    assert populated.upstream.writes == [], "a refused request reached the platform"
    first, *others = product(sorted(wanted.may), (False, True))
    answer = ask(program("owner", first[0]), name, names)
    content = content_of(answer)
    assert answer.status_code == wanted.answer, f"{first}: {content!r}"
    if BY_ID[name][1] == "get":
        assert populated.upstream.writes == [], "reading changed something"
    check(name, answer.status_code, answer["Content-Type"], content)
    for role, of_team in others:  # what the first did may be in their way, their role is not
        allowed = program("owner", role, name=f"{role} {of_team}", team_token=of_team)
        answer = ask(allowed, name, names)
        assert answer.status_code not in {401, 403, 405}, f"{role}: {content_of(answer)!r}"


@pytest.mark.parametrize("name", [name for name, wanted in EXPECTED.items() if wanted.may == EVERYBODY])
def test_every_role_reads_what_everybody_may(
    populated: PopulatedTeam, program: MakeProgram, name: str
) -> None:
    for role in ROLES:
        assert ask(program("owner", role), name, named(populated)).status_code == 200, role


def check(name: str, status: int, content_type: str, content: bytes) -> None:
    """Hold an answer against the schema that the document gives for it."""
    described = BY_ID[name][2]["responses"][str(status)]
    if "$ref" in described:
        described = document()["components"]["responses"][str(status)]
    contents = described.get("content", {})
    if not contents:
        assert content == b""
        return
    assert content_type.partition(";")[0] in contents
    schema = contents[content_type.partition(";")[0]].get("schema")
    if schema is not None:
        root = {**schema, "components": document()["components"]}
        validator = Draft202012Validator(root, format_checker=Draft202012Validator.FORMAT_CHECKER)
        validator.validate(json.loads(content))


def test_what_is_narrowed_to_other_products_reaches_nothing_of_this_one(
    populated: PopulatedTeam, program: MakeProgram
) -> None:
    names = named(populated)
    elsewhere = program(
        "owner", "administrator", access_scope=AccessScope(products=frozenset({"anotherkey1"}))
    )
    harmless = {"get_token", "list_connections"}
    for name in set(EXPECTED) - harmless:
        answer = ask(elsewhere, name, names)
        content = content_of(answer)
        assert answer.status_code in {200, 403, 404, 409}, f"{name}: {answer.status_code} {content!r}"
        if answer.status_code == 200:
            assert names["product_key"].encode() not in content, name
            assert json.loads(content).get("items") in ([], None), name
    assert populated.upstream.writes == []


def test_what_is_narrowed_to_a_connection_finds_no_other(
    populated: PopulatedTeam, program: MakeProgram
) -> None:
    org = populated.org
    second = Connection.objects.create(
        team=org.team,
        slug="second",
        name="Second",
        endpoint="http://emulator.test",
        access_key_id="a",
        access_key_secret="b",
    )
    only = program("owner", "administrator", access_scope=AccessScope(connections=frozenset({second.pk})))
    assert [one["slug"] for one in only.get("connections").json()] == ["second"]
    assert only.get("audit").status_code == 403
    for name in (name for name, (path, _m, _o) in BY_ID.items() if "{connection}" in path):
        assert ask(only, name, named(populated)).status_code == 404, name
    assert populated.upstream.writes == []


def test_nothing_of_another_team_is_found(populated: PopulatedTeam, program: MakeProgram) -> None:
    stranger = program("outsider", "administrator")
    theirs = named(populated)
    for name in (name for name, (path, _m, _o) in BY_ID.items() if "{connection}" in path):
        assert ask(stranger, name, theirs).status_code == 404, name
    own = theirs | {"connection": populated.org.other_connection.slug}
    numbered = [
        name for name, (path, _m, _o) in BY_ID.items() if "{job_id}" in path or "{approval_id}" in path
    ]
    for name in numbered:
        assert ask(stranger, name, own).status_code == 404, name
    assert Job.objects.get(pk=theirs["job_id"]).state == "queued"
    AuditRecord.objects.create(team=populated.org.team, operation="secret.of.acme", actor_label="x")
    assert "secret.of.acme" not in stranger.get("audit").content.decode()
    assert populated.upstream.writes == []


def test_without_a_token_that_works_everything_is_refused_alike(populated: PopulatedTeam) -> None:
    names = named(populated)
    for name, (path, method, _operation) in BY_ID.items():
        answer = Client().generic(method.upper(), path.format(**names))
        assert answer.status_code == 401, name
        assert answer["Cache-Control"] == "no-store"


def test_no_other_method_does_anything(populated: PopulatedTeam, program: MakeProgram) -> None:
    owner, names = program("owner", "administrator"), named(populated)
    for path, methods in document()["paths"].items():
        for method in {"get", "post", "put", "patch", "delete", "options", "trace"} - set(methods):
            answer = owner.ask(method, path.removeprefix(PREFIX).format(**names))
            assert answer.status_code == 405, f"{method} {path}"
            assert set(answer["Allow"].lower().split(", ")) == set(methods)
            assert answer["Content-Type"] == "application/problem+json"
    assert populated.upstream.writes == []


@pytest.mark.parametrize(
    "path", ["", "nothing", "sandbox/nothing", "sandbox/products/", "token/", "../api/v1/x"]
)
def test_an_address_that_there_is_not_is_a_problem(org: Any, path: str) -> None:
    answer = Client().get(f"{PREFIX}{path}")
    assert answer.status_code == 404
    assert answer["Content-Type"] == "application/problem+json"
