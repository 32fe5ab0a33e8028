"""The API and its OpenAPI document."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

from django.utils.translation import gettext_noop
from ninja import NinjaAPI
from ninja.errors import ValidationError, ValidationErrorContext
from ninja.operation import Operation

from console.api.endpoints import about, approvals, audit, bulk, jobs
from console.api.idempotency import HEADER
from console.api.links import add_links
from console.api.pipeline import MAX_PART_LENGTH, MAX_REASON_LENGTH, REASON_HEADER
from console.api.problems import CONTENT_TYPE, KINDS, handle_error
from console.api.schema_errors import list_fields
from console.connections.approval import ApprovalNeeded
from console.ui.areas import all_areas

PREFIX = "/api/v1/"
INTRODUCTION = (
    gettext_noop(
        "The HTTP API lets programs do what the pages of the console do with products, devices, groups, updates and jobs."
    ),
    gettext_noop(
        "A token defines the user, team and permissions: `Authorization: Bearer fd_…`. Calls without permission are"
        " rejected before they reach the platform. The API never returns secrets: users view them in the console, after"
        " they confirm their identity."
    ),
    gettext_noop(
        "Times are in UTC (ISO 8601). Lists return `items` and `next_page_token`; pass it as `page_token` to get the next"
        " page. Query parameters that an operation does not have are errors. Errors are `application/problem+json` (RFC 9457). A POST request with an `Idempotency-Key` is executed"
        " once: repeated requests within 24 hours get the same response."
    ),
)


class Api(NinjaAPI):
    """The API: operation IDs are the names of the functions, and every error is a problem response."""

    def set_default_exception_handlers(self) -> None:
        self.add_exception_handler(Exception, handle_error)
        self.add_exception_handler(ApprovalNeeded, approvals.request_approval)

    def get_openapi_operation_id(self, operation: Operation) -> str:
        return operation.view_func.__name__

    def validation_error_from_error_contexts(
        self, error_contexts: list[ValidationErrorContext[Any]]
    ) -> ValidationError:
        """Return the errors of a request. Those about unknown fields name the valid ones."""
        result = super().validation_error_from_error_contexts(error_contexts)
        models = {context.model.__ninja_param_source__: context.model for context in error_contexts}
        for error in result.errors:
            if error["type"] == "extra_forbidden":
                source, *parents, _unknown = error["loc"]
                error["ctx"] = {"fields": ", ".join(list_fields(models[source], parents))}
        return result


api = Api(
    title="Fleetdesk API",
    version="1",
    description="\n\n".join(INTRODUCTION),
    docs_url=None,
    openapi_url=None,
    urls_namespace="api",
)
_of_areas = (router for area in all_areas() for router in (*area.routers, bulk.build_router(area)))
for _router in (about.router, *_of_areas, jobs.router, approvals.router, audit.router):
    api.add_router("", _router)

# The error responses of each kind of operation, in addition to those that an endpoint declares.
_ALWAYS = (400, 401, 403, 414, 422, 429, 500)
_WITH_CONNECTION = (404, 502, 503, 504)
_ERROR_DESCRIPTIONS = {
    400: gettext_noop("The request could not be read."),
    401: gettext_noop("Missing or invalid token."),
    403: gettext_noop("The token does not have this permission."),
    404: gettext_noop("Not found, or outside the access scope of the token."),
    409: gettext_noop(
        "Not possible in the current state, or rejected by the platform. Also: a request with this idempotency key is still"
        " running, or its outcome is unknown."
    ),
    413: gettext_noop("Request body too large."),
    414: gettext_noop("Address too long."),
    422: gettext_noop(
        "Invalid value or unknown query parameter (see `errors`), or the idempotency key was used for a different request."
    ),
    429: gettext_noop("Too many requests. Wait the number of seconds in `Retry-After`."),
    500: gettext_noop("Internal error. A write may have been carried out."),
    502: gettext_noop(
        "The platform rejected the keys of the connection, or is not reachable. Nothing was done."
    ),
    503: gettext_noop(
        "The platform limits the rate of requests, and nothing was done; or the database did not respond in time"
        " (`database-unavailable`), and a write may have been carried out. Wait the number of seconds in `Retry-After`."
    ),
    504: gettext_noop(
        "The platform did not respond in time. A write may have been carried out. Check the result before you try again."
    ),
}
_APPROVAL_REQUIRED = gettext_noop("Another team member must approve the operation. Nothing was done yet.")
_JOB_OR_APPROVAL = gettext_noop(
    "A job was created, or another team member must approve the operation. Nothing was done yet."
)


@cache
def document() -> dict[str, Any]:
    """Return the complete OpenAPI 3.1 document: with security, the errors of each operation, and special headers."""
    schema: dict[str, Any] = api.get_openapi_schema(path_prefix=PREFIX)
    schema["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    schema["components"]["schemas"]["Problem"] = _PROBLEM
    schema["components"]["responses"] = {
        str(status): {
            "description": description,
            "content": {CONTENT_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for status, description in _ERROR_DESCRIPTIONS.items()
    }
    schema["security"] = [{"token": []}]
    for path, method, operation in operations(schema):
        operation["description"] = operation.get("description") or operation["summary"]
        for parameter in operation.get("parameters", []):
            if parameter["in"] == "path":
                parameter["schema"] = _PATH_LIMITS[parameter["schema"]["type"]] | parameter["schema"]
        operation["responses"] = {
            str(status): response for status, response in operation["responses"].items()
        } | {
            str(status): {"$ref": f"#/components/responses/{status}"}
            for status in _error_statuses(path, method, operation)
        }
        if method == "post":
            operation["parameters"] = [*operation.get("parameters", []), _IDEMPOTENCY_PARAMETER]
        accepted = _list_accepted(operation)
        if "Approval" in accepted:
            text = _APPROVAL_REQUIRED if accepted == ["Approval"] else _JOB_OR_APPROVAL
            operation["responses"]["202"]["description"] = text
            operation["parameters"] = [*operation["parameters"], _REASON_PARAMETER]
    add_links(schema)
    return schema


def operations(schema: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield path, method and description of every operation of the document."""
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


