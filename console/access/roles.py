"""Roles: what each may do, as a level for each area of the cloud's operations and of the console itself.

A level includes those below it. The gateway asks `Role.allows` before every call; pages only hide what it would refuse.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import IntEnum, StrEnum
from types import MappingProxyType

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from console.cloud.catalogue import Access, Operation


class Level(IntEnum):
    """How far a role may go in an area; each level includes the lower ones."""

    NONE = 0
    READ = 1
    WRITE = 2
    DESTROY = 3
    SECRET = 4


class Area(StrEnum):
    """What a level is given for: the areas of the catalogue, and three of the console's own."""

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
OWNER = "owner"
NOTHING: Mapping[Area, Level] = MappingProxyType({})

LEVEL_OF_ACCESS = {
    Access.READ: Level.READ,
    Access.WRITE: Level.WRITE,
    Access.DESTROY: Level.DESTROY,
    Access.SECRET: Level.SECRET,
}


@dataclass(frozen=True)
class Role:
    """A named set of levels; an area that is not listed has the level NONE."""

    slug: str
    label: str | Promise
    summary: str | Promise
    levels: Mapping[Area, Level]

    def level(self, area: Area) -> Level:
        """The role's level in `area`."""
        return self.levels.get(area, Level.NONE)

    def at_most(self, other: Role) -> Role:
        """This role's name, with the lower of both levels in each area."""
        return replace(self, levels={area: min(self.level(area), other.level(area)) for area in Area})

    def includes(self, other: Role) -> bool:
        """Whether this role reaches every level of `other`: who may give it gives nothing that they have not."""
        return all(self.level(area) >= other.level(area) for area in Area)

    def allows(self, operation: Operation) -> bool:
        """Whether the role may call `operation` (secrets in its answer are a matter of `reveals`)."""
        return self.level(Area(operation.area)) >= LEVEL_OF_ACCESS[operation.access]

    def reveals(self, operation: Operation) -> bool:
        """Whether the role may see the secrets in `operation`'s answer."""
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
                "viewer",
                _("Viewer"),
                _("Reads everything, changes nothing, sees no secret."),
                _levels(Level.READ),
            ),
            Role(
                "operator",
                _("Operator"),
                _("Runs the fleet: products, devices, groups, messages. Reads updates."),
                _levels(Level.DESTROY, ota=Level.READ, routing=Level.READ),
            ),
            Role(
                "release-engineer",
                _("Release engineer"),
                _("Brings updates to the fleet. Reads the rest."),
                _levels(Level.READ, ota=Level.DESTROY),
            ),
            Role(
                "administrator",
                _("Administrator"),
                _("Everything on the cloud, secrets included; connections, members and the audit trail."),
                _levels(Level.SECRET, connections=Level.SECRET, members=Level.WRITE, audit=Level.READ),
            ),
            Role(
                OWNER,
                _("Owner"),
                _("Everything, and who else may be owner."),
                _levels(Level.SECRET, connections=Level.SECRET, members=Level.SECRET, audit=Level.READ),
            ),
        )
    }
)
