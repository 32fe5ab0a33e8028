"""The request as views of a connection see it."""

from __future__ import annotations

from console.access.http import TeamRequest
from console.connections.gateway import Gateway
from console.connections.models import Connection


class CloudRequest(TeamRequest):
    """A request whose URL names a team and one of its connections; `gateway` acts for the person on that connection."""

    connection: Connection
    gateway: Gateway
