"""The response to a form with an invalid CSRF token. Signing in changes the token, also for pages that are open in other tabs."""

from __future__ import annotations

from urllib.parse import quote

from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import get_token
from django.shortcuts import render
from django.utils.translation import gettext as _


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Respond with 403. A page of the signed-in user gets a valid token in `X-CSRFToken`, and sends the form again with it.

    The page says in `X-Page-User` whose page it is: another user must not send a form that this one filled in. Only pages of
    this console can read the response.
    """
    response = render(request, "403_csrf.html", status=403)
    if not request.headers.get("HX-Request") or not request.user.is_authenticated:
        return response
    if request.headers.get("X-Page-User") == str(request.user.pk):
        response["X-CSRFToken"] = get_token(request)
        response["X-Message"] = quote(_("The page has expired. Reload the page and try again."))
    else:
        response["X-Message"] = quote(
            _("Another user has signed in with this browser. Nothing was sent. Reload the page.")
        )
    return response
