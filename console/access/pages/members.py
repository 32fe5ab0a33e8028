"""Who belongs to the team: the list, a person's page, and changing either."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy
from django.views.decorators.http import require_http_methods, require_safe

from console.access import invitations, teams
from console.access.forms import GrantForm
from console.access.http import TeamRequest
from console.access.models import Invitation, Membership
from console.access.pages.audit import trail_items
from console.access.pages.common import actor_of, connection_names, people
from console.access.permissions import requires
from console.access.reauthentication import reauthenticated
from console.access.roles import Area, Level
from console.access.scope import in_words
from console.access.teams import assignable, is_owner, may_change
from console.ui.forms import ConfirmForm, FilterForm
from console.ui.tables import Column, Table


class MemberFilters(FilterForm):
    """Which members to show."""

    q = forms.CharField(label=gettext_lazy("Search members"), required=False, max_length=80)
    role = forms.ChoiceField(label=gettext_lazy("Role"), required=False)

    def __init__(self, request: TeamRequest) -> None:
        super().__init__(request)
        roles = request.team.roles.values()
        self.fields["role"].choices = [("", _("Any role")), *((role.slug, role.label) for role in roles)]  # type: ignore[attr-defined]
        self.full_clean()


def _person_url(request: HttpRequest, member: Membership) -> str:
    return reverse("access:member", args=[member.team.slug, member.pk])


def members_table(names: dict[int, str]) -> Table[Membership]:
    """The list of members; `names` are those of the team's connections, for the words about reach."""
    return Table(
        id="members",
        caption=gettext_lazy("Members"),
        columns=[
            Column(
                "name",
                pgettext_lazy("of a person", "Name"),
                value=lambda member: str(member.user),
                link=_person_url,
                primary=True,
            ),
            Column("email", gettext_lazy("E-mail address"), value=lambda member: member.user.email),
            Column("role", gettext_lazy("Role"), value=lambda member: str(member.own_role.label)),
            Column(
                "scope",
                gettext_lazy("Reach"),
                value=lambda member: in_words(member.own_scope, names),
                kind="phrase",
            ),
            Column(
                "last_login",
                gettext_lazy("Last sign-in"),
                value=lambda member: member.user.last_login,
                kind="ago",
            ),
            Column(
                "source",
                gettext_lazy("Came by"),
                value=lambda member: member.get_source_display(),
                hidden=True,
            ),
            Column("created_at", gettext_lazy("Member since"), kind="when", hidden=True),
        ],
    )


@dataclass(frozen=True)
class Invited:
    """A line of the list of invitations."""

    invitation: Invitation
    state: str
    changeable: bool


def invitations_table(names: dict[int, str]) -> Table[Invited]:
    """The list of invitations that nobody accepted or withdrew."""
    return Table(
        id="invitations",
        caption=gettext_lazy("Invitations"),
        columns=[
            Column(
                "email", gettext_lazy("E-mail address"), value=lambda row: row.invitation.email, primary=True
            ),
            Column("role", gettext_lazy("Role"), value=lambda row: str(row.invitation.own_role.label)),
            Column(
                "scope",
                gettext_lazy("Reach"),
                value=lambda row: in_words(row.invitation.own_scope, names),
                kind="phrase",
            ),
            Column(
                "invited_by",
                gettext_lazy("Invited by"),
                value=lambda row: str(row.invitation.invited_by or ""),
            ),
            Column("state", gettext_lazy("State"), kind="status", status="invitation"),
            Column(
                "expires_at", gettext_lazy("Until"), value=lambda row: row.invitation.expires_at, kind="when"
            ),
        ],
        row_template="access/_invitation_row.html",
    )


@require_safe
@requires(Area.MEMBERS, Level.READ)
def members(request: TeamRequest) -> HttpResponse:
    """The team's people, and the invitations that are open."""
    names = connection_names(request.team)
    filters = MemberFilters(request)
    found = sorted(
        _found(people(request.team), filters.values), key=lambda one: (str(one.user).casefold(), one.pk)
    )
    for grant in found:
        grant.team = request.team  # whose roles are read once
    invited = _invited(request)
    context = {
        "table": members_table(names).bind(request, found),
        "filters": filters,
        "invited": invitations_table(names).bind(request, invited) if invited else None,
        "may_add": request.membership.has_level(Area.MEMBERS, Level.WRITE),
    }
    return render(request, "access/members.html", context)


def _invited(request: TeamRequest) -> list[Invited]:
    waiting = list(request.team.invitations.select_related("invited_by"))
    inviters: dict[int | None, Membership] = {}
    for inviter in people(request.team).filter(user__in={row.invited_by_id for row in waiting}):
        inviter.team = request.team
        inviters[inviter.user_id] = inviter
    may_give = {role.slug for role in assignable(request.membership)}
    rows = []
    for row in waiting:
        row.team = request.team
        state = invitations.state(row, inviters.get(row.invited_by_id))
        rows.append(Invited(row, state, row.role_slug in may_give))
    return rows


