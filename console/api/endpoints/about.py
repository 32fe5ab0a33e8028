"""The token's user, permissions and connections."""

from __future__ import annotations

from django.utils.translation import gettext_noop
from ninja import Router, Schema
from pydantic import Field

from console.accounts.roles import Area, Level
from console.api.http import ApiRequest
from console.api.schemas import Timestamp
from console.connections.models import Connection

router = Router(tags=[gettext_noop("Token")])
LEVEL_NAMES = {
    Level.NONE: "none",
    Level.READ: "read",
    Level.WRITE: "write",
    Level.DELETE: "delete",
    Level.SECRET: "secret",
}


class TokenInfo(Schema):
    """The token of the request."""

    name: str
    team: str = Field(description="Slug of the team.")
    acts_for: str = Field(description="Email address of the user; for a team token, the name of the token.")
    role: str
    permissions: dict[str, str] = Field(
        description="Current permission for each area of the platform's operations, including areas without operations in"
        " this API, and for connections, members and the audit trail: none, read, write, delete or secret. Tokens never"
        " see secrets."
    )
    scope_limited: bool = Field(
        description="Whether the access scope is limited to some connections, products or groups."
    )
    expires_at: Timestamp


class ConnectionInfo(Schema):
    """A connection of the team to a cloud account."""

    slug: str = Field(description="Identifies the connection in the addresses of the API.")
    name: str
    region: str
    instance_id: str

    @classmethod
    def from_connection(cls, connection: Connection) -> ConnectionInfo:
        return cls(
            slug=connection.slug,
            name=connection.name,
            region=connection.region,
            instance_id=connection.instance_id,
        )


@router.get(
    "/token",
    response=TokenInfo,
    description=gettext_noop("Get the token's user, permissions and expiry date."),
)
def get_token(request: ApiRequest) -> TokenInfo:
    membership, token = request.membership, request.token
    return TokenInfo(
        name=token.name,
        team=request.team.slug,
        acts_for=membership.user.label,
        role=token.role_slug,
        permissions={area.value: LEVEL_NAMES[membership.role.level(area)] for area in Area},
        scope_limited=bool(membership.access_scopes),
        expires_at=token.expires_at,
    )


@router.get(
    "/connections",
    response=list[ConnectionInfo],
    description=gettext_noop("List the team's connections in the token's access scope."),
)
def list_connections(request: ApiRequest) -> list[ConnectionInfo]:
    return [ConnectionInfo.from_connection(connection) for connection in request.membership.connections]
