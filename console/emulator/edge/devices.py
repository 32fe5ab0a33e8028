"""The devices of an edge instance: each under one of its drivers, with a configuration of its own or none."""

from __future__ import annotations

import json
import re
import sqlite3
from typing import Any

from console.emulator.call import Call, Handler
from console.emulator.edge import codes
from console.emulator.edge.common import bad, edge_of, edge_page, paged, touch
from console.emulator.edge.drivers import bound_driver, is_json
from console.emulator.errors import ServiceError

MAX_DEVICES = 1000  # an edge instance
AT_ONCE = 20  # in one call
_ADDRESS = re.compile(r"(https?|oss)://\S+", re.IGNORECASE)


def batch_bind_device_to_edge_instance_with_driver(call: Call) -> dict[str, Any]:
    """BatchBindDeviceToEdgeInstanceWithDriver: all or none. A device of the instance changes its driver; one of another
    instance, or a gateway, is refused."""
    edge_id = edge_of(call)["edge_id"]
    driver_id = bound_driver(call, edge_id)
    iot_ids = _existing(call, call.params["IotIds"])
    marks = _marks(iot_ids)
    if call.db.execute(
        f"SELECT 1 FROM edge_devices WHERE iot_id IN ({marks}) AND edge_id <> ?", (*iot_ids, edge_id)
    ).fetchone():
        raise ServiceError(codes.DEVICE_BOUND, "A device belongs to another edge instance.")
    if call.db.execute(
        "SELECT 1 FROM devices d JOIN products p USING (product_key)"
        f" WHERE d.iot_id IN ({marks}) AND p.node_type = 1 LIMIT 1",
        iot_ids,
    ).fetchone():
        raise bad("A gateway cannot be a device of an edge instance.")
    (others,) = call.db.execute(
        f"SELECT count(*) FROM edge_devices WHERE edge_id = ? AND iot_id NOT IN ({marks})",
        (edge_id, *iot_ids),
    ).fetchone()
    if others + len(iot_ids) > MAX_DEVICES:
        raise ServiceError(codes.TOO_MANY_DEVICES, f"An edge instance has at most {MAX_DEVICES} devices.")
    call.db.executemany(
        "INSERT INTO edge_devices (iot_id, edge_id, driver_id) VALUES (?, ?, ?)"
        " ON CONFLICT (iot_id) DO UPDATE SET driver_id = excluded.driver_id",
        [(iot_id, edge_id, driver_id) for iot_id in iot_ids],
    )
    touch(call, edge_id)
    return {}


def batch_unbind_device_from_edge_instance(call: Call) -> dict[str, Any]:
    """BatchUnbindDeviceFromEdgeInstance: those that are not in it any more are no mistake."""
    edge_id = edge_of(call)["edge_id"]
    iot_ids = _existing(call, call.params["IotIds"])
    call.db.execute(
        f"DELETE FROM edge_devices WHERE edge_id = ? AND iot_id IN ({_marks(iot_ids)})", (edge_id, *iot_ids)
    )
    touch(call, edge_id)
    return {}


def query_edge_instance_device(call: Call) -> dict[str, Any]:
    """QueryEdgeInstanceDevice: those bound last come first."""
    return _listed(call, edge_of(call)["edge_id"], None)


def query_device_by_driver(call: Call) -> dict[str, Any]:
    """QueryDeviceByDriver: the devices under one driver."""
    edge_id = edge_of(call)["edge_id"]
    return _listed(call, edge_id, bound_driver(call, edge_id))


def _listed(call: Call, edge_id: str, driver_id: str | None) -> dict[str, Any]:
    page = edge_page(call)
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
    return paged(page, total, "DeviceList", devices)


def batch_get_device_driver(call: Call) -> dict[str, Any]:
    """BatchGetDeviceDriver: in the order asked for; devices that the instance has not are left out."""
    edge_id = edge_of(call)["edge_id"]
    bound = _bound(call, edge_id, call.params["IotIds"])
    return {
        "DeviceDriverList": [{"IotId": row["iot_id"], "DriverId": row["driver_id"]} for row in bound],
    }


def batch_set_edge_instance_device_config(call: Call) -> dict[str, Any]:
    """BatchSetEdgeInstanceDeviceConfig: all or none, of devices that the instance has."""
    edge_id = edge_of(call)["edge_id"]
    configs: list[dict[str, Any]] = call.params["DeviceConfigs"]
    if len(configs) > AT_ONCE:
        raise ServiceError(codes.TOO_MANY, f"At most {AT_ONCE} devices can be configured in one call.")
    if not all(config.get("IotId") and config.get("Content") for config in configs):
        raise bad("Each of DeviceConfigs needs an IotId and a Content.")
    contents = {config["IotId"]: config["Content"] for config in configs}
    _refuse_unbound(call, edge_id, list(contents))
    call.db.executemany(
        "UPDATE edge_devices SET config = ? WHERE iot_id = ?",
        [(content, iot_id) for iot_id, content in contents.items()],
    )
    touch(call, edge_id)
    return {}


def batch_clear_edge_instance_device_config(call: Call) -> dict[str, Any]:
    """BatchClearEdgeInstanceDeviceConfig: all or none, of devices that the instance has."""
    edge_id = edge_of(call)["edge_id"]
    iot_ids = list(dict.fromkeys(call.params["IotIds"]))
    _refuse_unbound(call, edge_id, iot_ids)
    call.db.execute(f"UPDATE edge_devices SET config = NULL WHERE iot_id IN ({_marks(iot_ids)})", iot_ids)
    touch(call, edge_id)
    return {}


def batch_get_edge_instance_device_config(call: Call) -> dict[str, Any]:
    """BatchGetEdgeInstanceDeviceConfig: of those that have one, in the order asked for."""
    edge_id = edge_of(call)["edge_id"]
    return {
        "DeviceConfigList": [
            {
                "IotId": row["iot_id"],
                "Config": {"Format": _format(row["config"]), "Content": row["config"]},
            }
            for row in _bound(call, edge_id, call.params["IotIds"])
            if row["config"] is not None
        ]
    }


def _format(content: str) -> str:
    """Nothing says the format of a device's configuration, so it is seen from the content."""
    if is_json(content):
        return "JSON"
    return "FILE" if _ADDRESS.fullmatch(content.strip()) else "KV"


def _existing(call: Call, wanted: list[str]) -> list[str]:
    """The devices named, each once; raises `iot.device.NotExistedDevice` when one is not there."""
    iot_ids = list(dict.fromkeys(wanted))
    (count,) = call.db.execute(
        f"SELECT count(*) FROM devices WHERE iot_id IN ({_marks(iot_ids)}) AND account = ? AND instance = ?",
        (*iot_ids, call.account, call.instance),
    ).fetchone()
    if count < len(iot_ids):
        raise ServiceError("iot.device.NotExistedDevice", "A device does not exist.")
    return iot_ids


def _bound(call: Call, edge_id: str, wanted: list[str]) -> list[sqlite3.Row]:
    return call.db.execute(
        "SELECT e.* FROM json_each(?) j JOIN edge_devices e ON e.iot_id = j.value WHERE e.edge_id = ? ORDER BY j.key",
        (json.dumps(list(dict.fromkeys(wanted))), edge_id),
    ).fetchall()


def _refuse_unbound(call: Call, edge_id: str, iot_ids: list[str]) -> None:
    if len(_bound(call, edge_id, iot_ids)) < len(iot_ids):
        raise ServiceError(codes.DEVICE_NOT_BOUND, "A device does not belong to the edge instance.")


def _marks(values: list[str]) -> str:
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
