"""How much a request may send: a form's worth, unless its address takes a file."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import quote

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.utils.translation import gettext as _

View = TypeVar("View", bound=Callable[..., HttpResponseBase])


def takes_file(most: int) -> Callable[[View], View]:
    """Decorates a view, as its outermost decorator, whose form takes a file of `most` bytes.

    A tenth more is let in, so that the form can say in its own words that a file is too large.
    """

    def decorate(view: View) -> View:
        view.most_bytes = most + most // 10 + settings.DATA_UPLOAD_MAX_MEMORY_SIZE  # type: ignore[attr-defined]
        return view

    return decorate


class BodyLimitMiddleware:
    """Refuses with 413, before a byte of it is read, a body that is larger than its address takes.

    Django reads the whole body, files into temporary ones, to look for the CSRF token in it: without a limit here anybody
    could fill the disk. Must stand after sign-in and team are checked, and before CsrfViewMiddleware. A view that is exempt
    of that one reads its body itself, and limits it.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: Any, args: list[Any], kwargs: dict[str, Any]
    ) -> HttpResponse | None:
        most = getattr(view, "most_bytes", settings.DATA_UPLOAD_MAX_MEMORY_SIZE)
        length = request.META.get("CONTENT_LENGTH") or "0"
        if getattr(view, "csrf_exempt", False) or (length.isdecimal() and int(length) <= most):
            return None
        if request.headers.get("HX-Request") == "true":
            response = HttpResponse(status=413)
            response["X-Message"] = quote(_("This is more than the page takes. Nothing was saved."))
            return response
        return render(request, "413.html", status=413)
