"""TSL, the platform's older notation of thing models: exported whole or simplified, and imported.

An exported default module carries what every device has: the event `post` (report properties) and the services `set`
and `get`. On import they are left out, for they follow from the properties.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from console.emulator.things.features import (
    MAX_PARAMETERS,
    Block,
    Event,
    Property,
    Service,
    check_duplicates,
    entries_of,
)
from console.emulator.things.specs import Flaw, Member, checked_identifier, checked_name, from_tsl, to_tsl

_AUTOMATIC = frozenset(("set", "get", "post"))
_FORMAT = (
    "https://iotx-tsl.oss-ap-southeast-1.aliyuncs.com/schema.json"  # the format's name, written as an address
)


def export(block: Block, product_key: str, version: str = "", simple: bool = False) -> str:
    """The TSL text of a module. `simple` leaves out all but identifiers and data types (GetThingModelTsl)."""
    prefix = f"{block.identifier}:" if block.identifier else ""
    properties = [_property(item) for item in block.properties]
    values = [
        {"identifier": item.identifier, "name": item.name, "dataType": to_tsl(item.spec)}
        for item in block.properties
    ]
    writable = [value for value, item in zip(values, block.properties, strict=True) if item.writable]
    events = [_event(item, prefix) for item in block.events]
    services = [_service(item, prefix) for item in block.services]
    if properties:
        events.insert(0, _post(values, prefix))
        services = [_set(writable, prefix), _get(values, prefix), *services]
    data: dict[str, Any] = {"schema": _FORMAT, "profile": {"productKey": product_key}}
    if version:
        data["profile"]["version"] = version
    if block.identifier:
        data |= {"functionBlockId": block.identifier, "functionBlockName": block.name}
    if simple:
        data |= {
            "properties": [_bare(item) for item in properties],
            "events": [_bare(item) for item in events],
            "services": [_bare(item) for item in services],
        }
    else:
        data |= {"properties": properties, "events": events, "services": services}
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"))


def _property(item: Property) -> dict[str, Any]:
    data = {
        "identifier": item.identifier,
        "name": item.name,
        "accessMode": "rw" if item.writable else "r",
        "required": item.required,
        "dataType": to_tsl(item.spec),
    }
    return {**data, "desc": item.description} if item.description else data


def _event(item: Event, prefix: str) -> dict[str, Any]:
    return {
        "identifier": item.identifier,
        "name": item.name,
        "type": item.kind,
        "required": item.required,
        "desc": item.description,
        "method": f"thing.event.{prefix}{item.identifier}.post",
        "outputData": _members(item.outputs),
    }


def _service(item: Service, prefix: str) -> dict[str, Any]:
    return {
        "identifier": item.identifier,
        "name": item.name,
        "required": item.required,
        "callType": "sync" if item.sync else "async",
        "desc": item.description,
        "method": f"thing.service.{prefix}{item.identifier}",
        "inputData": _members(item.inputs),
        "outputData": _members(item.outputs),
    }


def _post(values: list[dict[str, Any]], prefix: str) -> dict[str, Any]:
    return {
        "identifier": "post",
        "name": "post",
        "type": "info",
        "required": True,
        "desc": "Report properties",
        "method": f"thing.event.{prefix}property.post",
        "outputData": values,
    }


def _set(values: list[dict[str, Any]], prefix: str) -> dict[str, Any]:
    return {
        "identifier": "set",
        "name": "set",
        "required": True,
        "callType": "async",
        "desc": "Set properties",
        "method": f"thing.service.{prefix}property.set",
        "inputData": values,
        "outputData": [],
    }


def _get(values: list[dict[str, Any]], prefix: str) -> dict[str, Any]:
    return {
        "identifier": "get",
        "name": "get",
        "required": True,
        "callType": "async",
        "desc": "Read properties",
        "method": f"thing.service.{prefix}property.get",
        "inputData": [value["identifier"] for value in values],
        "outputData": values,
    }


def _members(members: tuple[Member, ...]) -> list[dict[str, Any]]:
    return [
        {"identifier": member.identifier, "name": member.name, "dataType": to_tsl(member.spec)}
        for member in members
    ]


def _bare(item: Any) -> Any:
    """Identifiers and data types only, all the way down."""
    if not isinstance(item, Mapping):
        return item
    bare = {key: item[key] for key in ("identifier", "dataType") if key in item}
    for key in ("inputData", "outputData"):
        if key in item:
            bare[key] = [_bare(entry) for entry in item[key]]
    return bare


# --- import


def parse(data: object, now: int) -> Block:
    """The module that a decoded TSL document describes, defined at `now` (ms). Raises Flaw."""
    if not isinstance(data, Mapping):
        raise Flaw("TSL must be an object")
    block = Block(
        properties=tuple(_read_property(entry, now) for entry in entries_of(data, "properties")),
        services=tuple(
            _read_service(entry, now)
            for entry in entries_of(data, "services")
            if str(entry.get("identifier")) not in _AUTOMATIC
        ),
        events=tuple(
            _read_event(entry, now)
            for entry in entries_of(data, "events")
            if str(entry.get("identifier")) not in _AUTOMATIC
        ),
    )
    check_duplicates(block)
    return block


def _common(data: Mapping[str, Any], now: int) -> dict[str, Any]:
    return {
        "identifier": checked_identifier(data.get("identifier")),
        "name": checked_name(data.get("name")),
        "description": str(data.get("desc") or "")[:256],
        "required": data.get("required") is True,
        "created": now,
    }


def _read_property(data: Mapping[str, Any], now: int) -> Property:
    common = _common(data, now)
    if data.get("accessMode") not in ("r", "rw", "w"):
        raise Flaw(f"accessMode of {common['identifier']} must be r or rw")
    try:
        spec = from_tsl(data.get("dataType"))
    except Flaw as flaw:
        raise Flaw(f"{common['identifier']}: {flaw}") from None
    return Property(**common, spec=spec, writable="w" in data["accessMode"])


def _read_service(data: Mapping[str, Any], now: int) -> Service:
    common = _common(data, now)
    if data.get("callType") not in ("sync", "async"):
        raise Flaw(f"callType of {common['identifier']} must be sync or async")
    inputs, outputs = _read_members(data, "inputData"), _read_members(data, "outputData")
    if len(inputs) + len(outputs) > MAX_PARAMETERS:
        raise Flaw(f"{common['identifier']} has more than {MAX_PARAMETERS} parameters")
    return Service(**common, inputs=inputs, outputs=outputs, sync=data["callType"] == "sync")


def _read_event(data: Mapping[str, Any], now: int) -> Event:
    common = _common(data, now)
    if data.get("type") not in ("info", "alert", "error"):
        raise Flaw(f"type of {common['identifier']} must be info, alert or error")
    return Event(**common, kind=data["type"], outputs=_read_members(data, "outputData"))


def _read_members(data: Mapping[str, Any], key: str) -> tuple[Member, ...]:
    members = []
    for entry in entries_of(data, key):
        identifier = checked_identifier(entry.get("identifier"))
        try:
            members.append(
                Member(identifier, checked_name(entry.get("name")), from_tsl(entry.get("dataType")))
            )
        except Flaw as flaw:
            raise Flaw(f"{identifier}: {flaw}") from None
    return tuple(members)
