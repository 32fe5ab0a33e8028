"""Messages: what topics a product has, what goes over them, and where it went.

names.py       topics as texts: taken apart, looked up
topics.py      a product's topic categories
routes.py      one device's topic sent on to others'
publishing.py  Pub, BatchPub, PubBroadcast, SubscribeTopic
rrpc.py        asking a device and waiting for its answer
log.py         the last messages of an account
codes.py       what a bad parameter is refused with
"""

from __future__ import annotations

from console.emulator.call import Handler
from console.emulator.messaging import log, publishing, routes, rrpc, topics

__all__ = ["OPERATIONS", "SCHEMA"]

OPERATIONS: dict[str, Handler] = {
    **topics.OPERATIONS,
    **routes.OPERATIONS,
    **publishing.OPERATIONS,
    **rrpc.OPERATIONS,
}
SCHEMA = "\n".join((topics.SCHEMA, routes.SCHEMA, publishing.SCHEMA, log.SCHEMA))
