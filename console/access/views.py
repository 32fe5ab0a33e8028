"""The start page, and the user's profile."""

from __future__ import annotations

from contextlib import ExitStack

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from console.access.audit import Origin, record_action
from console.access.forms import ProfileForm
from console.access.http import TeamRequest, UserRequest
from console.access.models import Team, User
from console.access.roles import Area, Level
from console.access.sign_in.factors import lacks_second_factor
from console.ui.context import THEME_COOKIE, Shell

# -- the start page --------------------------------------------------------------------------------------------------


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
        return redirect("access:team", memberships[0].team.slug)
    return render(request, "access/no_team.html")


@require_safe
def team(request: TeamRequest) -> HttpResponse:
    """Redirect to the team's last visited connection, else to its first one, or show a page for teams without a connection."""
    connections = request.membership.connections
    last_team, _slash, last_connection = request.membership.user.last_visited.partition("/")
    visited = [c for c in connections if last_team == request.team.slug and c.slug == last_connection]
    for connection in (*visited, *connections):
        return redirect("dashboard:home", request.team.slug, connection.slug)
    may_add = request.membership.has_level(Area.CONNECTIONS, Level.WRITE)
    return render(request, "access/no_connection.html", {"may_add": may_add})


@require_safe
def switcher(request: TeamRequest) -> HttpResponse:
    """The content of the menu that switches to another team or connection. `?connection=`: the slug of the page's connection."""
    shell = Shell(request)
    slug = request.GET.get("connection", "")
    shell.connection = next((c for c in request.membership.connections if c.slug == slug), None)
    return render(request, "ui/switcher.html", {"shell": shell})


# -- the user's profile ----------------------------------------------------------------------------------------------


def restore_last_team(request: UserRequest) -> None:
    """Set the last visited team on a request whose URL names none, for the navigation around the page.

    Sets nothing if the user lacks a second factor that the team requires.
    """
    slug = request.user.last_visited.partition("/")[0]
    membership = request.user.memberships.select_related("team", "user").filter(team__slug=slug).first()
    if membership is not None and not lacks_second_factor(request, membership.team):
        request.membership = membership  # type: ignore[attr-defined]
        request.team = membership.team  # type: ignore[attr-defined]


@require_http_methods(["GET", "HEAD", "POST"])
def profile(request: UserRequest) -> HttpResponse:
    """Show and edit the user's name, time zone, language and theme; list their teams."""
    user = request.user
    restore_last_team(request)
    form = ProfileForm(request.POST or None, instance=User.objects.get(pk=user.pk))
    if request.method == "POST" and form.is_valid():
        with ExitStack() as records:
            if "name" in form.changed_data:  # the name is visible to others
                for team in Team.objects.filter(memberships__user=user):
                    record = record_action(
                        operation="profile.edit",
                        actor=user,
                        team=team,
                        origin=Origin.from_request(request),
                        target=user.email,
                        parameters={"name": form.cleaned_data["name"]},
                        before={"name": user.name},
                    )
                    records.enter_context(record)
            form.save()
        messages.success(request, _("Profile saved."))
        response = redirect("access:profile")
        # The saved theme replaces the one that this browser remembers.
        response.delete_cookie(THEME_COOKIE)
        return response
    memberships = user.memberships.select_related("team").order_by("team__name")
    context = {"form": form, "memberships": memberships}
    return render(request, "access/profile.html", context, status=422 if form.errors else 200)
