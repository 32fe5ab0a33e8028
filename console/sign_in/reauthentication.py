"""Asks users to confirm their identity before a sensitive action: revealing secrets, changing roles or keys.

A view requires it with `@requires_reauthentication` or `@requires_reauthentication_to_save`, the gateway with its `reauthenticated` argument. Both raise
ReauthenticationNeeded, which `ReauthenticationMiddleware` handles in one place.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar
from urllib.parse import urlencode

from allauth.account.internal.flows.login import get_authentication_records
from django.conf import settings
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect, QueryDict
from django.urls import reverse
from django.utils.crypto import constant_time_compare

from console.ui.links import local_path, query_url

View = TypeVar("View", bound=Callable[..., HttpResponseBase])
_KEPT_FORM = "kept_form"  # in the session
_RESUME = "resume"  # in the URL
_KEPT_LENGTH = 100_000  # characters


class ReauthenticationNeeded(Exception):
    """The action requires a recent confirmation of identity. `next` is the page that follows it ("": the present page)."""

    def __init__(self, next: str = "") -> None:
        super().__init__("The user must confirm their identity.")
        self.next = next


def is_recently_authenticated(request: HttpRequest, *, grace: bool = False) -> bool:
    """Return whether the user signed in or confirmed their identity in the last REAUTHENTICATION_MINUTES; `grace` doubles them.

    A password, a second factor or a passkey counts. A single sign-on does not count, because the provider may not have asked
    for anything, unless it required a new sign-in.
    """
    minutes: int = settings.REAUTHENTICATION_MINUTES * (2 if grace else 1)
    return time.time() - authenticated_at(request) < minutes * 60


def authenticated_at(request: HttpRequest) -> float:
    """Return when the user last signed in or confirmed their identity in this session, in seconds since 1970; 0 if never."""
    if not request.user.is_authenticated:
        return 0.0
    records = get_authentication_records(request, request.user)
    proofs = [r for r in records if r["method"] != "socialaccount" or r.get("reauthenticated")]
    return max((float(proof["at"]) for proof in proofs), default=0.0)


def requires_reauthentication(view: View) -> View:
    """Decorate a view whose action requires a recent confirmation of identity. To be placed below `@requires`.

    Showing a form requires a fresher confirmation than submitting it, so that users have time to fill it in and lose no input.
    """

    @wraps(view)
    def checked(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not is_recently_authenticated(request, grace=request.method == "POST"):
            raise ReauthenticationNeeded
        return view(request, *args, **kwargs)

    return checked  # type: ignore[return-value]


def requires_reauthentication_to_save(view: View) -> View:
    """Decorate a view whose form may be shown to anybody with permission, but whose POST requires a recent confirmation of identity.
    To be placed below `@requires`, on forms without secrets.

    What was typed is kept in the session while the user confirms their identity. The form is then shown with it again, and a script
    submits it; without scripts the user does. Showing it changes nothing. The view builds its form from `request.POST or None`.
    """

    @wraps(view)
    def checked(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.method != "POST":
            _restore_form(request)
        elif not is_recently_authenticated(request):
            raise ReauthenticationNeeded(_keep_form(request))
        return view(request, *args, **kwargs)

    return checked  # type: ignore[return-value]


def _keep_form(request: HttpRequest) -> str:
    """Keep the submitted form in the session, unless it is too long, and return the URL that shows it again."""
    values = request.POST.copy()
    values.pop("csrfmiddlewaretoken", None)
    text = values.urlencode()
    if len(text) > _KEPT_LENGTH:
        return request.get_full_path()
    token = secrets.token_urlsafe(16)
    request.session[_KEPT_FORM] = {
        "token": token,
        "path": request.path,
        "at": time.time(),
        "values": text,
    }
    return query_url(request, **{_RESUME: token})


def _restore_form(request: HttpRequest) -> None:
    """Set `request.POST` to the kept form that the URL names, once, after the user confirmed their identity; and
    `request.is_resumed`."""
    token = request.GET.get(_RESUME, "")
    kept = request.session.get(_KEPT_FORM) if token else None
    if kept is None or not constant_time_compare(kept["token"], token) or kept["path"] != request.path:
        return
    if not is_recently_authenticated(request):
        return
    del request.session[_KEPT_FORM]
    if time.time() - kept["at"] < settings.REAUTHENTICATION_MINUTES * 60:
        request.POST = QueryDict(kept["values"])  # type: ignore[assignment]
        request.is_resumed = True  # type: ignore[attr-defined]


class ReauthenticationMiddleware:
    """Redirects users who must confirm their identity to the page for it, and from there back."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        if not isinstance(error, ReauthenticationNeeded):
            return None
        query = urlencode({REDIRECT_FIELD_NAME: error.next or _current_page(request)})
        return HttpResponseRedirect(f"{reverse('account_reauthenticate')}?{query}")


def _current_page(request: HttpRequest) -> str:
    """Return the page that the user sees: the requested path, or for a fragment or a form the page that contains it.

    The browser names that page in a header, which is trusted only if it is on this host.
    """
    is_fragment = request.headers.get("HX-Request") == "true"
    if request.method in {"GET", "HEAD"} and not is_fragment:
        return request.get_full_path()
    return local_path(request, request.headers.get("HX-Current-URL" if is_fragment else "Referer", "")) or "/"
