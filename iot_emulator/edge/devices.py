"""The devices of an edge instance. Each is bound to one of its drivers and may have a configuration."""

from __future__ import annotations

import json
import re
import sqlite3
from typing import Any

from iot_emulator.call import Call, Handler
from iot_emulator.edge import codes
from iot_emulator.edge.common import (
    find_edge_instance,
    invalid_edge_parameter,
    list_response,
    mark_modified,
    read_edge_page,
)
from iot_emulator.edge.drivers import find_bound_driver, is_json
from iot_emulator.errors import ServiceError

MAX_DEVICES = 1000  # of an edge instance
MAX_PER_CALL = 20
_ADDRESS = re.compile(r"(https?|oss)://\S+", re.IGNORECASE)


def batch_bind_device_to_edge_instance_with_driver(call: Call) -> dict[str, Any]:
    """BatchBindDeviceToEdgeInstanceWithDriver: binds all devices or none.

    A device of this edge instance changes its driver. A device of another edge instance and a gateway are refused.
    """
    edge_id = find_edge_instance(call)["edge_id"]
    driver_id = find_bound_driver(call, edge_id)
    iot_ids = _check_devices_exist(call, call.params["IotIds"])
    marks = _placeholders(iot_ids)
    if call.db.execute(
        f"SELECT 1 FROM edge_devices WHERE iot_id IN ({marks}) AND edge_id <> ?", (*iot_ids, edge_id)
    ).fetchone():
        raise ServiceError(codes.DEVICE_BOUND, "One of the devices is in another edge instance.")
    if call.db.execute(
        "SELECT 1 FROM devices d JOIN products p USING (product_key)"
        f" WHERE d.iot_id IN ({marks}) AND p.node_type = 1 LIMIT 1",
        iot_ids,
    ).fetchone():
        raise invalid_edge_parameter("A gateway cannot be a device of an edge instance.")
    (others,) = call.db.execute(
        f"SELECT count(*) FROM edge_devices WHERE edge_id = ? AND iot_id NOT IN ({marks})",
        (edge_id, *iot_ids),
    ).fetchone()
    if others + len(iot_ids) > MAX_DEVICES:
        raise ServiceError(
            codes.TOO_MANY_DEVICES, f"An edge instance can have at most {MAX_DEVICES} devices."
        )
    call.db.executemany(
        "INSERT INTO edge_devices (iot_id, edge_id, driver_id) VALUES (?, ?, ?)"
        " ON CONFLICT (iot_id) DO UPDATE SET driver_id = excluded.driver_id",
        [(iot_id, edge_id, driver_id) for iot_id in iot_ids],
    )
    mark_modified(call, edge_id)
    return {}


def batch_unbind_device_from_edge_instance(call: Call) -> dict[str, Any]:
    """BatchUnbindDeviceFromEdgeInstance: ignores devices that are not in the edge instance."""
    edge_id = find_edge_instance(call)["edge_id"]
    iot_ids = _check_devices_exist(call, call.params["IotIds"])
    call.db.execute(
        f"DELETE FROM edge_devices WHERE edge_id = ? AND iot_id IN ({_placeholders(iot_ids)})",
        (edge_id, *iot_ids),
    )
    mark_modified(call, edge_id)
    return {}


def query_edge_instance_device(call: Call) -> dict[str, Any]:
    """QueryEdgeInstanceDevice: the devices bound last come first."""
    return _list_devices(call, find_edge_instance(call)["edge_id"], None)


def query_device_by_driver(call: Call) -> dict[str, Any]:
    """QueryDeviceByDriver: the devices of one driver."""
    edge_id = find_edge_instance(call)["edge_id"]
    return _list_devices(call, edge_id, find_bound_driver(call, edge_id))


def _list_devices(call: Call, edge_id: str, driver_id: str | None) -> dict[str, Any]:
    page = read_edge_page(call)
    where, values = "e.edge_id = ?", [edge_id]
    if driver_id is not None:
        where, values = f"{where} AND e.driver_id = ?", [edge_id, driver_id]
    (total,) = call.db.execute(f"SELECT count(*) FROM edge_devices e WHERE {where}", values).fetchone()
    rows = call.db.execute(
        f"SELECT e.driver_id, d.* FROM edge_devices e JOIN devices d USING (iot_id) WHERE {where}"
        " ORDER BY e.id DESC LIMIT ? OFFSET ?",
        (*values, page.size, page.offset),
    )
    devices = []
    for row in rows:
        device = {"IotId": row["iot_id"], "ProductKey": row["product_key"], "DeviceName": row["name"]}
        devices.append(device if driver_id is not None else {**device, "DriverId": row["driver_id"]})
    return list_response(page, total, "DeviceList", devices)


