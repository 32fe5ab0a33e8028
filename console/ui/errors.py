"""The pages for errors. None of them reads the body of the request, which may be the cause of the error."""

from __future__ import annotations

import sys
from typing import Any, NoReturn
from urllib.parse import quote

from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.views import defaults

from console.ui.outages import find_outage


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """The page for status 400."""
    return defaults.bad_request(_without_csrf_check(request), exception)


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    """The page for status 403."""
    return defaults.permission_denied(_without_csrf_check(request), exception)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """The page for status 404."""
    return defaults.page_not_found(_without_csrf_check(request), exception)


def _without_csrf_check(request: HttpRequest) -> HttpRequest:
    """Let Django's pages set a CSRF token, but not look for one in the body: that would raise the error of a malformed body here."""
    request._dont_enforce_csrf_checks = True  # type: ignore[attr-defined]
    return request


class _QueryRefused(Exception):
    """The page would need the database, which may be the cause of the error."""


def server_error(request: HttpRequest) -> HttpResponse:
    """The page for an exception: status 503 or 507 for an outage of the server, else 500. htmx gets the text of an outage as a
    message, and the page keeps its input."""
    outage = find_outage(sys.exc_info()[1])
    if outage is None:
        return _render_without_queries(request, "500.html", 500, {})
    if request.headers.get("HX-Request") == "true":
        response = HttpResponse(status=outage.status)
        response["X-Message"] = quote(f"{outage.title}. {outage.text}")
    else:
        response = _render_without_queries(request, "outage.html", outage.status, {"outage": outage})
    if outage.status == 503:
        response["Retry-After"] = "30"
    return response


def _render_without_queries(
    request: HttpRequest, template: str, status: int, context: dict[str, Any]
) -> HttpResponse:
    """The page has the console's frame if the request has read what the frame shows."""
    try:
        with connection.execute_wrapper(_refuse):
            return render(request, template, context, status=status)
    except Exception:
        return HttpResponse(render_to_string(template, context), status=status)


def _refuse(*args: Any) -> NoReturn:
    raise _QueryRefused
