"""Inviting users: the form, renewing a link, withdrawing an invitation."""

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

from console.accounts.http import TeamRequest
from console.accounts.permissions import requires
from console.accounts.roles import Area, Level
from console.sign_in.reauthentication import requires_reauthentication, requires_reauthentication_to_save
from console.teams import invitations
from console.teams.changes import list_assignable_roles
from console.teams.forms import InvitationForm
from console.teams.models import INVITATION_DAYS, Invitation
from console.teams.pages.common import get_actor
from console.ui.forms import FORM_REFUSED
from console.ui.links import absolute_url


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@requires(Area.MEMBERS, Level.WRITE)
@requires_reauthentication_to_save
def invite(request: TeamRequest) -> HttpResponse:
    """Invite an email address: by email if the server can send it, otherwise by a link that is shown once."""
    form = InvitationForm(request.team, list_assignable_roles(request.membership), request.POST or None)
    if request.method == "POST" and form.is_valid():
        values = form.cleaned_data
        try:
            invitation, token = invitations.create_invitation(
                get_actor(request), values["email"], values["name"], values["role"], form.access_scope
            )
        except ValidationError as error:
            form.add_error(None, error)
        else:
            return _deliver_link(request, invitation, token)
    context = {"form": form, "sends_mail": settings.SENDS_MAIL}
    return render(request, "teams/invite.html", context, status=FORM_REFUSED if form.errors else 200)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@requires(Area.MEMBERS, Level.WRITE)
@requires_reauthentication
def renew(request: TeamRequest, pk: int) -> HttpResponse:
    """Create a new link and send or show it; the previous link becomes invalid."""
    present = _get_invitation(request, pk)
    form = forms.Form(request.POST if request.method == "POST" else None)
    if request.method == "POST":
        try:
            invitation, token = invitations.renew_invitation(get_actor(request), present)
        except ValidationError as error:
            form.add_error(None, error)
        else:
            return _deliver_link(request, invitation, token)
    context = {"invitation": present, "form": form, "sends_mail": settings.SENDS_MAIL}
    return render(
        request, "teams/invitation_renew.html", context, status=FORM_REFUSED if form.errors else 200
    )


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Area.MEMBERS, Level.WRITE)
@requires_reauthentication
def withdraw(request: TeamRequest, pk: int) -> HttpResponse:
    """Withdraw an invitation: its link becomes invalid."""
    invitation = _get_invitation(request, pk)
    form = forms.Form(request.POST if request.method == "POST" else None)
    if request.method == "POST":
        try:
            invitations.withdraw_invitation(get_actor(request), invitation)
        except ValidationError as error:
            form.add_error(None, error)
        else:
            messages.success(request, _("Invitation for %(email)s withdrawn.") % {"email": invitation.email})
            return redirect("teams:members", request.team.slug)
    context = {"invitation": invitation, "form": form}
    return render(
        request, "teams/invitation_withdraw.html", context, status=FORM_REFUSED if form.errors else 200
    )


def _deliver_link(request: TeamRequest, invitation: Invitation, token: str) -> HttpResponse:
    """Send the link to the invited address, or show it to the inviter if the server sends no email."""
    link = absolute_url(request, reverse("teams:invitation-link", args=[token]))
    if not settings.SENDS_MAIL:
        context = {"invitation": invitation, "link": link, "days": INVITATION_DAYS}
        return render(request, "teams/invitation_link.html", context)
    if invitations.send_invitation(invitation, link):
        messages.success(request, _("Invitation sent to %(email)s.") % {"email": invitation.email})
    else:
        messages.error(
            request,
            _("The email to %(email)s could not be sent. The invitation is saved. Send it again later.")
            % {"email": invitation.email},
        )
    return redirect("teams:members", request.team.slug)


def _get_invitation(request: TeamRequest, pk: int) -> Invitation:
    invitation = get_object_or_404(request.team.invitations.select_related("invited_by"), pk=pk)
    invitation.team = request.team
    return invitation
