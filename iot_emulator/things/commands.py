"""Commands to devices: setting properties, calling services, and the reaction of a simulated device.

An online device executes a command after a short latency (`Pace.work`). Its report and the record of the call have the
time of the execution and are visible from then on. The response of a synchronous service is part of the API response.
"""

from __future__ import annotations

import sqlite3
from typing import Any

from iot_emulator.call import Call, Handler
from iot_emulator.clock import ManualClock
from iot_emulator.errors import ServiceError
from iot_emulator.lookups import find_device
from iot_emulator.things import simulation, store
from iot_emulator.things.common import (
    create_message_id,
    decode_json,
    decode_json_object,
    find_modeled_device,
    find_modeled_product,
    require_activated,
    to_compact_json,
)
from iot_emulator.things.features import Model, Service
from iot_emulator.things.noise import make_seed, random_fraction
from iot_emulator.things.records import find_last_report, write_device_response
from iot_emulator.things.simulation import calculate_property_value, find_lifetime
from iot_emulator.things.specs import RuleViolation, check_value, check_values
from iot_emulator.things.store import KEEP_MS

_LATENCY = (0.06, 0.4)  # seconds, minimum and maximum
_SET_FAILED = "iot.device.SetDevicePropertyFailed"
_CALL_FAILED = "iot.device.InvokeThingServiceFailed"


# --- properties


def set_device_property(call: Call) -> dict[str, Any]:
    """SetDeviceProperty. Success means that the request was sent. An offline device does not receive it, except with
    Qos 1: then the device receives it when it comes online."""
    device, _, model = find_modeled_device(call)
    items = read_items(model, call.params["Items"])
    require_activated(device)
    message_id = create_message_id()
    _send_properties(call, device, items, message_id)
    return {"Data": {"MessageId": message_id}}


def set_devices_property(call: Call) -> dict[str, Any]:
    """SetDevicesProperty: up to 100 devices of a product; offline devices do not receive the request."""
    key = find_modeled_product(call)["product_key"]
    items = read_items(store.read_current_model(call.db, key), call.params["Items"])
    for device in _find_named_devices(call, key):
        if device["activated"] is not None:
            _send_properties(call, device, items, create_message_id())
    return {}


def read_items(model: Model, text: str) -> dict[str, Any]:
    """Read the values to set, by identifier, and check them against the model; raises ServiceError."""
    items = decode_json_object(text, "iot.device.InvalidFormattedDevicePropertiesString", "Items")
    if not items:
        raise ServiceError("iot.device.NullDevicePropertiesString", "Items has no property to set.")
    for identifier, value in items.items():
        check_writable(model, identifier)
        item = model.find_property(identifier)
        try:
            if item is not None:
                check_value(item.spec, value)
        except RuleViolation as violation:
            raise ServiceError(_SET_FAILED, f"{identifier} {violation}.") from None
    return items


def check_writable(model: Model, identifier: str) -> None:
    """Raise `iot.device.NoneDeviceProperties` for an unknown property, `iot.device.SetDevicePropertyFailed` for a
    read-only one."""
    item = model.find_property(identifier)
    if item is None:
        raise ServiceError("iot.device.NoneDeviceProperties", f"The model has no property {identifier}.")
    if not item.writable:
        raise ServiceError(_SET_FAILED, f"The property {identifier} is read-only.")


def _send_properties(call: Call, device: sqlite3.Row, items: dict[str, Any], message_id: str) -> None:
    iot_id = device["iot_id"]
    if device["status"] == "ONLINE":
        at = call.now + calculate_latency(call, iot_id)
        for identifier, value in items.items():
            store_report(call.db, iot_id, identifier, value, at)
        _store_call(
            call.db, iot_id, at, "set", "set", to_compact_json(items), write_device_response({}, message_id)
        )
    elif call.params.get("Qos") == 1:
        store_pending_values(call.db, iot_id, items)


def store_pending_values(db: sqlite3.Connection, iot_id: str, items: dict[str, Any]) -> None:
    """Store values for an offline device; the device receives them when it comes online."""
    db.executemany(
        "INSERT INTO thing_pending_values VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET value = excluded.value",
        ((iot_id, identifier, to_compact_json(value)) for identifier, value in items.items()),
    )


def store_report(db: sqlite3.Connection, iot_id: str, identifier: str, value: Any, at: int) -> None:
    """Store the report of a value that was set. Two reports never have the same time; expired ones are deleted."""
    (last,) = db.execute(
        "SELECT max(time) FROM thing_reports WHERE iot_id = ? AND identifier = ?", (iot_id, identifier)
    ).fetchone()
    if last is not None:
        at = max(at, last + 1)
        db.execute(
            "DELETE FROM thing_reports WHERE iot_id = ? AND identifier = ? AND time < ?",
            (iot_id, identifier, min(last, at - KEEP_MS - 86_400_000)),
        )
    db.execute(
        "INSERT INTO thing_reports VALUES (?, ?, ?, ?)", (iot_id, identifier, at, to_compact_json(value))
    )


def calculate_latency(call: Call, iot_id: str) -> int:
    """Calculate how many milliseconds a device takes to respond, at the emulator's pace."""
    low, high = _LATENCY
    return call.emulator.pace.work(
        low + (high - low) * random_fraction(make_seed(iot_id, "latency"), call.now)
    )


