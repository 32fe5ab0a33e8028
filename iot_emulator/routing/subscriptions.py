"""Server-side subscriptions: they send messages of a product's devices to a queue (MNS) or to consumer groups (AMQP).

A product can have one subscription of each type in each of its instances.
"""

from __future__ import annotations

import json
import sqlite3
from typing import Any

from iot_emulator.call import Call, Handler
from iot_emulator.errors import ServiceError, invalid_parameter
from iot_emulator.lookups import find_product, is_distributed
from iot_emulator.routing.configurations import check_region, check_role
from iot_emulator.routing.consumer_groups import find_consumer_group
from iot_emulator.routing.traffic import FLAGS

SCHEMA = """
CREATE TABLE IF NOT EXISTS subscriptions (
    product_key TEXT NOT NULL REFERENCES products (product_key) ON DELETE CASCADE,
    instance TEXT NOT NULL,
    type TEXT NOT NULL,
    flags TEXT NOT NULL,
    subscribe_flags TEXT NOT NULL DEFAULT '',
    mns_configuration TEXT NOT NULL DEFAULT '',
    since INTEGER NOT NULL,
    PRIMARY KEY (product_key, instance, type)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS subscription_groups (
    product_key TEXT NOT NULL REFERENCES products (product_key) ON DELETE CASCADE,
    instance TEXT NOT NULL,
    group_id TEXT NOT NULL,
    position INTEGER NOT NULL,
    since INTEGER NOT NULL,
    PRIMARY KEY (product_key, instance, group_id)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS subscription_groups_group ON subscription_groups (group_id, product_key, instance);
"""

MNS, AMQP = "MNS", "AMQP"
MAX_GROUPS = 10  # of a subscription (iot.consumer.group.ConsumerGroupExceedsLimit)
MAX_PRODUCTS = 1000  # of a consumer group (iot.consumer.group.ProductKeyExceedsLimit)
_GATEWAYS_ONLY = frozenset({"DeviceTopoLifeCycleFlag", "FoundDeviceListFlag"})
_AMQP_ONLY = frozenset({"DeviceTagFlag", "OtaVersionFlag", "OtaJobFlag"})


def create_subscribe_relation(call: Call) -> dict[str, Any]:
    """CreateSubscribeRelation. Without Type, the type follows from the target that was sent."""
    product = find_product(call)
    params = call.params
    kind = params.get("Type") or (AMQP if params.get("ConsumerGroupIds") else MNS)
    if not any(params.get(name) for name in ("Type", "ConsumerGroupIds", "MnsConfiguration")):
        raise ServiceError(
            "iot.consumer.group.InvalidSubscribeType",
            "Type is required, or ConsumerGroupIds or MnsConfiguration.",
        )
    if _find_subscription(call, product["product_key"], kind) is not None:
        raise ServiceError(
            "iot.consumer.group.InvalidSubscribeType", "The product already has a subscription of this type."
        )
    _write_subscription(call, product, kind, since=call.now)
    return {}


def update_subscribe_relation(call: Call) -> dict[str, Any]:
    """UpdateSubscribeRelation: replaces flags and targets. A flag that is not sent becomes false."""
    product = find_product(call)
    kind = call.params["Type"]
    row = _require_subscription(call, product["product_key"], kind)
    _write_subscription(call, product, kind, since=row["since"])
    return {}


def query_subscribe_relation(call: Call) -> dict[str, Any]:
    """QuerySubscribeRelation."""
    key = find_product(call)["product_key"]
    row = _require_subscription(call, key, call.params["Type"])
    true_flags = set(row["flags"].split(","))
    response: dict[str, Any] = {"ProductKey": key, "Type": row["type"]}
    response.update({flag: flag in true_flags for flag in FLAGS})
    if row["type"] == AMQP:
        response["ConsumerGroupIds"] = _list_group_ids(call, key)
    else:
        response["MnsConfiguration"] = row["mns_configuration"]
    if row["subscribe_flags"]:
        response["SubscribeFlags"] = row["subscribe_flags"]
    return response


