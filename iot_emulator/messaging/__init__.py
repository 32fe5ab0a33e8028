"""Messages: topics of products, topic routes, and messages to devices.

custom_topics.py  parses custom topics and finds their topic categories
topics.py         the topic categories of a product
routes.py         topic routes, which forward messages from one topic to others
publishing.py     Pub, BatchPub, PubBroadcast, SubscribeTopic
rrpc.py           RRpc, a request to a device and its response
payloads.py       checks of message contents and MQTT 5.0 properties
log.py            the last messages of an account
codes.py          the error codes of invalid parameters
"""

from __future__ import annotations

from iot_emulator.call import Handler
from iot_emulator.messaging import log, publishing, routes, rrpc, topics

__all__ = ["OPERATIONS", "SCHEMA"]

OPERATIONS: dict[str, Handler] = {
    **topics.OPERATIONS,
    **routes.OPERATIONS,
    **publishing.OPERATIONS,
    **rrpc.OPERATIONS,
}
SCHEMA = "\n".join((topics.SCHEMA, routes.SCHEMA, publishing.SCHEMA, log.SCHEMA))
