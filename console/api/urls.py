"""All addresses of the API, each protected by the request pipeline."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, JsonResponse
from django.urls import URLPattern, path, re_path
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe

from console.api.document import api, document
from console.api.endpoints import packages, registrations
from console.api.pipeline import UploadCheck, protect, unknown_address
from console.areas.ota.api import MAX_PACKAGE_BYTES

app_name = "api"
_FORM_OVERHEAD = 64 * 1024  # bytes of a multipart body besides the file
# Operations that accept a file: its largest size in bytes, and the permission check before the body is read.
_UPLOADS: dict[str, tuple[int, UploadCheck]] = {
    "register_devices_from_file": (settings.JOBS_UPLOAD_BYTES, registrations.check_registration_upload),
    "create_package": (MAX_PACKAGE_BYTES, packages.check_package_upload),
}


@login_not_required
@require_safe
def openapi(request: HttpRequest) -> JsonResponse:
    """Return the OpenAPI document. It is the same for everyone and needs no token."""
    return JsonResponse(document())


def _protected_patterns() -> list[URLPattern]:
    patterns = [
        pattern for pattern in api.urls[0] if isinstance(pattern, URLPattern) and pattern.name != "api-root"
    ]
    # All operations of an address are served by the first pattern that has the address.
    uploads = {
        str(pattern.pattern): _UPLOADS[pattern.name] for pattern in patterns if pattern.name in _UPLOADS
    }
    for pattern in patterns:
        max_file_bytes, check_upload = uploads.get(str(pattern.pattern), (0, None))
        max_bytes = (
            max_file_bytes + _FORM_OVERHEAD if max_file_bytes else settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        )
        pattern.callback = protect(pattern.callback, max_bytes, check_upload)
    return patterns


urlpatterns = [
    path("openapi.json", openapi, name="openapi"),
    *_protected_patterns(),
    re_path("", csrf_exempt(login_not_required(unknown_address)), name="unknown"),
]
