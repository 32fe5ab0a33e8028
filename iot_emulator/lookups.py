"""Finds the product, device or group that a request names. Raises the platform's errors if it does not exist."""

from __future__ import annotations

import sqlite3

from iot_client import catalogue
from iot_client.catalogue import Access
from iot_emulator.call import Call
from iot_emulator.errors import ServiceError

_PRODUCT_OPERATIONS = ("products", "tsl-models")  # groups of operations that change a product itself


def find_product(call: Call, product_key: str | None = None) -> sqlite3.Row:
    """Return a product, by default the one that `ProductKey` names. Raises `iot.prod.NotExistedProduct`."""
    key = product_key if product_key is not None else call.params.get("ProductKey")
    if not key:
        raise ServiceError("iot.prod.NullProductKey", "ProductKey is required.")
    row: sqlite3.Row | None = call.db.execute(
        "SELECT * FROM products WHERE product_key = ? AND account = ? AND instance = ?",
        (key, call.account, call.instance),
    ).fetchone()
    return row if row is not None else _find_distributed_product(call, key)


def _find_distributed_product(call: Call, key: str) -> sqlite3.Row:
    """Return a product that was distributed to this instance.

    It can be read and can get devices. Operations that change it are refused here.
    """
    row: sqlite3.Row | None = call.db.execute(
        "SELECT p.* FROM products p JOIN distributed_products d USING (product_key)"
        " WHERE p.product_key = ? AND p.account = ? AND d.instance = ?",
        (key, call.account, call.instance),
    ).fetchone()
    if row is None:
        raise ServiceError("iot.prod.NotExistedProduct", "The product does not exist.")
    operation = catalogue.operation(call.operation)
    if operation.group in _PRODUCT_OPERATIONS and operation.access in (Access.WRITE, Access.DELETE):
        raise ServiceError(
            "iot.common.APINotSupportedInInstance",
            "This product was distributed from another instance. Change it in that instance.",
        )
    return row


def is_distributed(db: sqlite3.Connection, product_key: str) -> bool:
    """Whether a product was distributed to another instance, so that it can have devices in several instances."""
    return bool(
        db.execute(
            "SELECT 1 FROM distributed_products WHERE product_key = ? LIMIT 1", (product_key,)
        ).fetchone()
    )


def find_device(
    call: Call,
    *,
    iot_id: str | None = None,
    product_key: str | None = None,
    name: str | None = None,
) -> sqlite3.Row:
    """Return the device with this `IotId`, or with this `ProductKey` and `DeviceName`; by default those of the request.

    If both are given, IotId is used. Raises `iot.prod.NullProductKey` or `iot.device.NullDeviceName` if neither is
    complete, and `iot.device.NotExistedDevice` if the device does not exist.
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
            raise ServiceError("iot.prod.NullProductKey", "IotId is required, or ProductKey and DeviceName.")
        if not name:
            raise ServiceError(
                "iot.device.NullDeviceName", "IotId is required, or ProductKey and DeviceName."
            )
        row = call.db.execute(
            "SELECT * FROM devices WHERE product_key = ? AND name = ?", (product_key, name)
        ).fetchone()
    if row is None or row["account"] != call.account or row["instance"] != call.instance:
        raise ServiceError("iot.device.NotExistedDevice", "The device does not exist.")
    return row


def find_group(call: Call, group_id: str | None = None) -> sqlite3.Row:
    """Return a device group, by default the one that `GroupId` names.

    Raises `iot.group.NullGroupId` or `iot.group.NotExistedGroup`.
    """
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
