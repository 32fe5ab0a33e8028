"""The API reference page, generated from the OpenAPI document."""

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
from django.utils.translation import gettext as _
from django.utils.translation import pgettext
from django.views.decorators.http import require_safe

from console.accounts.http import UserRequest
from console.api.document import INTRODUCTION, document, operations
from console.ui.format import join_sentences


@dataclass(frozen=True)
class Parameter:
    """A parameter or a body field of an endpoint, as the page lists it."""

    name: str
    location: str
    type: str
    required: bool
    description: str


@dataclass(frozen=True)
class Endpoint:
    """An operation, as the page shows it. `responses` and `errors`: pairs of a status and its description."""

    id: str
    method: str
    path: str
    description: str
    parameters: list[Parameter]
    responses: list[tuple[str, str]]
    errors: list[tuple[str, str]]
    curl: str


@dataclass
class Section:
    """The endpoints of one subject. `slug` is the anchor on the page."""

    slug: str
    name: str
    endpoints: list[Endpoint] = field(default_factory=list)


@require_safe
def reference(request: UserRequest) -> HttpResponse:
    """Show every operation with its parameters, responses, errors, and a curl example for this console's address."""
    base = request.build_absolute_uri("/").rstrip("/")
    context = {
        "sections": build_sections(base),
        "introduction": [_format_text(paragraph) for paragraph in INTRODUCTION[1:]],
        "openapi": request.build_absolute_uri(reverse("api:openapi")),
        "base": base,
    }
    return render(request, "api/reference.html", context)


def build_sections(base: str) -> list[Section]:
    """Return the operations of the document by subject, in the document's order and the active language."""
    schema = document()
    by_tag: dict[str, Section] = {}
    for path, method, operation in operations(schema):
        tag = operation["tags"][0]
        section = by_tag.setdefault(tag, Section(tag.lower().replace(" ", "-"), _(tag)))
        section.endpoints.append(_build_endpoint(schema, base, path, method, operation))
    return list(by_tag.values())


def _build_endpoint(
    schema: dict[str, Any], base: str, path: str, method: str, operation: dict[str, Any]
) -> Endpoint:
    parameters = [
        Parameter(
            parameter["name"],
            _describe_location(parameter["in"]),
            _describe_type(parameter["schema"]),
            parameter["required"],
            _format_text(parameter.get("description", "")),
        )
        for parameter in operation.get("parameters", [])
    ]
    content = operation.get("requestBody", {}).get("content", {})
    body = _resolve(schema, next(iter(content.values()))["schema"]) if content else {}
    parameters += _body_fields(schema, body)
    responses: list[tuple[str, str]] = []
    errors: list[tuple[str, str]] = []
    for status, response in operation["responses"].items():
        description = _format_text(_resolve(schema, response).get("description", ""))
        if status >= "400":
            errors.append((status, description))
        else:
            responses.append((status, _describe_content(response) or description))
    return Endpoint(
        id=operation["operationId"],
        method=method.upper(),
        path=path,
        description=_format_text(operation["description"]),
        parameters=parameters,
        responses=responses,
        errors=errors,
        curl=_curl(base, path, method, content, body, schema),
    )


def _body_fields(schema: dict[str, Any], body: Mapping[str, Any], prefix: str = "") -> list[Parameter]:
    """Return the fields of a body; those of an object in it have its name as prefix."""
    required = set(body.get("required", ()))
    fields = []
    for name, described in body.get("properties", {}).items():
        fields.append(
            Parameter(
                f"{prefix}{name}",
                _describe_location("body"),
                _describe_type(described),
                name in required,
                _format_text(described.get("description", "")),
            )
        )
        for option in described.get("anyOf", [described]):
            if "$ref" in option:
                fields += _body_fields(schema, _resolve(schema, option), f"{prefix}{name}.")
    return fields


