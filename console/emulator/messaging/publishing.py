"""Sending messages to devices: Pub, BatchPub and PubBroadcast; and subscribing devices to topics.

Simulated devices listen on every custom topic that their product lets them subscribe to, as the firmware of real
ones should; broadcast topics they listen on once they are subscribed (SubscribeTopic).
"""

from __future__ import annotations

import re
import sqlite3
from typing import Any

from console.emulator.call import Call, Handler
from console.emulator.errors import ServiceError
from console.emulator.lookups import device_of, product_of
from console.emulator.messaging.log import Outcome, record
from console.emulator.messaging.names import PUB, CustomTopic, category_of, read_custom
from console.emulator.messaging.payloads import (
    MAX_BROADCAST,
    MAX_PUB,
    check_mqtt5,
    check_names,
    content,
    new_message_id,
)
from console.emulator.messaging.routes import destinations

SCHEMA = """
CREATE TABLE IF NOT EXISTS device_topics (
    iot_id TEXT NOT NULL REFERENCES devices (iot_id) ON DELETE CASCADE,
    topic TEXT NOT NULL,
    PRIMARY KEY (iot_id, topic)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS device_topics_topic ON device_topics (topic, iot_id);
"""

MAX_SUBSCRIBERS = 1000  # of a broadcast topic (PubBroadcast)
_BROADCAST = re.compile(r"/broadcast/([A-Za-z0-9]+)/([\w/.:@-]+)")


def pub(call: Call) -> dict[str, Any]:
    """Pub: to the custom topic of one device."""
    key = product_of(call)["product_key"]
    payload = content(call.params["MessageContent"], MAX_PUB)
    check_mqtt5(call.params)
    topic = read_custom(call.params["TopicFullName"])
    if topic is None or topic.product_key != key:
        raise _bad_topic("The topic is not a custom topic of this product.")
    _check_subscribable(call, topic)
    device = device_of(call, product_key=key, name=topic.device)
    message_id = new_message_id(call.now)
    _send(call, topic, device, payload, message_id)
    return {"MessageId": str(message_id)}


def batch_pub(call: Call) -> dict[str, Any]:
    """BatchPub: to the same custom topic of up to 100 devices, all of them or none."""
    key = product_of(call)["product_key"]
    names: list[str] = call.params["DeviceName"]
    check_names(names)
    payload = content(call.params["MessageContent"], MAX_PUB)
    check_mqtt5(call.params)
    topics = [read_custom(f"/{key}/{name}/user/{call.params['TopicShortName']}") for name in names]
    for topic in topics:
        if topic is None:
            raise _bad_topic("The topic is not a custom topic of this product.")
    _check_subscribable(call, topics[0])
    devices = [device_of(call, product_key=key, name=name) for name in names]
    for topic, device in zip(topics, devices, strict=True):
        if topic is not None:
            _send(call, topic, device, payload, new_message_id(call.now))
    return {}


def pub_broadcast(call: Call) -> dict[str, Any]:
    """PubBroadcast: to the subscribers of a broadcast topic, or, once a minute, to all online devices of a product."""
    key = product_of(call)["product_key"]
    payload = content(call.params["MessageContent"], MAX_BROADCAST)
    message_id = new_message_id(call.now)
    topic = call.params.get("TopicFullName", "")
    if topic:
        parts = _BROADCAST.fullmatch(topic)
        if parts is None or parts[1] != key:
            raise _bad_topic("The topic is not a broadcast topic of this product.")
        (recipients,) = call.db.execute(
            "SELECT count(*) FROM device_topics t JOIN devices d USING (iot_id)"
            " WHERE t.topic = ? AND d.status = 'ONLINE'",
            (topic,),
        ).fetchone()
    else:
        call.emulator.quotas.take(call.account, "PubBroadcast to a product", 1, seconds=60)
        topic = f"/sys/{key}/${{deviceName}}/broadcast/request/{message_id}"
        (recipients,) = call.db.execute(
            "SELECT coalesce(sum(devices), 0) FROM device_counts"
            " WHERE product_key = ? AND instance = ? AND status = 'ONLINE'",
            (key, call.instance),
        ).fetchone()
    record(
        call,
        topic=topic,
        product_key=key,
        payload=payload,
        message_id=message_id,
        outcome="delivered" if recipients else "lost",
        recipients=recipients,
    )
    return {"MessageId": message_id}


def subscribe_topic(call: Call) -> dict[str, Any]:
    """SubscribeTopic: a device to custom topics of its own and broadcast topics of its product, all or none."""
    product_of(call)
    device = device_of(call)
    for topic in call.params["Topic"]:
        broadcast = _BROADCAST.fullmatch(topic)
        custom = read_custom(topic)
        if broadcast is not None and broadcast[1] == device["product_key"]:
            _check_room(call, topic)
        elif custom is not None and (custom.product_key, custom.device) == (
            device["product_key"],
            device["name"],
        ):
            _check_subscribable(call, custom)
        else:
            raise _bad_topic("The topic is neither a custom topic of the device nor a broadcast topic.")
        call.db.execute(
            "INSERT OR IGNORE INTO device_topics (iot_id, topic) VALUES (?, ?)", (device["iot_id"], topic)
        )
    return {}


def _check_room(call: Call, topic: str) -> None:
    (count,) = call.db.execute("SELECT count(*) FROM device_topics WHERE topic = ?", (topic,)).fetchone()
    if count >= MAX_SUBSCRIBERS:
        raise ServiceError(
            "Iot.MessageBroker.BatchSubTopicFailed",
            f"At most {MAX_SUBSCRIBERS} devices can subscribe to a broadcast topic.",
        )


def _check_subscribable(call: Call, topic: CustomTopic | None) -> None:
    """Refuse a topic whose category the product has not, or over which devices may only publish."""
    category = None if topic is None else category_of(call.db, topic.product_key, topic.short)
    if category is None:
        raise ServiceError(
            "iot.messagebroker.TopicTemplateIsNotFound", "The product has no such topic category."
        )
    if category["operation"] == PUB:
        raise ServiceError(
            "iot.messagebroker.InvalidTopicTemplateOperationValue",
            "Devices may not subscribe to the topic category.",
        )


def _send(call: Call, topic: CustomTopic, device: sqlite3.Row, payload: bytes, message_id: int) -> None:
    """Deliver one message, and what the topic's routes make of it (which are not followed any further)."""
    _deliver(call, str(topic), device, payload, message_id)
    for further in destinations(call.db, str(topic)):
        parts = read_custom(further)
        if parts is not None:
            target = device_of(call, product_key=parts.product_key, name=parts.device)
            _deliver(call, further, target, payload, message_id)


def _deliver(call: Call, topic: str, device: sqlite3.Row, payload: bytes, message_id: int) -> None:
    qos = call.params.get("Qos", 0)
    outcome: Outcome = "stored" if qos else "lost"
    record(
        call,
        topic=topic,
        product_key=device["product_key"],
        device_name=device["name"],
        payload=payload,
        message_id=message_id,
        qos=qos,
        outcome="delivered" if device["status"] == "ONLINE" else outcome,
    )


def _bad_topic(message: str) -> ServiceError:
    return ServiceError("iot.messagebroker.InvalidFormattedTopicName", message)


OPERATIONS: dict[str, Handler] = {
    "Pub": pub,
    "BatchPub": batch_pub,
    "PubBroadcast": pub_broadcast,
    "SubscribeTopic": subscribe_topic,
}
