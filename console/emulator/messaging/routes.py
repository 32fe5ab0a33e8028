"""Topic routes: what comes over one device's topic is sent on to the topics of others.

Destinations are judged one by one: those that cannot be routed to (or were not) come back in FailureTopics, and the
call has succeeded all the same.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Any

from console.emulator.call import Call, Handler
from console.emulator.errors import ServiceError
from console.emulator.lookups import device_of, product_of
from console.emulator.messaging.names import CustomTopic, category_of, read_custom

SCHEMA = """
CREATE TABLE IF NOT EXISTS topic_routes (
    id INTEGER PRIMARY KEY,
    src_topic TEXT NOT NULL,
    src_iot_id TEXT NOT NULL REFERENCES devices (iot_id) ON DELETE CASCADE,
    dst_topic TEXT NOT NULL,
    dst_iot_id TEXT NOT NULL REFERENCES devices (iot_id) ON DELETE CASCADE,
    UNIQUE (src_topic, dst_topic)
);
CREATE INDEX IF NOT EXISTS topic_routes_reverse ON topic_routes (dst_topic, id);
CREATE INDEX IF NOT EXISTS topic_routes_src ON topic_routes (src_iot_id);
CREATE INDEX IF NOT EXISTS topic_routes_dst ON topic_routes (dst_iot_id);
"""

MAX_DESTINATIONS = 100  # of a source topic (CreateTopicRouteTable)


def create_topic_route_table(call: Call) -> dict[str, Any]:
    """CreateTopicRouteTable: the source's device has to be activated; both ends have to be custom topics."""
    source = call.params["SrcTopic"]
    device = _source_device(call, source)
    if device["activated"] is None:
        raise ServiceError("iot.device.InactiveDevice", "The device of the source topic is not activated.")
    known = set(destinations(call.db, source))
    if len(known.union(call.params["DstTopic"])) > MAX_DESTINATIONS:
        raise ServiceError(
            "iot.messagebroker.DestTopicNameArraySizeIsLarge",
            f"A source topic can have at most {MAX_DESTINATIONS} destination topics.",
        )

    def add(topic: str) -> bool:
        target = _existing(call, topic)
        if target is None or topic == source:
            return False
        call.db.execute(
            "INSERT OR IGNORE INTO topic_routes (src_topic, src_iot_id, dst_topic, dst_iot_id) VALUES (?,?,?,?)",
            (source, device["iot_id"], topic, target["iot_id"]),
        )
        return True

    return _each(call, add)


def delete_topic_route_table(call: Call) -> dict[str, Any]:
    """DeleteTopicRouteTable: the routes named."""
    source = call.params["SrcTopic"]
    _source_device(call, source)

    def remove(topic: str) -> bool:
        return bool(
            call.db.execute(
                "DELETE FROM topic_routes WHERE src_topic = ? AND dst_topic = ?", (source, topic)
            ).rowcount
        )

    return _each(call, remove)


def query_topic_route_table(call: Call) -> dict[str, Any]:
    """QueryTopicRouteTable: where a topic's messages go."""
    _owned(call)
    return {"DstTopics": {"Topic": destinations(call.db, call.params["Topic"])}}


def query_topic_reverse_route_table(call: Call) -> dict[str, Any]:
    """QueryTopicReverseRouteTable: where a topic's messages come from."""
    _owned(call)
    rows = call.db.execute(
        "SELECT src_topic FROM topic_routes WHERE dst_topic = ? ORDER BY id", (call.params["Topic"],)
    )
    return {"SrcTopics": {"Topic": [row["src_topic"] for row in rows]}}


def destinations(db: sqlite3.Connection, topic: str) -> list[str]:
    """The topics a topic is routed to, in the order in which they were added."""
    rows = db.execute("SELECT dst_topic FROM topic_routes WHERE src_topic = ? ORDER BY id", (topic,))
    return [row["dst_topic"] for row in rows]


def forget_category(db: sqlite3.Connection, product_key: str, short: str) -> None:
    """Remove the routes from and to the topics of a category that is no more."""
    start, end = f"/{product_key}/", f"/{product_key}0"  # "0" is what follows "/"
    rows = db.execute(
        "SELECT id, src_topic, dst_topic FROM topic_routes"
        " WHERE src_topic BETWEEN ?1 AND ?2 OR dst_topic BETWEEN ?1 AND ?2",
        (start, end),
    ).fetchall()
    for row in rows:
        ends = (read_custom(row["src_topic"]), read_custom(row["dst_topic"]))
        if any(end and (end.product_key, end.short) == (product_key, short) for end in ends):
            db.execute("DELETE FROM topic_routes WHERE id = ?", (row["id"],))


def _each(call: Call, act: Callable[[str], bool]) -> dict[str, Any]:
    failed = [topic for topic in call.params["DstTopic"] if not act(topic)]
    return {"IsAllSucceed": not failed, "FailureTopics": {"Topic": failed}}


def _source_device(call: Call, topic: str) -> sqlite3.Row:
    """The device of a source topic; raises what the platform says of a bad one."""
    parts = read_custom(topic)
    if parts is None:
        raise ServiceError(
            "iot.messagebroker.InvalidFormattedSrcTopicName", "The source topic is not a custom topic."
        )
    if not _own_product(call, parts):
        raise ServiceError(
            "iot.messagebroker.NotMatchedProductKeyWithSrcTopicOwner",
            "The source topic's product is not one of this account.",
        )
    device = device_of(call, product_key=parts.product_key, name=parts.device)
    _known_category(call, parts)
    return device


def _owned(call: Call) -> None:
    """Refuse the topic asked for unless it is a custom topic of a device of this account."""
    parts = read_custom(call.params["Topic"])
    if parts is None:
        raise ServiceError(
            "iot.messagebroker.InvalidFormattedTopicName", "The topic is not a custom topic of a device."
        )
    product_of(call, parts.product_key)
    device_of(call, product_key=parts.product_key, name=parts.device)
    _known_category(call, parts)


def _known_category(call: Call, parts: CustomTopic) -> None:
    if category_of(call.db, parts.product_key, parts.short) is None:
        raise ServiceError(
            "iot.messagebroker.TopicTemplateIsNotFound", "The product has no such topic category."
        )


def _existing(call: Call, topic: str) -> sqlite3.Row | None:
    """The device of a destination topic, when the account has it and its product the topic category."""
    parts = read_custom(topic)
    if parts is None or category_of(call.db, parts.product_key, parts.short) is None:
        return None
    row: sqlite3.Row | None = call.db.execute(
        "SELECT * FROM devices WHERE product_key = ? AND name = ? AND account = ? AND instance = ?",
        (parts.product_key, parts.device, call.account, call.instance),
    ).fetchone()
    return row


def _own_product(call: Call, parts: CustomTopic) -> bool:
    try:
        product_of(call, parts.product_key)
    except ServiceError:
        return False
    return True


OPERATIONS: dict[str, Handler] = {
    "CreateTopicRouteTable": create_topic_route_table,
    "DeleteTopicRouteTable": delete_topic_route_table,
    "QueryTopicRouteTable": query_topic_route_table,
    "QueryTopicReverseRouteTable": query_topic_reverse_route_table,
}
