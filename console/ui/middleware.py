"""Headers of every response, and responses to htmx: a redirect navigates the whole page, messages become toasts."""

from __future__ import annotations

import json
from collections.abc import Callable

from django.conf import settings
from django.contrib.messages import get_messages
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import resolve_url
from django.template.loader import render_to_string
from django.utils.cache import patch_vary_headers

TOAST_EVENT = "fd:toast"


_POLICY = ", ".join(
    f"{feature}=()"
    for feature in (
        *(
            "accelerometer",
            "browsing-topics",
            "camera",
            "display-capture",
            "geolocation",
            "gyroscope",
        ),
        *("hid", "magnetometer", "microphone", "midi", "payment", "serial", "usb", "xr-spatial-tracking"),
    )
)


class HeadersMiddleware:
    """Headers of every response except static files: no caching, no embedding by other sites, no access to the user's
    devices. A view may set its own values."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        response.headers.setdefault("Cache-Control", "no-store")
        response.headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
        response.headers.setdefault("Permissions-Policy", _POLICY)
        return response


class MethodMiddleware:
    """Shows a page where an address that only accepts other methods is opened: Django's response has no content."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if isinstance(response, HttpResponseNotAllowed) and request.method == "GET" and not response.content:
            response.content = render_to_string("405.html", request=request)
        return response


class HtmxMiddleware:
    """Adapts responses to htmx requests. It must come after MessageMiddleware and before middleware that redirects to sign-in.

    - A redirect becomes `HX-Redirect`: the browser navigates, instead of inserting a whole page into a part of this one.
    - A redirect to sign-in becomes 401 with the URL in `X-Sign-In`: the page shows a message and keeps the input.
    - Messages that the response did not render are sent in `HX-Trigger` and become toasts.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        patch_vary_headers(response, ["HX-Request"])  # on full pages too, so that a cache separates the two
        if request.headers.get("HX-Request") != "true":
            return response
        if response.status_code in {301, 302, 303, 307, 308} and "HX-Redirect" not in response:
            return _navigate(response)
        navigates = any(name in response for name in ("HX-Redirect", "HX-Location", "HX-Refresh"))
        if not navigates and response.status_code < 500:
            _send_messages(request, response)
        return response


def _navigate(response: HttpResponse) -> HttpResponse:
    target = response["Location"]
    sign_in = target.partition("?")[0] == resolve_url(settings.LOGIN_URL)
    navigation = HttpResponse(status=401 if sign_in else 204)
    navigation["X-Sign-In" if sign_in else "HX-Redirect"] = target
    navigation.cookies = response.cookies
    return navigation


def _send_messages(request: HttpRequest, response: HttpResponse) -> None:
    if not hasattr(request, "_messages"):
        return
    toasts = [{"text": str(message), "level": message.level_tag} for message in get_messages(request)]
    if not toasts:
        return
    try:
        events = json.loads(response.get("HX-Trigger", "{}"))
    except ValueError:  # plain names, comma-separated
        events = {name.strip(): None for name in response["HX-Trigger"].split(",")}
    response["HX-Trigger"] = json.dumps({**events, TOAST_EVENT: {"toasts": toasts}})
