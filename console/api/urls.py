"""Every address of the API, each behind the door."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, JsonResponse
from django.urls import URLPattern, path, re_path
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe

from console.api.document import api, document
from console.api.door import door, nothing_here

app_name = "api"
_ROOM_FOR_THE_FORM = 64 * 1024
# What an address takes that takes more than a form's worth.
_TAKES = {"upload_registration": settings.JOBS_UPLOAD_BYTES + _ROOM_FOR_THE_FORM}


@login_not_required
@require_safe
def openapi(request: HttpRequest) -> JsonResponse:
    """The OpenAPI document: the same for everybody, so nobody has to have a token to read it."""
    return JsonResponse(document())


def _behind_the_door() -> list[URLPattern]:
    patterns = [found for found in api.urls[0] if isinstance(found, URLPattern) and found.name != "api-root"]
    for pattern in patterns:
        most = _TAKES.get(pattern.name or "", settings.DATA_UPLOAD_MAX_MEMORY_SIZE)
        pattern.callback = door(pattern.callback, most)
    return patterns


urlpatterns = [
    path("openapi.json", openapi, name="openapi"),
    *_behind_the_door(),
    re_path("", csrf_exempt(login_not_required(nothing_here)), name="nothing"),
]
