"""Which sub-devices hang on which gateway."""

from __future__ import annotations

import hashlib
import hmac
import json
import sqlite3
from typing import Any

from console.emulator.call import Call, Handler
from console.emulator.errors import ServiceError
from console.emulator.formats import local, utc
from console.emulator.lookups import device_of, product_of
from console.emulator.paging import make_token, page_of, read_token

MAX_SUB_DEVICES = 1500  # of one gateway
REACH = 10_000
GATEWAY_NODE = 1
_HASHES = {"hmacmd5": hashlib.md5, "hmacsha1": hashlib.sha1, "hmacsha256": hashlib.sha256}


def get_thing_topo(call: Call) -> dict[str, Any]:
    """GetThingTopo: the sub-devices of a gateway, by page number or token."""
    gateway, page = device_of(call), page_of(call, number="PageNo", reach=REACH)
    token = call.params.get("NextToken")
    (total,) = call.db.execute(
        "SELECT count(*) FROM topology WHERE gateway_iot_id = ?", (gateway["iot_id"],)
    ).fetchone()
    if not token and page.number > max(1, page.count(total)):
        raise ServiceError("iot.device.QueryTopoRelationFailed", "PageNo is past the last page.")
    rows = call.db.execute(
        "SELECT d.* FROM topology t JOIN devices d ON d.iot_id = t.iot_id WHERE t.gateway_iot_id = ?"
        " AND d.id < ? ORDER BY d.id DESC LIMIT ? OFFSET ?",
        (
            gateway["iot_id"],
            read_token(token) if token else 2**62,
            page.size + 1,
            0 if token else page.offset,
        ),
    ).fetchall()
    more = len(rows) > page.size
    rows = rows[: page.size]
    return {
        "Data": {
            "List": {
                "deviceInfo": [
                    {
                        "IotId": row["iot_id"],
                        "ProductKey": row["product_key"],
                        "DeviceName": row["name"],
                    }
                    for row in rows
                ]
            },
            "CurrentPage": page.number,
            "PageSize": page.size,
            "PageCount": page.count(total),
            "Total": total,
            "NextToken": make_token(rows[-1]["id"]) if more else "",
        }
    }


def batch_add_thing_topo(call: Call) -> dict[str, Any]:
    """BatchAddThingTopo: up to 10 sub-devices, each with its signature; all or none. Who hung elsewhere moves."""
    gateway = _gateway(call)
    relations = []
    for item in call.params["TopoAddItem"]:
        device = device_of(call, iot_id="", product_key=item.get("ProductKey"), name=item.get("DeviceName"))
        if device["id"] == gateway["id"]:
            raise ServiceError("iot.device.AddTopoRelationFailed", "A gateway cannot be its own sub-device.")
        _verify(device, item)
        relations.append((device["iot_id"], gateway["iot_id"]))
    call.db.executemany("INSERT OR REPLACE INTO topology VALUES (?, ?)", relations)
    (count,) = call.db.execute(
        "SELECT count(*) FROM topology WHERE gateway_iot_id = ?", (gateway["iot_id"],)
    ).fetchone()
    if count > MAX_SUB_DEVICES:
        raise ServiceError(
            "iot.device.TopoRelationCountExceeded", "A gateway can have at most 1,500 sub-devices."
        )
    return {}


def notify_add_thing_topo(call: Call) -> dict[str, Any]:
    """NotifyAddThingTopo: asks an online gateway to add sub-devices; it does so by itself, at once."""
    gateway = _gateway(call)
    items = json.loads(call.params.get("DeviceListStr") or "[]")
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise ServiceError(
            "iot.common.InvalidFormattedParameter", "DeviceListStr must be a JSON list of objects."
        )
    relations = []
    for item in items:
        named = {str(key).lower(): value for key, value in item.items()}
        device = device_of(
            call,
            iot_id=named.get("iotid") or "",
            product_key=named.get("productkey"),
            name=named.get("devicename"),
        )
        if device["id"] != gateway["id"]:
            relations.append((device["iot_id"], gateway["iot_id"]))
    if gateway["status"] == "ONLINE":
        call.db.executemany("INSERT OR REPLACE INTO topology VALUES (?, ?)", relations)
    return {"Data": {"MessageId": str(call.now)}}


