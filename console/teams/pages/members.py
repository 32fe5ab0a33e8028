"""The members of a team: the list, a member's page, editing, removal and the transfer of ownership."""

from __future__ import annotations

from collections.abc import Container
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
from django.utils.translation import gettext_lazy, pgettext, pgettext_lazy
from django.views.decorators.http import require_http_methods, require_safe

from console.accounts.http import TeamRequest
from console.accounts.models import Membership
from console.accounts.permissions import requires
from console.accounts.roles import Area, Level
from console.accounts.scope import describe_scope
from console.sign_in.factors import find_users_with_second_factor, has_second_factor
from console.sign_in.reauthentication import requires_reauthentication, requires_reauthentication_to_save
from console.sign_in.sessions import describe_sessions
from console.teams import changes, invitations
from console.teams.changes import is_owner, list_assignable_roles, may_change_member
from console.teams.forms import GrantForm
from console.teams.models import Invitation
from console.teams.pages.audit import audit_menu_items, list_recent_actions
from console.teams.pages.common import connection_names, describe_grant, find_names, get_actor, list_members
from console.teams.tokens.views import list_personal_tokens
from console.ui.forms import FORM_REFUSED, ConfirmForm, FilterForm
from console.ui.pieces import MenuItem
from console.ui.tables import Column, Table


class MemberFilters(FilterForm):
    q = forms.CharField(label=gettext_lazy("Search members"), required=False, max_length=80)
    role = forms.ChoiceField(label=gettext_lazy("Role"), required=False)

    def __init__(self, request: TeamRequest) -> None:
        super().__init__(request)
        roles = request.team.roles.values()
        self.fields["role"].choices = [("", _("Any")), *((role.slug, role.label) for role in roles)]  # type: ignore[attr-defined]
        self.full_clean()


def describe_second_factor(is_set_up: bool) -> str:
    """Return in words whether a member has a second factor."""
    return pgettext("a second factor", "Set up") if is_set_up else pgettext("a second factor", "Not set up")


def _member_url(request: HttpRequest, member: Membership) -> str:
    return reverse("teams:member", args=[member.team.slug, member.pk])


def _menu_url(request: HttpRequest, member: Membership) -> str:
    return reverse("teams:member-menu", args=[member.team.slug, member.pk])


def members_table(names: dict[int, str], with_factor: Container[int]) -> Table[Membership]:
    """Return the table of members. `names` are those of the team's connections, for the access scopes; `with_factor` has the ids of the
    users with a second factor."""
    return Table(
        id="members",
        caption=gettext_lazy("Members"),
        columns=[
            Column(
                "name",
                pgettext_lazy("of a person", "Name"),
                value=lambda member: str(member.user),
                link=_member_url,
                primary=True,
                sort=True,
            ),
            Column("email", gettext_lazy("Email address"), value=lambda member: member.user.email, sort=True),
            Column("role", gettext_lazy("Role"), value=lambda member: str(member.own_role.label), sort=True),
            Column(
                "scope",
                gettext_lazy("Access scope"),
                value=lambda member: describe_scope(member.own_scope, names),
                kind="phrase",
                sort=True,
            ),
            Column(
                "last_login",
                gettext_lazy("Last sign-in"),
                value=lambda member: member.user.last_login,
                kind="relative_time",
                sort=True,
            ),
            Column(
                "second_factor",
                gettext_lazy("Second factor"),
                value=lambda member: describe_second_factor(member.user_id in with_factor),
                narrow=False,
            ),
            Column(
                "source",
                gettext_lazy("Joined via"),
                value=lambda member: member.get_source_display(),
                hidden=True,
                sort=True,
            ),
            Column("created_at", gettext_lazy("Member since"), kind="time", hidden=True, sort=True),
        ],
        default_sort="name",
        menu=_menu_url,
    )


@dataclass(frozen=True)
class InvitationRow:
    """A row of the table of invitations. `may_change`: whether the present user may renew and withdraw it."""

    invitation: Invitation
    status: str
    may_change: bool


