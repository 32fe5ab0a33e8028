"""Devices: registering one, looking at one or a few, disabling, enabling, resetting, renaming and deleting.

Lists and counts are in devices_query.py, batch registration in batches.py, tags in device_tags.py.
"""

from __future__ import annotations

import sqlite3
from typing import Any

from console.emulator.call import Call, Handler
from console.emulator.devices_life import first_due, next_due
from console.emulator.devices_schema import NewDevice, insert_devices
from console.emulator.errors import ServiceError
from console.emulator.formats import local, new_device_secret, new_iot_id, random_text, utc
from console.emulator.lookups import device_of, product_of


def register_device(call: Call) -> dict[str, Any]:
    """RegisterDevice. Without a name the platform makes one up."""
    params = call.params
    product = product_of(call)
    if product["net_type"] == "LORA" and not params.get("LoraNodeType"):
        raise ServiceError("iot.device.CreateDeviceFailed", "A LoRaWAN device needs LoraNodeType and DevEui.")
    name = params.get("DeviceName") or random_text(20)
    taken = call.db.execute(
        "SELECT 1 FROM devices WHERE product_key = ? AND name = ?", (product["product_key"], name)
    ).fetchone()
    if taken:
        raise ServiceError(
            "iot.device.AlreadyExistedDeviceName", "The product already has a device of this name."
        )
    iot_id = new_iot_id()
    device = NewDevice(
        name=name,
        nickname=params.get("Nickname", ""),
        iot_id=iot_id,
        secret=new_device_secret(),
        due=first_due(iot_id, call.now, call.emulator.pace),
    )
    insert_devices(call.db, call.account, call.instance, product["product_key"], [device], call.now)
    data = {
        "IotId": iot_id,
        "ProductKey": product["product_key"],
        "DeviceName": name,
        "DeviceSecret": device.secret,
        "Nickname": device.nickname,
    }
    if product["net_type"] == "LORA":
        data.update({key: params[key] for key in ("DevEui", "JoinEui") if params.get(key)})
    return {"Data": data}


def query_device_info(call: Call) -> dict[str, Any]:
    """QueryDeviceInfo."""
    device = device_of(call)
    return {
        "Data": {
            "IotId": device["iot_id"],
            "ProductKey": device["product_key"],
            "DeviceName": device["name"],
            "DeviceSecret": device["secret"],
            "Nickname": device["nickname"],
        }
    }


def query_device_detail(call: Call) -> dict[str, Any]:
    """QueryDeviceDetail."""
    device = device_of(call)
    product = product_of(call, device["product_key"])
    return {
        "Data": {
            **_detail(call.db, device, product),
            "IpAddress": device["ip"],
            "GmtOnline": local(device["last_online"]),
            "UtcOnline": utc(device["last_online"]),
            "Owner": True,
        }
    }


def batch_query_device_detail(call: Call) -> dict[str, Any]:
    """BatchQueryDeviceDetail: of the names sent, those that exist, in the order sent; an error if none does."""
    product = product_of(call)
    names = list(dict.fromkeys(call.params["DeviceName"]))
    found = _by_name(call.db, product["product_key"], names)
    if not found:
        raise ServiceError("iot.device.NotExistedDevice", "None of the devices exists.")
    return {"Data": {"Data": [_detail(call.db, found[name], product) for name in names if name in found]}}


def _detail(db: sqlite3.Connection, device: sqlite3.Row, product: sqlite3.Row) -> dict[str, Any]:
    version = db.execute(
        "SELECT version FROM device_modules WHERE iot_id = ? AND module = 'default'", (device["iot_id"],)
    ).fetchone()
    return {
        "IotId": device["iot_id"],
        "ProductKey": device["product_key"],
        "ProductName": product["name"],
        "DeviceName": device["name"],
        "DeviceSecret": device["secret"],
        "Nickname": device["nickname"],
        "NodeType": product["node_type"],
        "Region": device["region"],
        "Status": device["status"],
        "FirmwareVersion": version["version"] if version else "",
        "GmtCreate": local(device["created"]),
        "UtcCreate": utc(device["created"]),
        "GmtActive": local(device["activated"]),
        "UtcActive": utc(device["activated"]),
    }


def get_device_status(call: Call) -> dict[str, Any]:
    """GetDeviceStatus; `Timestamp` is when the status last changed."""
    device = device_of(call)
    return {"Data": {"Status": device["status"], "Timestamp": device["status_since"]}}


