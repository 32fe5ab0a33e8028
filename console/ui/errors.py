"""The pages for errors. None of them reads the body of the request, which may be the cause of the error."""

from __future__ import annotations

from typing import Any, NoReturn

from django.db import connection
from django.http import HttpRequest, HttpResponse, HttpResponseServerError
from django.shortcuts import render
from django.template.loader import render_to_string
from django.views import defaults


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
    """The page for status 500. It makes no query: it has the console's frame if the request has read what the frame shows."""
    try:
        with connection.execute_wrapper(_refuse):
            return render(request, "500.html", status=500)
    except Exception:
        return HttpResponseServerError(render_to_string("500.html"))


def _refuse(*args: Any) -> NoReturn:
    raise _QueryRefused
