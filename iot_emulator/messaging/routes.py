"""Topic routes: messages to a topic of a device are forwarded to topics of other devices.

Each destination is handled separately. Destinations that fail are listed in FailureTopics; the call is successful
nevertheless.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Any

from iot_emulator.call import Call, Handler
from iot_emulator.errors import ServiceError
from iot_emulator.lookups import find_device, find_product
from iot_emulator.messaging.custom_topics import CustomTopic, find_topic_category, parse_custom_topic

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
    """CreateTopicRouteTable: the device of the source must be activated; all topics must be custom topics."""
    source = call.params["SrcTopic"]
    device = _find_source_device(call, source)
    if device["activated"] is None:
        raise ServiceError("iot.device.InactiveDevice", "The device of the source topic is not activated.")
    known = set(list_destinations(call.db, source))
    if len(known.union(call.params["DstTopic"])) > MAX_DESTINATIONS:
        raise ServiceError(
            "iot.messagebroker.DestTopicNameArraySizeIsLarge",
            f"A source topic can have at most {MAX_DESTINATIONS} destination topics.",
        )

    def add(topic: str) -> bool:
        target = _find_destination_device(call, topic)
        if target is None or topic == source:
            return False
        call.db.execute(
            "INSERT OR IGNORE INTO topic_routes (src_topic, src_iot_id, dst_topic, dst_iot_id) VALUES (?,?,?,?)",
            (source, device["iot_id"], topic, target["iot_id"]),
        )
        return True

    return _apply_to_destinations(call, add)


def delete_topic_route_table(call: Call) -> dict[str, Any]:
    """DeleteTopicRouteTable: deletes the routes from a source to destinations."""
    source = call.params["SrcTopic"]
    _find_source_device(call, source)

    def remove(topic: str) -> bool:
        return bool(
            call.db.execute(
                "DELETE FROM topic_routes WHERE src_topic = ? AND dst_topic = ?", (source, topic)
            ).rowcount
        )

    return _apply_to_destinations(call, remove)


def query_topic_route_table(call: Call) -> dict[str, Any]:
    """QueryTopicRouteTable: the destinations of a topic."""
    _check_topic(call)
    return {"DstTopics": {"Topic": list_destinations(call.db, call.params["Topic"])}}


def query_topic_reverse_route_table(call: Call) -> dict[str, Any]:
    """QueryTopicReverseRouteTable: the sources of a topic."""
    _check_topic(call)
    rows = call.db.execute(
        "SELECT src_topic FROM topic_routes WHERE dst_topic = ? ORDER BY id", (call.params["Topic"],)
    )
    return {"SrcTopics": {"Topic": [row["src_topic"] for row in rows]}}


def list_destinations(db: sqlite3.Connection, topic: str) -> list[str]:
    """Return the destinations of a topic, in the order in which they were added."""
    rows = db.execute("SELECT dst_topic FROM topic_routes WHERE src_topic = ? ORDER BY id", (topic,))
    return [row["dst_topic"] for row in rows]


def delete_category_routes(db: sqlite3.Connection, product_key: str, short_name: str) -> None:
    """Delete the routes from and to the topics of a topic category."""
    start, end = f"/{product_key}/", f"/{product_key}0"  # "0" is what follows "/"
    rows = db.execute(
        "SELECT id, src_topic, dst_topic FROM topic_routes"
        " WHERE src_topic BETWEEN ?1 AND ?2 OR dst_topic BETWEEN ?1 AND ?2",
        (start, end),
    ).fetchall()
    for row in rows:
        ends = (parse_custom_topic(row["src_topic"]), parse_custom_topic(row["dst_topic"]))
        if any(end and (end.product_key, end.short_name) == (product_key, short_name) for end in ends):
            db.execute("DELETE FROM topic_routes WHERE id = ?", (row["id"],))


def _apply_to_destinations(call: Call, action: Callable[[str], bool]) -> dict[str, Any]:
    failed = [topic for topic in call.params["DstTopic"] if not action(topic)]
    return {"IsAllSucceed": not failed, "FailureTopics": {"Topic": failed}}


def _find_source_device(call: Call, topic: str) -> sqlite3.Row:
    """Return the device of a source topic. Raises the platform's errors for an invalid topic."""
    parts = parse_custom_topic(topic)
    if parts is None:
        raise ServiceError(
            "iot.messagebroker.InvalidFormattedSrcTopicName", "The source topic must be a custom topic."
        )
    if not _is_own_product(call, parts):
        raise ServiceError(
            "iot.messagebroker.NotMatchedProductKeyWithSrcTopicOwner",
            "The product of the source topic does not belong to this account.",
        )
    device = find_device(call, product_key=parts.product_key, name=parts.device_name)
    _check_category_exists(call, parts)
    return device


def _check_topic(call: Call) -> None:
    """Raise an error unless `Topic` is a custom topic of a device of this account."""
    parts = parse_custom_topic(call.params["Topic"])
    if parts is None:
        raise ServiceError(
            "iot.messagebroker.InvalidFormattedTopicName", "The topic must be a custom topic of a device."
        )
    find_product(call, parts.product_key)
    find_device(call, product_key=parts.product_key, name=parts.device_name)
    _check_category_exists(call, parts)


def _check_category_exists(call: Call, parts: CustomTopic) -> None:
    if find_topic_category(call.db, parts.product_key, parts.short_name) is None:
        raise ServiceError(
            "iot.messagebroker.TopicTemplateIsNotFound", "The product does not have this topic category."
        )


def _find_destination_device(call: Call, topic: str) -> sqlite3.Row | None:
    """Return the device of a destination topic; None if the account does not have the device or the topic category."""
    parts = parse_custom_topic(topic)
    if parts is None or find_topic_category(call.db, parts.product_key, parts.short_name) is None:
        return None
    row: sqlite3.Row | None = call.db.execute(
        "SELECT * FROM devices WHERE product_key = ? AND name = ? AND account = ? AND instance = ?",
        (parts.product_key, parts.device_name, call.account, call.instance),
    ).fetchone()
    return row


def _is_own_product(call: Call, parts: CustomTopic) -> bool:
    try:
        find_product(call, parts.product_key)
    except ServiceError:
        return False
    return True


OPERATIONS: dict[str, Handler] = {
    "CreateTopicRouteTable": create_topic_route_table,
    "DeleteTopicRouteTable": delete_topic_route_table,
    "QueryTopicRouteTable": query_topic_route_table,
    "QueryTopicReverseRouteTable": query_topic_reverse_route_table,
}