def delete_subscribe_relation(call: Call) -> dict[str, Any]:
    """DeleteSubscribeRelation: keeps its consumer groups."""
    key, kind = find_product(call)["product_key"], call.params["Type"]
    _require_subscription(call, key, kind)
    owner = (key, call.instance)
    call.db.execute(
        "DELETE FROM subscriptions WHERE product_key = ? AND instance = ? AND type = ?", (*owner, kind)
    )
    if kind == AMQP:
        call.db.execute("DELETE FROM subscription_groups WHERE product_key = ? AND instance = ?", owner)
    return {}


def create_consumer_group_subscribe_relation(call: Call) -> dict[str, Any]:
    """CreateConsumerGroupSubscribeRelation: adds a consumer group to an AMQP subscription."""
    key = find_product(call)["product_key"]
    group_id = find_consumer_group(call, call.params["ConsumerGroupId"]).group_id
    _require_subscription(call, key, AMQP)
    group_ids = _list_group_ids(call, key)
    if group_id in group_ids:
        raise ServiceError(
            "iot.consumer.group.InvalidConsumerGroup", "The subscription already has this consumer group."
        )
    _set_groups(call, key, [*group_ids, group_id])
    return {}


def delete_consumer_group_subscribe_relation(call: Call) -> dict[str, Any]:
    """DeleteConsumerGroupSubscribeRelation: removes a consumer group. Refused for the only group."""
    key = find_product(call)["product_key"]
    group_id = find_consumer_group(call, call.params["ConsumerGroupId"]).group_id
    _require_subscription(call, key, AMQP)
    group_ids = _list_group_ids(call, key)
    if group_id not in group_ids:
        raise ServiceError(
            "iot.consumer.group.InvalidConsumerGroup", "The subscription does not have this consumer group."
        )
    if len(group_ids) == 1:
        raise ServiceError(
            "iot.consumer.group.DeleteConsumerGroupFailed",
            "The subscription has only this consumer group. Add another one first, or delete the subscription.",
        )
    _set_groups(call, key, [other for other in group_ids if other != group_id])
    return {}


def _find_subscription(call: Call, product_key: str, kind: str) -> sqlite3.Row | None:
    row: sqlite3.Row | None = call.db.execute(
        "SELECT * FROM subscriptions WHERE product_key = ? AND instance = ? AND type = ?",
        (product_key, call.instance, kind),
    ).fetchone()
    return row


def _require_subscription(call: Call, product_key: str, kind: str) -> sqlite3.Row:
    row = _find_subscription(call, product_key, kind)
    if row is None:
        raise ServiceError(
            "iot.consumer.group.SubscribeNotExist", "The product has no subscription of this type."
        )
    return row


def _write_subscription(call: Call, product: sqlite3.Row, kind: str, since: int) -> None:
    params = call.params
    flags = [flag for flag in FLAGS if params.get(flag) and _is_applicable(flag, product, kind)]
    if not flags and not params.get("SubscribeFlags"):
        raise invalid_parameter("At least one flag that applies to this product and type must be true.")
    mns = ""
    if kind == MNS:
        if is_distributed(call.db, product["product_key"]):
            raise ServiceError(
                "iot.consumer.group.MnsNotSupport",
                "A product that was distributed to several instances cannot have an MNS subscription.",
            )
        mns = _check_mns_configuration(params.get("MnsConfiguration", ""))
    else:
        _set_groups(call, product["product_key"], params.get("ConsumerGroupIds", []))
    call.db.execute(
        "INSERT INTO subscriptions (product_key, instance, type, flags, subscribe_flags, mns_configuration, since)"
        " VALUES (?,?,?,?,?,?,?) ON CONFLICT DO UPDATE SET flags = excluded.flags,"
        " subscribe_flags = excluded.subscribe_flags, mns_configuration = excluded.mns_configuration",
        (
            product["product_key"],
            call.instance,
            kind,
            ",".join(flags),
            params.get("SubscribeFlags", ""),
            mns,
            since,
        ),
    )