@cache
def list_query_parameters(path: str, method: str) -> list[str] | None:
    """Return the names of the query parameters of an operation; None if the document has no such operation. `path` is that in
    the document."""
    operation = document()["paths"].get(path, {}).get(method)
    if operation is None:
        return None
    return [parameter["name"] for parameter in operation.get("parameters", []) if parameter["in"] == "query"]


def _list_accepted(operation: dict[str, Any]) -> list[str]:
    """Return the names of the schemas of the response 202; empty without one."""
    content = operation["responses"].get("202", {}).get("content", {}).get("application/json", {})
    schema = content.get("schema", {})
    return [one["$ref"].rpartition("/")[2] for one in schema.get("anyOf", [schema]) if "$ref" in one]


def _error_statuses(path: str, method: str, operation: dict[str, Any]) -> list[int]:
    statuses = {*_ALWAYS}
    if "{connection}" in path:
        statuses |= {*_WITH_CONNECTION}
    if "requestBody" in operation:
        statuses |= {413}
    if method != "get":
        statuses |= {409}
    return sorted(statuses)


# No name or ID is longer or larger: a longer one does not exist.
_PATH_LIMITS: dict[str, dict[str, Any]] = {
    "string": {"minLength": 1, "maxLength": MAX_PART_LENGTH},
    "integer": {"minimum": 0, "maximum": 2**63 - 1},
}
_IDEMPOTENCY_PARAMETER = {
    "in": "header",
    "name": HEADER,
    "required": False,
    "description": gettext_noop(
        "A unique text of your choice for each operation. The same request with this key is executed only once."
    ),
    "schema": {"type": "string", "minLength": 1, "maxLength": 128},
}
_REASON_PARAMETER = {
    "in": "header",
    "name": REASON_HEADER,
    "required": False,
    "description": gettext_noop("The reason for the request, shown to the approver."),
    "schema": {"type": "string", "maxLength": MAX_REASON_LENGTH},
}
_PROBLEM = {
    "type": "object",
    "title": "Problem",
    "description": "An error (RFC 9457).",
    "required": ["type", "title", "status"],
    "properties": {
        "type": {"type": "string", "enum": [f"urn:fleetdesk:problem:{kind}" for kind in KINDS]},
        "title": {"type": "string", "description": "What happened."},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "What to do."},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "message"],
                "properties": {"field": {"type": "string"}, "message": {"type": "string"}},
            },
        },
        "platform_code": {"type": "string", "description": "Error code of the platform."},
        "platform_message": {"type": "string"},
        "platform_request_id": {
            "type": "string",
            "description": "Request ID of the platform, for its support.",
        },
    },
}
