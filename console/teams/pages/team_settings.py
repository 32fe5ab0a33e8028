"""The settings of a team, deleting it, and creating another one."""

from __future__ import annotations

from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from console.accounts.http import TeamRequest, UserRequest
from console.accounts.models import Team
from console.accounts.permissions import requires
from console.accounts.roles import Area, Level
from console.audit.records import Origin
from console.sign_in.reauthentication import requires_reauthentication, requires_reauthentication_to_save
from console.teams import team_settings
from console.teams.forms import TeamForm, TeamSettingsForm
from console.teams.pages.common import get_actor
from console.ui.forms import FORM_REFUSED, ConfirmForm


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Area.MEMBERS, Level.SECRET)
@requires_reauthentication_to_save
def settings(request: TeamRequest) -> HttpResponse:
    """Edit the settings of the team."""
    # The form changes a copy: the rest of the page shows the team as it is stored.
    form = TeamSettingsForm(request.POST or None, instance=Team.objects.get(pk=request.team.pk))
    if request.method == "POST" and form.is_valid():
        try:
            team_settings.change_settings(get_actor(request), form.changes)
        except ValidationError as error:
            form.add_error(None, error)
        else:
            messages.success(request, _("Settings saved."))
            return redirect("teams:settings", request.team.slug)
    context = {"form": form, "is_deletable": not request.team.connections.exists()}
    return render(request, "teams/settings.html", context, status=FORM_REFUSED if form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Area.MEMBERS, Level.SECRET)
@requires_reauthentication
def delete(request: TeamRequest) -> HttpResponse:
    """Delete a team without connections once its name is entered."""
    form = ConfirmForm(request.team.name, request.POST or None, label=_("Team name"))
    if request.method == "POST" and form.is_valid():
        try:
            team_settings.delete_team(get_actor(request))
        except ValidationError as error:
            form.add_error(None, error)
        else:
            messages.success(request, _("Team %(team)s deleted.") % {"team": request.team})
            return redirect("teams:home")
    back = reverse("teams:settings", args=[request.team.slug])
    context = {
        "title": _("Delete the team %(team)s?") % {"team": request.team},
        "consequences": [
            _("Its members lose access. Their accounts are kept."),
            _("Its roles, invitations, API tokens and single sign-on rules are deleted."),
        ],
        "form": form,
        "cancel": back,
        "crumbs": [(_("Team settings"), back)],
    }
    return render(request, "ui/confirm_page.html", context, status=FORM_REFUSED if form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
def new_team(request: UserRequest) -> HttpResponse:
    """Create another team. Only team owners can do that; they become its owner."""
    if not team_settings.may_create_teams(request.user):
        raise PermissionDenied(_("Only team owners can create teams."))
    return _create_team(request)


@requires_reauthentication_to_save
def _create_team(request: UserRequest) -> HttpResponse:
    form = TeamForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        values = form.cleaned_data
        try:
            team = team_settings.create_team(
                request.user, values["name"], values["slug"], Origin.from_request(request)
            )
        except ValidationError as error:
            form.add_error(None, error)
        else:
            messages.success(request, _("Team %(team)s created. You are its owner.") % {"team": team})
            return redirect("teams:team", team.slug)
    context = {
        "title": _("Create team"),
        "lead": _("A team has its own connections, members and audit trail. You become its owner."),
        "form": form,
        "submit": _("Create team"),
        "cancel": reverse("teams:home"),
    }
    return render(request, "ui/form_page.html", context, status=FORM_REFUSED if form.errors else 200)
