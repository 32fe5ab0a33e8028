"""The API and its OpenAPI document."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

from ninja import NinjaAPI
from ninja.operation import Operation

from console.api.endpoints import about, approvals, audit, devices, groups, jobs, packages, products, updates
from console.api.once import HEADER
from console.api.problems import CONTENT_TYPE, KINDS, handle
from console.connections.approval import ApprovalNeeded

PREFIX = "/api/v1/"
_ABOUT = """Everything that pages of the console do to products, devices, groups, updates and jobs, for programs.

A token says who acts, in which team, and how far: `Authorization: Bearer fd_…`. What it may not do, the platform is never \
asked for. Secrets are not told to programs: a person reveals them in the console, after confirming that it is they.

Times are UTC (ISO 8601). Lists give `items` and `next_page_token`, which asks for the next page as `page_token`. \
Problems are `application/problem+json` (RFC 9457). A POST with an `Idempotency-Key` is done once, however often it is \
sent within 24 hours, and answered alike."""


class Api(NinjaAPI):
    """Names operations by their functions, and tells every error as a problem."""

    def set_default_exception_handlers(self) -> None:
        self.add_exception_handler(Exception, handle)
        self.add_exception_handler(ApprovalNeeded, approvals.answer_needed)

    def get_openapi_operation_id(self, operation: Operation) -> str:
        return operation.view_func.__name__


api = Api(
    title="Fleetdesk API",
    version="1",
    description=_ABOUT,
    docs_url=None,
    openapi_url=None,
    urls_namespace="api",
)
for _endpoints in (about, products, devices, groups, packages, updates, jobs, approvals, audit):
    api.add_router("", _endpoints.router)

# What each answer of a kind of request can be, beside what the endpoint itself says.
_ALWAYS = (401, 403, 429, 500)
_WITH_CONNECTION = (404, 502, 503, 504)
_MEANINGS = {
    400: "The request cannot be read.",
    401: "No token, or none that works.",
    403: "The token may not do this.",
    404: "It does not exist, or the token does not reach it.",
    409: "The present state or the platform forbids it, or a request with this idempotency key is at work or was lost.",
    413: "The body is larger than this address takes.",
    422: "A value is not valid (`errors` names the field), or the idempotency key was used for another request.",
    429: "Too many requests: wait for `Retry-After` seconds.",
    500: "Something went wrong here. A write may have been done.",
    502: "The platform refused the connection's keys, or cannot be reached. Nothing was done.",
    503: "The platform asks to slow down: wait for `Retry-After` seconds. Nothing was done.",
    504: "The platform did not answer in time. A write may have been done: look before repeating it.",
}


@cache
def document() -> dict[str, Any]:
    """The OpenAPI 3.1 document, complete: security, the errors of each operation, and the idempotency header."""
    schema: dict[str, Any] = api.get_openapi_schema(path_prefix=PREFIX)
    schema["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    schema["components"]["schemas"]["Problem"] = _PROBLEM
    schema["components"]["responses"] = {
        str(status): {
            "description": meaning,
            "content": {CONTENT_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for status, meaning in _MEANINGS.items()
    }
    schema["security"] = [{"token": []}]
    for path, method, operation in operations(schema):
        operation["description"] = operation.get("description") or operation["summary"]
        operation["responses"] = {
            str(status): answer for status, answer in operation["responses"].items()
        } | {
            str(status): {"$ref": f"#/components/responses/{status}"}
            for status in _errors(path, method, operation)
        }
        if method == "post":
            operation["parameters"] = [*operation.get("parameters", []), _IDEMPOTENCY]
        if "202" in operation["responses"] and _is_held_back(operation):
            operation["responses"]["202"]["description"] = (
                "A second person has to agree: nothing was done yet."
            )
            operation["parameters"] = [*operation["parameters"], _REASON]
    return schema


def operations(schema: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Path, method and description of every operation of the document."""
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def _is_held_back(operation: dict[str, Any]) -> bool:
    content = operation["responses"]["202"].get("content", {}).get("application/json", {})
    return bool(content.get("schema", {}).get("$ref", "").endswith("/Approval"))


def _errors(path: str, method: str, operation: dict[str, Any]) -> list[int]:
    errors = {*_ALWAYS}
    if "{connection}" in path:
        errors |= {*_WITH_CONNECTION}
    if operation.get("parameters") or method == "post" or "requestBody" in operation:
        errors |= {422}
    if "requestBody" in operation:
        errors |= {400, 413}
    if method != "get":
        errors |= {409}
    return sorted(errors)


_IDEMPOTENCY = {
    "in": "header",
    "name": HEADER,
    "required": False,
    "description": "Any text of yours, new for each thing to be done: the same request is then done once.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 128},
}
_REASON = {
    "in": "header",
    "name": approvals.REASON,
    "required": False,
    "description": "Why it is wanted, for the second person that a rule of the team may ask for.",
    "schema": {"type": "string", "maxLength": 500},
}
_PROBLEM = {
    "type": "object",
    "title": "Problem",
    "description": "Why something was not done (RFC 9457).",
    "required": ["type", "title", "status"],
    "properties": {
        "type": {"type": "string", "enum": [f"urn:fleetdesk:problem:{kind}" for kind in KINDS]},
        "title": {"type": "string", "description": "What happened, in plain words."},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "What to do about it."},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "message"],
                "properties": {"field": {"type": "string"}, "message": {"type": "string"}},
            },
        },
        "platform_code": {"type": "string", "description": "The platform's own code."},
        "platform_message": {"type": "string"},
        "platform_request_id": {"type": "string", "description": "What the platform's support asks for."},
    },
}