def batch_get_device_driver(call: Call) -> dict[str, Any]:
    """BatchGetDeviceDriver: in the order of the request, without devices that are not in the edge instance."""
    edge_id = find_edge_instance(call)["edge_id"]
    devices = _find_bound_devices(call, edge_id, call.params["IotIds"])
    return {
        "DeviceDriverList": [{"IotId": row["iot_id"], "DriverId": row["driver_id"]} for row in devices],
    }


def batch_set_edge_instance_device_config(call: Call) -> dict[str, Any]:
    """BatchSetEdgeInstanceDeviceConfig: sets all configurations or none, only of devices in the edge instance."""
    edge_id = find_edge_instance(call)["edge_id"]
    configs: list[dict[str, Any]] = call.params["DeviceConfigs"]
    if len(configs) > MAX_PER_CALL:
        raise ServiceError(codes.TOO_MANY, f"Send at most {MAX_PER_CALL} configurations in a call.")
    if not all(config.get("IotId") and config.get("Content") for config in configs):
        raise invalid_edge_parameter("Each item of DeviceConfigs needs IotId and Content.")
    contents = {config["IotId"]: config["Content"] for config in configs}
    _check_devices_are_bound(call, edge_id, list(contents))
    call.db.executemany(
        "UPDATE edge_devices SET config = ? WHERE iot_id = ?",
        [(content, iot_id) for iot_id, content in contents.items()],
    )
    mark_modified(call, edge_id)
    return {}


def batch_clear_edge_instance_device_config(call: Call) -> dict[str, Any]:
    """BatchClearEdgeInstanceDeviceConfig: removes all configurations or none, only of devices in the edge instance."""
    edge_id = find_edge_instance(call)["edge_id"]
    iot_ids = list(dict.fromkeys(call.params["IotIds"]))
    _check_devices_are_bound(call, edge_id, iot_ids)
    call.db.execute(
        f"UPDATE edge_devices SET config = NULL WHERE iot_id IN ({_placeholders(iot_ids)})", iot_ids
    )
    mark_modified(call, edge_id)
    return {}


def batch_get_edge_instance_device_config(call: Call) -> dict[str, Any]:
    """BatchGetEdgeInstanceDeviceConfig: in the order of the request, without devices that have no configuration."""
    edge_id = find_edge_instance(call)["edge_id"]
    return {
        "DeviceConfigList": [
            {
                "IotId": row["iot_id"],
                "Config": {"Format": _detect_format(row["config"]), "Content": row["config"]},
            }
            for row in _find_bound_devices(call, edge_id, call.params["IotIds"])
            if row["config"] is not None
        ]
    }


def _detect_format(content: str) -> str:
    """Return the format of a device's configuration, detected from its content, because the API does not transmit it."""
    if is_json(content):
        return "JSON"
    return "FILE" if _ADDRESS.fullmatch(content.strip()) else "KV"


def _check_devices_exist(call: Call, requested: list[str]) -> list[str]:
    """Return the IotIds without duplicates. Raises `iot.device.NotExistedDevice` if one of the devices does not exist."""
    iot_ids = list(dict.fromkeys(requested))
    (count,) = call.db.execute(
        f"SELECT count(*) FROM devices WHERE iot_id IN ({_placeholders(iot_ids)}) AND account = ? AND instance = ?",
        (*iot_ids, call.account, call.instance),
    ).fetchone()
    if count < len(iot_ids):
        raise ServiceError("iot.device.NotExistedDevice", "One of the devices does not exist.")
    return iot_ids


def _find_bound_devices(call: Call, edge_id: str, iot_ids: list[str]) -> list[sqlite3.Row]:
    return call.db.execute(
        "SELECT e.* FROM json_each(?) j JOIN edge_devices e ON e.iot_id = j.value WHERE e.edge_id = ? ORDER BY j.key",
        (json.dumps(list(dict.fromkeys(iot_ids))), edge_id),
    ).fetchall()


def _check_devices_are_bound(call: Call, edge_id: str, iot_ids: list[str]) -> None:
    if len(_find_bound_devices(call, edge_id, iot_ids)) < len(iot_ids):
        raise ServiceError(codes.DEVICE_NOT_BOUND, "One of the devices is not in the edge instance.")


def _placeholders(values: list[str]) -> str:
    return ",".join("?" * len(values))


OPERATIONS: dict[str, Handler] = {
    "BatchBindDeviceToEdgeInstanceWithDriver": batch_bind_device_to_edge_instance_with_driver,
    "BatchUnbindDeviceFromEdgeInstance": batch_unbind_device_from_edge_instance,
    "QueryEdgeInstanceDevice": query_edge_instance_device,
    "QueryDeviceByDriver": query_device_by_driver,
    "BatchGetDeviceDriver": batch_get_device_driver,
    "BatchSetEdgeInstanceDeviceConfig": batch_set_edge_instance_device_config,
    "BatchClearEdgeInstanceDeviceConfig": batch_clear_edge_instance_device_config,
    "BatchGetEdgeInstanceDeviceConfig": batch_get_edge_instance_device_config,
}
