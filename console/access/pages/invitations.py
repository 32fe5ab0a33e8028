"""Inviting people: the form, a new link, taking an invitation back."""

from __future__ import annotations

from django import forms
from django.conf import settings
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from console.access import invitations
from console.access.forms import InvitationForm
from console.access.http import TeamRequest
from console.access.models import INVITATION_DAYS, Invitation
from console.access.pages.common import actor_of
from console.access.permissions import requires
from console.access.reauthentication import reauthenticated
from console.access.roles import Area, Level
from console.access.teams import assignable


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@requires(Area.MEMBERS, Level.WRITE)
@reauthenticated
def invite(request: TeamRequest) -> HttpResponse:
    """Invites an address: by mail where the server sends mail, else by a link that is shown once."""
    form = InvitationForm(request.team, assignable(request.membership), request.POST or None)
    if request.method == "POST" and form.is_valid():
        values = form.cleaned_data
        try:
            invitation, token = invitations.invite(
                actor_of(request), values["email"], values["name"], values["role"], form.access_scope
            )
        except ValidationError as error:
            form.add_error(None, error)
        else:
            return _handed_over(request, invitation, token)
    context = {"form": form, "sends_mail": settings.SENDS_MAIL}
    return render(request, "access/invite.html", context, status=422 if form.errors else 200)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@requires(Area.MEMBERS, Level.WRITE)
@reauthenticated
def renew(request: TeamRequest, pk: int) -> HttpResponse:
    """Makes the link anew, and sends or shows it; the old one works no more."""
    found = _invitation(request, pk)
    form = forms.Form(request.POST if request.method == "POST" else None)
    if request.method == "POST":
        try:
            invitation, token = invitations.renew(actor_of(request), found)
        except ValidationError as error:
            form.add_error(None, error)
        else:
            return _handed_over(request, invitation, token)
    context = {"invitation": found, "form": form, "sends_mail": settings.SENDS_MAIL}
    return render(request, "access/invitation_renew.html", context, status=422 if form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Area.MEMBERS, Level.WRITE)
@reauthenticated
def withdraw(request: TeamRequest, pk: int) -> HttpResponse:
    """Takes an invitation back: its link works no more."""
    found = _invitation(request, pk)
    form = forms.Form(request.POST if request.method == "POST" else None)
    if request.method == "POST":
        try:
            invitations.withdraw(actor_of(request), found)
        except ValidationError as error:
            form.add_error(None, error)
        else:
            messages.success(request, _("The invitation of %(email)s is withdrawn.") % {"email": found.email})
            return redirect("access:members", request.team.slug)
    context = {"invitation": found, "form": form}
    return render(request, "access/invitation_withdraw.html", context, status=422 if form.errors else 200)


def _handed_over(request: TeamRequest, invitation: Invitation, token: str) -> HttpResponse:
    """The link goes to the invited address alone, or to the inviter where no mail is sent."""
    link = request.build_absolute_uri(reverse("access:invitation-link", args=[token]))
    if not settings.SENDS_MAIL:
        context = {"invitation": invitation, "link": link, "days": INVITATION_DAYS}
        return render(request, "access/invitation_made.html", context)
    if invitations.send(invitation, link):
        messages.success(
            request, _("The invitation is on its way to %(email)s.") % {"email": invitation.email}
        )
    else:
        messages.error(
            request,
            _(
                "The mail server did not take the mail to %(email)s. The invitation is kept: send it again later."
            )
            % {"email": invitation.email},
        )
    return redirect("access:members", request.team.slug)


def _invitation(request: TeamRequest, pk: int) -> Invitation:
    found = get_object_or_404(request.team.invitations.select_related("invited_by"), pk=pk)
    found.team = request.team
    return found
