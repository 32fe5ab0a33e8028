"""Forwarding of device messages: rules with actions, server-side subscriptions, consumer groups.

sources.py          topics of rules; data sources
sql.py              the grammar of SELECT and WHERE of a rule
rules.py            rules
actions.py          actions of rules
configurations.py   the configuration of an action, by its type
subscriptions.py    server-side subscriptions: MNS queues and AMQP consumer groups
consumer_groups.py  consumer groups and their status
traffic.py          computes the numbers of messages
sample.py           the rules, subscriptions and consumer groups of the sample fleet
codes.py            the error codes of invalid parameters
"""

from __future__ import annotations

from iot_emulator.call import Handler
from iot_emulator.routing import actions, consumer_groups, rules, sources, subscriptions

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
