"""Tags of devices (the API calls them props), and the search for devices by tags."""

from __future__ import annotations

import json
from typing import Any

from iot_emulator.call import Call, Handler
from iot_emulator.errors import ServiceError
from iot_emulator.lookups import find_device
from iot_emulator.paging import read_page

MAX_TAGS = 100  # of a device, and in a call
MAX_BYTES = 5 * 1024


def save_device_prop(call: Call) -> dict[str, Any]:
    """SaveDeviceProp: adds tags, and changes the values of tags that exist."""
    device = find_device(call)
    text = call.params["Props"]
    if len(text.encode()) > MAX_BYTES:
        raise ServiceError(
            "iot.device.LongDevicePropertiesString", "Props can have at most 5 KB (5,120 bytes)."
        )
    try:
        props = json.loads(text)
    except (ValueError, RecursionError):
        props = None
    if not isinstance(props, dict):
        raise ServiceError(
            "iot.device.InvalidFormattedDevicePropertiesString", "Props must be a JSON object."
        )
    if not props:
        raise ServiceError("iot.device.NullDevicePropertiesString", "Props contains no tags.")
    if len(props) > MAX_TAGS:
        raise ServiceError("iot.device.TooManyDevicePropertiesPerTime", "Send at most 100 tags in a call.")
    for key, value in props.items():
        if not key.strip():
            raise ServiceError("iot.device.NullDevicePropertyKey", "The key of a tag is empty.")
        if isinstance(value, dict | list) or value is None:
            raise ServiceError(
                "iot.device.InvalidFormattedDevicePropertiesString",
                f"The value of the tag {key} must be text.",
            )
    row = (device["iot_id"], call.account, call.instance)
    call.db.executemany(
        "INSERT INTO device_tags VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET value = excluded.value",
        [(*row, key, _text(value)) for key, value in props.items()],
    )
    (count,) = call.db.execute(
        "SELECT count(*) FROM device_tags WHERE iot_id = ?", (device["iot_id"],)
    ).fetchone()
    if count > MAX_TAGS:
        raise ServiceError(
            "iot.device.SaveOrUpdateDevicePropertiesFailed", "A device can have at most 100 tags."
        )
    call.db.execute("UPDATE devices SET modified = ? WHERE id = ?", (call.now, device["id"]))
    return {}


def query_device_prop(call: Call) -> dict[str, Any]:
    """QueryDeviceProp: all tags of a device, as a JSON string."""
    rows = call.db.execute(
        "SELECT key, value FROM device_tags WHERE iot_id = ? ORDER BY key", (find_device(call)["iot_id"],)
    )
    return {"Props": json.dumps(dict(rows.fetchall()), ensure_ascii=False, separators=(",", ":"))}


def delete_device_prop(call: Call) -> dict[str, Any]:
    """DeleteDeviceProp: ignores a key that does not exist."""
    device = find_device(call)
    deleted = call.db.execute(
        "DELETE FROM device_tags WHERE iot_id = ? AND key = ?", (device["iot_id"], call.params["PropKey"])
    )
    if deleted.rowcount:
        call.db.execute("UPDATE devices SET modified = ? WHERE id = ?", (call.now, device["id"]))
    return {}


def query_device_by_tags(call: Call) -> dict[str, Any]:
    """QueryDeviceByTags: devices that have all of the tags, newest first."""
    page = read_page(call)
    tags = call.params["Tag"]
    matching = " INTERSECT ".join(
        ["SELECT iot_id FROM device_tags WHERE account = ? AND instance = ? AND key = ? AND value = ?"]
        * len(tags)
    )
    values: list[Any] = []
    for tag in tags:
        values.extend((call.account, call.instance, tag.get("TagKey") or "", tag.get("TagValue") or ""))
    (total,) = call.db.execute(f"SELECT count(*) FROM ({matching})", values).fetchone()
    rows = call.db.execute(
        "SELECT d.name, d.iot_id, d.product_key, p.name AS product_name FROM devices d"
        f" JOIN products p ON p.product_key = d.product_key WHERE d.iot_id IN ({matching})"
        " ORDER BY d.id DESC LIMIT ? OFFSET ?",
        (*values, page.size, page.offset),
    )
    return {
        "Data": {
            "SimpleDeviceInfo": [
                {
                    "IotId": row["iot_id"],
                    "ProductKey": row["product_key"],
                    "ProductName": row["product_name"],
                    "DeviceName": row["name"],
                }
                for row in rows
            ]
        },
        "Page": page.number,
        "PageSize": page.size,
        "PageCount": page.count(total),
        "Total": total,
    }


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


OPERATIONS: dict[str, Handler] = {
    "SaveDeviceProp": save_device_prop,
    "QueryDeviceProp": query_device_prop,
    "DeleteDeviceProp": delete_device_prop,
    "QueryDeviceByTags": query_device_by_tags,
}
