"""Error responses of the API: problem details (RFC 9457) in plain words."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping
from typing import Any

from django.core.exceptions import (
    BadRequest,
    PermissionDenied,
    RequestDataTooBig,
    SuspiciousOperation,
    ValidationError,
)
from django.http import Http404, HttpRequest, HttpResponse, UnreadablePostError
from django.http.multipartparser import MultiPartParserError
from django.utils.translation import gettext as _
from ninja.errors import HttpError
from ninja.errors import ValidationError as NinjaValidationError

from console.accounts.encryption import Undecryptable
from console.api.schema_errors import describe_error
from console.connections.errors import to_snake_case, translate_sentence
from console.ui.outages import BUSY, FULL, find_outage
from iot_client.errors import (
    AlreadyExists,
    CloudError,
    Conflict,
    InvalidParameter,
    LimitExceeded,
    NotFound,
    ServiceError,
    Throttled,
    Unavailable,
    explain,
)

log = logging.getLogger(__name__)

CONTENT_TYPE = "application/problem+json"
KINDS: Mapping[str, int] = {
    "bad-request": 400,
    "unauthorized": 401,
    "forbidden": 403,
    "not-found": 404,
    "method-not-allowed": 405,
    "already-exists": 409,
    "conflict": 409,
    "limit-reached": 409,
    "rejected-by-platform": 409,
    "in-progress": 409,
    "outcome-unknown": 409,
    "request-too-large": 413,
    "address-too-long": 414,
    "validation-failed": 422,
    "idempotency-key-reused": 422,
    "too-many-requests": 429,
    "internal-error": 500,
    "platform-error": 502,
    "platform-unreachable": 502,
    "platform-throttled": 503,
    "credentials-unreadable": 503,
    "platform-timeout": 504,
    **{outage.kind: outage.status for outage in (BUSY, FULL)},
}
"""The kinds of problems and their HTTP status. The `type` of a problem ends in its kind."""


_UNREADABLE = (BadRequest, HttpError, MultiPartParserError, SuspiciousOperation, UnreadablePostError)


class Problem(Exception):
    """Ends a request with an error response.

    `errors`: pairs of a field and its error message. `is_outcome_unknown`: the request may have been carried out.
    """

    def __init__(
        self,
        kind: str,
        title: str,
        detail: str = "",
        *,
        errors: Iterable[tuple[str, str]] = (),
        headers: Mapping[str, str] | None = None,
        is_outcome_unknown: bool = False,
        **extensions: Any,
    ) -> None:
        super().__init__(title)
        self.kind, self.title, self.detail = kind, title, detail
        self.errors, self.headers = tuple(errors), headers or {}
        self.is_outcome_unknown, self.extensions = is_outcome_unknown, extensions

    def to_response(self) -> HttpResponse:
        """Return the HTTP response. If `response.is_outcome_unknown` is true, the request must not be executed again."""
        status = KINDS[self.kind]
        body: dict[str, Any] = {
            "type": f"urn:fleetdesk:problem:{self.kind}",
            "title": self.title,
            "status": status,
        }
        if self.detail:
            body["detail"] = self.detail
        if self.errors:
            body["errors"] = [{"field": field, "message": message} for field, message in self.errors]
        body |= {name: value for name, value in self.extensions.items() if value}
        response = HttpResponse(
            json.dumps(body, ensure_ascii=False),
            status=status,
            content_type=CONTENT_TYPE,
            headers=self.headers,
        )
        response.is_outcome_unknown = self.is_outcome_unknown  # type: ignore[attr-defined]
        return response


def to_problem(error: Exception) -> Problem:
    """Return the problem that describes an exception."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, CloudError):
        return _cloud_problem(error)
    if isinstance(error, NinjaValidationError):
        return validation_problem(
            (_field_path(problem["loc"]), describe_error(problem)) for problem in error.errors
        )
    if isinstance(error, ValidationError):
        if hasattr(error, "error_dict"):
            return validation_problem(
                (field, text) for field, texts in error.message_dict.items() for text in texts
            )
        return validation_problem(("", text) for text in error.messages)
    if isinstance(error, PermissionDenied):
        return Problem("forbidden", _("The token does not have this permission."), str(error))
    if isinstance(error, Http404):
        return Problem("not-found", _("Not found, or outside the access scope of the token."))
    if isinstance(error, RequestDataTooBig):
        return too_large_problem()
    if isinstance(error, _UNREADABLE):
        return Problem("bad-request", _("The request could not be read."), str(error))
    if isinstance(error, Undecryptable):
        log.error("A stored secret cannot be decrypted: its key is missing from FIELD_ENCRYPTION_KEYS")
        return Problem("credentials-unreadable", _("The keys of this connection cannot be decrypted."))
    log.error("An API request failed", exc_info=error)
    if outage := find_outage(error):
        headers = {"Retry-After": "30"} if outage.status == 503 else {}
        return Problem(
            outage.kind, str(outage.title), str(outage.text), headers=headers, is_outcome_unknown=True
        )
    return Problem("internal-error", _("An internal error occurred."), is_outcome_unknown=True)


def handle_error(request: HttpRequest, error: Exception | type[Exception]) -> HttpResponse:
    """Turn any exception of an endpoint into a response."""
    return to_problem(error if isinstance(error, Exception) else error()).to_response()


def validation_problem(errors: Iterable[tuple[str, str]]) -> Problem:
    """Return a problem that lists (field, error message) pairs."""
    return Problem("validation-failed", _("The request contains invalid values."), errors=errors)


def too_large_problem() -> Problem:
    """Return the problem for a body that is larger than the address accepts."""
    return Problem("request-too-large", _("The request body is too large. Nothing was done."))


def long_address_problem() -> Problem:
    """Return the problem for an address that is longer than the API reads."""
    return Problem("address-too-long", _("The address is too long. Nothing was done."))


def _field_path(location: Iterable[Any]) -> str:
    """Return the path of a field, without ninja's prefix (the source and the name of the body argument)."""
    parts = [str(part) for part in location]
    return ".".join(parts[2:] if parts[:2] == ["body", "body"] else parts[1:])


def _cloud_problem(error: CloudError) -> Problem:
    explanation = explain(error)
    headers = {"Retry-After": str(max(1, round(error.retry_after or 1)))} if error.retryable else {}
    errors = [
        (to_snake_case(parameter.partition(".N")[0]), translate_sentence(sentence))
        for parameter, sentences in (error.problems.items() if isinstance(error, InvalidParameter) else ())
        for sentence in sentences
    ]
    return Problem(
        _kind(error),
        _(explanation.title),
        _(explanation.advice),
        errors=errors,
        headers=headers,
        is_outcome_unknown=error.is_outcome_unknown,
        platform_code=error.code,
        platform_message=error.message,
        platform_request_id=error.request_id,
    )


_KINDS_OF_ERRORS: tuple[tuple[type[CloudError], str], ...] = (
    (NotFound, "not-found"),
    (InvalidParameter, "validation-failed"),
    (AlreadyExists, "already-exists"),
    (Conflict, "conflict"),
    (LimitExceeded, "limit-reached"),
    (Throttled, "platform-throttled"),
    (ServiceError, "rejected-by-platform"),
)


def _kind(error: CloudError) -> str:
    if isinstance(error, Unavailable):
        return "platform-timeout" if error.sent else "platform-unreachable"
    return next(
        (kind for error_class, kind in _KINDS_OF_ERRORS if isinstance(error, error_class)), "platform-error"
    )
