"""The front door, and the person's own page."""

from __future__ import annotations

from contextlib import ExitStack

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from console.access.audit import Origin, recorded
from console.access.forms import ProfileForm
from console.access.http import PersonRequest, TeamRequest
from console.access.models import Team, User
from console.access.roles import Area, Level
from console.access.sign_in.factors import lacks_second_factor
from console.ui.context import THEME_COOKIE

# -- the front door --------------------------------------------------------------------------------------------------


@require_safe
def home(request: PersonRequest) -> HttpResponse:
    """Leads to the connection that the person looked at last, else to their first team; says so when they have none."""
    user = request.user
    memberships = user.memberships.select_related("team").order_by("team__name", "team_id")
    last_team, _slash, last_connection = user.last_place.partition("/")
    chosen = next((m for m in memberships if m.team.slug == last_team), None)
    if chosen is not None and any(place.slug == last_connection for place in chosen.connections):
        return redirect("dashboard:home", chosen.team.slug, last_connection)
    for membership in memberships:
        for connection in membership.connections:
            return redirect("dashboard:home", membership.team.slug, connection.slug)
    if memberships:
        return redirect("access:team", memberships[0].team.slug)
    return render(request, "access/no_team.html")


@require_safe
def team(request: TeamRequest) -> HttpResponse:
    """Leads to the team's connection, the last used one first; a page that says what to do when it has none."""
    connections = request.membership.connections
    last_team, _slash, last_connection = request.membership.user.last_place.partition("/")
    used = [c for c in connections if last_team == request.team.slug and c.slug == last_connection]
    for connection in (*used, *connections):
        return redirect("dashboard:home", request.team.slug, connection.slug)
    may_add = request.membership.has_level(Area.CONNECTIONS, Level.WRITE)
    return render(request, "access/no_connection.html", {"may_add": may_add})


# -- the person's own page -------------------------------------------------------------------------------------------


def keep_place(request: PersonRequest) -> None:
    """Let the frame around a page of no team show the team that the person comes from, where it shows them anything."""
    slug = request.user.last_place.partition("/")[0]
    membership = request.user.memberships.select_related("team", "user").filter(team__slug=slug).first()
    if membership is not None and not lacks_second_factor(request, membership.team):
        request.membership = membership  # type: ignore[attr-defined]
        request.team = membership.team  # type: ignore[attr-defined]


@require_http_methods(["GET", "HEAD", "POST"])
def profile(request: PersonRequest) -> HttpResponse:
    """Name, time zone, language, looks; the teams; the way to a new password."""
    user = request.user
    keep_place(request)
    form = ProfileForm(request.POST or None, instance=User.objects.get(pk=user.pk))
    if request.method == "POST" and form.is_valid():
        with ExitStack() as records:
            if "name" in form.changed_data:  # what others see of the person
                for team in Team.objects.filter(memberships__user=user):
                    record = recorded(
                        operation="profile.edit",
                        actor=user,
                        team=team,
                        origin=Origin.of(request),
                        target=user.email,
                        parameters={"name": form.cleaned_data["name"]},
                        before={"name": user.name},
                    )
                    records.enter_context(record)
            form.save()
        messages.success(request, _("Saved."))
        response = redirect("access:profile")
        # What this browser was told before gives way to what was chosen now.
        response.delete_cookie(THEME_COOKIE)
        return response
    memberships = user.memberships.select_related("team").order_by("team__name")
    context = {"form": form, "memberships": memberships}
    return render(request, "access/profile.html", context, status=422 if form.errors else 200)
