"""Telling devices: setting properties, calling services, and what a simulated device does with it.

A device that is online takes what it is told after a moment (`Pace.work`); its report and the record of the call carry
the time of that moment and are seen from then on. A service called synchronously is answered in the call itself.
"""

from __future__ import annotations

import sqlite3
from typing import Any

from console.emulator.call import Call, Handler
from console.emulator.clock import ManualClock
from console.emulator.errors import ServiceError
from console.emulator.lookups import find_device
from console.emulator.things import simulation, store
from console.emulator.things.common import (
    decoded,
    decoded_object,
    dumped,
    modelled_device_of,
    modelled_product_of,
    new_message_id,
    refuse_inactive,
)
from console.emulator.things.features import Model, Service
from console.emulator.things.noise import chance, seed_of
from console.emulator.things.reading import answer_text, last_report
from console.emulator.things.simulation import life_of, value_of
from console.emulator.things.specs import Flaw, check_value, check_values
from console.emulator.things.store import KEEP_MS

_LATENCY = (0.06, 0.4)  # seconds, at least and at most
_SET_FAILED = "iot.device.SetDevicePropertyFailed"
_CALL_FAILED = "iot.device.InvokeThingServiceFailed"


# --- properties


def set_device_property(call: Call) -> dict[str, Any]:
    """SetDeviceProperty. Success means that the request was sent; a device that is away does not get it, unless it was
    sent with Qos 1: then it waits for the device."""
    device, _, model = modelled_device_of(call)
    items = checked_items(model, call.params["Items"])
    refuse_inactive(device)
    message_id = new_message_id()
    _send_properties(call, device, items, message_id)
    return {"Data": {"MessageId": message_id}}


def set_devices_property(call: Call) -> dict[str, Any]:
    """SetDevicesProperty: up to 100 devices of a product; those that are away do not get it."""
    key = modelled_product_of(call)["product_key"]
    items = checked_items(store.current(call.db, key), call.params["Items"])
    for device in _devices(call, key):
        if device["activated"] is not None:
            _send_properties(call, device, items, new_message_id())
    return {}


def checked_items(model: Model, text: str) -> dict[str, Any]:
    """Values to set by identifier, checked against the model; raises the platform's refusals."""
    items = decoded_object(text, "iot.device.InvalidFormattedDevicePropertiesString", "Items")
    if not items:
        raise ServiceError("iot.device.NullDevicePropertiesString", "There is no property to set.")
    for identifier, value in items.items():
        check_settable(model, identifier)
        item = model.find_property(identifier)
        try:
            if item is not None:
                check_value(item.spec, value)
        except Flaw as flaw:
            raise ServiceError(_SET_FAILED, f"{identifier} {flaw}.") from None
    return items


def check_settable(model: Model, identifier: str) -> None:
    """Raise `iot.device.NoneDeviceProperties` for no property, `iot.device.SetDevicePropertyFailed` for a read-only one."""
    item = model.find_property(identifier)
    if item is None:
        raise ServiceError("iot.device.NoneDeviceProperties", f"The model has no property {identifier}.")
    if not item.writable:
        raise ServiceError(_SET_FAILED, f"The property {identifier} is read-only.")


def _send_properties(call: Call, device: sqlite3.Row, items: dict[str, Any], message_id: str) -> None:
    iot_id = device["iot_id"]
    if device["status"] == "ONLINE":
        at = call.now + latency(call, iot_id)
        for identifier, value in items.items():
            report(call.db, iot_id, identifier, value, at)
        _record(call.db, iot_id, at, "set", "set", dumped(items), answer_text({}, message_id))
    elif call.params.get("Qos") == 1:
        wait_with(call.db, iot_id, items)


def wait_with(db: sqlite3.Connection, iot_id: str, items: dict[str, Any]) -> None:
    """Keep values for a device that is away; it takes them when it comes online."""
    db.executemany(
        "INSERT INTO thing_waiting VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET value = excluded.value",
        ((iot_id, identifier, dumped(value)) for identifier, value in items.items()),
    )


def report(db: sqlite3.Connection, iot_id: str, identifier: str, value: Any, at: int) -> None:
    """A device reports a value that it was set to. Two reports never share a moment; old ones are dropped."""
    (last,) = db.execute(
        "SELECT max(time) FROM thing_reports WHERE iot_id = ? AND identifier = ?", (iot_id, identifier)
    ).fetchone()
    if last is not None:
        at = max(at, last + 1)
        db.execute(
            "DELETE FROM thing_reports WHERE iot_id = ? AND identifier = ? AND time < ?",
            (iot_id, identifier, min(last, at - KEEP_MS - 86_400_000)),
        )
    db.execute("INSERT INTO thing_reports VALUES (?, ?, ?, ?)", (iot_id, identifier, at, dumped(value)))


def latency(call: Call, iot_id: str) -> int:
    """Milliseconds that a device takes to answer, at the emulator's pace."""
    low, high = _LATENCY
    return call.emulator.pace.work(low + (high - low) * chance(seed_of(iot_id, "latency"), call.now))


def _record(
    db: sqlite3.Connection, iot_id: str, at: int, identifier: str, name: str, given: str, answer: str
) -> None:
    (last,) = db.execute("SELECT max(time) FROM thing_calls WHERE iot_id = ?", (iot_id,)).fetchone()
    if last is not None:
        at = max(at, last + 1)
        db.execute(
            "DELETE FROM thing_calls WHERE iot_id = ? AND time < ?", (iot_id, at - KEEP_MS - 86_400_000)
        )
    db.execute(
        "INSERT INTO thing_calls VALUES (?, ?, ?, ?, ?, ?)", (iot_id, at, identifier, name, given, answer)
    )


