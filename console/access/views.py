"""The front door, the team's members, and the person's own page."""

from __future__ import annotations

from django import forms
from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from console.access import teams
from console.access.audit import Origin, recorded
from console.access.forms import AddMemberForm, ProfileForm, RoleForm
from console.access.http import PersonRequest, TeamRequest
from console.access.models import Membership, User
from console.access.permissions import require, requires
from console.access.roles import Area, Level
from console.ui.context import THEME_COOKIE
from console.ui.tables import Column, Table

# -- the front door --------------------------------------------------------------------------------------------------


@require_safe
def home(request: PersonRequest) -> HttpResponse:
    """Leads to the connection that the person looked at last, else to their first team; says so when they have none."""
    user = request.user
    memberships = user.memberships.select_related("team").order_by("team__name", "team_id")
    last_team, _slash, last_connection = user.last_place.partition("/")
    chosen = next((m for m in memberships if m.team.slug == last_team), None)
    if chosen is not None and chosen.team.connections.filter(slug=last_connection).exists():
        return redirect("dashboard:home", chosen.team.slug, last_connection)
    for membership in memberships:
        connection = membership.team.connections.first()
        if connection is not None:
            return redirect("dashboard:home", membership.team.slug, connection.slug)
    if memberships:
        return redirect("access:team", memberships[0].team.slug)
    return render(request, "access/no_team.html")


@require_safe
def team(request: TeamRequest) -> HttpResponse:
    """Leads to the team's connection, the last used one first; a page that says what to do when it has none."""
    connections = request.team.connections.all()
    last_team, _slash, last_connection = request.membership.user.last_place.partition("/")
    used = [c for c in connections if last_team == request.team.slug and c.slug == last_connection]
    for connection in (*used, *connections):
        return redirect("dashboard:home", request.team.slug, connection.slug)
    may_add = request.membership.has_level(Area.CONNECTIONS, Level.WRITE)
    return render(request, "access/no_connection.html", {"may_add": may_add})


# -- members ---------------------------------------------------------------------------------------------------------


def _edit_url(request: HttpRequest, member: Membership) -> str:
    return reverse("access:member", args=[member.team.slug, member.pk])


MEMBERS: Table[Membership] = Table(
    id="members",
    caption=gettext_lazy("Members"),
    columns=[
        Column(
            "name",
            pgettext_lazy("of a person", "Name"),
            value=lambda member: str(member.user),
            link=_edit_url,
            primary=True,
        ),
        Column("email", gettext_lazy("E-mail address"), value=lambda member: member.user.email),
        Column("role", gettext_lazy("Role"), value=lambda member: str(member.role.label)),
        Column(
            "last_login",
            gettext_lazy("Last sign-in"),
            value=lambda member: member.user.last_login,
            kind="ago",
        ),
        Column("created_at", gettext_lazy("Member since"), kind="when", narrow=False),
    ],
)


