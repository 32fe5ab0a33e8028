"""Server-side subscriptions: what a product's devices send goes to a queue (MNS) or to consumer groups (AMQP).

A product has at most one of each type in each instance it is in.
"""

from __future__ import annotations

import json
import sqlite3
from typing import Any

from console.emulator.call import Call, Handler
from console.emulator.errors import ServiceError, invalid
from console.emulator.lookups import is_distributed, product_of
from console.emulator.routing.configurations import check_region, check_role
from console.emulator.routing.consumer_groups import group_of
from console.emulator.routing.traffic import FLAGS

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
    """CreateSubscribeRelation. Without Type it is of the type whose target was sent."""
    product = product_of(call)
    params = call.params
    kind = params.get("Type") or (AMQP if params.get("ConsumerGroupIds") else MNS)
    if not any(params.get(name) for name in ("Type", "ConsumerGroupIds", "MnsConfiguration")):
        raise ServiceError("iot.consumer.group.InvalidSubscribeType", "Neither a type nor a target is given.")
    if _subscription(call, product["product_key"], kind) is not None:
        raise ServiceError(
            "iot.consumer.group.InvalidSubscribeType", "The product has a subscription of this type."
        )
    _write(call, product, kind, since=call.now)
    return {}


def update_subscribe_relation(call: Call) -> dict[str, Any]:
    """UpdateSubscribeRelation: flags and targets as sent; a flag left out is off."""
    product = product_of(call)
    kind = call.params["Type"]
    row = _existing(call, product["product_key"], kind)
    _write(call, product, kind, since=row["since"])
    return {}


def query_subscribe_relation(call: Call) -> dict[str, Any]:
    """QuerySubscribeRelation."""
    key = product_of(call)["product_key"]
    row = _existing(call, key, call.params["Type"])
    on = set(row["flags"].split(","))
    answer: dict[str, Any] = {"ProductKey": key, "Type": row["type"]}
    answer.update({flag: flag in on for flag in FLAGS})
    if row["type"] == AMQP:
        answer["ConsumerGroupIds"] = _group_ids(call, key)
    else:
        answer["MnsConfiguration"] = row["mns_configuration"]
    if row["subscribe_flags"]:
        answer["SubscribeFlags"] = row["subscribe_flags"]
    return answer


def delete_subscribe_relation(call: Call) -> dict[str, Any]:
    """DeleteSubscribeRelation; its consumer groups stay."""
    key, kind = product_of(call)["product_key"], call.params["Type"]
    _existing(call, key, kind)
    here = (key, call.instance)
    call.db.execute(
        "DELETE FROM subscriptions WHERE product_key = ? AND instance = ? AND type = ?", (*here, kind)
    )
    if kind == AMQP:
        call.db.execute("DELETE FROM subscription_groups WHERE product_key = ? AND instance = ?", here)
    return {}


def create_consumer_group_subscribe_relation(call: Call) -> dict[str, Any]:
    """CreateConsumerGroupSubscribeRelation: one group more for an AMQP subscription."""
    key = product_of(call)["product_key"]
    group_id = group_of(call, call.params["ConsumerGroupId"]).group_id
    _existing(call, key, AMQP)
    known = _group_ids(call, key)
    if group_id in known:
        raise ServiceError("iot.consumer.group.InvalidConsumerGroup", "The subscription has this group.")
    _set_groups(call, key, [*known, group_id])
    return {}


def delete_consumer_group_subscribe_relation(call: Call) -> dict[str, Any]:
    """DeleteConsumerGroupSubscribeRelation: refused for the only group."""
    key = product_of(call)["product_key"]
    group_id = group_of(call, call.params["ConsumerGroupId"]).group_id
    _existing(call, key, AMQP)
    known = _group_ids(call, key)
    if group_id not in known:
        raise ServiceError("iot.consumer.group.InvalidConsumerGroup", "The subscription has not this group.")
    if len(known) == 1:
        raise ServiceError(
            "iot.consumer.group.DeleteConsumerGroupFailed", "It is the only group of the subscription."
        )
    _set_groups(call, key, [other for other in known if other != group_id])
    return {}


def _subscription(call: Call, product_key: str, kind: str) -> sqlite3.Row | None:
    row: sqlite3.Row | None = call.db.execute(
        "SELECT * FROM subscriptions WHERE product_key = ? AND instance = ? AND type = ?",
        (product_key, call.instance, kind),
    ).fetchone()
    return row


