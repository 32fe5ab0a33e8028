"""What the API answers when it does not do what was asked: problem details (RFC 9457) in our plain words."""

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

from console.access.encryption import Undecryptable
from console.api.words import said
from console.cloud.errors import (
    AlreadyExists,
    BadResponse,
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
from console.connections.errors import to_snake_case, translate_sentence

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
    "refused": 409,
    "in-progress": 409,
    "outcome-unknown": 409,
    "too-large": 413,
    "not-valid": 422,
    "key-used": 422,
    "too-many-requests": 429,
    "internal-error": 500,
    "cloud-refused": 502,
    "cloud-unreachable": 502,
    "cloud-throttled": 503,
    "keys-unreadable": 503,
    "cloud-silent": 504,
}
"""The kinds of problems, each with its status. The `type` of a problem ends in its kind."""


_UNREADABLE = (BadRequest, HttpError, MultiPartParserError, SuspiciousOperation, UnreadablePostError)


class Problem(Exception):
    """Ends a request with a problem. `errors`: (field, what is wrong with it). `lost`: it may have been done all the same."""

    def __init__(
        self,
        kind: str,
        title: str,
        detail: str = "",
        *,
        errors: Iterable[tuple[str, str]] = (),
        headers: Mapping[str, str] | None = None,
        lost: bool = False,
        **more: Any,
    ) -> None:
        super().__init__(title)
        self.kind, self.title, self.detail = kind, title, detail
        self.errors, self.headers, self.lost, self.more = tuple(errors), headers or {}, lost, more

    def response(self) -> HttpResponse:
        """The answer. `response.lost` tells the keeper of answers that the same request must not be made again."""
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
        body |= {name: value for name, value in self.more.items() if value}
        response = HttpResponse(
            json.dumps(body, ensure_ascii=False),
            status=status,
            content_type=CONTENT_TYPE,
            headers=self.headers,
        )
        response.lost = self.lost  # type: ignore[attr-defined]
        return response


def problem_of(error: Exception) -> Problem:
    """The problem that an exception is told as."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, CloudError):
        return _of_cloud(error)
    if isinstance(error, NinjaValidationError):
        return not_valid((_field(found["loc"]), said(found)) for found in error.errors)
    if isinstance(error, ValidationError):
        if hasattr(error, "error_dict"):
            return not_valid((field, text) for field, texts in error.message_dict.items() for text in texts)
        return not_valid(("", text) for text in error.messages)
    if isinstance(error, PermissionDenied):
        return Problem("forbidden", _("The token may not do this."), str(error))
    if isinstance(error, Http404):
        return Problem("not-found", _("There is nothing here that the token can reach."))
    if isinstance(error, RequestDataTooBig):
        return too_large()
    if isinstance(error, _UNREADABLE):
        return Problem("bad-request", _("The request cannot be read."), str(error))
    if isinstance(error, Undecryptable):
        log.error("A stored secret cannot be read: its key is not among FIELD_ENCRYPTION_KEYS")
        return Problem("keys-unreadable", _("The connection's keys cannot be read."))
    log.error("A request of the API failed", exc_info=error)
    return Problem("internal-error", _("Something went wrong here."), lost=True)


def handle(request: HttpRequest, error: Exception | type[Exception]) -> HttpResponse:
    """The handler of all exceptions that endpoints let through."""
    return problem_of(error if isinstance(error, Exception) else error()).response()


def not_valid(errors: Iterable[tuple[str, str]]) -> Problem:
    """What is wrong with which field."""
    return Problem("not-valid", _("Something in the request is not valid."), errors=errors)


def too_large() -> Problem:
    """The body is larger than this address takes."""
    return Problem("too-large", _("This is more than this address takes. Nothing was done."))


def _field(place: Iterable[Any]) -> str:
    """Where a value stands: without what ninja puts before it (the source, and the name of the body's argument)."""
    parts = [str(part) for part in place]
    return ".".join(parts[2:] if parts[:2] == ["body", "body"] else parts[1:])


def _of_cloud(error: CloudError) -> Problem:
    words = explain(error)
    lost = isinstance(error, BadResponse) or (isinstance(error, Unavailable) and error.sent)
    headers = {"Retry-After": str(max(1, round(error.retry_after or 1)))} if error.retryable else {}
    errors = [
        (to_snake_case(parameter.partition(".N")[0]), translate_sentence(sentence))
        for parameter, sentences in (error.problems.items() if isinstance(error, InvalidParameter) else ())
        for sentence in sentences
    ]
    return Problem(
        _kind(error),
        _(words.title),
        _(words.advice),
        errors=errors,
        headers=headers,
        lost=lost,
        platform_code=error.code,
        platform_message=error.message,
        platform_request_id=error.request_id,
    )


_FAMILIES: tuple[tuple[type[CloudError], str], ...] = (
    (NotFound, "not-found"),
    (InvalidParameter, "not-valid"),
    (AlreadyExists, "already-exists"),
    (Conflict, "conflict"),
    (LimitExceeded, "limit-reached"),
    (Throttled, "cloud-throttled"),
    (ServiceError, "refused"),
)


def _kind(error: CloudError) -> str:
    if isinstance(error, Unavailable):
        return "cloud-silent" if error.sent else "cloud-unreachable"
    return next((kind for family, kind in _FAMILIES if isinstance(error, family)), "cloud-refused")
