"""Desired property values with versions. An online device receives them at once, an offline one when it comes online."""

from __future__ import annotations

import json
import sqlite3
from typing import Any

from iot_emulator.call import Call, Handler
from iot_emulator.errors import ServiceError, invalid_parameter
from iot_emulator.things.commands import (
    calculate_latency,
    check_writable,
    store_pending_values,
    store_report,
)
from iot_emulator.things.common import (
    create_message_id,
    decode_json_object,
    find_modeled_device,
    to_compact_json,
    unknown_block_error,
)
from iot_emulator.things.features import Model
from iot_emulator.things.specs import RuleViolation, check_value, format_value

MAX_PROPERTIES = 10  # per call
_FAILED = "iot.device.SetDevicePropertyFailed"


def set_device_desired_property(call: Call) -> dict[str, Any]:
    """SetDeviceDesiredProperty: sets all values or none. Each value increases the version of its property by one.

    A version in the request must be the current one (0 before the first value); null clears a value.
    """
    device, _, model = find_modeled_device(call)
    items = decode_json_object(
        call.params["Items"], "iot.device.InvalidFormattedDevicePropertiesString", "Items"
    )
    expected = decode_json_object(call.params["Versions"], "iot.common.InvalidFormattedParameter", "Versions")
    _check_items(model, items)
    iot_id = device["iot_id"]
    current_versions = {
        row["identifier"]: row["version"]
        for row in call.db.execute(
            "SELECT identifier, version FROM thing_desired WHERE iot_id = ?", (iot_id,)
        )
    }
    for identifier, version in expected.items():
        if identifier not in items:
            raise invalid_parameter(f"Versions contains {identifier}, but Items does not.")
        if isinstance(version, bool) or not isinstance(version, int):
            raise invalid_parameter(f"The version of {identifier} must be an integer.")
        if version != current_versions.get(identifier, 0):
            raise ServiceError(
                _FAILED,
                f"The current version of {identifier} is {current_versions.get(identifier, 0)}, not {version}.",
            )
    versions = {identifier: current_versions.get(identifier, 0) + 1 for identifier in items}
    call.db.executemany(
        "INSERT INTO thing_desired VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE"
        " SET value = excluded.value, version = excluded.version, time = excluded.time",
        (
            (
                iot_id,
                identifier,
                None if value is None else to_compact_json(value),
                versions[identifier],
                call.now,
            )
            for identifier, value in items.items()
        ),
    )
    _deliver_values(call, device, items)
    return {"Data": {"MessageId": create_message_id(), "Versions": to_compact_json(versions)}}


def _check_items(model: Model, items: dict[str, Any]) -> None:
    if not items:
        raise ServiceError("iot.device.NullDevicePropertiesString", "Items has no property to set.")
    if len(items) > MAX_PROPERTIES:
        raise ServiceError(
            "iot.device.TooManyDevicePropertiesPerTime",
            f"At most {MAX_PROPERTIES} properties can be set in one call.",
        )
    for identifier, value in items.items():
        check_writable(model, identifier)
        item = model.find_property(identifier)
        try:
            if value is not None and item is not None:
                check_value(item.spec, value)
        except RuleViolation as violation:
            raise ServiceError(_FAILED, f"{identifier} {violation}.") from None


def _deliver_values(call: Call, device: sqlite3.Row, items: dict[str, Any]) -> None:
    iot_id = device["iot_id"]
    values = {identifier: value for identifier, value in items.items() if value is not None}
    call.db.executemany(
        "DELETE FROM thing_pending_values WHERE iot_id = ? AND identifier = ?",
        ((iot_id, identifier) for identifier in items),
    )
    if device["status"] != "ONLINE":
        store_pending_values(call.db, iot_id, values)
        return
    at = call.now + calculate_latency(call, iot_id)
    for identifier, value in values.items():
        store_report(call.db, iot_id, identifier, value, at)


def query_device_desired_property(call: Call) -> dict[str, Any]:
    """QueryDeviceDesiredProperty: the requested properties, or all writable ones, of a module.

    A property without a desired value so far has `Version` 0 and no `Value`; a cleared one has its version and no `Value`.
    """
    device, _, model = find_modeled_device(call)
    block_id = call.params.get("FunctionBlockId") or ""
    block = model.block(block_id)
    if block is None:
        raise unknown_block_error(block_id)
    prefix = f"{block_id}:" if block_id else ""
    requested = call.params.get("Identifier") or []
    if len(set(requested)) < len(requested):
        raise invalid_parameter("The identifiers must be unique.")
    for name in requested:
        check_writable(model, _qualify_identifier(name, prefix))
    names = requested or [item.identifier for item in block.properties if item.writable]
    rows = {
        row["identifier"]: row
        for row in call.db.execute("SELECT * FROM thing_desired WHERE iot_id = ?", (device["iot_id"],))
    }
    infos = []
    for name in names:
        item = model.find_property(_qualify_identifier(name, prefix))
        if item is None:
            continue
        info: dict[str, Any] = {
            "Identifier": name,
            "Name": item.name,
            "DataType": item.spec.kind,
            "Unit": item.spec.unit,
            "Version": 0,
        }
        row = rows.get(_qualify_identifier(name, prefix))
        if row is not None:
            info |= {"Version": row["version"], "Time": str(row["time"])}
            if row["value"] is not None:
                info["Value"] = format_value(json.loads(row["value"]))
        infos.append(info)
    return {"Data": {"List": {"DesiredPropertyInfo": infos}}}


def _qualify_identifier(name: str, prefix: str) -> str:
    return name if ":" in name else prefix + name


OPERATIONS: dict[str, Handler] = {
    "SetDeviceDesiredProperty": set_device_desired_property,
    "QueryDeviceDesiredProperty": query_device_desired_property,
}
