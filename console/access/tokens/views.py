"""The pages of tokens: a person's own, and those of a team."""

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

from console.access.audit import Origin
from console.access.http import PersonRequest, TeamRequest
from console.access.models import ApiToken, Membership
from console.access.pages.common import connection_names
from console.access.permissions import requires
from console.access.reauthentication import reauthenticated
from console.access.roles import Area, Level
from console.access.scope import in_words
from console.access.teams import Actor
from console.access.tokens.forms import TokenForm
from console.access.tokens.making import Made, Wanted, make_for_team, make_personal, revoke
from console.access.views import keep_place
from console.ui.tables import Column, Empty, Table

_ENDED_SHOWN = timedelta(days=30)


def _scope(token: ApiToken) -> str:
    access_scope = token.own_scope
    names = connection_names(token.team) if access_scope.connections else {}
    return in_words(access_scope, names)


_COLUMNS: tuple[Column[ApiToken], ...] = (
    Column("name", pgettext_lazy("of a token", "Name"), primary=True),
    Column("hint", gettext_lazy("Begins with"), kind="code"),
    Column("state", gettext_lazy("State"), kind="status", status="token"),
    Column("role", gettext_lazy("Role"), value=lambda token: str(token.own_role.label)),
    Column("scope", gettext_lazy("Reach"), value=_scope, kind="phrase"),
    Column("last_used_at", gettext_lazy("Last used"), kind="ago"),
    Column("last_used_ip", gettext_lazy("From"), hidden=True),
    Column("expires_at", gettext_lazy("Expires"), kind="when"),
)
OWN: Table[ApiToken] = Table(
    id="own-tokens",
    caption=gettext_lazy("Your API tokens"),
    columns=(_COLUMNS[0], Column("team", gettext_lazy("Team"), kind="phrase"), *_COLUMNS[1:]),
    row_template="access/token_own_row.html",
)
TEAMS: Table[ApiToken] = Table(
    id="team-tokens",
    caption=gettext_lazy("Tokens of the team"),
    columns=(*_COLUMNS, Column("created_by", gettext_lazy("Made by"), hidden=True)),
    row_template="access/token_team_row.html",
)
MEMBERS: Table[ApiToken] = Table(
    id="member-tokens",
    caption=gettext_lazy("Tokens of members"),
    columns=(_COLUMNS[0], Column("user", gettext_lazy("Person"), kind="phrase"), *_COLUMNS[1:]),
    row_template="access/token_team_row.html",
)


def _shown(tokens: QuerySet[ApiToken]) -> QuerySet[ApiToken]:
    """Those that work, and those that expired or were revoked lately. One of somebody who left the team works no more."""
    lately = timezone.now() - _ENDED_SHOWN
    acts = Membership.objects.filter(
        team=OuterRef("team"), user=OuterRef("user"), created_at__lte=OuterRef("created_at")
    )
    shown = tokens.filter(Q(revoked_at=None) & Exists(acts) | Q(revoked_at__gt=lately), expires_at__gt=lately)
    return shown.select_related("team", "user", "created_by")


# -- a person's own ----------------------------------------------------------------------------------------------------


@require_safe
def own(request: PersonRequest) -> HttpResponse:
    """The person's tokens, of all their teams."""
    keep_place(request)
    memberships = request.user.memberships.select_related("team").order_by("team__name")
    empty = Empty(
        gettext_lazy("No tokens yet"),
        gettext_lazy("A token lets a program act for you, with your rights or fewer."),
        icon="key",
    )
    context = {
        "table": OWN.bind(request, _shown(request.user.tokens.all()), empty=empty),
        "teams": [membership.team for membership in memberships],
    }
    return render(request, "access/tokens_own.html", context)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@reauthenticated
def add_own(request: TeamRequest) -> HttpResponse:
    """A new token that acts for the person in this team."""
    return _add(request, make_personal, reverse("access:own-tokens"), _("New API token"))


@require_http_methods(["GET", "HEAD", "POST"])
def revoke_own(request: PersonRequest, pk: int) -> HttpResponse:
    """Ends one of the person's own tokens."""
    keep_place(request)
    token = get_object_or_404(request.user.tokens.select_related("team", "user"), pk=pk)
    return _revoke(request, token, reverse("access:own-tokens"), _("Your API tokens"))


# -- a team's ----------------------------------------------------------------------------------------------------------


@require_safe
@requires(Area.MEMBERS, Level.WRITE)
def of_team(request: TeamRequest) -> HttpResponse:
    """The team's own tokens, and those of its members that act in it."""
    found = _shown(request.team.tokens.all())
    empty = Empty(
        gettext_lazy("No tokens of the team yet"),
        gettext_lazy("A token of the team acts by itself, and goes on working when who made it leaves."),
        icon="key",
    )
    none = Empty(gettext_lazy("No member has a token"), icon="key")
    context = {
        "team_table": TEAMS.bind(request, found.filter(user__is_service=True), empty=empty),
        "member_table": MEMBERS.bind(request, found.filter(user__is_service=False), empty=none),
    }
    return render(request, "access/tokens_team.html", context)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@requires(Area.MEMBERS, Level.WRITE)
@reauthenticated
def add_to_team(request: TeamRequest) -> HttpResponse:
    """A new token of the team's own."""
    back = reverse("access:tokens", args=[request.team.slug])
    return _add(request, make_for_team, back, _("New API token of the team"))


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Area.MEMBERS, Level.WRITE)
def revoke_in_team(request: TeamRequest, pk: int) -> HttpResponse:
    """Ends a token that acts in this team."""
    token = get_object_or_404(request.team.tokens.select_related("team", "user"), pk=pk)
    back = reverse("access:tokens", args=[request.team.slug])
    return _revoke(request, token, back, _("API tokens"))


# -- what both share ---------------------------------------------------------------------------------------------------


def _add(request: TeamRequest, make: Callable[[Actor, Wanted], Made], back: str, title: str) -> HttpResponse:
    form = TokenForm(request.membership, request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            made = make(Actor(request.membership, Origin.of(request)), form.wanted)
        except ValidationError as error:
            form.add_error(None, error)
        else:
            # Shown in the answer itself: nowhere is it kept for a further page.
            context = {"token": made.token, "key": made.key, "back": back, "address": _address(request)}
            return render(request, "access/token_made.html", context)
    context = {"form": form, "back": back, "title": title}
    return render(request, "access/token_form.html", context, status=422 if form.errors else 200)


def _revoke(request: HttpRequest, token: ApiToken, back: str, crumb: str) -> HttpResponse:
    person: Any = request.user
    if request.method == "POST":
        revoke(token, person, Origin.of(request))
        messages.success(request, _("The token %(name)s does not work any more.") % {"name": token.name})
        return redirect(back)
    return render(request, "access/token_revoke.html", {"token": token, "back": back, "crumb": crumb})


def _address(request: HttpRequest) -> str:
    return request.build_absolute_uri("/api/v1/")
