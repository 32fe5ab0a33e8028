"""Request bodies: their size is small, except for views that accept a file. An upload that fails leaves no file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import wraps
from typing import Any, TypeVar
from urllib.parse import quote

from django.conf import settings
from django.core.files.uploadhandler import TemporaryFileUploadHandler
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt, csrf_protect

View = TypeVar("View", bound=Callable[..., HttpResponseBase])


def accepts_file(
    max_bytes: int,
    check_permission: Callable[[Any], None],
    too_large: Callable[[HttpRequest], HttpResponse] | None = None,
) -> Callable[[View], View]:
    """Decorates a view whose form accepts a file of up to `max_bytes` bytes. Must be the outermost decorator.

    `check_permission(request)` raises PermissionDenied for users who may not upload. They get the error before the body is
    read. A body that is too large gets `too_large(request)` or the standard page, also unread. The limit is 10% higher than
    `max_bytes`, so that the form can report a file that is a little too large. The CSRF token, which is in the body, is checked
    last.
    """
    limit = max_bytes + max_bytes // 10 + settings.DATA_UPLOAD_MAX_MEMORY_SIZE

    def decorate(view: View) -> View:
        protected = csrf_protect(view)

        @csrf_exempt
        @wraps(view)
        def limited(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if request.method == "POST":
                check_permission(request)
            if not _fits(request, limit):
                return (too_large or respond_too_large)(request)
            return protected(request, *args, **kwargs)

        return limited  # type: ignore[return-value]

    return decorate


def respond_too_large(request: HttpRequest) -> HttpResponse:
    """The response to a body over the limit."""
    if request.headers.get("HX-Request") == "true":
        response = HttpResponse(status=413)
        response["X-Message"] = quote(_("The request is too large. Nothing was saved."))
        return response
    return render(request, "413.html", status=413)


def _fits(request: HttpRequest, max_bytes: int) -> bool:
    length = request.META.get("CONTENT_LENGTH") or "0"
    return length.isdecimal() and int(length) <= max_bytes


class TemporaryFileHandler(TemporaryFileUploadHandler):
    """Stores a large file on the disk. Removes it at once if the disk is full: Django would keep the incomplete file for as long
    as something refers to the request."""

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        with self._remove_after_error():
            super().receive_data_chunk(raw_data, start)

    def file_complete(self, file_size: int) -> Any:
        with self._remove_after_error():
            return super().file_complete(file_size)

    @contextmanager
    def _remove_after_error(self) -> Iterator[None]:
        try:
            yield
        except OSError:
            with suppress(OSError):  # what is still in memory cannot be written either
                self.upload_interrupted()
            raise


class BodyLimitMiddleware:
    """Responds with 413 to a body over the limit, before it is read.

    Django reads the whole body to find the CSRF token, and stores files in temporary files: without this limit anybody could
    fill the disk. It must come after the checks of sign-in and team, and before CsrfViewMiddleware.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: Any, args: list[Any], kwargs: dict[str, Any]
    ) -> HttpResponse | None:
        # Exempt views, for example those of `accepts_file`, have their own limit.
        if getattr(view, "csrf_exempt", False) or _fits(request, settings.DATA_UPLOAD_MAX_MEMORY_SIZE):
            return None
        return respond_too_large(request)
