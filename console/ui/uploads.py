"""How much a request may send: a form's worth, unless its address takes a file."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar
from urllib.parse import quote

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt, csrf_protect

View = TypeVar("View", bound=Callable[..., HttpResponseBase])


def takes_file(
    most: int,
    demand: Callable[[Any], None],
    too_large: Callable[[HttpRequest], HttpResponse] | None = None,
) -> Callable[[View], View]:
    """Decorates a view, as its outermost decorator, whose form takes a file of `most` bytes.

    `demand(request)` raises PermissionDenied for those who may not send it: they are refused before a byte of the body is
    read, and so is a body that is too large, with `too_large(request)` or the usual page. A tenth more is let in, so that
    the form can say in its own words that a file is too large. Only then is the CSRF token looked for: it lies in the body.
    """
    limit = most + most // 10 + settings.DATA_UPLOAD_MAX_MEMORY_SIZE

    def decorate(view: View) -> View:
        protected = csrf_protect(view)

        @csrf_exempt
        @wraps(view)
        def limited(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if request.method == "POST":
                demand(request)
            if not _fits(request, limit):
                return (too_large or refused)(request)
            return protected(request, *args, **kwargs)

        return limited  # type: ignore[return-value]

    return decorate


def refused(request: HttpRequest) -> HttpResponse:
    """The answer to a body that is larger than its address takes."""
    if request.headers.get("HX-Request") == "true":
        response = HttpResponse(status=413)
        response["X-Message"] = quote(_("This is more than the page takes. Nothing was saved."))
        return response
    return render(request, "413.html", status=413)


def _fits(request: HttpRequest, most: int) -> bool:
    length = request.META.get("CONTENT_LENGTH") or "0"
    return length.isdecimal() and int(length) <= most


class BodyLimitMiddleware:
    """Refuses with 413, before a byte of it is read, a body that is larger than its address takes.

    Django reads the whole body, files into temporary ones, to look for the CSRF token in it: without a limit here anybody
    could fill the disk. Must stand after sign-in and team are checked, and before CsrfViewMiddleware.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: Any, args: list[Any], kwargs: dict[str, Any]
    ) -> HttpResponse | None:
        # Exempt views (of `takes_file`, say) limit what they read themselves.
        if getattr(view, "csrf_exempt", False) or _fits(request, settings.DATA_UPLOAD_MAX_MEMORY_SIZE):
            return None
        return refused(request)
