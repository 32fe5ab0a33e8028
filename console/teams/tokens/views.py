"""The pages of tokens: the user's own, and those of a team."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from console.accounts.http import TeamRequest, UserRequest
from console.accounts.models import ApiToken, Membership
from console.accounts.permissions import requires
from console.accounts.roles import Area, Level
from console.accounts.scope import describe_scope
from console.audit.records import Origin
from console.sign_in.reauthentication import requires_reauthentication_to_save
from console.teams.changes import Actor
from console.teams.pages.common import connection_names
from console.teams.tokens.forms import TokenForm
from console.teams.tokens.lifecycle import (
    CreatedToken,
    TokenDraft,
    create_personal_token,
    create_team_token,
    revoke_token,
)
from console.ui.forms import FORM_REFUSED
from console.ui.tables import BoundTable, Column, Empty, Table

_HISTORY = timedelta(days=30)


def _describe_scope(token: ApiToken) -> str:
    access_scope = token.own_scope
    names = connection_names(token.team) if access_scope.connections else {}
    return describe_scope(access_scope, names)


_COLUMNS: tuple[Column[ApiToken], ...] = (
    Column("name", pgettext_lazy("of a token", "Name"), primary=True, sort=True),
    Column("hint", gettext_lazy("Prefix"), kind="code"),
    Column("state", gettext_lazy("Status"), kind="status", status="token", sort=True),
    Column("role", gettext_lazy("Role"), value=lambda token: str(token.own_role.label), sort=True),
    Column("scope", gettext_lazy("Access scope"), value=_describe_scope, kind="phrase", sort=True),
    Column("last_used_at", gettext_lazy("Last used"), kind="relative_time", sort=True),
    Column("last_used_ip", gettext_lazy("Last IP address"), hidden=True, sort=True),
    Column("expires_at", gettext_lazy("Expires"), kind="time", sort=True),
)
OWN_TOKENS: Table[ApiToken] = Table(
    id="own-tokens",
    caption=gettext_lazy("Personal tokens"),
    columns=(_COLUMNS[0], Column("team", gettext_lazy("Team"), kind="phrase", sort=True), *_COLUMNS[1:]),
    row_template="teams/token_own_row.html",
)
TEAM_TOKENS: Table[ApiToken] = Table(
    id="team-tokens",
    caption=gettext_lazy("Team tokens"),
    columns=(*_COLUMNS, Column("created_by", gettext_lazy("Created by"), hidden=True, sort=True)),
    row_template="teams/token_team_row.html",
)
MEMBER_TOKENS: Table[ApiToken] = Table(
    id="member-tokens",
    caption=gettext_lazy("Personal tokens of members"),
    columns=(_COLUMNS[0], Column("user", gettext_lazy("User"), kind="phrase", sort=True), *_COLUMNS[1:]),
    row_template="teams/token_team_row.html",
)


PERSONAL_TOKENS: Table[ApiToken] = Table(
    id="personal-tokens",
    caption=gettext_lazy("Personal API tokens"),
    columns=[column for column in _COLUMNS if column.key != "hint"],
    row_template="teams/token_team_row.html",
)


def list_personal_tokens(request: TeamRequest, member: Membership) -> BoundTable[ApiToken] | None:
    """Return the member's tokens for the team as a table; None for those who may not see them, or if there are none."""
    if not request.membership.has_level(Area.MEMBERS, Level.WRITE):
        return None
    tokens = list(_select_listed(request.team.tokens.filter(user=member.user)))
    return PERSONAL_TOKENS.bind(request, tokens) if tokens else None


def _select_listed(tokens: QuerySet[ApiToken]) -> QuerySet[ApiToken]:
    """Select valid tokens, and those that expired or were revoked recently. Tokens of former members are invalid."""
    since = timezone.now() - _HISTORY
    memberships = Membership.objects.filter(
        team=OuterRef("team"), user=OuterRef("user"), created_at__lte=OuterRef("created_at")
    )
    listed = tokens.filter(
        Q(revoked_at=None) & Exists(memberships) | Q(revoked_at__gt=since), expires_at__gt=since
    )
    return listed.select_related("team", "user", "created_by")


# -- the user's own ----------------------------------------------------------------------------------------------------