def _found(members: QuerySet[Membership], values: dict[str, Any]) -> QuerySet[Membership]:
    if "q" in values:
        members = members.filter(Q(user__name__icontains=values["q"]) | Q(user__email__icontains=values["q"]))
    if "role" in values:
        members = members.filter(role_slug=values["role"])
    return members


@require_safe
@requires(Area.MEMBERS, Level.READ)
def member(request: TeamRequest, pk: int) -> HttpResponse:
    """A person in the team: what they may do, how far it reaches, and what can be changed."""
    found = _member(request, pk)
    own = found.pk == request.membership.pk
    changeable = may_change(request.membership, found)
    access_scope = found.own_scope
    names = connection_names(request.team)
    context = {
        "member": found,
        "own": own,
        "changeable": changeable,
        "removable": changeable or own,
        "transferable": is_owner(request.membership) and not own and found.user.is_active,
        "access_scope": access_scope,
        "scope": in_words(access_scope, names),
        "products": sorted(access_scope.products),
        "groups": sorted(access_scope.groups),
        "connections": [names.get(pk, _("a deleted connection")) for pk in sorted(access_scope.connections)],
    }
    context["trail"] = trail_items(request, person=found.user.email)
    return render(request, "access/member.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Area.MEMBERS, Level.WRITE)
@reauthenticated
def member_edit(request: TeamRequest, pk: int) -> HttpResponse:
    """Changes a person's role and reach."""
    found = _member(request, pk)
    if not may_change(request.membership, found):
        raise PermissionDenied(_("This person's role reaches further than yours."))
    form = GrantForm(request.team, assignable(request.membership), request.POST or None, grant=found)
    if request.method == "POST" and form.is_valid():
        try:
            teams.change_member(actor_of(request), found, form.cleaned_data["role"], form.access_scope)
        except ValidationError as error:
            form.add_error("role", error)
        else:
            text = _("%(person)s has the role “%(role)s” now.")
            messages.success(request, text % {"person": found.user, "role": found.own_role.label})
            return redirect("access:members", request.team.slug)
    context = {"member": found, "form": form}
    return render(request, "access/member_edit.html", context, status=422 if form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
def member_remove(request: TeamRequest, pk: int) -> HttpResponse:
    """Takes a member out of the team, or lets anyone leave it."""
    return _leave(request) if pk == request.membership.pk else _remove(request, pk=pk)


@requires(Area.MEMBERS, Level.WRITE)
@reauthenticated
def _remove(request: TeamRequest, pk: int) -> HttpResponse:
    found = _member(request, pk)
    back = reverse("access:members", args=[request.team.slug])
    said = _("%(person)s is no longer a member.") % {"person": found.user}
    return _out(request, found, said, back, leaving=False)


def _leave(request: TeamRequest) -> HttpResponse:
    said = _("You left the team %(team)s.") % {"team": request.team}
    return _out(request, request.membership, said, reverse("access:home"), leaving=True)


def _out(request: TeamRequest, found: Membership, said: str, back: str, *, leaving: bool) -> HttpResponse:
    form = forms.Form(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            teams.remove_member(actor_of(request), found)
        except ValidationError as error:
            form.add_error(None, error)
        else:
            messages.success(request, said)
            return redirect(back)
    stuck = leaving and teams.is_last_owner(found)
    context = {"member": found, "leaving": leaving, "stuck": stuck, "form": form, "back": back}
    return render(request, "access/member_remove.html", context, status=422 if form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Area.MEMBERS, Level.SECRET)
@reauthenticated
def member_transfer(request: TeamRequest, pk: int) -> HttpResponse:
    """Hands the ownership over, after the team's name was typed: the person becomes owner, who hands over administrator."""
    found = _member(request, pk)
    form = ConfirmForm(request.team.name, request.POST or None, label=_("Name of the team"))
    if request.method == "POST" and form.is_valid():
        try:
            teams.transfer_ownership(actor_of(request), found)
        except ValidationError as error:
            form.add_error(None, error)
        else:
            messages.success(request, _("%(person)s is owner now.") % {"person": found.user})
            return redirect("access:member", request.team.slug, request.membership.pk)
    back = reverse("access:member", args=[request.team.slug, found.pk])
    context = {
        "title": _("Hand the ownership over to %(person)s?") % {"person": found.user},
        "consequences": [
            _("%(person)s becomes owner: with everything, and the say who else may be owner.")
            % {"person": found.user},
            _("You become administrator. Only an owner can make you owner again."),
        ],
        "form": form,
        "submit": _("Hand over"),
        "cancel": back,
        "crumbs": [
            (request.team.name, ""),
            (_("Members"), reverse("access:members", args=[request.team.slug])),
            (str(found.user), back),
        ],
    }
    return render(request, "ui/confirm_page.html", context, status=422 if form.errors else 200)


def _member(request: TeamRequest, pk: int) -> Membership:
    found = get_object_or_404(people(request.team), pk=pk)
    found.team = request.team
    return found
