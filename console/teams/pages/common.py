"""Functions shared by the pages of a team."""

from __future__ import annotations

from django.db.models import QuerySet

from console.accounts.http import TeamRequest
from console.accounts.models import Membership, Team
from console.audit.records import Origin
from console.teams.changes import Actor


def get_actor(request: TeamRequest) -> Actor:
    """Return the actor of a change that is made by this request."""
    return Actor(request.membership, Origin.from_request(request))


def list_members(team: Team) -> QuerySet[Membership]:
    """Return the memberships of users, without the accounts of API tokens."""
    return team.memberships.select_related("user").filter(user__is_service=False)


def connection_names(team: Team) -> dict[int, str]:
    """Return the names of the team's connections by id."""
    return dict(team.connections.values_list("pk", "name"))
