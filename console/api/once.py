"""Doing a request once, however often it is sent: `Idempotency-Key`.

Whoever comes first with a key claims it by a row in the database; what was answered is kept in it for a day. When surely
nothing was done the key is free again, so that a request can be mended. When nobody can say (the process died, the
platform did not answer) it stays used: only looking at the present state can tell.
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
from console.api.models import KeptAnswer
from console.api.problems import Problem, not_valid

HEADER = "Idempotency-Key"
KEPT = timedelta(hours=24)
_AT_WORK = timedelta(minutes=2)  # longer than any request is let run
_KEY = re.compile(r"[\x21-\x7e]{1,128}")


def once(request: ApiRequest, view: Callable[[], HttpResponseBase]) -> HttpResponseBase:
    """What `view` answers, or what it answered to the same request before. Raises Problem."""
    key = request.headers.get(HEADER)
    if request.method != "POST" or key is None:
        return view()
    if not _KEY.fullmatch(key):
        raise not_valid([(HEADER, _("1 to 128 printable ASCII characters without spaces."))])
    KeptAnswer.objects.filter(at__lt=timezone.now() - KEPT).delete()
    fingerprint = _fingerprint(request)
    try:
        with transaction.atomic():
            claimed = KeptAnswer.objects.create(token=request.token, key=key, fingerprint=fingerprint)
    except IntegrityError:
        return _again(request, key, fingerprint)
    response = view()
    _keep(claimed, response)
    return response


def _keep(claimed: KeptAnswer, response: HttpResponseBase) -> None:
    mine = KeptAnswer.objects.filter(pk=claimed.pk)
    if response.status_code == 500:
        return  # stays open: nobody knows how far it came
    if response.status_code < 400 or getattr(response, "lost", False):
        content = response.content.decode() if isinstance(response, HttpResponse) else ""
        mine.update(
            status=response.status_code,
            content=content,
            content_type=response.headers.get("Content-Type", ""),
        )
    else:
        mine.delete()


def _again(request: ApiRequest, key: str, fingerprint: str) -> HttpResponse:
    """The answer to a request whose key was used before. Raises Problem."""
    first = KeptAnswer.objects.filter(token=request.token, key=key).first()
    if first is not None and first.fingerprint != fingerprint:
        raise Problem("key-used", _("This idempotency key was used for another request. Nothing was done."))
    if first is not None and first.status is not None:
        return HttpResponse(
            first.content,
            status=first.status,
            content_type=first.content_type,
            headers={"Idempotent-Replayed": "true"},
        )
    if first is None or first.at > timezone.now() - _AT_WORK:
        raise Problem(
            "in-progress",
            _("The first request with this idempotency key is not answered yet."),
            headers={"Retry-After": "1"},
        )
    raise Problem(
        "outcome-unknown",
        _("What became of the first request with this idempotency key is not known."),
        _("It was not done again. Look at the present state, and use a new key to repeat it."),
    )


def _fingerprint(request: ApiRequest) -> str:
    digest = hashlib.sha256(f"{request.method} {request.get_full_path()}\n".encode())
    if request.content_type == "multipart/form-data":
        for name, values in sorted(request.POST.lists()):
            digest.update(f"{name}={values!r}\n".encode())
        for name, file in sorted(request.FILES.items()):
            digest.update(f"{name}\n".encode())
            for piece in file.chunks():  # type: ignore[union-attr]
                digest.update(piece)
            file.seek(0)  # type: ignore[union-attr]
    else:
        digest.update(request.body)
    return digest.hexdigest()
