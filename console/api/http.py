"""The request as endpoints see it: authenticated by a token, which defines the user, the team and the permissions."""

from __future__ import annotations

from django.http import Http404, HttpRequest

from console.accounts.models import ApiToken, Membership, Team
from console.connections.gateway import Gateway
from console.connections.models import Connection


class ApiRequest(HttpRequest):
    """A request that passed the checks of console/api/pipeline.py."""

    team: Team
    membership: Membership
    token: ApiToken
    # Set by `open_gateway`, under the names that a connection's pages use.
    connection: Connection
    gateway: Gateway


def open_gateway(request: ApiRequest, connection: str) -> Gateway:
    """Return the gateway of the connection with this slug. Raises Http404 if it is outside the token's access scope."""
    selected = Connection.objects.in_scope_of(request.membership).filter(slug=connection).first()
    if selected is None:
        raise Http404
    request.connection = selected
    request.gateway = Gateway.for_request(request, request.membership, selected)
    return request.gateway
