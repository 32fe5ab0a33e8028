"""The start page, and the start page of a team."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe

from console.accounts.http import TeamRequest, UserRequest
from console.accounts.roles import Area, Level
from console.ui.context import Shell


@require_safe
def home(request: UserRequest) -> HttpResponse:
    """Redirect to the last visited connection, else to the first one of a team, or show a page for users without a team."""
    user = request.user
    memberships = user.memberships.select_related("team").order_by("team__name", "team_id")
    last_team, _slash, last_connection = user.last_visited.partition("/")
    last_membership = next((m for m in memberships if m.team.slug == last_team), None)
    if last_membership is not None and any(
        connection.slug == last_connection for connection in last_membership.connections
    ):
        return redirect("dashboard:home", last_membership.team.slug, last_connection)
    for membership in memberships:
        for connection in membership.connections:
            return redirect("dashboard:home", membership.team.slug, connection.slug)
    if memberships:
        return redirect("teams:team", memberships[0].team.slug)
    return render(request, "teams/no_team.html")


@require_safe
def team(request: TeamRequest) -> HttpResponse:
    """Redirect to the team's last visited connection, else to its first one, or show a page for teams without a connection."""
    connections = request.membership.connections
    last_team, _slash, last_connection = request.membership.user.last_visited.partition("/")
    visited = [c for c in connections if last_team == request.team.slug and c.slug == last_connection]
    for connection in (*visited, *connections):
        return redirect("dashboard:home", request.team.slug, connection.slug)
    may_add = request.membership.has_level(Area.CONNECTIONS, Level.WRITE)
    return render(request, "teams/no_connection.html", {"may_add": may_add})


@require_safe
def switcher(request: TeamRequest) -> HttpResponse:
    """The content of the menu that switches to another team or connection. `?connection=`: the slug of the page's connection."""
    shell = Shell(request)
    slug = request.GET.get("connection", "")
    shell.connection = next((c for c in request.membership.connections if c.slug == slug), None)
    return render(request, "ui/switcher.html", {"shell": shell})