def batch_get_device_state(call: Call) -> dict[str, Any]:
    """BatchGetDeviceState: up to 50 devices by IotId, or by name within a product; unknown ones are left out."""
    if call.params.get("IotId"):
        wanted = list(dict.fromkeys(call.params["IotId"]))
        marks = ",".join("?" * len(wanted))
        rows = call.db.execute(
            f"SELECT * FROM devices WHERE iot_id IN ({marks}) AND account = ? AND instance = ?",
            (*wanted, call.account, call.instance),
        ).fetchall()
        by_id = {row["iot_id"]: row for row in rows}
        devices = [by_id[iot_id] for iot_id in wanted if iot_id in by_id]
    else:
        names = list(dict.fromkeys(call.params["DeviceName"]))
        found = _by_name(call.db, product_of(call)["product_key"], names)
        devices = [found[name] for name in names if name in found]
    if not devices:
        raise ServiceError("iot.device.NotExistedDevice", "None of the devices exists.")
    return {
        "DeviceStatusList": {
            "DeviceStatus": [
                {
                    "IotId": device["iot_id"],
                    "DeviceId": device["iot_id"][:20],
                    "DeviceName": device["name"],
                    "Status": device["status"],
                    "AsAddress": device["ip"],
                    "LastOnlineTime": local(device["last_online"]),
                    "Timestamp": device["status_since"],
                }
                for device in devices
            ]
        }
    }


def delete_device(call: Call) -> dict[str, Any]:
    """DeleteDevice: with its tags, groups, topology and reported versions."""
    device = device_of(call)
    call.db.execute("DELETE FROM devices WHERE id = ?", (device["id"],))
    return {}


def disable_thing(call: Call) -> dict[str, Any]:
    """DisableThing: the device cannot connect until it is enabled again."""
    device = device_of(call)
    if device["status"] != "DISABLE":
        call.db.execute(
            "UPDATE devices SET status = 'DISABLE', status_since = ?, modified = ?, due = NULL WHERE id = ?",
            (call.now, call.now, device["id"]),
        )
    return {}


def enable_thing(call: Call) -> dict[str, Any]:
    """EnableThing: the device is offline (or not activated yet) and will connect by itself."""
    device = device_of(call)
    if device["status"] == "DISABLE":
        pace = call.emulator.pace
        if device["activated"] is None:
            status, due = "UNACTIVE", first_due(device["iot_id"], call.now, pace)
        else:
            status, due = "OFFLINE", next_due(device["iot_id"], "OFFLINE", call.now, pace)
        call.db.execute(
            "UPDATE devices SET status = ?, status_since = ?, modified = ?, due = ? WHERE id = ?",
            (status, call.now, call.now, due, device["id"]),
        )
    return {}


def reset_thing(call: Call) -> dict[str, Any]:
    """ResetThing: not activated, a new secret to be fetched by the device, and no topology any more."""
    device = device_of(call)
    call.db.execute(
        "UPDATE devices SET status = 'UNACTIVE', status_since = ?, modified = ?, activated = NULL, secret = ?, due = ?"
        " WHERE id = ?",
        (
            call.now,
            call.now,
            new_device_secret(),
            first_due(device["iot_id"], call.now, call.emulator.pace),
            device["id"],
        ),
    )
    call.db.execute(
        "DELETE FROM topology WHERE iot_id = ? OR gateway_iot_id = ?", (device["iot_id"], device["iot_id"])
    )
    return {"JobId": random_text(24)}


def batch_update_device_nickname(call: Call) -> dict[str, Any]:
    """BatchUpdateDeviceNickname: all or none; a device without a Nickname loses the one it has."""
    changes = []
    for item in call.params["DeviceNicknameInfo"]:
        device = device_of(
            call,
            iot_id=item.get("IotId") or "",
            product_key=item.get("ProductKey"),
            name=item.get("DeviceName"),
        )
        changes.append((item.get("Nickname") or "", call.now, device["id"]))
    call.db.executemany("UPDATE devices SET nickname = ?, modified = ? WHERE id = ?", changes)
    return {}


def _by_name(db: sqlite3.Connection, product_key: str, names: list[str]) -> dict[str, sqlite3.Row]:
    marks = ",".join("?" * len(names))
    rows = db.execute(
        f"SELECT * FROM devices WHERE product_key = ? AND name IN ({marks})", (product_key, *names)
    )
    return {row["name"]: row for row in rows}


OPERATIONS: dict[str, Handler] = {
    "RegisterDevice": register_device,
    "QueryDeviceInfo": query_device_info,
    "QueryDeviceDetail": query_device_detail,
    "BatchQueryDeviceDetail": batch_query_device_detail,
    "GetDeviceStatus": get_device_status,
    "BatchGetDeviceState": batch_get_device_state,
    "DeleteDevice": delete_device,
    "DisableThing": disable_thing,
    "EnableThing": enable_thing,
    "ResetThing": reset_thing,
    "BatchUpdateDeviceNickname": batch_update_device_nickname,
}
