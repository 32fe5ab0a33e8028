"""The request as the endpoints see it: somebody's token was recognised, and says who acts in which team."""

from __future__ import annotations

from django.http import Http404, HttpRequest

from console.access.audit import Origin
from console.access.models import ApiToken, Membership, Team
from console.cloud.quota import Lane
from console.connections.gateway import Gateway
from console.connections.models import Connection


class ApiRequest(HttpRequest):
    """A request that came through the door (console/api/door.py)."""

    team: Team
    membership: Membership
    token: ApiToken
    # Set by `gateway_of`, as the pages of a connection have them.
    connection: Connection
    gateway: Gateway


def gateway_of(request: ApiRequest, connection: str) -> Gateway:
    """The gateway on the connection of that short name. Raises Http404 for one that is out of the token's reach."""
    found = Connection.objects.in_scope_of(request.membership).filter(slug=connection).first()
    if found is None:
        raise Http404
    request.connection = found
    request.gateway = Gateway(
        actor=request.membership.user,
        membership=request.membership,
        connection=found,
        lane=Lane.PEOPLE,
        origin=Origin.of(request),
    )
    return request.gateway
