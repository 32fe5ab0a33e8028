"""The access scope of a grant: the entire team, or only some connections, products or device groups."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext, ngettext

from console.ui.format import join_words


@dataclass(frozen=True)
class AccessScope:
    """The limits of a grant. An empty set of connections means all of them.

    A device is in the scope if it is in any of the `products` (ProductKeys) or `groups` (GroupIds, including their
    subgroups). If both are empty, every device of the connections is.
    """

    connections: frozenset[int] = frozenset()
    products: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> AccessScope:
        """Create an access scope from its database value: lists by name."""
        return cls(
            frozenset(values.get("connections", ())),
            frozenset(values.get("products", ())),
            frozenset(values.get("groups", ())),
        )

    def to_json(self) -> dict[str, Any]:
        """Return the database value; {} if the scope is not limited."""
        lists = {
            "connections": sorted(self.connections),
            "products": sorted(self.products),
            "groups": sorted(self.groups),
        }
        return {name: ids for name, ids in lists.items() if ids}

    def __bool__(self) -> bool:
        return bool(self.connections or self.products or self.groups)

    @property
    def limits_devices(self) -> bool:
        """Whether the scope is limited to some products or groups."""
        return bool(self.products or self.groups)

    def includes_connection(self, pk: int) -> bool:
        """Return whether the connection is in the scope."""
        return not self.connections or pk in self.connections


def describe_scope(access_scope: AccessScope, connections: Mapping[int, str]) -> str:
    """Describe a scope in a few words; `connections` are the names of the existing connections by id."""
    if not access_scope:
        return gettext("Entire team")
    parts = []
    count = len(access_scope.connections)
    if count == 1:
        (pk,) = access_scope.connections
        parts.append(connections.get(pk, gettext("deleted connection")))
    elif count:
        parts.append(ngettext("%(count)d connection", "%(count)d connections", count) % {"count": count})
    if access_scope.products:
        count = len(access_scope.products)
        parts.append(ngettext("%(count)d product", "%(count)d products", count) % {"count": count})
    if access_scope.groups:
        count = len(access_scope.groups)
        parts.append(ngettext("%(count)d group", "%(count)d groups", count) % {"count": count})
    return join_words(parts)


def grant_values(role_slug: str, access_scope: AccessScope) -> dict[str, Any]:
    """Return a role and its scope as parameters of an audit record."""
    return {"role": role_slug, **access_scope.to_json()}
