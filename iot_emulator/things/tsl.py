"""TSL, the platform's older notation of thing models: full export, simplified export, import.

An exported module with properties also contains the event `post` (report properties) and the services `set` and `get`.
The import skips them, because they follow from the properties.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from iot_emulator.things.features import (
    MAX_PARAMETERS,
    Block,
    Event,
    Property,
    Service,
    check_duplicates,
    read_entries,
)
from iot_emulator.things.specs import (
    Member,
    RuleViolation,
    read_identifier,
    read_name,
    spec_from_tsl,
    spec_to_tsl,
)

_QUOTED_NUMBER = re.compile(r'"(?:min|max|step|length|size)":"')
_AUTOMATIC = frozenset(("set", "get", "post"))
_FORMAT = "https://iotx-tsl.oss-ap-southeast-1.aliyuncs.com/schema.json"  # the format's name, which has the form of a URL


def export_tsl(block: Block, product_key: str, version: str = "", simple: bool = False) -> str:
    """Write the TSL text of a module. `simple`: only identifiers and data types (GetThingModelTsl)."""
    prefix = f"{block.identifier}:" if block.identifier else ""
    properties = [_property_to_tsl(item) for item in block.properties]
    values = [
        {"identifier": item.identifier, "name": item.name, "dataType": spec_to_tsl(item.spec)}
        for item in block.properties
    ]
    writable = [value for value, item in zip(values, block.properties, strict=True) if item.writable]
    events = [_event_to_tsl(item, prefix) for item in block.events]
    services = [_service_to_tsl(item, prefix) for item in block.services]
    if properties:
        events.insert(0, _post_event(values, prefix))
        services = [_set_service(writable, prefix), _get_service(values, prefix), *services]
    data: dict[str, Any] = {"schema": _FORMAT, "profile": {"productKey": product_key}}
    if version:
        data["profile"]["version"] = version
    if block.identifier:
        data |= {"functionBlockId": block.identifier, "functionBlockName": block.name}
    if simple:
        data |= {
            "properties": [_simplify(item) for item in properties],
            "events": [_simplify(item) for item in events],
            "services": [_simplify(item) for item in services],
        }
    else:
        data |= {"properties": properties, "events": events, "services": services}
    return _to_text(data)


def count_characters(block: Block) -> int:
    """Count the characters of the shortest TSL text that describes a module.

    It has no spaces, no default values, and nothing that the export adds: profile, methods, and the features that follow
    from the properties. So the text that `export_tsl` writes counts as much as the text that was imported.
    """
    features = {
        "properties": [_property_to_tsl(item) for item in block.properties],
        "events": [_event_to_tsl(item, "") for item in block.events],
        "services": [_service_to_tsl(item, "") for item in block.services],
    }
    text = _to_text(_remove_defaults(features))
    return len(text) - 2 * len(_QUOTED_NUMBER.findall(text))  # TSL can have numbers without quotation marks


def _remove_defaults(data: Any) -> Any:
    """Remove methods and empty or false values from decoded TSL, at all levels."""
    if isinstance(data, list):
        return [_remove_defaults(entry) for entry in data]
    if not isinstance(data, Mapping):
        return data
    shortened = {key: _remove_defaults(value) for key, value in data.items() if key != "method"}
    return {key: value for key, value in shortened.items() if value}


def _to_text(data: Any) -> str:
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"))


def _property_to_tsl(item: Property) -> dict[str, Any]:
    data = {
        "identifier": item.identifier,
        "name": item.name,
        "accessMode": "rw" if item.writable else "r",
        "required": item.required,
        "dataType": spec_to_tsl(item.spec),
    }
    return {**data, "desc": item.description} if item.description else data


def _event_to_tsl(item: Event, prefix: str) -> dict[str, Any]:
    return {
        "identifier": item.identifier,
        "name": item.name,
        "type": item.kind,
        "required": item.required,
        "desc": item.description,
        "method": f"thing.event.{prefix}{item.identifier}.post",
        "outputData": _members_to_tsl(item.outputs),
    }


def _service_to_tsl(item: Service, prefix: str) -> dict[str, Any]:
    return {
        "identifier": item.identifier,
        "name": item.name,
        "required": item.required,
        "callType": "sync" if item.sync else "async",
        "desc": item.description,
        "method": f"thing.service.{prefix}{item.identifier}",
        "inputData": _members_to_tsl(item.inputs),
        "outputData": _members_to_tsl(item.outputs),
    }


def _post_event(values: list[dict[str, Any]], prefix: str) -> dict[str, Any]:
    return {
        "identifier": "post",
        "name": "post",
        "type": "info",
        "required": True,
        "desc": "Report properties",
        "method": f"thing.event.{prefix}property.post",
        "outputData": values,
    }


def _set_service(values: list[dict[str, Any]], prefix: str) -> dict[str, Any]:
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


def _get_service(values: list[dict[str, Any]], prefix: str) -> dict[str, Any]:
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


def _members_to_tsl(members: tuple[Member, ...]) -> list[dict[str, Any]]:
    return [
        {"identifier": member.identifier, "name": member.name, "dataType": spec_to_tsl(member.spec)}
        for member in members
    ]


def _simplify(item: Any) -> Any:
    """Remove everything except identifiers and data types, at all levels."""
    if not isinstance(item, Mapping):
        return item
    simple_item = {key: item[key] for key in ("identifier", "dataType") if key in item}
    for key in ("inputData", "outputData"):
        if key in item:
            simple_item[key] = [_simplify(entry) for entry in item[key]]
    return simple_item


# --- import


def parse_tsl(data: object, now: int) -> Block:
    """Read the module that a decoded TSL document describes; its time of definition is `now` (ms). Raises RuleViolation."""
    if not isinstance(data, Mapping):
        raise RuleViolation("TSL must be an object")
    block = Block(
        properties=tuple(_read_property(entry, now) for entry in read_entries(data, "properties")),
        services=tuple(
            _read_service(entry, now)
            for entry in read_entries(data, "services")
            if str(entry.get("identifier")) not in _AUTOMATIC
        ),
        events=tuple(
            _read_event(entry, now)
            for entry in read_entries(data, "events")
            if str(entry.get("identifier")) not in _AUTOMATIC
        ),
    )
    check_duplicates(block)
    return block


def _read_common_fields(data: Mapping[str, Any], now: int) -> dict[str, Any]:
    return {
        "identifier": read_identifier(data.get("identifier")),
        "name": read_name(data.get("name")),
        "description": str(data.get("desc") or "")[:256],
        "required": data.get("required") is True,
        "created": now,
    }


def _read_property(data: Mapping[str, Any], now: int) -> Property:
    fields = _read_common_fields(data, now)
    if data.get("accessMode") not in ("r", "rw", "w"):
        raise RuleViolation(f"accessMode of {fields['identifier']} must be r or rw")
    try:
        spec = spec_from_tsl(data.get("dataType"))
    except RuleViolation as violation:
        raise RuleViolation(f"{fields['identifier']}: {violation}") from None
    return Property(**fields, spec=spec, writable="w" in data["accessMode"])


def _read_service(data: Mapping[str, Any], now: int) -> Service:
    fields = _read_common_fields(data, now)
    if data.get("callType") not in ("sync", "async"):
        raise RuleViolation(f"callType of {fields['identifier']} must be sync or async")
    inputs, outputs = _read_members(data, "inputData"), _read_members(data, "outputData")
    if len(inputs) + len(outputs) > MAX_PARAMETERS:
        raise RuleViolation(f"{fields['identifier']} has more than {MAX_PARAMETERS} parameters")
    return Service(**fields, inputs=inputs, outputs=outputs, sync=data["callType"] == "sync")


def _read_event(data: Mapping[str, Any], now: int) -> Event:
    fields = _read_common_fields(data, now)
    if data.get("type") not in ("info", "alert", "error"):
        raise RuleViolation(f"type of {fields['identifier']} must be info, alert or error")
    return Event(**fields, kind=data["type"], outputs=_read_members(data, "outputData"))


def _read_members(data: Mapping[str, Any], key: str) -> tuple[Member, ...]:
    members = []
    for entry in read_entries(data, key):
        identifier = read_identifier(entry.get("identifier"))
        try:
            members.append(
                Member(identifier, read_name(entry.get("name")), spec_from_tsl(entry.get("dataType")))
            )
        except RuleViolation as violation:
            raise RuleViolation(f"{identifier}: {violation}") from None
    return tuple(members)