def _format_text(text: str) -> SafeString:
    """Return a text of the document, which consists of paragraphs, in the active language, with `names` as code."""
    translated = join_sentences(_(paragraph) for paragraph in text.split("\n\n") if paragraph)
    parts = (
        format_html("<code>{}</code>" if number % 2 else "{}", part)
        for number, part in enumerate(translated.split("`"))
    )
    return mark_safe("".join(parts))  # noqa: S308 - each part is escaped


def _describe_location(location: str) -> str:
    """Return where a parameter is sent."""
    return {
        "path": pgettext("place of a parameter", "path"),
        "query": pgettext("place of a parameter", "query"),
        "header": pgettext("place of a parameter", "header"),
        "body": pgettext("place of a parameter", "body"),
    }.get(location, location)


def _describe_type(described: Mapping[str, Any]) -> str:
    """Return a type in a few words: `string (date-time)`, `integer, 1 to 50`, `a, b`, `list of string`."""
    if "$ref" in described:
        return str(described["$ref"]).rpartition("/")[2]
    if "anyOf" in described:
        types = (_describe_type(option) for option in described["anyOf"] if option.get("type") != "null")
        return _(" or ").join(dict.fromkeys(types))
    if "enum" in described:
        return ", ".join(str(value) or "“”" for value in described["enum"])
    if "const" in described:
        return str(described["const"])
    if described.get("type") == "array":
        return _("list of %(type)s") % {"type": _describe_type(described.get("items", {}))}
    name = str(described.get("type", "any"))
    if "format" in described:
        name += f" ({described['format']})"
    if "minimum" in described or "maximum" in described:
        name = _("%(type)s, %(low)s to %(high)s") % {
            "type": name,
            "low": described.get("minimum", "…"),
            "high": described.get("maximum", "…"),
        }
    if "maxLength" in described:
        name = _("%(type)s, at most %(count)s characters") % {"type": name, "count": described["maxLength"]}
    return name


def _describe_content(response: Mapping[str, Any]) -> str:
    for content_type, content in response.get("content", {}).items():
        return _describe_type(content["schema"]) if "schema" in content else content_type
    return ""


def _resolve(schema: dict[str, Any], described: Mapping[str, Any]) -> dict[str, Any]:
    """Return the description that a `$ref` points to; a description without `$ref` as it is."""
    reference = described.get("$ref")
    if reference is None:
        return dict(described)
    target: Any = schema
    for part in reference.removeprefix("#/").split("/"):
        target = target[part]
    return dict(target)


def _curl(
    base: str,
    path: str,
    method: str,
    content: Mapping[str, Any],
    body: Mapping[str, Any],
    schema: dict[str, Any],
) -> str:
    """Return a curl command for the operation. It reads the token from the environment, to keep it out of shell histories."""
    parts = ["curl"]
    if method != "get":
        parts.append(f"-X {method.upper()}")
    parts.append('-H "Authorization: Bearer $FLEETDESK_TOKEN"')
    if method == "post":
        parts.append('-H "Idempotency-Key: $(uuidgen)"')
    if "multipart/form-data" in content:
        required = body.get("required", ())
        parts += [f"-F {name}={'@' if name == 'file' else ''}…" for name in required]
    elif content:
        parts.append("-H 'Content-Type: application/json'")
        parts.append(f"-d '{json.dumps(_example(schema, body), ensure_ascii=False)}'")
    parts.append(f"'{base}{path}'")
    return " \\\n  ".join(parts)


def _example(schema: dict[str, Any], described: Mapping[str, Any]) -> Any:
    """Return an example value of a type, with its required fields."""
    described = _resolve(schema, described.get("anyOf", [described])[0])
    if "enum" in described:
        return described["enum"][0]
    kind = described.get("type")
    if kind == "object":
        names = described.get("required", ()) or list(described.get("properties", {}))[:1]
        return {name: _example(schema, described["properties"][name]) for name in names}
    if kind == "array":
        return [_example(schema, described.get("items", {}))]
    return {"integer": 1, "number": 1, "boolean": True}.get(str(kind), "…")
