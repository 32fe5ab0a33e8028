"""The request type of views about a connection."""

from __future__ import annotations

from console.accounts.http import TeamRequest
from console.connections.gateway import Gateway
from console.connections.models import Connection


class CloudRequest(TeamRequest):
    """A request whose URL names a team and one of its connections. `gateway` calls that connection for the user."""

    connection: Connection
    gateway: Gateway
