"""Accepting an invitation: the link, and the page it leads to."""

from __future__ import annotations

from allauth.account.adapter import get_adapter  # type: ignore[import-not-found]
from allauth.account.internal.flows.login import record_authentication  # type: ignore[import-not-found]
from allauth.account.utils import perform_login  # type: ignore[import-not-found]
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_safe

from console.access import invitations
from console.access.audit import Origin
from console.access.forms import JoinForm
from console.access.models import Invitation, Membership

# Where the session keeps which invitation was opened: its digest, which opens nothing by itself.
_OPENED = "invitation"


@login_not_required
@never_cache
@require_safe
def link(request: HttpRequest, token: str) -> HttpResponse:
    """Takes the token out of the address at once, so that no later request, log line or referrer has it."""
    digest = invitations.digest_of(token)
    request.session.pop(_OPENED, None)
    if invitations.open_invitation(digest) is not None:
        request.session[_OPENED] = digest
    response = redirect("access:invitation")
    response["Referrer-Policy"] = "no-referrer"
    return response


@sensitive_post_parameters()
@login_not_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def invitation(request: HttpRequest) -> HttpResponseBase:
    """The invitation that was opened last: accepted by who has its address, or by a new person who chooses a password.

    A stranger is shown the same whether the address has an account or not: who invited may hold the link.
    """
    found = invitations.open_invitation(request.session.get(_OPENED, ""))
    if found is None:
        return _closed(request)
    if not request.user.is_authenticated:
        return _stranger(request, found)
    if request.user.email == found.email:
        return _invited(request, found)
    if request.method == "POST":  # the button "Sign out"
        get_adapter(request).logout(request)
        request.session[_OPENED] = found.digest
        return redirect("access:invitation")
    return render(request, "access/invitation_of_another.html", {"invitation": found})


def _invited(request: HttpRequest, found: Invitation) -> HttpResponse:
    if request.method != "POST":
        return render(request, "access/invitation_accept.html", {"invitation": found})
    try:
        membership = invitations.accept(found.digest, request.user, Origin.of(request))  # type: ignore[arg-type]
    except invitations.NotOpen:
        return _closed(request)
    return _welcome(request, membership)


def _stranger(request: HttpRequest, found: Invitation) -> HttpResponseBase:
    form = JoinForm(found.email, request.POST or None, initial={"name": found.name})
    if request.method == "POST" and form.is_valid():
        values = form.cleaned_data
        try:
            membership = invitations.accept_as_new_person(
                found.digest, values["name"], values["password1"], Origin.of(request)
            )
        except invitations.NotOpen:
            return _closed(request)
        except ValidationError as error:
            form.add_error(None, error)
        else:
            record_authentication(request, membership.user, method="password", email=membership.user.email)
            _welcome(request, membership)
            return perform_login(  # type: ignore[no-any-return]
                request, membership.user, redirect_url=reverse("access:team", args=[membership.team.slug])
            )
    context = {"invitation": found, "form": form}
    return render(request, "access/invitation_join.html", context, status=422 if form.errors else 200)


def _welcome(request: HttpRequest, membership: Membership) -> HttpResponse:
    request.session.pop(_OPENED, None)
    messages.success(request, _("You are a member of %(team)s now.") % {"team": membership.team})
    return redirect("access:team", membership.team.slug)


def _closed(request: HttpRequest) -> HttpResponse:
    request.session.pop(_OPENED, None)
    return render(request, "access/invitation_closed.html", status=404)
