"""The checks that every API request passes before it reaches an endpoint.

In this order: length of the address, size of the body, token, request limit, names of query parameters, permission to send a file
(where the address accepts one), idempotency key. The API has no sessions: a browser's cookie gives no access, so forged requests are no threat.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from typing import Any

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import BadRequest
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt

from console.accounts.models import Membership
from console.api import limits
from console.api.http import ApiRequest
from console.api.idempotency import execute_once
from console.api.problems import (
    Problem,
    long_address_problem,
    to_problem,
    too_large_problem,
    validation_problem,
)
from console.api.schema_errors import describe_unknown_parameter
from console.audit.records import Origin
from console.teams.tokens.authentication import authenticate
from console.ui.format import number

View = Callable[..., HttpResponseBase]
_FAILURE_WINDOW = 300  # seconds
MAX_PART_LENGTH = 128  # characters of a parameter of the path
REASON_HEADER, MAX_REASON_LENGTH = "Approval-Reason", 500
_MAX_ADDRESS_LENGTH = 8190  # bytes, of path and query
_FORM_OVERHEAD = 64 * 1024  # bytes of a multipart body besides the file


@dataclass(frozen=True)
class Upload:
    """The file that an operation accepts: its largest size in bytes.

    `check(request, connection)` raises an error for tokens that may not send it.
    """

    max_bytes: int
    check: Callable[[ApiRequest, str], object]


def protect(
    view: View, list_query_parameters: Callable[[str], list[str] | None], upload: Upload | None = None
) -> View:
    """Put the checks in front of `view`.

    `list_query_parameters(method)` returns the names of the query parameters, or None for a method without an operation. A body
    that is too large, and the file of a token that may not send one, are rejected before a byte of the body is read.
    """
    max_bytes = upload.max_bytes + _FORM_OVERHEAD if upload else settings.DATA_UPLOAD_MAX_MEMORY_SIZE

    @csrf_exempt
    @login_not_required
    @wraps(view)
    def protected_view(request: Any, *args: Any, **kwargs: Any) -> HttpResponseBase:
        headers: dict[str, str] = {}
        try:
            _check_address(request)
            _check_size(request, max_bytes)
            _check_text(request, kwargs)
            _authenticate(request)
            allowance = limits.count_request(
                f"token:{request.token.pk}", settings.API_REQUESTS, settings.API_SECONDS
            )
            headers = allowance.headers
            if allowance.remaining < 0:
                raise _too_many_requests(allowance)
            _check_query(request, list_query_parameters(str(request.method).lower()))
            if upload is not None and request.method == "POST":
                upload.check(request, kwargs["connection"])
            response = execute_once(request, lambda: view(request, *args, **kwargs))
        except Exception as error:  # raised by the checks; endpoints have a separate error handler
            response = to_problem(error).to_response()
        if response.status_code == 405:
            response = _method_not_allowed(response)
        for name, value in {**headers, "Cache-Control": "no-store"}.items():
            response.headers[name] = value
        return response

    return protected_view


def unknown_address(request: HttpRequest) -> HttpResponse:
    """Respond to any address that the API does not have."""
    return Problem("not-found", _("This address does not exist.")).to_response()


def _check_address(request: HttpRequest) -> None:
    if len(request.get_full_path()) > _MAX_ADDRESS_LENGTH:
        raise long_address_problem()


def _check_size(request: HttpRequest, max_bytes: int) -> None:
    length = request.META.get("CONTENT_LENGTH") or "0"
    if not length.isdecimal() or int(length) > max_bytes:
        raise too_large_problem()


def _check_text(request: HttpRequest, parts: Mapping[str, Any]) -> None:
    """Reject what no text of a request may contain. `parts`: the parameters of the URL's path.

    NUL characters in the URL, which PostgreSQL can neither store nor search for; longer names than the platform and the console
    have; a longer reason than the document allows.
    """
    if any(len(str(part)) > MAX_PART_LENGTH for part in parts.values()):
        raise Http404
    if len(request.headers.get(REASON_HEADER, "")) > MAX_REASON_LENGTH:
        raise validation_problem(
            [
                (
                    REASON_HEADER,
                    _("Enter at most %(max_length)s characters.") % {"max_length": MAX_REASON_LENGTH},
                )
            ]
        )
    texts = [*map(str, parts.values()), *(text for _name, texts in request.GET.lists() for text in texts)]
    if any("\x00" in text for text in texts):
        raise BadRequest(_("Values cannot contain NUL characters."))


def _check_query(request: HttpRequest, names: list[str] | None) -> None:
    """Reject query parameters that the operation does not have: a filter that is ignored would return everything."""
    unknown = [] if names is None else [name for name in request.GET if name not in names]
    if unknown:
        raise validation_problem([(name, describe_unknown_parameter(names or [])) for name in unknown])


def _authenticate(request: Any) -> None:
    """Set membership, team and token of the request.

    Raises the same Problem for unknown, expired and revoked tokens. The limit of an address applies to requests without a
    valid token only: guesses from an address must not lock out others who use it.
    """
    origin = Origin.from_request(request)
    membership = _find_membership(request.headers.get("Authorization", ""), origin)
    if membership is None or membership.token is None:
        allowance = limits.count_request(f"guess:{origin.ip}", settings.API_GUESSES, _FAILURE_WINDOW)
        if allowance.remaining < 0:
            raise _too_many_requests(allowance)
        raise Problem(
            "unauthorized",
            _("The token is missing or invalid. Send a valid token as “Authorization: Bearer fd_…”."),
            headers={"WWW-Authenticate": 'Bearer realm="Fleetdesk"'},
        )
    request.membership, request.team, request.token = membership, membership.team, membership.token


def _find_membership(header: str, origin: Origin) -> Membership | None:
    scheme, _space, text = header.partition(" ")
    return authenticate(text.strip(), origin) if scheme.lower() == "bearer" else None


def _too_many_requests(allowance: limits.Allowance) -> Problem:
    title = _("Too many requests. Try again in %(count)s seconds.") % {"count": number(allowance.reset)}
    return Problem("too-many-requests", title, headers={"Retry-After": str(allowance.reset)})


def _method_not_allowed(response: HttpResponseBase) -> HttpResponse:
    problem = Problem("method-not-allowed", _("This address does not support this method.")).to_response()
    problem.headers["Allow"] = ", ".join(sorted(response.headers.get("Allow", "").split(", ")))
    return problem
