"""Resolves the connection of a URL, builds the gateway that acts for the person on it, and shows what the cloud refused."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.functional import SimpleLazyObject
from django.utils.translation import gettext

from console.access.audit import Origin
from console.access.encryption import Undecryptable
from console.access.models import User
from console.access.reauthentication import is_recently_authenticated
from console.access.roles import Area, Level
from console.cloud.errors import CloudError, explain
from console.cloud.quota import Lane
from console.connections.errors import status_of
from console.connections.gateway import Gateway, PermissionRefused
from console.connections.models import Connection
from console.connections.scope.names import in_address

log = logging.getLogger(__name__)


class ConnectionMiddleware:
    """For URLs that name a connection (`<slug:connection>`): sets `request.connection` and `request.gateway`, or answers 404."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request.connection = None  # type: ignore[attr-defined]
        request.gateway = None  # type: ignore[attr-defined]
        request.came_from = SimpleLazyObject(lambda: _last_used(request))  # type: ignore[attr-defined]
        response = self.get_response(request)
        gateway: Gateway | None = request.gateway  # type: ignore[attr-defined]
        if gateway is not None:
            # Shown by the browser's network panel, and counted by the benchmark: what the page asked of the cloud.
            response["Server-Timing"] = (
                f'cloud;desc="{gateway.calls} calls", quota;dur={gateway.waited * 1000:.0f}'
            )
        return response

    def process_view(
        self, request: Any, view: Any, args: list[Any], kwargs: dict[str, Any]
    ) -> HttpResponse | None:
        if request.team is None:  # the API finds the team by its token, and the connection in it
            return None
        slug = kwargs.pop("connection", None)
        if slug is None:
            return None
        connection = Connection.objects.within(request.membership).filter(slug=slug).first()
        if connection is None:
            raise Http404
        request.connection = connection
        request.gateway = Gateway(
            actor=request.membership.user,
            membership=request.membership,
            connection=connection,
            lane=Lane.PEOPLE,
            origin=Origin.of(request),
            reauthenticated=is_recently_authenticated(request),
        )
        _remember(request, connection)
        try:
            if not _names_what_is_within_reach(request, kwargs):
                raise Http404
        except CloudError as error:
            return _cloud_answer(request, error)
        return None


def _names_what_is_within_reach(request: Any, parts: dict[str, Any]) -> bool:
    """Whether a member whose access is limited may look at what the address names: forms that ask nothing of the cloud are
    not there either for what is out of reach. What is posted, the gateway judges and records."""
    limits = request.gateway.limits
    if limits is None or request.method not in ("GET", "HEAD"):
        return True
    return all(limits.admits(thing) for thing in in_address(request.resolver_match.app_name, parts))


def _last_used(request: Any) -> Connection | None:
    """The connection of the team that the person looked at last, else its first: a team's own pages lead back there."""
    if request.team is None:
        return None
    team, _slash, slug = request.membership.user.last_visited.partition("/")
    own: list[Connection] = request.membership.connections
    used = [one for one in own if team == request.team.slug and one.slug == slug]
    return next(iter((*used, *own)), None)


def _remember(request: Any, connection: Connection) -> None:
    """Where the front door leads next time. Only pages that the person opens count, not parts that refresh themselves."""
    place = f"{request.team.slug}/{connection.slug}"
    user = request.membership.user
    if request.method == "GET" and not request.htmx and user.last_visited != place:
        User.objects.filter(pk=user.pk).update(last_visited=place)


class CloudErrorMiddleware:
    """A page instead of a traceback when a view lets through an error of the cloud, a refusal or an unreadable secret.

    A browser gets a whole page. htmx, which would put it into a part of the present one, gets the status and the words in
    `X-Message` (percent-encoded), which the page shows as a toast: what was there, and what was typed, stays.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: Any, error: Exception) -> HttpResponse | None:
        if isinstance(error, CloudError):
            return _cloud_answer(request, error)
        if isinstance(error, PermissionRefused) and request.method == "POST":
            # A page hides what the role does not scope: who posts it all the same made the request by hand.
            request.gateway.record_refusal(error, target=request.path)
        if isinstance(error, PermissionDenied):
            return _answer(request, 403, "403.html", {"exception_text": str(error)}, str(error))
        if isinstance(error, Undecryptable):
            log.error("A stored secret cannot be read: its key is not among FIELD_ENCRYPTION_KEYS")
            title = gettext("The connection's keys cannot be read.")
            text = gettext(
                "They were encrypted with a key that this server no longer has. An administrator can enter the AccessKey"
                " secret again under Connections, or give the server the missing key back."
            )
            may_edit = request.connection and request.membership.has_level(Area.CONNECTIONS, Level.WRITE)
            context = {"title": title, "text": text, "may_edit": may_edit}
            return _answer(request, 503, "connections/unreadable.html", context, f"{title} {text}")
        return None


def _cloud_answer(request: Any, error: CloudError) -> HttpResponse:
    log.info("%s answered %s (request %s)", error.operation, error.code, error.request_id or "-")
    words = explain(error)
    details = error.code
    if error.request_id:
        details = gettext("%(code)s, request %(id)s") % {"code": error.code, "id": error.request_id}
    message = f"{gettext(words.title)} {gettext(words.advice)} ({details})"
    response = _answer(request, status_of(error), "cloud_error.html", {"error": error}, message)
    if error.retryable:
        response["Retry-After"] = str(max(1, round(error.retry_after or 1)))
    return response


def _answer(request: Any, status: int, template: str, context: dict[str, Any], message: str) -> HttpResponse:
    if not request.htmx:
        return render(request, template, context, status=status)
    response = HttpResponse(status=status)
    response["X-Message"] = quote(message[:1000])
    return response
