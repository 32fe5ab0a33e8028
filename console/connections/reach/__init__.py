"""How far a membership reaches into the fleet, enforced in the gateway: `names` reads what a call names, `fleet` judges it,
`lists` answers for the whole account from what is within reach."""

from console.connections.reach.fleet import Asked, NotWithin, Reach
from console.connections.reach.lists import alters, bounds, composed, filtered

__all__ = ["Asked", "NotWithin", "Reach", "alters", "bounds", "composed", "filtered"]
