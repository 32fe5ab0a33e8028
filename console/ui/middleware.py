"""Headers that every answer has; and htmx answered as a browser is: a redirect moves the whole page, messages become toasts."""

from __future__ import annotations

import json
from collections.abc import Callable

from django.conf import settings
from django.contrib.messages import get_messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import resolve_url
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
    """What every answer but static files tells the browser: keep nothing of it, let no other site embed it, and use none of
    the machine's devices. A view may say otherwise for its own answer."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        response.headers.setdefault("Cache-Control", "no-store")
        response.headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
        response.headers.setdefault("Permissions-Policy", _POLICY)
        return response


class HtmxMiddleware:
    """For requests that htmx made; must stand after MessageMiddleware and before those that may redirect to sign-in.

    - A redirect becomes `HX-Redirect`: the browser goes there, instead of a whole page landing in a part of this one.
    - A redirect to sign-in becomes 401 with the address in `X-Sign-In`: the page says so and keeps what was typed.
    - Messages that the answer did not show travel in `HX-Trigger` and pop up as toasts.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        patch_vary_headers(response, ["HX-Request"])  # said of the page as of the part: a cache holds either
        if request.headers.get("HX-Request") != "true":
            return response
        if response.status_code in {301, 302, 303, 307, 308} and "HX-Redirect" not in response:
            return _redirected(response)
        leaves = any(name in response for name in ("HX-Redirect", "HX-Location", "HX-Refresh"))
        if not leaves and response.status_code < 500:
            _send_messages(request, response)
        return response


def _redirected(response: HttpResponse) -> HttpResponse:
    target = response["Location"]
    sign_in = target.partition("?")[0] == resolve_url(settings.LOGIN_URL)
    moved = HttpResponse(status=401 if sign_in else 204)
    moved["X-Sign-In" if sign_in else "HX-Redirect"] = target
    moved.cookies = response.cookies
    return moved


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