def invitations_table(names: dict[int, str]) -> Table[InvitationRow]:
    """Return the table of invitations that were neither accepted nor withdrawn."""
    return Table(
        id="invitations",
        caption=gettext_lazy("Invitations"),
        columns=[
            Column(
                "email",
                gettext_lazy("Email address"),
                value=lambda row: row.invitation.email,
                primary=True,
                sort=True,
            ),
            Column(
                "role", gettext_lazy("Role"), value=lambda row: str(row.invitation.own_role.label), sort=True
            ),
            Column(
                "scope",
                gettext_lazy("Access scope"),
                value=lambda row: describe_scope(row.invitation.own_scope, names),
                kind="phrase",
            ),
            Column(
                "invited_by",
                gettext_lazy("Invited by"),
                value=lambda row: str(row.invitation.invited_by or ""),
                sort=True,
                labeled=True,
            ),
            Column("status", gettext_lazy("Status"), kind="status", status="invitation", sort=True),
            Column(
                "expires_at",
                gettext_lazy("Expires"),
                value=lambda row: row.invitation.expires_at,
                kind="time",
                sort=True,
            ),
        ],
        row_template="teams/_invitation_row.html",
    )


@require_safe
@requires(Area.MEMBERS, Level.READ)
def members(request: TeamRequest) -> HttpResponse:
    """List the team's members and its invitations."""
    names = connection_names(request.team)
    filters = MemberFilters(request)
    memberships = sorted(
        _filter_members(list_members(request.team), filters.values),
        key=lambda membership: (str(membership.user).casefold(), membership.pk),
    )
    for membership in memberships:
        membership.team = request.team  # so that its roles are read only once
    with_factor = find_users_with_second_factor(membership.user_id for membership in memberships)
    invitation_rows = _invitation_rows(request)
    context = {
        "table": members_table(names, with_factor).bind(request, memberships),
        "filters": filters,
        "invitations": invitations_table(names).bind(request, invitation_rows) if invitation_rows else None,
        "may_add": request.membership.has_level(Area.MEMBERS, Level.WRITE),
    }
    return render(request, "teams/members.html", context)


def _invitation_rows(request: TeamRequest) -> list[InvitationRow]:
    team_invitations = list(request.team.invitations.select_related("invited_by"))
    inviter_ids = {invitation.invited_by_id for invitation in team_invitations}
    inviters: dict[int | None, Membership] = {}
    for inviter in list_members(request.team).filter(user__in=inviter_ids):
        inviter.team = request.team
        inviters[inviter.user_id] = inviter
    assignable_slugs = {role.slug for role in list_assignable_roles(request.membership)}
    rows = []
    for invitation in team_invitations:
        invitation.team = request.team
        status = invitations.invitation_status(invitation, inviters.get(invitation.invited_by_id))
        rows.append(InvitationRow(invitation, status, invitation.role_slug in assignable_slugs))
    return rows


def _filter_members(members: QuerySet[Membership], values: dict[str, Any]) -> QuerySet[Membership]:
    if "q" in values:
        members = members.filter(Q(user__name__icontains=values["q"]) | Q(user__email__icontains=values["q"]))
    if "role" in values:
        members = members.filter(role_slug=values["role"])
    return members


@require_safe
@requires(Area.MEMBERS, Level.READ)
def member(request: TeamRequest, pk: int) -> HttpResponse:
    """Show a member: their role, access scope, recent actions, tokens and the actions that are available; to oneself also the
    sessions."""
    membership = _get_member(request, pk)
    is_self = membership.pk == request.membership.pk
    may_edit = may_change_member(request.membership, membership)
    context = {
        "member": membership,
        "is_self": is_self,
        "may_edit": may_edit,
        "menu": _build_menu(request, membership, is_self=is_self, may_remove=may_edit or is_self),
        "second_factor": describe_second_factor(has_second_factor(membership.user)),
        "actions": list_recent_actions(request, membership.user),
        "tokens": list_personal_tokens(request, membership),
        "sessions": describe_sessions(request) if is_self else [],
        **describe_grant(membership.own_scope, request.team),
        **find_names(membership.own_scope, request.team),
    }
    return render(request, "teams/member.html", context)


@require_safe
@requires(Area.MEMBERS, Level.READ)
def member_menu(request: TeamRequest, pk: int) -> HttpResponse:
    """Return the menu of a member in the list: the actions of the member's page."""
    membership = _get_member(request, pk)
    is_self = membership.pk == request.membership.pk
    may_edit = may_change_member(request.membership, membership)
    items = _build_menu(request, membership, is_self=is_self, may_remove=may_edit or is_self)
    if may_edit:
        url = reverse("teams:member-edit", args=[request.team.slug, membership.pk])
        items.insert(0, MenuItem(_("Edit role and scope"), url, "pencil"))
    return render(request, "ui/menu_items.html", {"items": items})


