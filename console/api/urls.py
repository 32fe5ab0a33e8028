"""Every address of the API, each behind the door."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, JsonResponse
from django.urls import URLPattern, path, re_path
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe

from console.api.document import api, document
from console.api.door import Demand, door, nothing_here
from console.api.endpoints import jobs, packages
from console.ota.api import MAX_PACKAGE_BYTES

app_name = "api"
_ROOM_FOR_THE_FORM = 64 * 1024
# The addresses that take more than a form's worth: how large a file, and who may send it.
_TAKES: dict[str, tuple[int, Demand]] = {
    "upload_registration": (settings.JOBS_UPLOAD_BYTES, jobs.demand_registration),
    "create_package": (MAX_PACKAGE_BYTES, packages.demand_upload),
}


@login_not_required
@require_safe
def openapi(request: HttpRequest) -> JsonResponse:
    """The OpenAPI document: the same for everybody, so nobody has to have a token to read it."""
    return JsonResponse(document())


def _behind_the_door() -> list[URLPattern]:
    patterns = [found for found in api.urls[0] if isinstance(found, URLPattern) and found.name != "api-root"]
    # All operations of an address are behind the first pattern that has it.
    taking = {str(pattern.pattern): _TAKES[pattern.name] for pattern in patterns if pattern.name in _TAKES}
    for pattern in patterns:
        most, demand = taking.get(str(pattern.pattern), (0, None))
        limit = most + _ROOM_FOR_THE_FORM if most else settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        pattern.callback = door(pattern.callback, limit, demand)
    return patterns


urlpatterns = [
    path("openapi.json", openapi, name="openapi"),
    *_behind_the_door(),
    re_path("", csrf_exempt(login_not_required(nothing_here)), name="nothing"),
]
