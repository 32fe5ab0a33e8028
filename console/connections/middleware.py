"""Resolves the connection of a URL, builds the user's gateway for it, and shows errors of the cloud as pages."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from urllib.parse import quote

from django.core.exceptions import PermissionDenied
from django.db import OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.functional import SimpleLazyObject
from django.utils.translation import gettext

from console.accounts.encryption import Undecryptable
from console.accounts.lookup import Lookup
from console.accounts.models import Membership, User
from console.accounts.roles import OWNER, Area, Level
from console.audit.deletions import find_deletion
from console.audit.models import AuditRecord
from console.connections.errors import http_status
from console.connections.gateway import Gateway, PermissionRefused
from console.connections.models import Connection
from console.connections.scope.names import find_objects_in_url
from console.sign_in.factors import lacks_second_factor
from console.sign_in.reauthentication import is_recently_authenticated
from console.ui.areas import find_area
from console.ui.format import join_sentences, join_words
from iot_client.errors import CloudError, NotFound, explain

log = logging.getLogger(__name__)
_CONNECTIONS = Lookup(Connection, "team", "slug")


class ConnectionMiddleware:
    """For URLs that name a connection (`<slug:connection>`): sets `request.connection` and `request.gateway`, or raises
    Http404."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request.connection = None  # type: ignore[attr-defined]
        request.gateway = None  # type: ignore[attr-defined]
        request.last_membership = SimpleLazyObject(lambda: _find_last_membership(request))  # type: ignore[attr-defined]
        request.last_connection = SimpleLazyObject(lambda: _find_last_connection(request))  # type: ignore[attr-defined]
        response = self.get_response(request)
        gateway: Gateway | None = request.gateway  # type: ignore[attr-defined]
        if gateway is not None:
            # The calls of the page and their waiting time. The browser's network panel shows it, the benchmark reads it.
            response["Server-Timing"] = (
                f'cloud;desc="{gateway.call_count} calls", quota;dur={gateway.waited_seconds * 1000:.0f}'
            )
        return response

    def process_view(
        self, request: Any, view: Any, args: list[Any], kwargs: dict[str, Any]
    ) -> HttpResponse | None:
        if request.team is None:  # the API resolves team and connection from the token
            return None
        slug = kwargs.pop("connection", None)
        if slug is None:
            return None
        connection = _CONNECTIONS.find(request.team.pk, slug)
        if connection is None or not request.membership.includes_connection(connection.pk):
            raise Http404
        request.connection = connection
        request.gateway = Gateway.for_request(
            request, request.membership, connection, reauthenticated=is_recently_authenticated(request)
        )
        _store_last_place(request, connection)
        try:
            if not _is_url_in_scope(request, kwargs):
                raise Http404
        except CloudError as error:
            return _cloud_error_response(request, error)
        return None


def _is_url_in_scope(request: Any, parts: dict[str, Any]) -> bool:
    """Whether everything that the URL names is in the member's access scope. Needed for GET and HEAD only: a form may make no
    call to the cloud. The gateway checks and records posted requests."""
    guard = request.gateway.limited_scope
    if guard is None or request.method not in ("GET", "HEAD"):
        return True
    area = find_area(request.resolver_match.app_name)
    return area is None or all(map(guard.admits, find_objects_in_url(area.url_objects, parts)))


def _find_last_membership(request: Any) -> Membership | None:
    """The membership whose team the frame shows on pages without a team: errors, and the user's own pages.

    It is the one in the team that the URL begins with, else in the team that the user opened last, else in the first one. None
    if the user has no team, or may not open this one before they set up a second factor.
    """
    if not request.user.is_authenticated:
        return None
    memberships: list[Membership] = list(
        request.user.memberships.select_related("team").order_by("team__name", "team_id")
    )
    by_team = {membership.team.slug: membership for membership in reversed(memberships)}
    slugs = (request.path.split("/")[1], request.user.last_visited.partition("/")[0])
    found = next((by_team[slug] for slug in slugs if slug in by_team), next(iter(memberships), None))
    if found is None or lacks_second_factor(request, found.team):
        return None
    found.user = request.user
    return found