def _build_menu(
    request: TeamRequest, member: Membership, *, is_self: bool, may_remove: bool
) -> list[MenuItem]:
    """Return the menu of a member's page: what is rarely done, and what cannot be undone last."""
    items = audit_menu_items(request, person=member.user.email)
    if is_owner(request.membership) and not is_self and member.user.is_active:
        url = reverse("teams:member-transfer", args=[request.team.slug, member.pk])
        items.append(MenuItem(_("Transfer ownership…"), url, "crown", dialog=True))
    if may_remove:
        url = reverse("teams:member-remove", args=[request.team.slug, member.pk])
        label = _("Leave team…") if is_self else _("Remove member…")
        items.append(MenuItem(label, url, "user-minus", danger=True, dialog=True))
    return items


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Area.MEMBERS, Level.WRITE)
@requires_reauthentication_to_save
def member_edit(request: TeamRequest, pk: int) -> HttpResponse:
    """Edit a member's role and access scope."""
    membership = _get_member(request, pk)
    if not may_change_member(request.membership, membership):
        raise PermissionDenied(_("This user's role has more permissions than yours. Ask a team owner."))
    form = GrantForm(
        request.team, list_assignable_roles(request.membership), request.POST or None, grant=membership
    )
    if request.method == "POST" and form.is_valid():
        try:
            changes.change_member(
                get_actor(request), membership, form.cleaned_data["role"], form.access_scope
            )
        except ValidationError as error:
            form.add_error("role", error)
        else:
            messages.success(
                request, _("Role and access scope of %(person)s saved.") % {"person": membership.user}
            )
            return redirect("teams:members", request.team.slug)
    context = {"member": membership, "form": form}
    return render(request, "teams/member_edit.html", context, status=FORM_REFUSED if form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
def member_remove(request: TeamRequest, pk: int) -> HttpResponse:
    """Remove a member from the team, or let the user leave it."""
    return _leave_team(request) if pk == request.membership.pk else _remove_other(request, pk=pk)


@requires(Area.MEMBERS, Level.WRITE)
@requires_reauthentication
def _remove_other(request: TeamRequest, pk: int) -> HttpResponse:
    membership = _get_member(request, pk)
    back = reverse("teams:members", args=[request.team.slug])
    message = _("%(person)s is no longer a member.") % {"person": membership.user}
    return _confirm_removal(request, membership, message, back, is_leaving=False)


def _leave_team(request: TeamRequest) -> HttpResponse:
    message = _("You left the team %(team)s.") % {"team": request.team}
    return _confirm_removal(request, request.membership, message, reverse("teams:home"), is_leaving=True)


def _confirm_removal(
    request: TeamRequest, membership: Membership, message: str, back: str, *, is_leaving: bool
) -> HttpResponse:
    form = forms.Form(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            changes.remove_member(get_actor(request), membership)
        except ValidationError as error:
            form.add_error(None, error)
        else:
            messages.success(request, message)
            return redirect(back)
    context = {
        "member": membership,
        "is_leaving": is_leaving,
        "is_last_owner": is_leaving and changes.is_last_owner(membership),
        "form": form,
        "back": back,
    }
    return render(request, "teams/member_remove.html", context, status=FORM_REFUSED if form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Area.MEMBERS, Level.SECRET)
@requires_reauthentication
def member_transfer(request: TeamRequest, pk: int) -> HttpResponse:
    """Transfer the ownership once the team's name is entered: the member becomes owner, the present user administrator."""
    membership = _get_member(request, pk)
    form = ConfirmForm(request.team.name, request.POST or None, label=_("Team name"))
    if request.method == "POST" and form.is_valid():
        try:
            changes.transfer_ownership(get_actor(request), membership)
        except ValidationError as error:
            form.add_error(None, error)
        else:
            messages.success(request, _("%(person)s is now an owner.") % {"person": membership.user})
            return redirect("teams:member", request.team.slug, request.membership.pk)
    back = reverse("teams:member", args=[request.team.slug, membership.pk])
    context = {
        "title": _("Transfer ownership to %(person)s?") % {"person": membership.user},
        "consequences": [
            _("%(person)s becomes an owner, gets full access and can assign owners.")
            % {"person": membership.user},
            _("You become an administrator. Only an owner can make you an owner again."),
        ],
        "form": form,
        "submit": _("Transfer ownership"),
        "cancel": back,
        "crumbs": [
            (_("Members"), reverse("teams:members", args=[request.team.slug])),
            (str(membership.user), back),
        ],
    }
    return render(request, "ui/confirm_page.html", context, status=FORM_REFUSED if form.errors else 200)


def _get_member(request: TeamRequest, pk: int) -> Membership:
    membership = get_object_or_404(list_members(request.team), pk=pk)
    membership.team = request.team
    return membership
