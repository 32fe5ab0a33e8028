"""Accepting an invitation: the link, and the page that it opens."""

from __future__ import annotations

from typing import Any

from allauth.account.adapter import get_adapter  # type: ignore[import-not-opened]
from allauth.account.internal.flows.login import record_authentication  # type: ignore[import-not-opened]
from allauth.account.utils import perform_login  # type: ignore[import-not-opened]
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

from console.accounts.models import Membership
from console.audit.records import Origin
from console.teams import invitations
from console.teams.forms import JoinForm
from console.teams.models import Invitation
from console.teams.pages.common import describe_grant
from console.ui.forms import FORM_REFUSED

# The session key for the digest of the opened invitation. A digest alone does not open an invitation.
_SESSION_KEY = "invitation"


@login_not_required
@never_cache
@require_safe
def link(request: HttpRequest, token: str) -> HttpResponse:
    """Remove the token from the URL immediately, so that no later request, log line or referrer contains it."""
    digest = invitations.digest_token(token)
    request.session.pop(_SESSION_KEY, None)
    if invitations.find_open_invitation(digest) is not None:
        request.session[_SESSION_KEY] = digest
    response = redirect("teams:invitation")
    response["Referrer-Policy"] = "no-referrer"
    return response


@sensitive_post_parameters()
@login_not_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def invitation(request: HttpRequest) -> HttpResponseBase:
    """Show the invitation that was opened last. Its addressee accepts it, or a new user joins by choosing a password.

    A visitor who is not signed in sees the same page whether or not the address has an account, because the inviter may have
    the link.
    """
    opened = invitations.find_open_invitation(request.session.get(_SESSION_KEY, ""))
    if opened is None:
        return _show_closed(request)
    if not request.user.is_authenticated:
        return _join_as_new_user(request, opened)
    if request.user.email == opened.email:
        return _join_as_user(request, opened)
    if request.method == "POST":  # the button "Sign out"
        get_adapter(request).logout(request)
        request.session[_SESSION_KEY] = opened.digest
        return redirect("teams:invitation")
    return render(request, "teams/invitation_wrong_account.html", {"invitation": opened})


def _join_as_user(request: HttpRequest, opened: Invitation) -> HttpResponse:
    if request.method != "POST":
        return render(request, "teams/invitation_accept.html", _build_context(opened))
    try:
        membership = invitations.accept_invitation(opened.digest, request.user, Origin.from_request(request))  # type: ignore[arg-type]
    except invitations.InvitationClosed:
        return _show_closed(request)
    return _finish_joining(request, membership)


def _join_as_new_user(request: HttpRequest, opened: Invitation) -> HttpResponseBase:
    form = JoinForm(opened.email, request.POST or None, initial={"name": opened.name})
    if request.method == "POST" and form.is_valid():
        values = form.cleaned_data
        try:
            membership = invitations.accept_as_new_user(
                opened.digest, values["name"], values["password1"], Origin.from_request(request)
            )
        except invitations.InvitationClosed:
            return _show_closed(request)
        except ValidationError as error:
            form.add_error(None, error)
        else:
            record_authentication(request, membership.user, method="password", email=membership.user.email)
            _finish_joining(request, membership)
            return perform_login(  # type: ignore[no-any-return]
                request, membership.user, redirect_url=reverse("teams:team", args=[membership.team.slug])
            )
    context = {**_build_context(opened), "form": form}
    return render(request, "teams/invitation_join.html", context, status=FORM_REFUSED if form.errors else 200)


def _build_context(opened: Invitation) -> dict[str, Any]:
    return {"invitation": opened, **describe_grant(opened.own_scope, opened.team)}


def _finish_joining(request: HttpRequest, membership: Membership) -> HttpResponse:
    request.session.pop(_SESSION_KEY, None)
    messages.success(request, _("You joined %(team)s.") % {"team": membership.team})
    return redirect("teams:team", membership.team.slug)


def _show_closed(request: HttpRequest) -> HttpResponse:
    request.session.pop(_SESSION_KEY, None)
    return render(request, "teams/invitation_closed.html", status=404)