def _devices(call: Call, product_key: str) -> list[sqlite3.Row]:
    """The devices that `DeviceName.N` names; raises `iot.device.NotExistedDevice` when one is not there."""
    names = dict.fromkeys(call.params["DeviceName"])
    return [find_device(call, product_key=product_key, name=name) for name in names]


# --- services


def invoke_thing_service(call: Call) -> dict[str, Any]:
    """InvokeThingService: waits for the answer when the model says that the service is synchronous."""
    device, _, model = modelled_device_of(call)
    identifier = call.params["Identifier"]
    args = _checked_args(model, identifier, call.params["Args"])
    refuse_inactive(device)
    if device["status"] != "ONLINE":
        raise ServiceError(_CALL_FAILED, f"The device {device['name']} is not online.")
    message_id = new_message_id()
    wait = latency(call, device["iot_id"])
    answer = _perform(call, device, model, identifier, args, message_id, call.now + wait)
    data = {"MessageId": message_id}
    service = model.find_service(identifier)
    if service is not None and service.sync:
        data["Result"] = answer
        if not isinstance(call.emulator.clock, ManualClock):
            call.wait = wait / 1000
    return {"Data": data}


def invoke_things_service(call: Call) -> dict[str, Any]:
    """InvokeThingsService: always asynchronous; devices that are away do not get it."""
    key = modelled_product_of(call)["product_key"]
    model = store.current(call.db, key)
    identifier = call.params["Identifier"]
    args = _checked_args(model, identifier, call.params["Args"])
    for device in _devices(call, key):
        if device["status"] == "ONLINE":
            at = call.now + latency(call, device["iot_id"])
            _perform(call, device, model, identifier, args, new_message_id(), at)
    return {}


def _checked_args(model: Model, identifier: str, text: str) -> Any:
    """The input of a service, checked: an object of its parameters, for `get` a list of properties."""
    if identifier == "set":
        return checked_items(model, text)
    if identifier == "get":
        wanted = decoded(text, _CALL_FAILED, "Args")
        names = list(wanted) if isinstance(wanted, dict | list) else []
        if not all(isinstance(name, str) and model.find_property(name) for name in names):
            raise ServiceError(_CALL_FAILED, "Args names a property that the model does not have.")
        return names
    args = decoded_object(text, _CALL_FAILED, "Args")
    service = model.find_service(identifier)
    if service is None:
        raise ServiceError(_CALL_FAILED, f"The model has no service {identifier}.")
    try:
        check_values(service.inputs, args)
    except Flaw as flaw:
        raise ServiceError(_CALL_FAILED, f"Args: {flaw}.") from None
    return args


def _perform(
    call: Call, device: sqlite3.Row, model: Model, identifier: str, args: Any, message_id: str, at: int
) -> str:
    """The device does what it is asked, at `at` (ms). Returns its answer as JSON text."""
    db, iot_id = call.db, device["iot_id"]
    if identifier == "set":
        for name, value in args.items():
            report(db, iot_id, name, value, at)
        name, output = "set", {}
    elif identifier == "get":
        name, output = "get", _present(call, device, model, args)
    else:
        service = model.find_service(identifier)
        assert service is not None  # noqa: S101 - checked with the arguments
        name, output = service.name, _serve(call, device, model, service, identifier, args, at)
    answer = answer_text(output, message_id)
    _record(db, iot_id, at, identifier, name, dumped(args), answer)
    return answer


def _serve(
    call: Call,
    device: sqlite3.Row,
    model: Model,
    service: Service,
    identifier: str,
    args: dict[str, Any],
    at: int,
) -> dict[str, Any]:
    """A parameter named like a writable property sets it; an output named like a property tells it."""
    life = life_of(call.db, device, call.now)
    assert life is not None  # noqa: S101 - only devices that are online are asked
    prefix = identifier.rpartition(":")[0]
    prefix = prefix + ":" if prefix else ""
    for name, value in args.items():
        item = model.find_property(prefix + name)
        if item is not None and item.writable:
            try:
                check_value(item.spec, value)
            except Flaw:
                continue
            report(call.db, device["iot_id"], prefix + name, value, at)
    output = simulation.parameters(life, service.outputs, at)
    for name in output:
        item = model.find_property(prefix + name)
        member = next(member for member in service.outputs if member.identifier == name)
        if item is not None and item.spec == member.spec:
            output[name] = args.get(name, value_of(life, prefix + name, item, at))
    return output


def _present(call: Call, device: sqlite3.Row, model: Model, names: list[str]) -> dict[str, Any]:
    life = life_of(call.db, device, call.now)
    values = {}
    for name in names or [identifier for identifier, _ in model.properties()]:
        item = model.find_property(name)
        found = item and last_report(call.db, device["iot_id"], life, name, item, call.now)
        if found:
            values[name] = found.value
    return values


OPERATIONS: dict[str, Handler] = {
    "SetDeviceProperty": set_device_property,
    "SetDevicesProperty": set_devices_property,
    "InvokeThingService": invoke_thing_service,
    "InvokeThingsService": invoke_things_service,
}
