"""Roles: a level for each area of the platform's operations and of the console itself.

A level includes the lower ones. The gateway checks `Role.allows` before every call; pages only hide what it would refuse.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import IntEnum, StrEnum
from types import MappingProxyType

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from iot_client.catalogue import Access, Operation


class Level(IntEnum):
    """The permissions of a role in an area; each level includes the lower ones."""

    NONE = 0
    READ = 1
    WRITE = 2
    DELETE = 3
    SECRET = 4


class Area(StrEnum):
    """The areas that have levels: those of the catalogue, and three of the console itself."""

    PRODUCTS = "products"
    DEVICES = "devices"
    GROUPS = "groups"
    THINGS = "things"
    OTA = "ota"
    MESSAGING = "messaging"
    ROUTING = "routing"
    EDGE = "edge"
    CONNECTIONS = "connections"
    MEMBERS = "members"
    AUDIT = "audit"


CLOUD_AREAS = tuple(Area)[:8]
CONSOLE_AREAS = frozenset(tuple(Area)[8:])
AREA_LABELS: Mapping[Area, str | Promise] = MappingProxyType(
    {
        Area.PRODUCTS: _("Products"),
        Area.DEVICES: _("Devices"),
        Area.GROUPS: _("Groups"),
        Area.THINGS: _("Thing models"),
        Area.OTA: _("Updates"),
        Area.MESSAGING: _("Messages and topics"),
        Area.ROUTING: _("Data routing"),
        Area.EDGE: _("Edge instances"),
        Area.CONNECTIONS: _("Connections"),
        Area.MEMBERS: _("Members"),
        Area.AUDIT: _("Audit trail"),
    }
)
OWNER, VIEWER = "owner", "viewer"
NO_LEVELS: Mapping[Area, Level] = MappingProxyType({})

LEVEL_OF_ACCESS = {
    Access.READ: Level.READ,
    Access.WRITE: Level.WRITE,
    Access.DELETE: Level.DELETE,
    Access.SECRET: Level.SECRET,
}


@dataclass(frozen=True)
class Role:
    """A named set of levels. An area that is not listed has the level NONE."""

    slug: str
    label: str | Promise
    summary: str | Promise
    levels: Mapping[Area, Level]

    def level(self, area: Area) -> Level:
        """Return the role's level in `area`."""
        return self.levels.get(area, Level.NONE)

    def limit_to(self, other: Role) -> Role:
        """Return a role with this role's name and the lower of both levels in each area."""
        return replace(self, levels={area: min(self.level(area), other.level(area)) for area in Area})

    def includes(self, other: Role) -> bool:
        """Return whether this role has every level of `other`, so that a member with it may assign `other`."""
        return all(self.level(area) >= other.level(area) for area in Area)

    def allows(self, operation: Operation) -> bool:
        """Return whether the role may call `operation` (see `reveals` for the secrets in its response)."""
        return self.level(Area(operation.area)) >= LEVEL_OF_ACCESS[operation.access]

    def reveals(self, operation: Operation) -> bool:
        """Return whether the role may view the secrets in the response of `operation`."""
        return self.level(Area(operation.area)) >= Level.SECRET


def _levels(cloud: Level, **areas: Level) -> Mapping[Area, Level]:
    levels = dict.fromkeys(CLOUD_AREAS, cloud)
    levels |= {Area(name): level for name, level in areas.items()}
    return MappingProxyType(levels)


BUILT_IN: Mapping[str, Role] = MappingProxyType(
    {
        role.slug: role
        for role in (
            Role(
                VIEWER,
                _("Viewer"),
                _("Views everything. Cannot change anything or view secrets."),
                _levels(Level.READ),
            ),
            Role(
                "operator",
                _("Operator"),
                _("Manages products, devices, groups and messages. Views updates and data routing."),
                _levels(Level.DELETE, ota=Level.READ, routing=Level.READ),
            ),
            Role(
                "release-engineer",
                _("Release engineer"),
                _("Manages updates. Views everything else."),
                _levels(Level.READ, ota=Level.DELETE),
            ),
            Role(
                "administrator",
                _("Administrator"),
                _(
                    "Full access to the platform, including secrets. Manages connections and members. Views the audit trail."
                ),
                _levels(Level.SECRET, connections=Level.SECRET, members=Level.WRITE, audit=Level.READ),
            ),
            Role(
                OWNER,
                _("Owner"),
                _("Full access. Can assign owners."),
                _levels(Level.SECRET, connections=Level.SECRET, members=Level.SECRET, audit=Level.READ),
            ),
        )
    }
)
