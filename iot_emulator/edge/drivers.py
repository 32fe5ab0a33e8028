"""Drivers of an edge instance, and their configurations.

No operation of this API creates a driver. The emulator has the official drivers below, and accepts every other ID with
32 hexadecimal characters as a driver that the account created elsewhere.
"""

from __future__ import annotations

import json
import re
import sqlite3
import uuid
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
from iot_emulator.errors import ServiceError
from iot_emulator.formats import format_local

MAX_DRIVERS = 30  # of an edge instance
LATEST = "1.0.0"
OFFICIAL = {
    "5b1f7a34c6d84f0e9a2d6c1b7e3f8a01": "Modbus",
    "8d2c4e67f9a14b3c8e5f0d9a1c7b6e02": "OPCUA",
    "c3e9a1b85d7f4260b4a8e1f6d2c09503": "LoRa",
    "e7a6d0c94b2f4835917c3e8f5a1db604": "LightSensor",
}
_DRIVER_ID = re.compile(r"[0-9a-f]{32}")


def driver_name(driver_id: str) -> str:
    return OFFICIAL.get(driver_id, f"driver_{driver_id[:6]}")


def find_bound_driver(call: Call, edge_id: str) -> str:
    """Return `DriverId` if the driver is bound to the edge instance. Raises `iot.edge.InstanceDriverNotExist`."""
    driver_id: str = call.params["DriverId"]
    driver = call.db.execute(
        "SELECT 1 FROM edge_drivers WHERE edge_id = ? AND driver_id = ?", (edge_id, driver_id)
    ).fetchone()
    if driver is None:
        raise ServiceError(codes.DRIVER_NOT_BOUND, "The driver is not bound to the edge instance.")
    return driver_id


def bind_driver_to_edge_instance(call: Call) -> dict[str, Any]:
    """BindDriverToEdgeInstance: up to 30 drivers per edge instance. Binding a bound driver changes its version."""
    edge_id = find_edge_instance(call)["edge_id"]
    driver_id = call.params["DriverId"]
    if not _DRIVER_ID.fullmatch(driver_id):
        raise ServiceError(codes.NO_DRIVER, "The driver does not exist.")
    others = call.db.execute(
        "SELECT count(*) FROM edge_drivers WHERE edge_id = ? AND driver_id <> ?", (edge_id, driver_id)
    ).fetchone()[0]
    if others >= MAX_DRIVERS:
        raise ServiceError(
            codes.TOO_MANY_DRIVERS, f"An edge instance can have at most {MAX_DRIVERS} drivers."
        )
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
    mark_modified(call, edge_id)
    return {}


def unbind_driver_from_edge_instance(call: Call) -> dict[str, Any]:
    """UnbindDriverFromEdgeInstance: also deletes its configurations. Refused while devices use the driver.

    Unbinding a driver that is not bound changes nothing.
    """
    edge_id = find_edge_instance(call)["edge_id"]
    pair = (edge_id, call.params["DriverId"])
    if not _DRIVER_ID.fullmatch(call.params["DriverId"]):
        raise ServiceError(codes.NO_DRIVER, "The driver does not exist.")
    if call.db.execute(
        "SELECT 1 FROM edge_devices WHERE edge_id = ? AND driver_id = ? LIMIT 1", pair
    ).fetchone():
        raise ServiceError(
            codes.DRIVER_IN_USE, "Devices of the edge instance use the driver. Unbind them first."
        )
    call.db.execute("DELETE FROM edge_drivers WHERE edge_id = ? AND driver_id = ?", pair)
    mark_modified(call, edge_id)
    return {}


def query_edge_instance_driver(call: Call) -> dict[str, Any]:
    """QueryEdgeInstanceDriver: newest first."""
    edge_id, page = find_edge_instance(call)["edge_id"], read_edge_page(call)
    (total,) = call.db.execute("SELECT count(*) FROM edge_drivers WHERE edge_id = ?", (edge_id,)).fetchone()
    rows = call.db.execute(
        "SELECT * FROM edge_drivers WHERE edge_id = ? ORDER BY created DESC, driver_id LIMIT ? OFFSET ?",
        (edge_id, page.size, page.offset),
    )
    return list_response(page, total, "DriverList", [_describe_driver(row) for row in rows])


def _describe_driver(row: sqlite3.Row) -> dict[str, Any]:
    driver = {
        "DriverId": row["driver_id"],
        "DriverVersion": row["version"],
        "GmtCreate": format_local(row["created"]),
        "GmtModified": format_local(row["modified"]),
    }
    return {**driver, "OrderId": row["order_id"]} if row["order_id"] else driver


def set_edge_instance_driver_configs(call: Call) -> dict[str, Any]:
    """SetEdgeInstanceDriverConfigs: replaces all configurations of a driver.

    A configuration with the format JSON must be valid JSON. Several configurations must have different keys.
    """
    edge_id = find_edge_instance(call)["edge_id"]
    driver_id = find_bound_driver(call, edge_id)
    configs = call.params["Configs"]
    keys = [config.get("Key") or "" for config in configs]
    if len(set(keys)) != len(keys):
        raise invalid_edge_parameter("The keys of the configurations must be different.")
    for config in configs:
        if config["Format"] == "JSON" and not is_json(config["Content"]):
            raise invalid_edge_parameter("The content is not a JSON object or list.")
    _delete_configs(call, edge_id, driver_id)
    call.db.executemany(
        "INSERT INTO edge_driver_configs (edge_id, driver_id, config_id, format, content, key) VALUES (?,?,?,?,?,?)",
        [
            (edge_id, driver_id, uuid.uuid4().hex, config["Format"], config["Content"], key)
            for config, key in zip(configs, keys, strict=True)
        ],
    )
    return {}


def clear_edge_instance_driver_configs(call: Call) -> dict[str, Any]:
    """ClearEdgeInstanceDriverConfigs: deletes the configurations of a driver that is bound to the edge instance."""
    edge_id = find_edge_instance(call)["edge_id"]
    _delete_configs(call, edge_id, find_bound_driver(call, edge_id))
    return {}


def _delete_configs(call: Call, edge_id: str, driver_id: str) -> None:
    pair = (edge_id, driver_id)
    call.db.execute("DELETE FROM edge_driver_configs WHERE edge_id = ? AND driver_id = ?", pair)
    call.db.execute(
        "UPDATE edge_drivers SET modified = ? WHERE edge_id = ? AND driver_id = ?", (call.now, *pair)
    )
    mark_modified(call, edge_id)


def batch_get_edge_instance_driver_configs(call: Call) -> dict[str, Any]:
    """BatchGetEdgeInstanceDriverConfigs: in the order of the request, without drivers that are not bound."""
    edge_id = find_edge_instance(call)["edge_id"]
    drivers = []
    for driver_id in dict.fromkeys(call.params["DriverIds"]):
        pair = (edge_id, driver_id)
        if not call.db.execute(
            "SELECT 1 FROM edge_drivers WHERE edge_id = ? AND driver_id = ?", pair
        ).fetchone():
            continue
        rows = call.db.execute(
            "SELECT * FROM edge_driver_configs WHERE edge_id = ? AND driver_id = ? ORDER BY id", pair
        )
        drivers.append({"DriverId": driver_id, "ConfigList": [_describe_config(row) for row in rows]})
    return {"DriverConfigList": drivers}


def _describe_config(row: sqlite3.Row) -> dict[str, Any]:
    config = {"ConfigId": row["config_id"], "Format": row["format"], "Content": row["content"]}
    return {**config, "Key": row["key"]} if row["key"] else config


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
