"""The page that documents the API, made from its OpenAPI document."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.views.decorators.http import require_safe

from console.access.http import UserRequest
from console.access.views import restore_last_team
from console.api.document import document, operations


@dataclass(frozen=True)
class Parameter:
    """A parameter, or a field of a body, as the page lists it."""

    name: str
    place: str
    type: str
    required: bool
    about: str


@dataclass(frozen=True)
class Endpoint:
    """An operation as the page shows it."""

    id: str
    method: str
    path: str
    about: str
    parameters: list[Parameter]
    answers: list[tuple[str, str]]
    errors: list[tuple[str, str]]
    curl: str


@dataclass
class Section:
    """The operations of one subject."""

    name: str
    endpoints: list[Endpoint] = field(default_factory=list)


@require_safe
def reference(request: UserRequest) -> HttpResponse:
    """Every operation with its parameters, answers, errors and an example for this console's address."""
    restore_last_team(request)
    base = request.build_absolute_uri("/").rstrip("/")
    context = {
        "sections": sections(base),
        "about": [_said(text) for text in document()["info"]["description"].split("\n\n")[1:]],
        "openapi": request.build_absolute_uri(reverse("api:openapi")),
        "base": base,
    }
    return render(request, "api/reference.html", context)


def sections(base: str) -> list[Section]:
    """The operations of the document by subject, in its order."""
    schema = document()
    found: dict[str, Section] = {}
    for path, method, operation in operations(schema):
        name = operation["tags"][0]
        found.setdefault(name, Section(name)).endpoints.append(
            _endpoint(schema, base, path, method, operation)
        )
    return list(found.values())


def _endpoint(
    schema: dict[str, Any], base: str, path: str, method: str, operation: dict[str, Any]
) -> Endpoint:
    parameters = [
        Parameter(
            one["name"], one["in"], _type(one["schema"]), one["required"], _said(one.get("description", ""))
        )
        for one in operation.get("parameters", [])
    ]
    content = operation.get("requestBody", {}).get("content", {})
    body = _resolved(schema, next(iter(content.values()))["schema"]) if content else {}
    parameters += _fields(schema, body)
    answers: list[tuple[str, str]] = []
    errors: list[tuple[str, str]] = []
    for status, answer in operation["responses"].items():
        told = _resolved(schema, answer)
        (errors if status >= "400" else answers).append((status, _said(told.get("description", ""))))
    return Endpoint(
        id=operation["operationId"],
        method=method.upper(),
        path=path,
        about=_said(operation["description"]),
        parameters=parameters,
        answers=[(status, _answered(operation["responses"][status]) or text) for status, text in answers],
        errors=errors,
        curl=_curl(base, path, method, content, body, schema),
    )


def _fields(schema: dict[str, Any], body: Mapping[str, Any]) -> list[Parameter]:
    needed = set(body.get("required", ()))
    return [
        Parameter(name, "body", _type(described), name in needed, _said(described.get("description", "")))
        for name, described in body.get("properties", {}).items()
    ]


def _said(text: str) -> SafeString:
    """A text of the document, its `names` in mono type."""
    parts = (
        format_html("<code>{}</code>" if place % 2 else "{}", part)
        for place, part in enumerate(text.split("`"))
    )
    return mark_safe("".join(parts))  # noqa: S308 - each part is escaped


def _type(described: Mapping[str, Any]) -> str:
    """A type in a few words: `string (date-time)`, `integer, 1 to 50`, `a, b or c`, `list of string`."""
    if "$ref" in described:
        return str(described["$ref"]).rpartition("/")[2]
    if "anyOf" in described:
        return " or ".join(
            dict.fromkeys(_type(one) for one in described["anyOf"] if one.get("type") != "null")
        )
    if "enum" in described:
        return ", ".join(str(value) or "“”" for value in described["enum"])
    if "const" in described:
        return str(described["const"])
    if described.get("type") == "array":
        return f"list of {_type(described.get('items', {}))}"
    kind = str(described.get("type", "any"))
    if "format" in described:
        kind += f" ({described['format']})"
    if "minimum" in described or "maximum" in described:
        kind += f", {described.get('minimum', '…')} to {described.get('maximum', '…')}"
    if "maxLength" in described:
        kind += f", at most {described['maxLength']}"
    return kind


def _answered(answer: Mapping[str, Any]) -> str:
    for content_type, content in answer.get("content", {}).items():
        return _type(content["schema"]) if "schema" in content else content_type
    return ""


def _resolved(schema: dict[str, Any], described: Mapping[str, Any]) -> dict[str, Any]:
    reference = described.get("$ref")
    if reference is None:
        return dict(described)
    found: Any = schema
    for part in reference.removeprefix("#/").split("/"):
        found = found[part]
    return dict(found)


def _curl(
    base: str,
    path: str,
    method: str,
    content: Mapping[str, Any],
    body: Mapping[str, Any],
    schema: dict[str, Any],
) -> str:
    """A command line for the operation; the token is taken from the environment, so that it stands in no history."""
    parts = ["curl"]
    if method != "get":
        parts.append(f"-X {method.upper()}")
    parts.append('-H "Authorization: Bearer $FLEETDESK_TOKEN"')
    if method == "post":
        parts.append('-H "Idempotency-Key: $(uuidgen)"')
    if "multipart/form-data" in content:
        needed = body.get("required", ())
        parts += [f"-F {name}={'@' if name == 'file' else ''}…" for name in needed]
    elif content:
        parts.append("-H 'Content-Type: application/json'")
        parts.append(f"-d '{json.dumps(_example(schema, body), ensure_ascii=False)}'")
    parts.append(f"'{base}{path}'")
    return " \\\n  ".join(parts)


def _example(schema: dict[str, Any], described: Mapping[str, Any]) -> Any:
    """A value of that type with what is required in it."""
    described = _resolved(schema, described)
    if "enum" in described:
        return described["enum"][0]
    kind = described.get("type")
    if kind == "object":
        needed = described.get("required", ()) or list(described.get("properties", {}))[:1]
        return {name: _example(schema, described["properties"][name]) for name in needed}
    if kind == "array":
        return [_example(schema, described.get("items", {}))]
    return {"integer": 1, "number": 1, "boolean": True}.get(str(kind), "…")
