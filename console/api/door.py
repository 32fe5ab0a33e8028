"""What every request of the API passes before an endpoint sees it.

In order: size of the body → the token is recognised → not too many requests → may send a file, where the address takes
one → the same request is not done twice. There are no sessions here: a browser's cookie opens nothing, so there is no forged request to fear either.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt

from console.access.audit import Origin
from console.access.models import Membership
from console.access.tokens.authentication import authenticate
from console.api import limits
from console.api.http import ApiRequest
from console.api.once import once
from console.api.problems import Problem, problem_of, too_large
from console.ui.format import number

View = Callable[..., HttpResponseBase]
Demand = Callable[[ApiRequest, str], object]
_FAILURE_SECONDS = 300


def door(view: View, most_bytes: int, demand: Demand | None = None) -> View:
    """The view behind the door; a body of more than `most_bytes` is refused unread.

    `demand(request, connection)` raises for those who may not send one that is large: they too are refused before a byte of
    it is read.
    """

    @csrf_exempt
    @login_not_required
    @wraps(view)
    def guarded(request: Any, *args: Any, **kwargs: Any) -> HttpResponseBase:
        headers: dict[str, str] = {}
        try:
            _check_size(request, most_bytes)
            _check_text(request)
            _let_in(request)
            left = limits.take(f"token:{request.token.pk}", settings.API_REQUESTS, settings.API_SECONDS)
            headers = left.headers
            if left.remaining < 0:
                raise _too_many(left)
            if demand is not None and request.method == "POST":
                demand(request, kwargs["connection"])
            response = once(request, lambda: view(request, *args, **kwargs))
        except Exception as error:  # what the door itself refuses: endpoints have a handler of their own
            response = problem_of(error).response()
        if response.status_code == 405:
            response = _not_allowed(response)
        for name, value in {**headers, "Cache-Control": "no-store"}.items():
            response.headers[name] = value
        return response

    return guarded


def nothing_here(request: HttpRequest) -> HttpResponse:
    """Any address of the API that there is not."""
    return Problem("not-found", _("There is no such address.")).response()


def _check_size(request: HttpRequest, most: int) -> None:
    length = request.META.get("CONTENT_LENGTH") or "0"
    if not length.isdecimal() or int(length) > most:
        raise too_large()


def _check_text(request: HttpRequest) -> None:
    """PostgreSQL looks for no text with a NUL in it."""
    if any("\x00" in text for _name, texts in request.GET.lists() for text in texts):
        raise BadRequest(_("No value has a NUL in it."))


def _let_in(request: Any) -> None:
    """Find out who asks. Raises Problem: the same for a token that is unknown, has expired, or was revoked."""
    origin = Origin.of(request)
    guesses = f"guess:{origin.ip}"
    left = limits.look(guesses, settings.API_GUESSES, _FAILURE_SECONDS)
    if left.remaining <= 0:
        raise _too_many(left)
    membership = _of_header(request.headers.get("Authorization", ""), origin)
    if membership is None or membership.token is None:
        limits.take(guesses, settings.API_GUESSES, _FAILURE_SECONDS)
        raise Problem(
            "unauthorized",
            _("Send a token that works, as “Authorization: Bearer fd_…”."),
            headers={"WWW-Authenticate": 'Bearer realm="Fleetdesk"'},
        )
    request.membership, request.team, request.token = membership, membership.team, membership.token


def _of_header(header: str, origin: Origin) -> Membership | None:
    scheme, _space, text = header.partition(" ")
    return authenticate(text.strip(), origin) if scheme.lower() == "bearer" else None


def _too_many(left: limits.Left) -> Problem:
    title = _("Too many requests. The next is possible in %(count)s seconds.") % {"count": number(left.reset)}
    return Problem("too-many-requests", title, headers={"Retry-After": str(left.reset)})


def _not_allowed(response: HttpResponseBase) -> HttpResponse:
    problem = Problem("method-not-allowed", _("This address does not take that method.")).response()
    problem.headers["Allow"] = ", ".join(sorted(response.headers.get("Allow", "").split(", ")))
    return problem
