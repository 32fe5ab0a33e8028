"""The request as views of a team see it."""

from __future__ import annotations

from django.http import HttpRequest
from django_htmx.middleware import HtmxDetails

from console.access.models import Membership, Team, User


class PersonRequest(HttpRequest):
    """A request of somebody who is signed in."""

    user: User  # type: ignore[assignment]
    htmx: HtmxDetails


class TeamRequest(PersonRequest):
    """A request whose URL names a team; the middleware has checked that the person is a member."""

    team: Team
    membership: Membership
