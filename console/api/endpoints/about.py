"""Who the token is, and where it may act."""

from __future__ import annotations

from ninja import Router, Schema
from pydantic import Field

from console.access.roles import Area
from console.api.http import ApiRequest
from console.api.schemas import Moment
from console.connections.models import Connection

router = Router(tags=["Token"])


class TokenInfo(Schema):
    """The token that asks."""

    name: str
    team: str = Field(description="The team's short name.")
    acts_for: str = Field(
        description="The person's e-mail address; the token's own name for a token of the team."
    )
    role: str
    levels: dict[str, str] = Field(
        description="What it may do at this moment: none, read, write, destroy or secret for each area. It never sees secrets."
    )
    narrowed: bool = Field(description="Whether it reaches only some connections, products or groups.")
    expires_at: Moment


class ConnectionInfo(Schema):
    """A cloud account of the team."""

    slug: str = Field(description="What the other addresses name it by.")
    name: str
    region: str
    instance_id: str

    @classmethod
    def of(cls, connection: Connection) -> ConnectionInfo:
        return cls(
            slug=connection.slug,
            name=connection.name,
            region=connection.region,
            instance_id=connection.instance_id,
        )


@router.get("/token", response=TokenInfo)
def get_token(request: ApiRequest) -> TokenInfo:
    """Tell what the token may do, and how long it works."""
    membership, token = request.membership, request.token
    return TokenInfo(
        name=token.name,
        team=request.team.slug,
        acts_for=membership.user.label,
        role=token.role_slug,
        levels={area.value: membership.role.level(area).name.lower() for area in Area},
        narrowed=bool(membership.access_scopes),
        expires_at=token.expires_at,
    )


@router.get("/connections", response=list[ConnectionInfo])
def list_connections(request: ApiRequest) -> list[ConnectionInfo]:
    """List the team's connections within the token's reach."""
    return [ConnectionInfo.of(connection) for connection in request.membership.connections]
