"""All addresses of the API, each protected by the request pipeline."""

from __future__ import annotations

import re
from functools import partial

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, JsonResponse
from django.urls import URLPattern, path, re_path
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe

from console.api.document import PREFIX, api, document, list_query_parameters
from console.api.pipeline import Upload, protect, unknown_address
from console.ui.areas import all_areas

app_name = "api"


@login_not_required
@require_safe
def openapi(request: HttpRequest) -> JsonResponse:
    """Return the OpenAPI document. It is the same for everyone and needs no token."""
    return JsonResponse(document())


def _protected_patterns() -> list[URLPattern]:
    patterns = [
        pattern for pattern in api.urls[0] if isinstance(pattern, URLPattern) and pattern.name != "api-root"
    ]
    by_operation: dict[str, Upload] = {}
    for area in all_areas():
        by_operation |= area.uploads
    # All operations of an address are served by the first pattern that has the address.
    by_address = {
        str(pattern.pattern): by_operation[pattern.name]
        for pattern in patterns
        if pattern.name in by_operation
    }
    for pattern in patterns:
        address = str(pattern.pattern)
        path = PREFIX + re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", address)  # as in the document
        pattern.callback = protect(
            pattern.callback, partial(list_query_parameters, path), by_address.get(address)
        )
    # Django takes the first pattern that matches: in products/bulk/publish, "bulk" is not the key of a product.
    return sorted(patterns, key=lambda pattern: "/bulk/" not in str(pattern.pattern))


urlpatterns = [
    path("openapi.json", openapi, name="openapi"),
    *_protected_patterns(),
    re_path("", csrf_exempt(login_not_required(unknown_address)), name="unknown"),
]
