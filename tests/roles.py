"""Sets of roles, and the forms of what tests expect of an address or an operation of the HTTP API."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from console.accounts.roles import BUILT_IN

# Values for the parameters of addresses, by the name of an address or of its namespace.
Objects = dict[str, dict[str, Any]]
EVERYBODY = frozenset(BUILT_IN)
FLEET = frozenset({"operator", "administrator", "owner"})
RELEASES = frozenset({"release-engineer", "administrator", "owner"})
ADMINS = frozenset({"administrator", "owner"})
OWNERS = frozenset({"owner"})
NOBODY: frozenset[str] = frozenset()  # the address does not support the method: 405


@dataclass(frozen=True)
class AllowedRoles:
    """The roles that may get and post an address. Other members get 403. A method that nobody may use gets 405."""

    get: frozenset[str] = NOBODY
    post: frozenset[str] = NOBODY


PAGE = AllowedRoles(get=EVERYBODY)
FLEET_FORM, FLEET_ACT = AllowedRoles(FLEET, FLEET), AllowedRoles(post=FLEET)
RELEASE_FORM, RELEASE_ACT = AllowedRoles(RELEASES, RELEASES), AllowedRoles(post=RELEASES)
ADMIN_PAGE, ADMIN_FORM, ADMIN_ACT = (
    AllowedRoles(get=ADMINS),
    AllowedRoles(ADMINS, ADMINS),
    AllowedRoles(post=ADMINS),
)
OWNER_PAGE, OWNER_FORM, OWNER_ACT = (
    AllowedRoles(get=OWNERS),
    AllowedRoles(OWNERS, OWNERS),
    AllowedRoles(post=OWNERS),
)


@dataclass(frozen=True)
class Expectation:
    """The roles that may use an operation of the HTTP API, an example request, and the status of its response."""

    may: frozenset[str]
    status: int = 200
    body: Any = None
    query: str = ""
    file: tuple[str, bytes] | None = None
