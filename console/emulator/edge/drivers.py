"""Drivers of an edge instance, and their configurations.

No operation of this API makes a driver, so the emulator knows the official ones below, and takes every other id of the
same form (32 hexadecimal characters) for a driver that the account has made elsewhere.
"""

from __future__ import annotations

import json
import re
import sqlite3
import uuid
from typing import Any

from console.emulator.call import Call, Handler
from console.emulator.edge import codes
from console.emulator.edge.common import bad, edge_of, edge_page, paged, touch
from console.emulator.errors import ServiceError
from console.emulator.formats import local

MAX_DRIVERS = 30  # an edge instance
LATEST = "1.0.0"
OFFICIAL = {
    "5b1f7a34c6d84f0e9a2d6c1b7e3f8a01": "Modbus",
    "8d2c4e67f9a14b3c8e5f0d9a1c7b6e02": "OPCUA",
    "c3e9a1b85d7f4260b4a8e1f6d2c09503": "LoRa",
    "e7a6d0c94b2f4835917c3e8f5a1db604": "LightSensor",
}
_DRIVER_ID = re.compile(r"[0-9a-f]{32}")


def name_of(driver_id: str) -> str:
    """What a driver is called."""
    return OFFICIAL.get(driver_id, f"driver_{driver_id[:6]}")


def bound_driver(call: Call, edge_id: str) -> str:
    """The id of the driver named, which the edge instance has; raises `iot.edge.InstanceDriverNotExist`."""
    driver_id: str = call.params["DriverId"]
    found = call.db.execute(
        "SELECT 1 FROM edge_drivers WHERE edge_id = ? AND driver_id = ?", (edge_id, driver_id)
    ).fetchone()
    if not found:
        raise ServiceError(codes.DRIVER_NOT_BOUND, "The edge instance has no such driver.")
    return driver_id


def bind_driver_to_edge_instance(call: Call) -> dict[str, Any]:
    """BindDriverToEdgeInstance: 30 an instance; binding it again changes its version."""
    edge_id = edge_of(call)["edge_id"]
    driver_id = call.params["DriverId"]
    if not _DRIVER_ID.fullmatch(driver_id):
        raise ServiceError(codes.NO_DRIVER, "The driver does not exist.")
    others = call.db.execute(
        "SELECT count(*) FROM edge_drivers WHERE edge_id = ? AND driver_id <> ?", (edge_id, driver_id)
    ).fetchone()[0]
    if others >= MAX_DRIVERS:
        raise ServiceError(codes.TOO_MANY_DRIVERS, f"An edge instance has at most {MAX_DRIVERS} drivers.")
    call.db.execute(
        "INSERT INTO edge_drivers (edge_id, driver_id, version, order_id, created, modified) VALUES (?,?,?,?,?,?)"
        " ON CONFLICT DO UPDATE SET version = excluded.version, modified = excluded.modified"
        " WHERE version <> excluded.version",
        (
            edge_id,
            driver_id,
            call.params.get("DriverVersion") or LATEST,
            call.params.get("OrderId", ""),
            call.now,
            call.now,
        ),
    )
    touch(call, edge_id)
    return {}


def unbind_driver_from_edge_instance(call: Call) -> dict[str, Any]:
    """UnbindDriverFromEdgeInstance: with its configurations; refused while devices use it. Twice is as once."""
    edge_id = edge_of(call)["edge_id"]
    pair = (edge_id, call.params["DriverId"])
    if not _DRIVER_ID.fullmatch(call.params["DriverId"]):
        raise ServiceError(codes.NO_DRIVER, "The driver does not exist.")
    if call.db.execute(
        "SELECT 1 FROM edge_devices WHERE edge_id = ? AND driver_id = ? LIMIT 1", pair
    ).fetchone():
        raise ServiceError(codes.DRIVER_IN_USE, "Devices of the edge instance use the driver.")
    call.db.execute("DELETE FROM edge_drivers WHERE edge_id = ? AND driver_id = ?", pair)
    touch(call, edge_id)
    return {}