def _existing(call: Call, product_key: str, kind: str) -> sqlite3.Row:
    row = _subscription(call, product_key, kind)
    if row is None:
        raise ServiceError(
            "iot.consumer.group.SubscribeNotExist", "The product has no subscription of this type."
        )
    return row


def _write(call: Call, product: sqlite3.Row, kind: str, since: int) -> None:
    params = call.params
    flags = [flag for flag in FLAGS if params.get(flag) and _applies(flag, product, kind)]
    if not flags and not params.get("SubscribeFlags"):
        raise invalid("At least one flag that applies to the product and type has to be true.")
    mns = ""
    if kind == MNS:
        if is_distributed(call.db, product["product_key"]):
            raise ServiceError(
                "iot.consumer.group.MnsNotSupport", "A product in several instances cannot send to a queue."
            )
        mns = _mns_configuration(params.get("MnsConfiguration", ""))
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


def _applies(flag: str, product: sqlite3.Row, kind: str) -> bool:
    """Some messages come from gateways only, and some go over AMQP only; for others the flag has no effect."""
    if flag in _GATEWAYS_ONLY and product["node_type"] != 1:
        return False
    return not (flag in _AMQP_ONLY and kind == MNS)


def _mns_configuration(text: str) -> str:
    """The queue of an MNS subscription: queueName, regionName, role. Returned as it was sent."""
    try:
        config = json.loads(text)
        if isinstance(config, dict) and isinstance(config.get("queueName"), str) and config["queueName"]:
            check_region(config)
            check_role(config)
            return text
    except (ValueError, RecursionError, ServiceError):
        pass
    raise ServiceError(
        "iot.consumer.group.MnsCheckFailed", "MnsConfiguration needs queueName, regionName and role."
    )


def _group_ids(call: Call, product_key: str) -> list[str]:
    rows = call.db.execute(
        "SELECT group_id FROM subscription_groups WHERE product_key = ? AND instance = ? ORDER BY position",
        (product_key, call.instance),
    )
    return [row["group_id"] for row in rows]


def _set_groups(call: Call, product_key: str, wanted: list[str]) -> None:
    """Make these the groups of a product's AMQP subscription; those that stay keep the time they came."""
    if not wanted:
        raise ServiceError(
            "iot.consumer.group.InvalidConsumerGroupId", "An AMQP subscription needs a consumer group."
        )
    if len(wanted) > MAX_GROUPS:
        raise ServiceError(
            "iot.consumer.group.ConsumerGroupExceedsLimit",
            f"A subscription can have at most {MAX_GROUPS} consumer groups.",
        )
    known = set(_group_ids(call, product_key))
    for group_id in dict.fromkeys(wanted):
        group_of(call, group_id)
        if group_id not in known:
            _check_room(call, group_id)
    call.db.executemany(
        "DELETE FROM subscription_groups WHERE product_key = ? AND instance = ? AND group_id = ?",
        [(product_key, call.instance, group_id) for group_id in known.difference(wanted)],
    )
    call.db.executemany(
        "INSERT INTO subscription_groups (product_key, instance, group_id, position, since) VALUES (?,?,?,?,?)"
        " ON CONFLICT DO UPDATE SET position = excluded.position",
        [
            (product_key, call.instance, group_id, position, call.now)
            for position, group_id in enumerate(dict.fromkeys(wanted))
        ],
    )


def _check_room(call: Call, group_id: str) -> None:
    (count,) = call.db.execute(
        "SELECT count(*) FROM subscription_groups g JOIN products p USING (product_key)"
        " WHERE g.group_id = ? AND p.account = ? AND g.instance = ?",
        (group_id, call.account, call.instance),
    ).fetchone()
    if count >= MAX_PRODUCTS:
        raise ServiceError(
            "iot.consumer.group.ProductKeyExceedsLimit",
            f"A consumer group can receive from at most {MAX_PRODUCTS} products.",
        )


OPERATIONS: dict[str, Handler] = {
    "CreateSubscribeRelation": create_subscribe_relation,
    "UpdateSubscribeRelation": update_subscribe_relation,
    "QuerySubscribeRelation": query_subscribe_relation,
    "DeleteSubscribeRelation": delete_subscribe_relation,
    "CreateConsumerGroupSubscribeRelation": create_consumer_group_subscribe_relation,
    "DeleteConsumerGroupSubscribeRelation": delete_consumer_group_subscribe_relation,
}
