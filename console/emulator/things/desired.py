"""Desired property values: wishes with versions, that a device takes at once when it is online, or when it comes back."""

from __future__ import annotations

import json
import sqlite3
from typing import Any

from console.emulator.call import Call, Handler
from console.emulator.errors import ServiceError, invalid_parameter
from console.emulator.things.common import (
    decoded_object,
    dumped,
    modelled_device_of,
    new_message_id,
    unknown_block,
)
from console.emulator.things.features import Model
from console.emulator.things.specs import Flaw, as_text, check_value
from console.emulator.things.telling import check_settable, latency, report, wait_with

MAX_PROPERTIES = 10  # a call
_FAILED = "iot.device.SetDevicePropertyFailed"


def set_device_desired_property(call: Call) -> dict[str, Any]:
    """SetDeviceDesiredProperty: all of the values or none. The version of a property grows by one with each value.

    A version that is sent has to be the present one (0 before the first value); null clears a value.
    """
    device, _, model = modelled_device_of(call)
    items = decoded_object(call.params["Items"], "iot.device.InvalidFormattedDevicePropertiesString", "Items")
    expected = decoded_object(call.params["Versions"], "iot.common.InvalidFormattedParameter", "Versions")
    _check(model, items)
    iot_id = device["iot_id"]
    present = {
        row["identifier"]: row["version"]
        for row in call.db.execute(
            "SELECT identifier, version FROM thing_desired WHERE iot_id = ?", (iot_id,)
        )
    }
    for identifier, version in expected.items():
        if identifier not in items:
            raise invalid_parameter(f"Versions names {identifier}, which Items does not.")
        if isinstance(version, bool) or not isinstance(version, int):
            raise invalid_parameter(f"The version of {identifier} must be a whole number.")
        if version != present.get(identifier, 0):
            raise ServiceError(
                _FAILED, f"The version of {identifier} is {present.get(identifier, 0)}, not {version}."
            )
    versions = {identifier: present.get(identifier, 0) + 1 for identifier in items}
    call.db.executemany(
        "INSERT INTO thing_desired VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE"
        " SET value = excluded.value, version = excluded.version, time = excluded.time",
        (
            (iot_id, identifier, None if value is None else dumped(value), versions[identifier], call.now)
            for identifier, value in items.items()
        ),
    )
    _tell(call, device, items)
    return {"Data": {"MessageId": new_message_id(), "Versions": dumped(versions)}}


def _check(model: Model, items: dict[str, Any]) -> None:
    if not items:
        raise ServiceError("iot.device.NullDevicePropertiesString", "There is no property to set.")
    if len(items) > MAX_PROPERTIES:
        raise ServiceError(
            "iot.device.TooManyDevicePropertiesPerTime",
            f"At most {MAX_PROPERTIES} properties can be set in one call.",
        )
    for identifier, value in items.items():
        check_settable(model, identifier)
        item = model.find_property(identifier)
        try:
            if value is not None and item is not None:
                check_value(item.spec, value)
        except Flaw as flaw:
            raise ServiceError(_FAILED, f"{identifier} {flaw}.") from None


def _tell(call: Call, device: sqlite3.Row, items: dict[str, Any]) -> None:
    iot_id = device["iot_id"]
    wished = {identifier: value for identifier, value in items.items() if value is not None}
    call.db.executemany(
        "DELETE FROM thing_waiting WHERE iot_id = ? AND identifier = ?",
        ((iot_id, identifier) for identifier in items),
    )
    if device["status"] != "ONLINE":
        wait_with(call.db, iot_id, wished)
        return
    at = call.now + latency(call, iot_id)
    for identifier, value in wished.items():
        report(call.db, iot_id, identifier, value, at)


def query_device_desired_property(call: Call) -> dict[str, Any]:
    """QueryDeviceDesiredProperty: the named properties, or all that can be set, of a module.

    `Version` is 0, and there is no `Value`, where no wish was ever made; a cleared one has only its version.
    """
    device, _, model = modelled_device_of(call)
    block_id = call.params.get("FunctionBlockId") or ""
    block = model.block(block_id)
    if block is None:
        raise unknown_block(block_id)
    prefix = f"{block_id}:" if block_id else ""
    named = call.params.get("Identifier") or []
    if len(set(named)) < len(named):
        raise invalid_parameter("The identifiers must be unique.")
    for name in named:
        check_settable(model, _whole(name, prefix))
    names = named or [item.identifier for item in block.properties if item.writable]
    rows = {
        row["identifier"]: row
        for row in call.db.execute("SELECT * FROM thing_desired WHERE iot_id = ?", (device["iot_id"],))
    }
    infos = []
    for name in names:
        item = model.find_property(_whole(name, prefix))
        if item is None:
            continue
        info: dict[str, Any] = {
            "Identifier": name,
            "Name": item.name,
            "DataType": item.spec.kind,
            "Unit": item.spec.unit,
            "Version": 0,
        }
        row = rows.get(_whole(name, prefix))
        if row is not None:
            info |= {"Version": row["version"], "Time": str(row["time"])}
            if row["value"] is not None:
                info["Value"] = as_text(json.loads(row["value"]))
        infos.append(info)
    return {"Data": {"List": {"DesiredPropertyInfo": infos}}}


def _whole(name: str, prefix: str) -> str:
    return name if ":" in name else prefix + name


OPERATIONS: dict[str, Handler] = {
    "SetDeviceDesiredProperty": set_device_desired_property,
    "QueryDeviceDesiredProperty": query_device_desired_property,
}
