"""Devices: register, query one or a few, disable, enable, reset, rename and delete.

Lists and counts are in devices_query.py, batch registration in batch_registration.py, tags in device_tags.py.
"""

from __future__ import annotations

import sqlite3
from typing import Any

from iot_emulator.call import Call, Handler
from iot_emulator.devices_presence import first_online_time, next_change_time
from iot_emulator.devices_schema import NewDevice, insert_devices
from iot_emulator.errors import ServiceError
from iot_emulator.formats import format_local, format_utc, new_device_secret, new_iot_id, random_text
from iot_emulator.lookups import find_device, find_product


def register_device(call: Call) -> dict[str, Any]:
    """RegisterDevice. Without a name, a random name is generated."""
    params = call.params
    product = find_product(call)
    if product["net_type"] == "LORA" and not params.get("LoraNodeType"):
        raise ServiceError("iot.device.CreateDeviceFailed", "A LoRaWAN device needs LoraNodeType and DevEui.")
    name = params.get("DeviceName") or random_text(20)
    existing = call.db.execute(
        "SELECT 1 FROM devices WHERE product_key = ? AND name = ?", (product["product_key"], name)
    ).fetchone()
    if existing:
        raise ServiceError(
            "iot.device.AlreadyExistedDeviceName", "The product already has a device with this name."
        )
    iot_id = new_iot_id()
    device = NewDevice(
        name=name,
        nickname=params.get("Nickname", ""),
        iot_id=iot_id,
        secret=new_device_secret(),
        due=first_online_time(iot_id, call.now, call.emulator.pace),
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
    device = find_device(call)
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
    device = find_device(call)
    product = find_product(call, device["product_key"])
    return {
        "Data": {
            **_describe_device(call.db, device, product),
            "IpAddress": device["ip"],
            "GmtOnline": format_local(device["last_online"]),
            "UtcOnline": format_utc(device["last_online"]),
            "Owner": True,
        }
    }


def batch_query_device_detail(call: Call) -> dict[str, Any]:
    """BatchQueryDeviceDetail: the devices that exist, in the order of the names sent; an error if none exists."""
    product = find_product(call)
    names = list(dict.fromkeys(call.params["DeviceName"]))
    devices = _find_by_name(call.db, product["product_key"], names)
    if not devices:
        raise ServiceError("iot.device.NotExistedDevice", "None of the devices exists.")
    return {
        "Data": {
            "Data": [_describe_device(call.db, devices[name], product) for name in names if name in devices]
        }
    }


def _describe_device(db: sqlite3.Connection, device: sqlite3.Row, product: sqlite3.Row) -> dict[str, Any]:
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
        "GmtCreate": format_local(device["created"]),
        "UtcCreate": format_utc(device["created"]),
        "GmtActive": format_local(device["activated"]),
        "UtcActive": format_utc(device["activated"]),
    }


def get_device_status(call: Call) -> dict[str, Any]:
    """GetDeviceStatus. `Timestamp` is the time of the last change of the status."""
    device = find_device(call)
    return {"Data": {"Status": device["status"], "Timestamp": device["status_since"]}}


def batch_get_device_state(call: Call) -> dict[str, Any]:
    """BatchGetDeviceState: up to 50 devices by IotId, or by name within a product; unknown devices are skipped."""
    if call.params.get("IotId"):
        iot_ids = list(dict.fromkeys(call.params["IotId"]))
        marks = ",".join("?" * len(iot_ids))
        rows = call.db.execute(
            f"SELECT * FROM devices WHERE iot_id IN ({marks}) AND account = ? AND instance = ?",
            (*iot_ids, call.account, call.instance),
        ).fetchall()
        by_id = {row["iot_id"]: row for row in rows}
        devices = [by_id[iot_id] for iot_id in iot_ids if iot_id in by_id]
    else:
        names = list(dict.fromkeys(call.params["DeviceName"]))
        by_name = _find_by_name(call.db, find_product(call)["product_key"], names)
        devices = [by_name[name] for name in names if name in by_name]
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
                    "LastOnlineTime": format_local(device["last_online"]),
                    "Timestamp": device["status_since"],
                }
                for device in devices
            ]
        }
    }


def delete_device(call: Call) -> dict[str, Any]:
    """DeleteDevice: also deletes its tags, group memberships, topology and reported versions."""
    device = find_device(call)
    call.db.execute("DELETE FROM devices WHERE id = ?", (device["id"],))
    return {}


def disable_thing(call: Call) -> dict[str, Any]:
    """DisableThing: the device cannot connect until it is enabled."""
    device = find_device(call)
    if device["status"] != "DISABLE":
        call.db.execute(
            "UPDATE devices SET status = 'DISABLE', status_since = ?, modified = ?, due = NULL WHERE id = ?",
            (call.now, call.now, device["id"]),
        )
    return {}


def enable_thing(call: Call) -> dict[str, Any]:
    """EnableThing: the device becomes offline (or not activated) and later connects by itself."""
    device = find_device(call)
    if device["status"] == "DISABLE":
        pace = call.emulator.pace
        if device["activated"] is None:
            status, due = "UNACTIVE", first_online_time(device["iot_id"], call.now, pace)
        else:
            status, due = "OFFLINE", next_change_time(device["iot_id"], "OFFLINE", call.now, pace)
        call.db.execute(
            "UPDATE devices SET status = ?, status_since = ?, modified = ?, due = ? WHERE id = ?",
            (status, call.now, call.now, due, device["id"]),
        )
    return {}


def reset_thing(call: Call) -> dict[str, Any]:
    """ResetThing: the device becomes not activated, gets a new DeviceSecret, and its topology is deleted."""
    device = find_device(call)
    call.db.execute(
        "UPDATE devices SET status = 'UNACTIVE', status_since = ?, modified = ?, activated = NULL, secret = ?, due = ?"
        " WHERE id = ?",
        (
            call.now,
            call.now,
            new_device_secret(),
            first_online_time(device["iot_id"], call.now, call.emulator.pace),
            device["id"],
        ),
    )
    call.db.execute(
        "DELETE FROM topology WHERE iot_id = ? OR gateway_iot_id = ?", (device["iot_id"], device["iot_id"])
    )
    return {"JobId": random_text(24)}


def batch_update_device_nickname(call: Call) -> dict[str, Any]:
    """BatchUpdateDeviceNickname: changes all devices or none. Without Nickname, the nickname of a device is removed."""
    changes = []
    for item in call.params["DeviceNicknameInfo"]:
        device = find_device(
            call,
            iot_id=item.get("IotId") or "",
            product_key=item.get("ProductKey"),
            name=item.get("DeviceName"),
        )
        changes.append((item.get("Nickname") or "", call.now, device["id"]))
    call.db.executemany("UPDATE devices SET nickname = ?, modified = ? WHERE id = ?", changes)
    return {}


def _find_by_name(db: sqlite3.Connection, product_key: str, names: list[str]) -> dict[str, sqlite3.Row]:
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
