"""The topology: sub-devices of gateways."""

from __future__ import annotations

import hashlib
import hmac
import json
import sqlite3
from typing import Any

from iot_emulator.call import Call, Handler
from iot_emulator.errors import ServiceError
from iot_emulator.formats import format_local, format_utc
from iot_emulator.lookups import find_device, find_product
from iot_emulator.paging import decode_page_token, encode_page_token, read_page

MAX_SUB_DEVICES = 1500  # of one gateway
MAX_LISTED = 10_000  # sub-devices that GetThingTopo returns by page number
GATEWAY_NODE = 1
_HASHES = {"hmacmd5": hashlib.md5, "hmacsha1": hashlib.sha1, "hmacsha256": hashlib.sha256}


def get_thing_topo(call: Call) -> dict[str, Any]:
    """GetThingTopo: the sub-devices of a gateway, by page number or page token."""
    gateway, page = find_device(call), read_page(call, number="PageNo", max_entries=MAX_LISTED)
    token = call.params.get("NextToken")
    (total,) = call.db.execute(
        "SELECT count(*) FROM topology WHERE gateway_iot_id = ?", (gateway["iot_id"],)
    ).fetchone()
    if not token and page.number > max(1, page.count(total)):
        raise ServiceError("iot.device.QueryTopoRelationFailed", "PageNo is larger than the number of pages.")
    rows = call.db.execute(
        "SELECT d.* FROM topology t JOIN devices d ON d.iot_id = t.iot_id WHERE t.gateway_iot_id = ?"
        " AND d.id < ? ORDER BY d.id DESC LIMIT ? OFFSET ?",
        (
            gateway["iot_id"],
            decode_page_token(token) if token else 2**62,
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
            "NextToken": encode_page_token(rows[-1]["id"]) if more else "",
        }
    }


def batch_add_thing_topo(call: Call) -> dict[str, Any]:
    """BatchAddThingTopo: adds up to 10 signed sub-devices, all or none. A sub-device of another gateway moves."""
    gateway = _find_gateway(call)
    relations = []
    for item in call.params["TopoAddItem"]:
        device = find_device(call, iot_id="", product_key=item.get("ProductKey"), name=item.get("DeviceName"))
        if _is_gateway(call, device):
            raise ServiceError("iot.device.AddTopoRelationFailed", "A gateway cannot be a sub-device.")
        _verify_signature(device, item)
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
    """NotifyAddThingTopo: requests a gateway to add sub-devices. An online gateway does it immediately.

    Gateways in the list are ignored, because they cannot be sub-devices.
    """
    gateway = _find_gateway(call)
    items = json.loads(call.params.get("DeviceListStr") or "[]")
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise ServiceError(
            "iot.common.InvalidFormattedParameter", "DeviceListStr must be a JSON list of objects."
        )
    relations = []
    for item in items:
        fields = {str(key).lower(): value for key, value in item.items()}
        device = find_device(
            call,
            iot_id=fields.get("iotid") or "",
            product_key=fields.get("productkey"),
            name=fields.get("devicename"),
        )
        if not _is_gateway(call, device):
            relations.append((device["iot_id"], gateway["iot_id"]))
    if gateway["status"] == "ONLINE":
        call.db.executemany("INSERT OR REPLACE INTO topology VALUES (?, ?)", relations)
    return {"Data": {"MessageId": str(call.now)}}


def remove_thing_topo(call: Call) -> dict[str, Any]:
    """RemoveThingTopo: deletes all relations of a gateway, or the relation of a sub-device."""
    device = find_device(call)
    call.db.execute(
        "DELETE FROM topology WHERE iot_id = ? OR gateway_iot_id = ?", (device["iot_id"], device["iot_id"])
    )
    return {"Data": True}


def get_gateway_by_sub_device(call: Call) -> dict[str, Any]:
    """GetGatewayBySubDevice. Raises `iot.device.QueryTopoRelationFailed` for a device without a gateway."""
    relation = call.db.execute(
        "SELECT gateway_iot_id FROM topology WHERE iot_id = ?", (find_device(call)["iot_id"],)
    ).fetchone()
    if relation is None:
        raise ServiceError("iot.device.QueryTopoRelationFailed", "The device is not attached to a gateway.")
    gateway = find_device(call, iot_id=relation["gateway_iot_id"])
    product = find_product(call, gateway["product_key"])
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
            "GmtCreate": format_local(gateway["created"]),
            "UtcCreate": format_utc(gateway["created"]),
            "GmtActive": format_local(gateway["activated"]),
            "UtcActive": format_utc(gateway["activated"]),
            "GmtOnline": format_local(gateway["last_online"]),
            "UtcOnline": format_utc(gateway["last_online"]),
        }
    }


def _find_gateway(call: Call) -> sqlite3.Row:
    device = find_device(
        call,
        iot_id=call.params.get("GwIotId") or "",
        product_key=call.params.get("GwProductKey"),
        name=call.params.get("GwDeviceName"),
    )
    if not _is_gateway(call, device):
        raise ServiceError("iot.device.AddTopoRelationFailed", "The device is not a gateway.")
    return device


def _is_gateway(call: Call, device: sqlite3.Row) -> bool:
    return bool(find_product(call, device["product_key"])["node_type"] == GATEWAY_NODE)


def _verify_signature(device: sqlite3.Row, item: dict[str, Any]) -> None:
    """Check the signature of a sub-device. Raises `iot.device.VerifyDeviceFailed`."""
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
        raise ServiceError("iot.device.VerifyDeviceFailed", f"The signature of {device['name']} is wrong.")


OPERATIONS: dict[str, Handler] = {
    "GetThingTopo": get_thing_topo,
    "BatchAddThingTopo": batch_add_thing_topo,
    "NotifyAddThingTopo": notify_add_thing_topo,
    "RemoveThingTopo": remove_thing_topo,
    "GetGatewayBySubDevice": get_gateway_by_sub_device,
}
