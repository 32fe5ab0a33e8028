"""Execute a request only once, however often it is sent: `Idempotency-Key`.

The first request with a key claims it by inserting a row; the response is stored in this row for 24 hours. If certainly
nothing was done, the row is deleted, and the corrected request can be sent with the same key. If the outcome is unknown
(the process stopped, or the platform did not respond), the key stays used: the client has to check the current state.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from datetime import timedelta

from django.db import IntegrityError, transaction
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.utils.translation import gettext as _

from console.api.http import ApiRequest
from console.api.models import StoredResponse
from console.api.problems import Problem, validation_problem

HEADER = "Idempotency-Key"
RETENTION = timedelta(hours=24)
_MAX_RUN_TIME = timedelta(minutes=2)  # longer than any request may run
_KEY = re.compile(r"[\x21-\x7e]{1,128}")


def execute_once(request: ApiRequest, view: Callable[[], HttpResponseBase]) -> HttpResponseBase:
    """Return the response of `view`, or the stored response to the same earlier request. Raises Problem."""
    key = request.headers.get(HEADER)
    if request.method != "POST" or key is None:
        return view()
    if not _KEY.fullmatch(key):
        raise validation_problem([(HEADER, _("Enter 1 to 128 printable ASCII characters without spaces."))])
    StoredResponse.objects.filter(at__lt=timezone.now() - RETENTION).delete()
    fingerprint = _fingerprint(request)
    try:
        with transaction.atomic():
            claim = StoredResponse.objects.create(token=request.token, key=key, fingerprint=fingerprint)
    except IntegrityError:
        return _replay(request, key, fingerprint)
    response = view()
    _store(claim, response)
    return response


def _store(claim: StoredResponse, response: HttpResponseBase) -> None:
    row = StoredResponse.objects.filter(pk=claim.pk)
    if response.status_code == 500:
        return  # the status stays null: it is unknown how far the request was executed
    if response.status_code < 400 or getattr(response, "is_outcome_unknown", False):
        content = response.content.decode() if isinstance(response, HttpResponse) else ""
        row.update(
            status=response.status_code,
            content=content,
            content_type=response.headers.get("Content-Type", ""),
        )
    else:
        row.delete()


def _replay(request: ApiRequest, key: str, fingerprint: str) -> HttpResponse:
    """Return the stored response to a request whose key is already used. Raises Problem."""
    stored = StoredResponse.objects.filter(token=request.token, key=key).first()
    if stored is not None and stored.fingerprint != fingerprint:
        raise Problem(
            "idempotency-key-reused",
            _("This idempotency key was already used for a different request. Nothing was done."),
        )
    if stored is not None and stored.status is not None:
        return HttpResponse(
            stored.content,
            status=stored.status,
            content_type=stored.content_type,
            headers={"Idempotent-Replayed": "true"},
        )
    if stored is None or stored.at > timezone.now() - _MAX_RUN_TIME:
        raise Problem(
            "in-progress",
            _("The first request with this idempotency key is still running."),
            headers={"Retry-After": "1"},
        )
    raise Problem(
        "outcome-unknown",
        _("The outcome of the first request with this idempotency key is unknown."),
        _("The request was not repeated. Check the current state. To repeat the request, use a new key."),
    )


def _fingerprint(request: ApiRequest) -> str:
    digest = hashlib.sha256(f"{request.method} {request.get_full_path()}\n".encode())
    if request.content_type == "multipart/form-data":
        for name, values in sorted(request.POST.lists()):
            digest.update(f"{name}={values!r}\n".encode())
        for name, file in sorted(request.FILES.items()):
            digest.update(f"{name}\n".encode())
            for chunk in file.chunks():  # type: ignore[union-attr]
                digest.update(chunk)
            file.seek(0)  # type: ignore[union-attr]
    else:
        digest.update(request.body)
    return digest.hexdigest()
