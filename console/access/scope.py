"""How far a grant reaches: the whole team, or only some connections, products or device groups."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext, ngettext

from console.ui.format import in_a_row


@dataclass(frozen=True)
class AccessScope:
    """What a grant is limited to. An empty set of connections means all of them.

    `products` (ProductKeys) and `groups` (GroupIds, with the groups below them) make up one fleet: what is in any of them
    is within reach. Both empty: every device of the connections.
    """

    connections: frozenset[int] = frozenset()
    products: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()

    @classmethod
    def of(cls, kept: Mapping[str, Any]) -> AccessScope:
        """A access_scope from its form in the database: lists by name."""
        return cls(
            frozenset(kept.get("connections", ())),
            frozenset(kept.get("products", ())),
            frozenset(kept.get("groups", ())),
        )

    def kept(self) -> dict[str, Any]:
        """The form for the database; {} for one that narrows nothing."""
        lists = {
            "connections": sorted(self.connections),
            "products": sorted(self.products),
            "groups": sorted(self.groups),
        }
        return {name: values for name, values in lists.items() if values}

    def __bool__(self) -> bool:
        return bool(self.connections or self.products or self.groups)

    @property
    def fleet(self) -> bool:
        """Whether only some products or groups are within reach."""
        return bool(self.products or self.groups)

    def admits_connection(self, pk: int) -> bool:
        """Whether the connection is within reach."""
        return not self.connections or pk in self.connections


def in_words(access_scope: AccessScope, connections: Mapping[int, str]) -> str:
    """A short line about a reach; `connections` are the names of those that there are."""
    if not access_scope:
        return gettext("The whole team")
    parts = []
    count = len(access_scope.connections)
    if count == 1:
        (pk,) = access_scope.connections
        parts.append(connections.get(pk, gettext("a deleted connection")))
    elif count:
        parts.append(ngettext("%(count)d connection", "%(count)d connections", count) % {"count": count})
    if access_scope.products:
        count = len(access_scope.products)
        parts.append(ngettext("%(count)d product", "%(count)d products", count) % {"count": count})
    if access_scope.groups:
        count = len(access_scope.groups)
        parts.append(ngettext("%(count)d group", "%(count)d groups", count) % {"count": count})
    return in_a_row(parts)
