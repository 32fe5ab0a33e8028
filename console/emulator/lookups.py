"""Finding what a request names, or refusing with the platform's code for "no such thing"."""

from __future__ import annotations

import sqlite3

from console.cloud import catalogue
from console.cloud.catalogue import Access
from console.emulator.call import Call
from console.emulator.errors import ServiceError

_MAKING = ("products", "tsl-models")  # the groups of operations that change a product itself


def product_of(call: Call, product_key: str | None = None) -> sqlite3.Row:
    """The product named (by `ProductKey` unless given); raises `iot.prod.NotExistedProduct`."""
    key = product_key if product_key is not None else call.params.get("ProductKey")
    if not key:
        raise ServiceError("iot.prod.NullProductKey", "ProductKey is required.")
    row: sqlite3.Row | None = call.db.execute(
        "SELECT * FROM products WHERE product_key = ? AND account = ? AND instance = ?",
        (key, call.account, call.instance),
    ).fetchone()
    return row if row is not None else _distributed_product(call, key)


def _distributed_product(call: Call, key: str) -> sqlite3.Row:
    """A product that was brought to this instance: it is read, and gets devices, but is changed only where it was made."""
    row: sqlite3.Row | None = call.db.execute(
        "SELECT p.* FROM products p JOIN distributed_products d USING (product_key)"
        " WHERE p.product_key = ? AND p.account = ? AND d.instance = ?",
        (key, call.account, call.instance),
    ).fetchone()
    if row is None:
        raise ServiceError("iot.prod.NotExistedProduct", "The product does not exist.")
    operation = catalogue.operation(call.operation)
    if operation.group in _MAKING and operation.access in (Access.WRITE, Access.DESTROY):
        raise ServiceError(
            "iot.common.APINotSupportedInInstance",
            "The product can only be changed in the instance it comes from.",
        )
    return row


def is_distributed(db: sqlite3.Connection, product_key: str) -> bool:
    """Whether a product was brought to another instance, so that its devices are in more than one."""
    return bool(
        db.execute(
            "SELECT 1 FROM distributed_products WHERE product_key = ? LIMIT 1", (product_key,)
        ).fetchone()
    )


def device_of(
    call: Call,
    *,
    iot_id: str | None = None,
    product_key: str | None = None,
    name: str | None = None,
) -> sqlite3.Row:
    """The device named by `IotId`, or by `ProductKey` and `DeviceName`, of the request unless given.

    IotId wins when both are sent. Raises `iot.prod.NullProductKey`, `iot.device.NullDeviceName` when neither is whole,
    `iot.device.NotExistedDevice` when there is none.
    """
    if iot_id is None and product_key is None and name is None:
        iot_id = call.params.get("IotId")
        product_key = call.params.get("ProductKey")
        name = call.params.get("DeviceName")
    row: sqlite3.Row | None
    if iot_id:
        row = call.db.execute("SELECT * FROM devices WHERE iot_id = ?", (iot_id,)).fetchone()
    else:
        if not product_key:
            raise ServiceError(
                "iot.prod.NullProductKey", "IotId, or ProductKey with DeviceName, is required."
            )
        if not name:
            raise ServiceError(
                "iot.device.NullDeviceName", "IotId, or ProductKey with DeviceName, is required."
            )
        row = call.db.execute(
            "SELECT * FROM devices WHERE product_key = ? AND name = ?", (product_key, name)
        ).fetchone()
    if row is None or row["account"] != call.account or row["instance"] != call.instance:
        raise ServiceError("iot.device.NotExistedDevice", "The device does not exist.")
    return row


def group_of(call: Call, group_id: str | None = None) -> sqlite3.Row:
    """The device group named (by `GroupId` unless given); raises `iot.group.NullGroupId`, `iot.group.NotExistedGroup`."""
    key = group_id if group_id is not None else call.params.get("GroupId")
    if not key:
        raise ServiceError("iot.group.NullGroupId", "GroupId is required.")
    row: sqlite3.Row | None = call.db.execute(
        "SELECT * FROM groups WHERE group_id = ? AND account = ? AND instance = ?",
        (key, call.account, call.instance),
    ).fetchone()
    if row is None:
        raise ServiceError("iot.group.NotExistedGroup", "The device group does not exist.")
    return row
