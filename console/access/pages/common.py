"""What the pages of a team share."""

from __future__ import annotations

from django.db.models import QuerySet

from console.access.audit import Origin
from console.access.http import TeamRequest
from console.access.models import Membership, Team
from console.access.teams import Actor


def actor_of(request: TeamRequest) -> Actor:
    """Who changes something by this request."""
    return Actor(request.membership, Origin.of(request))


def people(team: Team) -> QuerySet[Membership]:
    """The memberships of people: accounts made for API tokens are in no list."""
    return team.memberships.select_related("user").filter(user__is_service=False)


def connection_names(team: Team) -> dict[int, str]:
    """The names of the team's connections by id."""
    return dict(team.connections.values_list("pk", "name"))
