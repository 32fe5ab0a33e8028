"""Asks people to show once more that it is they, before an act that matters: revealing secrets, changing roles or keys.

A view says so by `@reauthenticated`, the gateway by its `reauthenticated` argument; both end in ReauthenticationNeeded,
which `ReauthenticationMiddleware` answers in one place.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar
from urllib.parse import urlencode, urlsplit

from allauth.account.internal.flows.login import get_authentication_records
from django.conf import settings
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme

View = TypeVar("View", bound=Callable[..., HttpResponseBase])


class ReauthenticationNeeded(Exception):
    """The act asks for somebody who showed lately that it is they. `next` is where they go on after it ("": where they were)."""

    def __init__(self, next: str = "") -> None:
        super().__init__("The person has to confirm that it is they.")
        self.next = next


def recently_authenticated(request: HttpRequest, *, grace: bool = False) -> bool:
    """Whether the person signed in, or confirmed that it is they, in the last REAUTHENTICATION_MINUTES; `grace` doubles them.

    Any way counts: password, second factor, passkey. Coming by single sign-on does not, for the provider may have asked for
    nothing; signing in there anew does.
    """
    minutes: int = settings.REAUTHENTICATION_MINUTES * (2 if grace else 1)
    return time.time() - authenticated_at(request) < minutes * 60


def authenticated_at(request: HttpRequest) -> float:
    """When the person last signed in or confirmed it in this session, in seconds since 1970; 0 for nobody and for never."""
    if not request.user.is_authenticated:
        return 0.0
    records = get_authentication_records(request, request.user)
    proofs = [r for r in records if r["method"] != "socialaccount" or r.get("reauthenticated")]
    return max((float(proof["at"]) for proof in proofs), default=0.0)


def reauthenticated(view: View) -> View:
    """Decorates a view whose act asks for a person who showed lately that it is they; stands under `@requires`.

    A form is asked for with a fresh confirmation, so that the time to fill it in is left: what is typed is not lost.
    """

    @wraps(view)
    def checked(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not recently_authenticated(request, grace=request.method == "POST"):
            raise ReauthenticationNeeded
        return view(request, *args, **kwargs)

    return checked  # type: ignore[return-value]


class ReauthenticationMiddleware:
    """Leads who has to confirm that it is they to the page for it, and from there back to where they were."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        if not isinstance(error, ReauthenticationNeeded):
            return None
        query = urlencode({REDIRECT_FIELD_NAME: error.next or _page_of(request)})
        return HttpResponseRedirect(f"{reverse('account_reauthenticate')}?{query}")


def _page_of(request: HttpRequest) -> str:
    """The page that the person sees: the path asked for, or for a part or a form the page that it was asked from.

    What the browser says of that is believed only when it is of this host.
    """
    part = request.headers.get("HX-Request") == "true"
    if request.method in {"GET", "HEAD"} and not part:
        return request.get_full_path()
    said = request.headers.get("HX-Current-URL" if part else "Referer", "")
    if not url_has_allowed_host_and_scheme(said, {request.get_host()}, require_https=request.is_secure()):
        return "/"
    place = urlsplit(said)
    path = f"/{place.path.lstrip('/')}"
    return f"{path}?{place.query}" if place.query else path
