"""How far a membership reaches into the fleet, enforced in the gateway: `names` reads what a call names, `fleet` judges it,
`lists` answers for the whole account from what is within reach."""

from console.connections.scope.guard import Asked, NotInScope, ScopeGuard
from console.connections.scope.lists import alters, bounds, composed, filtered

__all__ = ["Asked", "NotInScope", "ScopeGuard", "alters", "bounds", "composed", "filtered"]