def query_edge_instance_driver(call: Call) -> dict[str, Any]:
    """QueryEdgeInstanceDriver: newest first."""
    edge_id, page = edge_of(call)["edge_id"], edge_page(call)
    (total,) = call.db.execute("SELECT count(*) FROM edge_drivers WHERE edge_id = ?", (edge_id,)).fetchone()
    rows = call.db.execute(
        "SELECT * FROM edge_drivers WHERE edge_id = ? ORDER BY created DESC, driver_id LIMIT ? OFFSET ?",
        (edge_id, page.size, page.offset),
    )
    return paged(page, total, "DriverList", [_told(row) for row in rows])


def _told(row: sqlite3.Row) -> dict[str, Any]:
    told = {
        "DriverId": row["driver_id"],
        "DriverVersion": row["version"],
        "GmtCreate": local(row["created"]),
        "GmtModified": local(row["modified"]),
    }
    return {**told, "OrderId": row["order_id"]} if row["order_id"] else told


def set_edge_instance_driver_configs(call: Call) -> dict[str, Any]:
    """SetEdgeInstanceDriverConfigs: these in place of all it had. JSON has to be JSON, and several need different keys."""
    edge_id = edge_of(call)["edge_id"]
    driver_id = bound_driver(call, edge_id)
    configs = call.params["Configs"]
    keys = [config.get("Key") or "" for config in configs]
    if len(set(keys)) != len(keys):
        raise bad("Each of several configurations needs a key of its own.")
    for config in configs:
        if config["Format"] == "JSON" and not is_json(config["Content"]):
            raise bad("The content is not JSON.")
    _clear(call, edge_id, driver_id)
    call.db.executemany(
        "INSERT INTO edge_driver_configs (edge_id, driver_id, config_id, format, content, key) VALUES (?,?,?,?,?,?)",
        [
            (edge_id, driver_id, uuid.uuid4().hex, config["Format"], config["Content"], key)
            for config, key in zip(configs, keys, strict=True)
        ],
    )
    return {}


def clear_edge_instance_driver_configs(call: Call) -> dict[str, Any]:
    """ClearEdgeInstanceDriverConfigs: of one driver that the instance has."""
    edge_id = edge_of(call)["edge_id"]
    _clear(call, edge_id, bound_driver(call, edge_id))
    return {}


def _clear(call: Call, edge_id: str, driver_id: str) -> None:
    pair = (edge_id, driver_id)
    call.db.execute("DELETE FROM edge_driver_configs WHERE edge_id = ? AND driver_id = ?", pair)
    call.db.execute(
        "UPDATE edge_drivers SET modified = ? WHERE edge_id = ? AND driver_id = ?", (call.now, *pair)
    )
    touch(call, edge_id)


def batch_get_edge_instance_driver_configs(call: Call) -> dict[str, Any]:
    """BatchGetEdgeInstanceDriverConfigs: in the order asked for; drivers that the instance has not are left out."""
    edge_id = edge_of(call)["edge_id"]
    found = []
    for driver_id in dict.fromkeys(call.params["DriverIds"]):
        pair = (edge_id, driver_id)
        if not call.db.execute(
            "SELECT 1 FROM edge_drivers WHERE edge_id = ? AND driver_id = ?", pair
        ).fetchone():
            continue
        rows = call.db.execute(
            "SELECT * FROM edge_driver_configs WHERE edge_id = ? AND driver_id = ? ORDER BY id", pair
        )
        found.append({"DriverId": driver_id, "ConfigList": [_config(row) for row in rows]})
    return {"DriverConfigList": found}


def _config(row: sqlite3.Row) -> dict[str, Any]:
    told = {"ConfigId": row["config_id"], "Format": row["format"], "Content": row["content"]}
    return {**told, "Key": row["key"]} if row["key"] else told


def is_json(text: str) -> bool:
    """Whether a text is a JSON object or list."""
    try:
        return isinstance(json.loads(text), dict | list)
    except ValueError:
        return False


OPERATIONS: dict[str, Handler] = {
    "BindDriverToEdgeInstance": bind_driver_to_edge_instance,
    "UnbindDriverFromEdgeInstance": unbind_driver_from_edge_instance,
    "QueryEdgeInstanceDriver": query_edge_instance_driver,
    "SetEdgeInstanceDriverConfigs": set_edge_instance_driver_configs,
    "ClearEdgeInstanceDriverConfigs": clear_edge_instance_driver_configs,
    "BatchGetEdgeInstanceDriverConfigs": batch_get_edge_instance_driver_configs,
}
