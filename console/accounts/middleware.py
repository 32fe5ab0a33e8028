"""Resolves the team of a URL, and activates the user's language and time zone."""

from __future__ import annotations

import zoneinfo
from collections.abc import Callable
from typing import Any

from django.contrib.auth.views import redirect_to_login
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.utils import timezone, translation

from console.accounts.lookup import Lookup
from console.accounts.models import Membership

TIME_ZONE_COOKIE = "time_zone"

_MEMBERSHIPS = Lookup(Membership, "team__slug", "user", related="team")


class UserPreferencesMiddleware:
    """Activates the signed-in user's time zone for the request, and their language if they chose one.

    A user who chose no time zone has that of the browser, which `theme.js` writes into a cookie; else UTC.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        zone = getattr(request.user, "time_zone", "") or request.COOKIES.get(TIME_ZONE_COOKIE, "")
        language = getattr(request.user, "language", "")
        if language:
            translation.activate(language)
        try:
            timezone.activate(zoneinfo.ZoneInfo(zone or "UTC"))
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
            timezone.activate(zoneinfo.ZoneInfo("UTC"))
        try:
            return self.get_response(request)
        finally:
            timezone.deactivate()


class TeamMiddleware:
    """For URLs that name a team (`<slug:team>`): sets `request.membership` and `request.team`, or responds 404.

    The response is the same for a team that does not exist and for one that the user does not belong to. The slug is removed
    from the view's arguments, so that a view uses the checked team of the request, not an unchecked name.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request.team = None  # type: ignore[attr-defined]
        request.membership = None  # type: ignore[attr-defined]
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: Any, args: list[Any], kwargs: dict[str, Any]
    ) -> HttpResponseBase | None:
        slug = kwargs.pop("team", None)
        if slug is None:
            return None
        if "\x00" in request.path:
            raise Http404  # no team has such a slug, and PostgreSQL refuses the query
        if not request.user.is_authenticated:
            return redirect_to_login(request.get_full_path())
        membership = _MEMBERSHIPS.find(slug, request.user.pk)
        if membership is None:
            raise Http404
        membership.user = request.user
        request.membership = membership  # type: ignore[attr-defined]
        request.team = membership.team  # type: ignore[attr-defined]
        return None