def _is_applicable(flag: str, product: sqlite3.Row, kind: str) -> bool:
    """Whether a flag has an effect. Some messages come only from gateways, some are sent only over AMQP."""
    if flag in _GATEWAYS_ONLY and product["node_type"] != 1:
        return False
    return not (flag in _AMQP_ONLY and kind == MNS)


def _check_mns_configuration(text: str) -> str:
    """Check the queue of an MNS subscription (queueName, regionName, role); return the text unchanged."""
    try:
        config = json.loads(text)
        if isinstance(config, dict) and isinstance(config.get("queueName"), str) and config["queueName"]:
            check_region(config)
            check_role(config)
            return text
    except (ValueError, RecursionError, ServiceError):
        pass
    raise ServiceError(
        "iot.consumer.group.MnsCheckFailed", "MnsConfiguration must have queueName, regionName and role."
    )


def _list_group_ids(call: Call, product_key: str) -> list[str]:
    rows = call.db.execute(
        "SELECT group_id FROM subscription_groups WHERE product_key = ? AND instance = ? ORDER BY position",
        (product_key, call.instance),
    )
    return [row["group_id"] for row in rows]


def _set_groups(call: Call, product_key: str, group_ids: list[str]) -> None:
    """Set the groups of a product's AMQP subscription. Groups that it already has keep the time when they were added."""
    if not group_ids:
        raise ServiceError(
            "iot.consumer.group.InvalidConsumerGroupId", "An AMQP subscription needs a consumer group."
        )
    if len(group_ids) > MAX_GROUPS:
        raise ServiceError(
            "iot.consumer.group.ConsumerGroupExceedsLimit",
            f"A subscription can have at most {MAX_GROUPS} consumer groups.",
        )
    previous = set(_list_group_ids(call, product_key))
    for group_id in dict.fromkeys(group_ids):
        find_consumer_group(call, group_id)
        if group_id not in previous:
            _check_product_limit(call, group_id)
    call.db.executemany(
        "DELETE FROM subscription_groups WHERE product_key = ? AND instance = ? AND group_id = ?",
        [(product_key, call.instance, group_id) for group_id in previous.difference(group_ids)],
    )
    call.db.executemany(
        "INSERT INTO subscription_groups (product_key, instance, group_id, position, since) VALUES (?,?,?,?,?)"
        " ON CONFLICT DO UPDATE SET position = excluded.position",
        [
            (product_key, call.instance, group_id, position, call.now)
            for position, group_id in enumerate(dict.fromkeys(group_ids))
        ],
    )


def _check_product_limit(call: Call, group_id: str) -> None:
    (count,) = call.db.execute(
        "SELECT count(*) FROM subscription_groups g JOIN products p USING (product_key)"
        " WHERE g.group_id = ? AND p.account = ? AND g.instance = ?",
        (group_id, call.account, call.instance),
    ).fetchone()
    if count >= MAX_PRODUCTS:
        raise ServiceError(
            "iot.consumer.group.ProductKeyExceedsLimit",
            f"A consumer group can receive messages of at most {MAX_PRODUCTS:,} products.",
        )


OPERATIONS: dict[str, Handler] = {
    "CreateSubscribeRelation": create_subscribe_relation,
    "UpdateSubscribeRelation": update_subscribe_relation,
    "QuerySubscribeRelation": query_subscribe_relation,
    "DeleteSubscribeRelation": delete_subscribe_relation,
    "CreateConsumerGroupSubscribeRelation": create_consumer_group_subscribe_relation,
    "DeleteConsumerGroupSubscribeRelation": delete_consumer_group_subscribe_relation,
}
