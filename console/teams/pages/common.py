"""Functions shared by the pages of a team."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext

from console.accounts.http import TeamRequest
from console.accounts.models import Membership, Team
from console.accounts.scope import AccessScope, describe_scope
from console.audit.records import Origin
from console.teams.changes import Actor
from console.teams.forms import build_name_urls


def get_actor(request: TeamRequest) -> Actor:
    """Return the actor of a change that is made by this request."""
    return Actor(request.membership, Origin.from_request(request))


def list_members(team: Team) -> QuerySet[Membership]:
    """Return the memberships of users, without the accounts of API tokens."""
    return team.memberships.select_related("user").filter(user__is_service=False)


def connection_names(team: Team) -> dict[int, str]:
    """Return the names of the team's connections by id."""
    return dict(team.connections.values_list("pk", "name"))


def describe_grant(access_scope: AccessScope, team: Team) -> dict[str, Any]:
    """Return the parameters of teams/_scope.html: the scope in words, and what it is limited to."""
    names = connection_names(team)
    return {
        "scope": describe_scope(access_scope, names),
        "connections": [
            names.get(pk, gettext("deleted connection")) for pk in sorted(access_scope.connections)
        ],
        "products": sorted(access_scope.products),
        "groups": sorted(access_scope.groups),
    }


def find_names(access_scope: AccessScope, team: Team) -> dict[str, str]:
    """Return further parameters of teams/_scope.html: where a script finds the names of the products and groups."""
    connections = team.connections.all()
    if access_scope.connections:
        connections = connections.filter(pk__in=access_scope.connections)
    return {
        "product_urls": build_name_urls(team, connections, "products"),
        "group_urls": build_name_urls(team, connections, "groups"),
    }