def _store_call(
    db: sqlite3.Connection, iot_id: str, at: int, identifier: str, name: str, request: str, response: str
) -> None:
    (last,) = db.execute("SELECT max(time) FROM thing_calls WHERE iot_id = ?", (iot_id,)).fetchone()
    if last is not None:
        at = max(at, last + 1)
        db.execute(
            "DELETE FROM thing_calls WHERE iot_id = ? AND time < ?", (iot_id, at - KEEP_MS - 86_400_000)
        )
    db.execute(
        "INSERT INTO thing_calls VALUES (?, ?, ?, ?, ?, ?)", (iot_id, at, identifier, name, request, response)
    )


def _find_named_devices(call: Call, product_key: str) -> list[sqlite3.Row]:
    """Find the devices of `DeviceName.N`; raises `iot.device.NotExistedDevice` if one does not exist."""
    names = dict.fromkeys(call.params["DeviceName"])
    return [find_device(call, product_key=product_key, name=name) for name in names]


# --- services


def invoke_thing_service(call: Call) -> dict[str, Any]:
    """InvokeThingService: waits for the response if the model defines the service as synchronous."""
    device, _, model = find_modeled_device(call)
    identifier = call.params["Identifier"]
    args = _read_arguments(model, identifier, call.params["Args"])
    require_activated(device)
    if device["status"] != "ONLINE":
        raise ServiceError(_CALL_FAILED, f"The device {device['name']} is offline.")
    message_id = create_message_id()
    wait = calculate_latency(call, device["iot_id"])
    response = _execute_service(call, device, model, identifier, args, message_id, call.now + wait)
    data = {"MessageId": message_id}
    service = model.find_service(identifier)
    if service is not None and service.sync:
        data["Result"] = response
        if not isinstance(call.emulator.clock, ManualClock):
            call.wait = wait / 1000
    return {"Data": data}


def invoke_things_service(call: Call) -> dict[str, Any]:
    """InvokeThingsService: always asynchronous; offline devices do not receive the call."""
    key = find_modeled_product(call)["product_key"]
    model = store.read_current_model(call.db, key)
    identifier = call.params["Identifier"]
    args = _read_arguments(model, identifier, call.params["Args"])
    for device in _find_named_devices(call, key):
        if device["status"] == "ONLINE":
            at = call.now + calculate_latency(call, device["iot_id"])
            _execute_service(call, device, model, identifier, args, create_message_id(), at)
    return {}


def _read_arguments(model: Model, identifier: str, text: str) -> Any:
    """Read and check the input of a service: an object of its parameters, or for `get` a list of properties."""
    if identifier == "set":
        return read_items(model, text)
    if identifier == "get":
        arguments = decode_json(text, _CALL_FAILED, "Args")
        names = list(arguments) if isinstance(arguments, dict | list) else []
        if not all(isinstance(name, str) and model.find_property(name) for name in names):
            raise ServiceError(_CALL_FAILED, "Args contains a property that the model does not have.")
        return names
    args = decode_json_object(text, _CALL_FAILED, "Args")
    service = model.find_service(identifier)
    if service is None:
        raise ServiceError(_CALL_FAILED, f"The model has no service {identifier}.")
    try:
        check_values(service.inputs, args)
    except RuleViolation as violation:
        raise ServiceError(_CALL_FAILED, f"Args: {violation}.") from None
    return args


def _execute_service(
    call: Call, device: sqlite3.Row, model: Model, identifier: str, args: Any, message_id: str, at: int
) -> str:
    """Execute a service on the device at the time `at` (ms). Returns the device's response as JSON text."""
    db, iot_id = call.db, device["iot_id"]
    if identifier == "set":
        for name, value in args.items():
            store_report(db, iot_id, name, value, at)
        name, output = "set", {}
    elif identifier == "get":
        name, output = "get", _read_present_values(call, device, model, args)
    else:
        service = model.find_service(identifier)
        assert service is not None  # noqa: S101 - checked with the arguments
        name, output = service.name, _run_service(call, device, model, service, identifier, args, at)
    response = write_device_response(output, message_id)
    _store_call(db, iot_id, at, identifier, name, to_compact_json(args), response)
    return response


def _run_service(
    call: Call,
    device: sqlite3.Row,
    model: Model,
    service: Service,
    identifier: str,
    args: dict[str, Any],
    at: int,
) -> dict[str, Any]:
    """Run a service of the model: an input named like a writable property sets the property, an output named like a
    property returns its value."""
    lifetime = find_lifetime(call.db, device, call.now)
    assert lifetime is not None  # noqa: S101 - only online devices execute services
    prefix = identifier.rpartition(":")[0]
    prefix = prefix + ":" if prefix else ""
    for name, value in args.items():
        item = model.find_property(prefix + name)
        if item is not None and item.writable:
            try:
                check_value(item.spec, value)
            except RuleViolation:
                continue
            store_report(call.db, device["iot_id"], prefix + name, value, at)
    output = simulation.simulate_parameters(lifetime, service.outputs, at)
    for name in output:
        item = model.find_property(prefix + name)
        member = next(member for member in service.outputs if member.identifier == name)
        if item is not None and item.spec == member.spec:
            output[name] = args.get(name, calculate_property_value(lifetime, prefix + name, item, at))
    return output


def _read_present_values(call: Call, device: sqlite3.Row, model: Model, names: list[str]) -> dict[str, Any]:
    lifetime = find_lifetime(call.db, device, call.now)
    values = {}
    for name in names or [identifier for identifier, _ in model.properties()]:
        item = model.find_property(name)
        report = item and find_last_report(call.db, device["iot_id"], lifetime, name, item, call.now)
        if report:
            values[name] = report.value
    return values


OPERATIONS: dict[str, Handler] = {
    "SetDeviceProperty": set_device_property,
    "SetDevicesProperty": set_devices_property,
    "InvokeThingService": invoke_thing_service,
    "InvokeThingsService": invoke_things_service,
}
