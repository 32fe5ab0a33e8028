"""Compression of pages, without what the BREACH attack needs."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponseBase
from django.middleware.gzip import GZipMiddleware


class CompressionMiddleware(GZipMiddleware):
    """Compresses pages, except those that show a secret.

    BREACH reads a secret from the length of compressed responses that also contain text of the attacker, who makes the browser
    request the page again and again. So a response is sent as it is if

    - its view is marked with `never_cache`, as every view that shows a secret is;
    - another site made the browser request it;
    - it is not HTML: downloads and the HTTP API may contain secrets, and programs do not need the compression.

    The CSRF token is masked in another way in each response, and Django adds up to 100 random bytes to a compressed one.

    It comes after HeadersMiddleware, which gives all other responses their Cache-Control.
    """

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        if (
            response.streaming
            or not response.headers.get("Content-Type", "").startswith("text/html")
            or "no-store" in response.headers.get("Cache-Control", "")
            or request.headers.get("Sec-Fetch-Site", "same-origin") not in {"same-origin", "none"}
        ):
            return response
        return super().process_response(request, response)