def _find_last_connection(request: Any) -> Connection | None:
    """The connection that the user opened last in the team, else the first one. Pages without a connection link to it."""
    membership = request.membership or request.last_membership
    if not membership:
        return None
    team, _slash, slug = membership.user.last_visited.partition("/")
    available: list[Connection] = membership.connections
    last = [one for one in available if team == membership.team.slug and one.slug == slug]
    return next(iter((*last, *available)), None)


def _store_last_place(request: Any, connection: Connection) -> None:
    """Store the connection that the start page opens next time. Only full pages count, not partial htmx requests."""
    place = f"{request.team.slug}/{connection.slug}"
    user = request.membership.user
    if request.method == "GET" and not request.htmx and user.last_visited != place:
        with suppress(OperationalError):  # a page also opens while the database is busy
            User.objects.filter(pk=user.pk).update(last_visited=place)


class CloudErrorMiddleware:
    """Responds with an error page when a view raises an error of the cloud, PermissionDenied or Undecryptable.

    A browser gets a full page. An htmx request gets the status and the message in the `X-Message` header (percent-encoded),
    which the page shows as a toast. The page and its input stay as they are.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: Any, error: Exception) -> HttpResponse | None:
        if isinstance(error, CloudError):
            return _cloud_error_response(request, error)
        if isinstance(error, PermissionRefused) and request.method == "POST":
            # Pages hide actions that the role does not allow, so this request was made by hand.
            request.gateway.record_refusal(error, target=request.path)
        if isinstance(error, PermissionDenied):
            context = {"exception_text": str(error), "grantors": _name_owners(request)}
            return _error_response(request, 403, "403.html", context, str(error))
        if isinstance(error, Undecryptable):
            log.error("Cannot decrypt a stored secret: FIELD_ENCRYPTION_KEYS does not contain its key")
            title = gettext("The keys of this connection cannot be decrypted.")
            text = gettext(
                "Their encryption key is missing on this server. An administrator can enter the AccessKey secret again"
                " under Connections, or add the missing key to the server."
            )
            may_edit = request.connection and request.membership.has_level(Area.CONNECTIONS, Level.WRITE)
            context = {"title": title, "text": text, "may_edit": may_edit}
            return _error_response(
                request, 503, "connections/unreadable.html", context, join_sentences([title, text])
            )
        return None


def _name_owners(request: Any) -> str:
    """The names of up to three owners of the page's team, who can change the access of its members; "" without a team."""
    if request.team is None:
        return ""
    owners = request.team.memberships.filter(role_slug=OWNER, user__is_active=True, user__is_service=False)
    return join_words([str(owner.user) for owner in owners.select_related("user").order_by("pk")[:3]])


def _find_deletion(request: Any) -> AuditRecord | None:
    """The audit record of the deletion of the object that the URL names; None if the user may not read the audit trail."""
    names = [
        text for name, text in request.resolver_match.kwargs.items() if name not in ("team", "connection")
    ]
    if not names or not request.connection or not request.membership.has_level(Area.AUDIT, Level.READ):
        return None
    return find_deletion(request.team, request.connection.slug, names)


def _cloud_error_response(request: Any, error: CloudError) -> HttpResponse:
    explanation = explain(error)
    details = error.code
    if error.request_id:
        details = gettext("%(code)s, request %(id)s") % {"code": error.code, "id": error.request_id}
    message = f"{join_sentences([gettext(explanation.title), gettext(explanation.advice)])} ({details})"
    context = {"error": error, "deletion": _find_deletion(request) if isinstance(error, NotFound) else None}
    response = _error_response(request, http_status(error), "cloud_error.html", context, message)
    if error.retryable:
        response["Retry-After"] = str(max(1, round(error.retry_after or 1)))
    return response


def _error_response(
    request: Any, status: int, template: str, context: dict[str, Any], message: str
) -> HttpResponse:
    if not request.htmx:
        return render(request, template, context, status=status)
    response = HttpResponse(status=status)
    response["X-Message"] = quote(message[:1000])
    return response
