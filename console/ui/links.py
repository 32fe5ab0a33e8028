"""URLs in the current team and connection."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache, lru_cache
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.http import url_has_allowed_host_and_scheme, urlencode


def find_shown_connection(request: HttpRequest) -> Any:
    """Return the page's connection; on other pages the connection that the user came from; or None."""
    return getattr(request, "connection", None) or getattr(request, "last_connection", None) or None


def find_shown_membership(request: HttpRequest) -> Any:
    """Return the membership in the page's team; on pages without a team that in the team that the user came from; or None."""
    return getattr(request, "membership", None) or getattr(request, "last_membership", None) or None


def find_place(request: HttpRequest) -> tuple[str, ...]:
    """Return the slug of the team that the frame shows, and of its connection if there is one; empty without a team."""
    membership, connection = find_shown_membership(request), find_shown_connection(request)
    if membership is None:
        return ()
    return (membership.team.slug,) if connection is None else (membership.team.slug, connection.slug)


def local_path(request: HttpRequest, address: str) -> str:
    """The path and query of an address that a header of the request names; "" if it is not on this host."""
    if not url_has_allowed_host_and_scheme(address, {request.get_host()}, require_https=request.is_secure()):
        return ""
    url = urlsplit(address)
    path = f"/{url.path.lstrip('/')}"
    return f"{path}?{url.query}" if url.query else path


def find_previous_page(request: HttpRequest) -> str:
    """The page from which the user came to this one; "" if it is not known, not of this console, or this page."""
    page = local_path(request, request.headers.get("Referer", ""))
    return "" if page == request.get_full_path() else page


def connection_url(request: HttpRequest, name: str, *args: Any) -> str:
    """The URL of `name` in the request's team and connection.

    `args` are the pattern's arguments after team and connection. A pattern with a team but no connection works too. Raises
    NoReverseMatch.
    """
    place = find_place(request)
    if not place:
        raise NoReverseMatch(f"'{name}' needs a team, and the request has none.")
    return place_url(name, place, *map(str, args))


def absolute_url(request: HttpRequest, path: str) -> str:
    """The full URL of a page, for emails and invitations.

    It begins with BASE_URL if that is set, because a visitor can send any port in the Host header.
    """
    return f"{settings.BASE_URL}{path}" if settings.BASE_URL else request.build_absolute_uri(path)


@cache
def site_url(name: str) -> str:
    """The URL of a page outside teams. Raises NoReverseMatch."""
    return reverse(name)


@lru_cache(maxsize=8_192)
def place_url(name: str, place: tuple[str, ...], *args: str) -> str:
    """The URL of `name` in a place: the slug of a team, and of a connection if there is one. Raises NoReverseMatch.

    A page has dozens of links, most of them the same as on the page before, and Django needs a millisecond for 20 of them.
    """
    try:
        return reverse(name, args=[*place, *args])
    except NoReverseMatch:
        return reverse(name, args=[place[0], *args])


def explorer_url(request: HttpRequest, operation: str, **params: Any) -> str:
    """The URL of an operation's form in the explorer, filled with `params`. Opening it sends nothing."""
    query = urlencode({name: value for name, value in params.items() if value not in (None, "")}, doseq=True)
    address = connection_url(request, "explorer:operation", operation)
    return f"{address}?{query}" if query else address


def query_url(request: HttpRequest, path: str = "", drop: Iterable[str] = (), **changes: Any) -> str:
    """The current URL with changed query parameters; None or "" removes one, and so does `drop`."""
    query: dict[str, Any] = dict(request.GET.lists())
    for key in drop:
        query.pop(key, None)
    for key, value in changes.items():
        if value is None or value == "":
            query.pop(key, None)
        else:
            query[key] = value
    text = urlencode(query, doseq=True)
    return f"{path or request.path}?{text}" if text else (path or request.path)