def remove_thing_topo(call: Call) -> dict[str, Any]:
    """RemoveThingTopo: all relations of a gateway, or the one of a sub-device."""
    device = device_of(call)
    call.db.execute(
        "DELETE FROM topology WHERE iot_id = ? OR gateway_iot_id = ?", (device["iot_id"], device["iot_id"])
    )
    return {"Data": True}


def get_gateway_by_sub_device(call: Call) -> dict[str, Any]:
    """GetGatewayBySubDevice; raises `iot.device.QueryTopoRelationFailed` for a device on no gateway."""
    relation = call.db.execute(
        "SELECT gateway_iot_id FROM topology WHERE iot_id = ?", (device_of(call)["iot_id"],)
    ).fetchone()
    if relation is None:
        raise ServiceError("iot.device.QueryTopoRelationFailed", "The device is on no gateway.")
    gateway = device_of(call, iot_id=relation["gateway_iot_id"])
    product = product_of(call, gateway["product_key"])
    version = call.db.execute(
        "SELECT version FROM device_modules WHERE iot_id = ? AND module = 'default'", (gateway["iot_id"],)
    ).fetchone()
    return {
        "Data": {
            "iotId": gateway["iot_id"],
            "ProductKey": gateway["product_key"],
            "ProductName": product["name"],
            "DeviceName": gateway["name"],
            "DeviceSecret": gateway["secret"],
            "NodeType": str(product["node_type"]),
            "Status": gateway["status"].lower(),
            "IpAddress": gateway["ip"],
            "region": gateway["region"],
            "FirmwareVersion": version["version"] if version else "",
            "GmtCreate": local(gateway["created"]),
            "UtcCreate": utc(gateway["created"]),
            "GmtActive": local(gateway["activated"]),
            "UtcActive": utc(gateway["activated"]),
            "GmtOnline": local(gateway["last_online"]),
            "UtcOnline": utc(gateway["last_online"]),
        }
    }


def _gateway(call: Call) -> sqlite3.Row:
    device = device_of(
        call,
        iot_id=call.params.get("GwIotId") or "",
        product_key=call.params.get("GwProductKey"),
        name=call.params.get("GwDeviceName"),
    )
    if product_of(call, device["product_key"])["node_type"] != GATEWAY_NODE:
        raise ServiceError("iot.device.AddTopoRelationFailed", "The device is not a gateway.")
    return device


def _verify(device: sqlite3.Row, item: dict[str, Any]) -> None:
    """Check a sub-device's own signature; raises `iot.device.VerifyDeviceFailed`."""
    fields = {
        "clientId": item.get("ClientId"),
        "deviceName": item["DeviceName"],
        "productKey": item["ProductKey"],
        "timestamp": item.get("Timestamp"),
    }
    content = "".join(f"{name}{value}" for name, value in sorted(fields.items()) if value)
    method = (item.get("SignMethod") or "").lower()
    if method == "sha256":
        signature = hashlib.sha256((content + device["secret"]).encode()).hexdigest()
    elif method in _HASHES:
        signature = hmac.new(device["secret"].encode(), content.encode(), _HASHES[method]).hexdigest()
    else:
        raise ServiceError(
            "iot.common.InvalidFormattedParameter",
            "SignMethod must be hmacMd5, hmacSha1, hmacSha256 or Sha256.",
        )
    if not hmac.compare_digest(signature, (item.get("Sign") or "").lower()):
        raise ServiceError(
            "iot.device.VerifyDeviceFailed", f"The signature of {device['name']} is not right."
        )


OPERATIONS: dict[str, Handler] = {
    "GetThingTopo": get_thing_topo,
    "BatchAddThingTopo": batch_add_thing_topo,
    "NotifyAddThingTopo": notify_add_thing_topo,
    "RemoveThingTopo": remove_thing_topo,
    "GetGatewayBySubDevice": get_gateway_by_sub_device,
}
