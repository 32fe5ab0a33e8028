"""Messages to devices (Pub, BatchPub, PubBroadcast), and topic subscriptions of devices (SubscribeTopic).

Simulated devices are subscribed to all custom topics for which they have the permission. They receive messages of
a broadcast topic only after SubscribeTopic.
"""

from __future__ import annotations

import re
import sqlite3
from typing import Any

from iot_emulator.call import Call, Handler
from iot_emulator.errors import ServiceError
from iot_emulator.lookups import find_device, find_product
from iot_emulator.messaging.custom_topics import PUB, CustomTopic, find_topic_category, parse_custom_topic
from iot_emulator.messaging.log import Outcome, record_message
from iot_emulator.messaging.payloads import (
    MAX_BROADCAST,
    MAX_PUB,
    check_mqtt5_properties,
    check_unique_names,
    decode_content,
    new_message_id,
)
from iot_emulator.messaging.routes import list_destinations

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
    """Pub: sends a message to the custom topic of a device."""
    key = find_product(call)["product_key"]
    payload = decode_content(call.params["MessageContent"], MAX_PUB)
    check_mqtt5_properties(call.params)
    topic = parse_custom_topic(call.params["TopicFullName"])
    if topic is None or topic.product_key != key:
        raise _invalid_topic("The topic is not a custom topic of this product.")
    _check_subscribable(call, topic)
    device = find_device(call, product_key=key, name=topic.device_name)
    message_id = new_message_id(call.now)
    _send(call, topic, device, payload, message_id)
    return {"MessageId": str(message_id)}


def batch_pub(call: Call) -> dict[str, Any]:
    """BatchPub: sends a message to the same custom topic of up to 100 devices, to all or none."""
    key = find_product(call)["product_key"]
    names: list[str] = call.params["DeviceName"]
    check_unique_names(names)
    payload = decode_content(call.params["MessageContent"], MAX_PUB)
    check_mqtt5_properties(call.params)
    topics = [parse_custom_topic(f"/{key}/{name}/user/{call.params['TopicShortName']}") for name in names]
    for topic in topics:
        if topic is None:
            raise _invalid_topic("The topic is not a custom topic of this product.")
    _check_subscribable(call, topics[0])
    devices = [find_device(call, product_key=key, name=name) for name in names]
    for topic, device in zip(topics, devices, strict=True):
        if topic is not None:
            _send(call, topic, device, payload, new_message_id(call.now))
    return {}


def pub_broadcast(call: Call) -> dict[str, Any]:
    """PubBroadcast: sends a message to the subscribers of a broadcast topic or, without a topic, to all online devices.

    A message to all online devices of a product can be sent once per minute.
    """
    key = find_product(call)["product_key"]
    payload = decode_content(call.params["MessageContent"], MAX_BROADCAST)
    message_id = new_message_id(call.now)
    topic = call.params.get("TopicFullName", "")
    if topic:
        parts = _BROADCAST.fullmatch(topic)
        if parts is None or parts[1] != key:
            raise _invalid_topic("The topic is not a broadcast topic of this product.")
        (recipients,) = call.db.execute(
            "SELECT count(*) FROM device_topics t JOIN devices d USING (iot_id)"
            " WHERE t.topic = ? AND d.status = 'ONLINE'",
            (topic,),
        ).fetchone()
    else:
        call.emulator.quotas.consume(call.account, "PubBroadcast to a product", 1, seconds=60)
        topic = f"/sys/{key}/${{deviceName}}/broadcast/request/{message_id}"
        (recipients,) = call.db.execute(
            "SELECT coalesce(sum(devices), 0) FROM device_counts"
            " WHERE product_key = ? AND instance = ? AND status = 'ONLINE'",
            (key, call.instance),
        ).fetchone()
    record_message(
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
    """SubscribeTopic: subscribes a device to its own custom topics and to broadcast topics of its product, all or none."""
    find_product(call)
    device = find_device(call)
    for topic in call.params["Topic"]:
        broadcast = _BROADCAST.fullmatch(topic)
        custom = parse_custom_topic(topic)
        if broadcast is not None and broadcast[1] == device["product_key"]:
            _check_subscriber_limit(call, topic)
        elif custom is not None and custom.belongs_to(device):
            _check_subscribable(call, custom)
        else:
            raise _invalid_topic("The topic must be a custom topic of the device or a broadcast topic.")
        call.db.execute(
            "INSERT OR IGNORE INTO device_topics (iot_id, topic) VALUES (?, ?)", (device["iot_id"], topic)
        )
    return {}


def _check_subscriber_limit(call: Call, topic: str) -> None:
    (count,) = call.db.execute("SELECT count(*) FROM device_topics WHERE topic = ?", (topic,)).fetchone()
    if count >= MAX_SUBSCRIBERS:
        raise ServiceError(
            "Iot.MessageBroker.BatchSubTopicFailed",
            f"A broadcast topic can have at most {MAX_SUBSCRIBERS:,} subscribers.",
        )


def _check_subscribable(call: Call, topic: CustomTopic | None) -> None:
    """Raise an error if the product does not have the topic category, or if devices may only publish to it."""
    category = None if topic is None else find_topic_category(call.db, topic.product_key, topic.short_name)
    if category is None:
        raise ServiceError(
            "iot.messagebroker.TopicTemplateIsNotFound", "The product does not have this topic category."
        )
    if category["operation"] == PUB:
        raise ServiceError(
            "iot.messagebroker.InvalidTopicTemplateOperationValue",
            "Devices do not have the permission to subscribe to this topic category.",
        )


def _send(call: Call, topic: CustomTopic, device: sqlite3.Row, payload: bytes, message_id: int) -> None:
    """Deliver a message to a topic and to the destinations of its routes. Routes of the destinations are not followed."""
    _deliver(call, str(topic), device, payload, message_id)
    for destination in list_destinations(call.db, str(topic)):
        parts = parse_custom_topic(destination)
        if parts is not None:
            target = find_device(call, product_key=parts.product_key, name=parts.device_name)
            _deliver(call, destination, target, payload, message_id)


def _deliver(call: Call, topic: str, device: sqlite3.Row, payload: bytes, message_id: int) -> None:
    qos = call.params.get("Qos", 0)
    outcome: Outcome = "stored" if qos else "lost"
    record_message(
        call,
        topic=topic,
        product_key=device["product_key"],
        device_name=device["name"],
        payload=payload,
        message_id=message_id,
        qos=qos,
        outcome="delivered" if device["status"] == "ONLINE" else outcome,
    )


def _invalid_topic(message: str) -> ServiceError:
    return ServiceError("iot.messagebroker.InvalidFormattedTopicName", message)


OPERATIONS: dict[str, Handler] = {
    "Pub": pub,
    "BatchPub": batch_pub,
    "PubBroadcast": pub_broadcast,
    "SubscribeTopic": subscribe_topic,
}
