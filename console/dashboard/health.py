"""The health check for load balancers: whether the process and its database respond."""

from __future__ import annotations

from collections.abc import Callable

from django.db import connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache

PATH = "/healthz"


class HealthMiddleware:
    """Responds to `GET /healthz`. It is the first middleware, because load balancers send many requests, without TLS and with a
    host that is not in ALLOWED_HOSTS."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return healthz(request) if request.path == PATH else self.get_response(request)


@never_cache
def healthz(request: HttpRequest) -> JsonResponse:
    """200 if the database responds, else 503. The response contains no other information."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except Exception:
        return JsonResponse({"status": "unavailable"}, status=503)
    return JsonResponse({"status": "ok"})