@require_safe
def own_tokens(request: UserRequest) -> HttpResponse:
    """List the user's tokens in all their teams."""
    memberships = request.user.memberships.select_related("team").order_by("team__name")
    empty = Empty(
        gettext_lazy("No tokens yet"),
        gettext_lazy("A token lets a program act as you, with all or some of your permissions."),
        icon="user-key",
    )
    context = {
        "table": OWN_TOKENS.bind(request, _select_listed(request.user.tokens.all()), empty=empty),
        "teams": [membership.team for membership in memberships],
    }
    return render(request, "teams/tokens_own.html", context)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@requires_reauthentication_to_save
def add_own(request: TeamRequest) -> HttpResponse:
    """Create a token that acts for the user in this team."""
    back = (_("Personal tokens"), reverse("teams:own-tokens"))
    return _add(request, create_personal_token, back, _("Create personal token"))


@require_http_methods(["GET", "HEAD", "POST"])
def revoke_own(request: UserRequest, pk: int) -> HttpResponse:
    """Revoke one of the user's own tokens."""
    token = get_object_or_404(request.user.tokens.select_related("team", "user"), pk=pk)
    return _revoke(request, token, reverse("teams:own-tokens"), _("Personal tokens"))


# -- a team's ----------------------------------------------------------------------------------------------------------


@require_safe
@requires(Area.MEMBERS, Level.WRITE)
def team_tokens(request: TeamRequest) -> HttpResponse:
    """List the tokens of the team, and those of its members for this team."""
    tokens = _select_listed(request.team.tokens.all())
    empty = Empty(
        gettext_lazy("No team tokens yet"),
        gettext_lazy("Team tokens keep working after their creator leaves."),
        icon="key",
    )
    no_member_tokens = Empty(gettext_lazy("No personal tokens yet"), icon="user-key")
    context = {
        "team_table": TEAM_TOKENS.bind(request, tokens.filter(user__is_service=True), empty=empty),
        "member_table": MEMBER_TOKENS.bind(
            request, tokens.filter(user__is_service=False), empty=no_member_tokens
        ),
    }
    return render(request, "teams/tokens_team.html", context)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@requires(Area.MEMBERS, Level.WRITE)
@requires_reauthentication_to_save
def add_to_team(request: TeamRequest) -> HttpResponse:
    """Create a token of the team."""
    back = (_("Team tokens"), reverse("teams:tokens", args=[request.team.slug]))
    return _add(request, create_team_token, back, _("Create team token"))


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Area.MEMBERS, Level.WRITE)
def revoke_in_team(request: TeamRequest, pk: int) -> HttpResponse:
    """Revoke a token for this team."""
    token = get_object_or_404(request.team.tokens.select_related("team", "user"), pk=pk)
    back = reverse("teams:tokens", args=[request.team.slug])
    return _revoke(request, token, back, _("Team tokens"))


# -- shared ------------------------------------------------------------------------------------------------------------


def _add(
    request: TeamRequest,
    create: Callable[[Actor, TokenDraft], CreatedToken],
    back: tuple[str, str],
    title: str,
) -> HttpResponse:
    form = TokenForm(request.membership, request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            created = create(Actor(request.membership, Origin.from_request(request)), form.draft)
        except ValidationError as error:
            form.add_error(None, error)
        else:
            # Shown in this response only: the text is not stored for another page.
            context = {
                "token": created.token,
                "key": created.key,
                "crumb": back[0],
                "back": back[1],
                "address": _api_address(request),
            }
            return render(request, "teams/token_created.html", context)
    context = {"form": form, "crumb": back[0], "back": back[1], "title": title}
    return render(request, "teams/token_form.html", context, status=FORM_REFUSED if form.errors else 200)


def _revoke(request: HttpRequest, token: ApiToken, back: str, crumb: str) -> HttpResponse:
    user: Any = request.user
    if request.method == "POST":
        revoke_token(token, user, Origin.from_request(request))
        messages.success(request, _("The token %(name)s is revoked.") % {"name": token.name})
        return redirect(back)
    return render(request, "teams/token_revoke.html", {"token": token, "back": back, "crumb": crumb})


def _api_address(request: HttpRequest) -> str:
    return request.build_absolute_uri("/api/v1/")
