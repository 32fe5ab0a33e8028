"""A team's rules, its end, and the beginning of another."""

from __future__ import annotations

from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from console.access import team_settings
from console.access.audit import Origin
from console.access.forms import TeamForm, TeamSettingsForm
from console.access.http import PersonRequest, TeamRequest
from console.access.models import Team
from console.access.pages.common import actor_of
from console.access.permissions import requires
from console.access.reauthentication import reauthenticated
from console.access.roles import Area, Level
from console.ui.forms import ConfirmForm


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Area.MEMBERS, Level.SECRET)
@reauthenticated
def settings(request: TeamRequest) -> HttpResponse:
    """Changes the team's rules."""
    # A copy for the form to change: the page's frame shows the team as it is stored.
    form = TeamSettingsForm(request.POST or None, instance=Team.objects.get(pk=request.team.pk))
    if request.method == "POST" and form.is_valid():
        try:
            team_settings.change_settings(actor_of(request), form.changes)
        except ValidationError as error:
            form.add_error(None, error)
        else:
            messages.success(request, _("Saved."))
            return redirect("access:settings", request.team.slug)
    context = {"form": form, "deletable": not request.team.connections.exists()}
    return render(request, "access/settings.html", context, status=422 if form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Area.MEMBERS, Level.SECRET)
@reauthenticated
def delete(request: TeamRequest) -> HttpResponse:
    """Deletes a team without connections, after its name was typed."""
    form = ConfirmForm(request.team.name, request.POST or None, label=_("Name of the team"))
    if request.method == "POST" and form.is_valid():
        try:
            team_settings.delete_team(actor_of(request))
        except ValidationError as error:
            form.add_error(None, error)
        else:
            messages.success(request, _("The team %(team)s is deleted.") % {"team": request.team})
            return redirect("access:home")
    back = reverse("access:settings", args=[request.team.slug])
    context = {
        "title": _("Delete the team %(team)s?") % {"team": request.team},
        "consequences": [
            _("Its members lose their access. Their accounts stay."),
            _("Its roles, invitations, API tokens and sign-on rules are deleted."),
        ],
        "form": form,
        "cancel": back,
        "crumbs": [(_("Settings"), back)],
    }
    return render(request, "ui/confirm_page.html", context, status=422 if form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
def new_team(request: PersonRequest) -> HttpResponse:
    """Makes another team, by somebody who owns one; they own it too."""
    if not team_settings.may_make_teams(request.user):
        raise PermissionDenied(_("Only who owns a team may make another."))
    return _new_team(request)


@reauthenticated
def _new_team(request: PersonRequest) -> HttpResponse:
    form = TeamForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        values = form.cleaned_data
        try:
            made = team_settings.create_team(request.user, values["name"], values["slug"], Origin.of(request))
        except ValidationError as error:
            form.add_error(None, error)
        else:
            messages.success(request, _("The team %(team)s is made. You are its owner.") % {"team": made})
            return redirect("access:team", made.slug)
    context = {
        "title": _("New team"),
        "lead": _("A team has its own connections, members and audit trail. You will be its owner."),
        "form": form,
        "submit": _("Make the team"),
        "cancel": reverse("access:home"),
    }
    return render(request, "ui/form_page.html", context, status=422 if form.errors else 200)
