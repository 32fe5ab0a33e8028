"""Every operation of the OpenAPI document × every role, limited or not × every method; and every response × its schema.

A new operation without an expectation fails here: decide which roles may use it, and add it to EXPECTED.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest
from django.test import Client
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from console.accounts.scope import AccessScope
from console.api.document import PREFIX, document, operations
from console.api.urls import urlpatterns
from console.audit.models import AuditRecord
from console.connections.models import Connection
from console.jobs.models import Job
from tests.api.expectations import BY_ID, EXPECTED, ROLES, call_operation, find_names, read_content
from tests.api_programs import CreateProgram
from tests.populated import PopulatedTeam
from tests.roles import EVERYBODY


def test_every_operation_has_an_expectation() -> None:
    assert set(BY_ID) == set(EXPECTED)


def test_every_address_is_in_the_document() -> None:
    documented = {path.removeprefix(PREFIX) for path in document()["paths"]}
    served = {
        str(pattern.pattern).replace("slug:", "").replace("int:", "").replace("<", "{").replace(">", "}")
        for pattern in urlpatterns
    }
    assert served - documented == {"openapi.json", ""}


def test_the_document_is_valid_openapi() -> None:
    assert document()["openapi"].startswith("3.1")
    OpenAPIV31SpecValidator(json.loads(json.dumps(document()))).validate()


def test_every_operation_has_a_description_and_its_error_responses() -> None:
    for path, method, operation in operations(document()):
        assert len(operation["description"]) >= 12, path
        assert operation["tags"], path
        responses = set(operation["responses"])
        assert {"401", "403", "429", "500"} <= responses, path
        assert not responses.isdisjoint({"200", "201", "202", "204"}), path
        headers = {p["name"] for p in operation.get("parameters", []) if p["in"] == "header"}
        assert ("Idempotency-Key" in headers) == (method == "post"), path
        assert headers <= {"Idempotency-Key", "Approval-Reason"}


def list_schemas(schema: Any) -> Iterator[dict[str, Any]]:
    """Yield the schema with all those that it refers to or contains."""
    if "$ref" in schema:
        schema = document()["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    yield schema
    inner = [*schema.get("anyOf", []), *schema.get("properties", {}).values()]
    for one in [*inner, *([schema["items"]] if "items" in schema else [])]:
        yield from list_schemas(one)


@pytest.mark.parametrize("name", BY_ID)
def test_every_parameter_and_field_of_a_request_has_its_limits_in_the_document(name: str) -> None:
    _path, _method, operation = BY_ID[name]
    content = operation.get("requestBody", {}).get("content", {}).values()
    requests = [parameter["schema"] for parameter in operation.get("parameters", [])]
    requests += [one["schema"] for one in content]
    limits = {"string": {"maxLength", "pattern", "format"}, "integer": {"maximum", "exclusiveMaximum"}}
    for schema in (one for request in requests for one in list_schemas(request)):
        expected = limits.get(schema.get("type"), {"maxItems"} if schema.get("type") == "array" else set())
        assert not expected or (expected | {"enum", "const"}) & schema.keys(), schema


def test_every_operation_with_a_name_or_id_in_its_path_is_linked() -> None:
    linked = {
        target
        for _path, _method, operation in BY_ID.values()
        for response in operation["responses"].values()
        for target in response.get("links", {})
    }
    # The keys of tags are in no list of their own.
    with_id = {name for name, (path, _method, _operation) in BY_ID.items() if path.count("{") > 1}
    assert {name for name in with_id - linked if "{tag}" not in BY_ID[name][0]} == set()


@pytest.mark.parametrize("name", EXPECTED)
def test_each_role_gets_what_it_may_and_no_more(
    populated: PopulatedTeam, create_program: CreateProgram, name: str
) -> None:
    expectation, names = EXPECTED[name], find_names(populated)
    if name == "remove_product_tag":
        call_operation(create_program("owner", "administrator", name="first"), "set_product_tag", names)
    if name == "unpublish_product":
        call_operation(create_program("owner", "administrator", name="first"), "publish_product", names)
    populated.upstream.writes.clear()
    for role, of_team in product(sorted(ROLES - expectation.may), (False, True)):
        refused = create_program("owner", role, name=f"{role} {of_team}", team_token=of_team)
        response = call_operation(refused, name, names)
        assert response.status_code == 403, f"{role}: {read_content(response)!r}"
        assert response["Content-Type"] == "application/problem+json"
    assert populated.upstream.writes == [], "a refused request reached the platform"
    first, *others = product(sorted(ROLES & expectation.may), (False, True))
    response = call_operation(create_program("owner", first[0]), name, names)
    content = read_content(response)
    assert response.status_code == expectation.status, f"{first}: {content!r}"
    if BY_ID[name][1] == "get":
        assert populated.upstream.writes == [], "a read changed something"
    check_schema(name, response.status_code, response["Content-Type"], content)
    for role, of_team in others:  # the first call may affect them, their role must not
        allowed = create_program("owner", role, name=f"{role} {of_team}", team_token=of_team)
        response = call_operation(allowed, name, names)
        assert response.status_code not in {401, 403, 405}, f"{role}: {read_content(response)!r}"


@pytest.mark.parametrize("name", EXPECTED)
def test_an_unknown_query_parameter_is_refused_by_every_operation(
    populated: PopulatedTeam, create_program: CreateProgram, name: str
) -> None:
    path, method, operation = BY_ID[name]
    address = path.removeprefix(PREFIX).format(**find_names(populated)) + "?nosuch=1"
    response = create_program("owner", "administrator").send(method, address)
    assert response.status_code == 422
    [error] = response.json()["errors"]
    assert error["field"] == "nosuch"
    for parameter in operation.get("parameters", []):
        assert (parameter["in"] == "query") == (parameter["name"] in error["message"]), error["message"]
    assert "422" in operation["responses"]
    assert populated.upstream.writes == []


@pytest.mark.parametrize(
    "name", [name for name, expectation in EXPECTED.items() if expectation.may == EVERYBODY]
)
def test_every_role_can_read_what_is_open_to_everybody(
    populated: PopulatedTeam, create_program: CreateProgram, name: str
) -> None:
    for role in ROLES:
        assert (
            call_operation(create_program("owner", role), name, find_names(populated)).status_code == 200
        ), role


def check_schema(name: str, status: int, content_type: str, content: bytes) -> None:
    """Check a response against its schema in the document."""
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


def test_a_token_limited_to_other_products_cannot_access_this_one(
    populated: PopulatedTeam, create_program: CreateProgram
) -> None:
    names = find_names(populated)
    limited = create_program(
        "owner", "administrator", access_scope=AccessScope(products=frozenset({"anotherkey1"}))
    )
    harmless = {"get_token", "list_connections"}
    for name in set(EXPECTED) - harmless:
        response = call_operation(limited, name, names)
        content = read_content(response)
        assert response.status_code in {200, 403, 404, 409}, f"{name}: {response.status_code} {content!r}"
        if response.status_code == 200:
            assert names["product_key"].encode() not in content, name
            assert json.loads(content).get("items") in ([], None), name
    assert populated.upstream.writes == []


def test_a_token_limited_to_one_connection_finds_no_other(
    populated: PopulatedTeam, create_program: CreateProgram
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
    only = create_program(
        "owner", "administrator", access_scope=AccessScope(connections=frozenset({second.pk}))
    )
    assert [one["slug"] for one in only.get("connections").json()] == ["second"]
    assert only.get("audit").status_code == 403
    for name in (name for name, (path, _m, _o) in BY_ID.items() if "{connection}" in path):
        assert call_operation(only, name, find_names(populated)).status_code == 404, name
    assert populated.upstream.writes == []


def test_nothing_of_another_team_is_found(populated: PopulatedTeam, create_program: CreateProgram) -> None:
    outsider = create_program("outsider", "administrator")
    theirs = find_names(populated)
    for name in (name for name, (path, _m, _o) in BY_ID.items() if "{connection}" in path):
        assert call_operation(outsider, name, theirs).status_code == 404, name
    own = theirs | {"connection": populated.org.other_connection.slug}
    numbered = [
        name for name, (path, _m, _o) in BY_ID.items() if "{job_id}" in path or "{approval_id}" in path
    ]
    for name in numbered:
        assert call_operation(outsider, name, own).status_code == 404, name
    assert Job.objects.get(pk=theirs["job_id"]).state == "queued"
    AuditRecord.objects.create(team=populated.org.team, operation="secret.of.acme", actor_label="x")
    assert "secret.of.acme" not in outsider.get("audit").content.decode()
    assert populated.upstream.writes == []


def test_every_operation_refuses_requests_without_a_valid_token(populated: PopulatedTeam) -> None:
    names = find_names(populated)
    for name, (path, method, _operation) in BY_ID.items():
        response = Client().generic(method.upper(), path.format(**names))
        assert response.status_code == 401, name
        assert response["Cache-Control"] == "no-store"


def test_no_other_method_is_allowed(populated: PopulatedTeam, create_program: CreateProgram) -> None:
    owner, names = create_program("owner", "administrator"), find_names(populated)
    for path, methods in document()["paths"].items():
        for method in {"get", "post", "put", "patch", "delete", "options", "trace"} - set(methods):
            response = owner.send(method, path.removeprefix(PREFIX).format(**names))
            assert response.status_code == 405, f"{method} {path}"
            assert set(response["Allow"].lower().split(", ")) == set(methods)
            assert response["Content-Type"] == "application/problem+json"
    assert populated.upstream.writes == []


@pytest.mark.parametrize(
    "path", ["", "nothing", "sandbox/nothing", "sandbox/products/", "token/", "../api/v1/x"]
)
def test_an_unknown_address_responds_with_a_problem(org: Any, path: str) -> None:
    response = Client().get(f"{PREFIX}{path}")
    assert response.status_code == 404
    assert response["Content-Type"] == "application/problem+json"
