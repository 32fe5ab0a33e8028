"""The access scope of a membership, enforced in the gateway. `names` finds the objects that a call names, `guard` checks them,
`lists` composes account-wide responses from the objects in the access scope."""

from console.connections.scope.guard import NotInScope, ReadCall, ScopeGuard
from console.connections.scope.lists import compose_response, filter_response, may_alter, search_bounds

__all__ = [
    "NotInScope",
    "ReadCall",
    "ScopeGuard",
    "compose_response",
    "filter_response",
    "may_alter",
    "search_bounds",
]
