"""Where messages of devices are forwarded to: rules with their actions, subscriptions, consumer groups.

sources.py          topics that rules listen to; data sources
sql.py              the grammar of a rule's SELECT and WHERE
rules.py            rules: made, changed, started, stopped
actions.py          their actions
configurations.py   what an action's configuration holds, by its type
subscriptions.py    what of a product's messages goes to a queue or to consumer groups
consumer_groups.py  who receives, and how far they are
traffic.py          how many messages that makes
sample.py           what the sample fleet has of all this
codes.py            what a bad parameter is refused with
"""

from __future__ import annotations

from console.emulator.call import Handler
from console.emulator.routing import actions, consumer_groups, rules, sources, subscriptions

__all__ = ["OPERATIONS", "SCHEMA"]

OPERATIONS: dict[str, Handler] = {
    **rules.OPERATIONS,
    **actions.OPERATIONS,
    **sources.OPERATIONS,
    **subscriptions.OPERATIONS,
    **consumer_groups.OPERATIONS,
}
SCHEMA = "\n".join(
    (rules.SCHEMA, actions.SCHEMA, sources.SCHEMA, subscriptions.SCHEMA, consumer_groups.SCHEMA)
)