@require_safe
@requires(Area.MEMBERS, Level.READ)
def members(request: TeamRequest) -> HttpResponse:
    """The team's members."""
    found = request.team.memberships.select_related("user", "team").order_by("user__name", "user__email")
    context = {
        "table": MEMBERS.bind(request, found),
        "may_add": request.membership.has_level(Area.MEMBERS, Level.WRITE),
    }
    return render(request, "access/members.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Area.MEMBERS, Level.WRITE)
def member_add(request: TeamRequest) -> HttpResponse:
    """Adds a person; a new one gets a link to choose a password, which the next page shows."""
    form = AddMemberForm(teams.assignable(request.membership), request.POST or None)
    if request.method == "POST" and form.is_valid():
        values = form.cleaned_data
        try:
            member = teams.add_member(_actor(request), values["email"], values["name"], values["role"])
        except ValidationError as error:
            form.add_error(None, error)
        else:
            messages.success(request, _("%(person)s is a member now.") % {"person": member.user})
            if teams.may_hand_link(request.membership, member):
                return redirect("access:member-link", request.team.slug, member.pk)
            return redirect("access:members", request.team.slug)
    return render(request, "access/member_add.html", {"form": form}, status=422 if form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Area.MEMBERS, Level.READ)
def member(request: TeamRequest, pk: int) -> HttpResponse:
    """A member: their role, and what can be done."""
    found = _member(request, pk)
    changeable = teams.may_change(request.membership, found)
    form = RoleForm(
        teams.assignable(request.membership), request.POST or None, initial={"role": found.role_slug}
    )
    if request.method == "POST":
        require(request, Area.MEMBERS, Level.WRITE)
        if form.is_valid():
            try:
                teams.change_role(_actor(request), found, form.cleaned_data["role"])
            except ValidationError as error:
                form.add_error("role", error)
            else:
                text = _("%(person)s has the role “%(role)s” now.") % {
                    "person": found.user,
                    "role": found.role.label,
                }
                messages.success(request, text)
                return redirect("access:members", request.team.slug)
    context = {
        "member": found,
        "form": form if changeable else None,
        "removable": changeable or found.pk == request.membership.pk,
        "awaits_password": teams.may_hand_link(request.membership, found),
    }
    return render(request, "access/member.html", context, status=422 if form.errors else 200)


@never_cache
@require_safe
@requires(Area.MEMBERS, Level.WRITE)
def member_link(request: TeamRequest, pk: int) -> HttpResponse:
    """The link by which a new person chooses a password; 404 once they have."""
    found = _member(request, pk)
    if not teams.may_change(request.membership, found):
        raise PermissionDenied(_("Only an owner may change or remove an owner."))
    if not teams.awaits_password(found.user):
        raise Http404
    if not teams.may_hand_link(request.membership, found):
        raise PermissionDenied(_("The team that added this person first hands out the link."))
    with recorded(
        operation="team.password_link",
        actor=request.membership.user,
        team=request.team,
        origin=Origin.of(request),
        target=found.user.email,
    ):
        link = request.build_absolute_uri(teams.password_link(found.user))
    days = settings.PASSWORD_RESET_TIMEOUT // 86_400
    return render(request, "access/member_link.html", {"member": found, "link": link, "days": days})


@require_http_methods(["GET", "HEAD", "POST"])
def member_remove(request: TeamRequest, pk: int) -> HttpResponse:
    """Takes a member out of the team, or lets anyone leave it."""
    leaving = pk == request.membership.pk
    if not leaving:
        require(request, Area.MEMBERS, Level.WRITE)
    found = _member(request, pk)
    form = forms.Form(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            teams.remove_member(_actor(request), found)
        except ValidationError as error:
            form.add_error(None, error)
        else:
            if leaving:
                messages.success(request, _("You left the team %(team)s.") % {"team": request.team})
                return redirect("access:home")
            messages.success(request, _("%(person)s is no longer a member.") % {"person": found.user})
            return redirect("access:members", request.team.slug)
    back = reverse("access:home") if leaving else reverse("access:members", args=[request.team.slug])
    context = {"member": found, "leaving": leaving, "form": form, "back": back}
    return render(request, "access/member_remove.html", context, status=422 if form.errors else 200)


def _member(request: TeamRequest, pk: int) -> Membership:
    return get_object_or_404(request.team.memberships.select_related("user", "team"), pk=pk)


def _actor(request: TeamRequest) -> teams.Actor:
    return teams.Actor(request.membership, Origin.of(request))


# -- the person's own page -------------------------------------------------------------------------------------------


def _keep_place(request: PersonRequest) -> None:
    """Let the frame around a page of no team show the team that the person comes from."""
    slug = request.user.last_place.partition("/")[0]
    membership = request.user.memberships.select_related("team", "user").filter(team__slug=slug).first()
    if membership is not None:
        request.membership = membership  # type: ignore[attr-defined]
        request.team = membership.team  # type: ignore[attr-defined]


@require_http_methods(["GET", "HEAD", "POST"])
def profile(request: PersonRequest) -> HttpResponse:
    """Name, time zone, language, looks; the teams; the way to a new password."""
    user = request.user
    _keep_place(request)
    form = ProfileForm(request.POST or None, instance=User.objects.get(pk=user.pk))
    if request.method == "POST" and form.is_valid():
        form.save()
        messages.success(request, _("Saved."))
        response = redirect("access:profile")
        # What this browser was told before gives way to what was chosen now.
        response.delete_cookie(THEME_COOKIE)
        return response
    memberships = user.memberships.select_related("team").order_by("team__name")
    context = {"form": form, "memberships": memberships}
    return render(request, "access/profile.html", context, status=422 if form.errors else 200)
