"""The request types of views."""

from __future__ import annotations

from django.http import HttpRequest
from django_htmx.middleware import HtmxDetails

from console.accounts.models import Membership, Team, User


class UserRequest(HttpRequest):
    """A request of a signed-in user."""

    user: User  # type: ignore[assignment]
    htmx: HtmxDetails


class TeamRequest(UserRequest):
    """A request whose URL names a team. The middleware has checked that the user is a member."""

    team: Team
    membership: Membership
