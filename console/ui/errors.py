"""The page for an error of the server."""

from __future__ import annotations

from typing import Any, NoReturn

from django.db import connection
from django.http import HttpRequest, HttpResponse, HttpResponseServerError
from django.shortcuts import render
from django.template.loader import render_to_string


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
