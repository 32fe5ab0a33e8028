"""Finds the objects that a call names in its parameters: products, devices, groups, packages and others.

The catalogue says which parameter names which kind of object (`Parameter.names`), and what a member with a limited access
scope may do with an operation (`Operation.limited`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from iot_client.catalogue import ObjectKind, Operation, product_parameter


@dataclass(frozen=True, slots=True)
class NamedObject:
    """An object that a call names. `kind`: None for a value that cannot be parsed, which is in no access scope.

    `product`: the ProductKey that belongs to a DeviceName.
    """

    kind: ObjectKind | None
    value: str
    product: str = ""


_OF_A_PRODUCT = frozenset(
    {ObjectKind.PACKAGE, ObjectKind.BATCH, ObjectKind.TASK, ObjectKind.APPLICATION, ObjectKind.TOPIC_CLASS}
)
_OF_A_DEVICE = frozenset({ObjectKind.DEVICE, ObjectKind.IOT_ID, ObjectKind.TOPIC})
_FLEET_KINDS = (
    frozenset({ObjectKind.PRODUCT, ObjectKind.GROUP, ObjectKind.DEVICE_LIST, ObjectKind.SQL})
    | _OF_A_PRODUCT
    | _OF_A_DEVICE
)
_DEVICE_TOPIC = re.compile(r"/(?:sys/)?([A-Za-z0-9]+)/([\w.:@-]+)/.+")
_BROADCAST = re.compile(r"/broadcast/([A-Za-z0-9]+)/.+")


def naming_parameters(definition: Operation) -> Mapping[str, ObjectKind]:
    """The parameters of the operation that name objects of the fleet, and the kind of object that each names."""
    return {
        name: parameter.names
        for name, parameter in definition.parameters.items()
        if parameter.names in _FLEET_KINDS and parameter.beside is None
    }


def required_kinds(definition: Operation) -> frozenset[ObjectKind]:
    """The kinds that an access scope must list for the operation to be usable: products, groups, both or neither."""
    naming = naming_parameters(definition)
    required = set()
    if _OF_A_PRODUCT & set(naming.values()) or (
        ObjectKind.PRODUCT in naming.values()
        and not (_OF_A_DEVICE | {ObjectKind.GROUP}) & set(naming.values())
    ):
        required.add(ObjectKind.PRODUCT)
    groups = [name for name, kind in naming.items() if kind is ObjectKind.GROUP]
    if any(definition.parameters[name].required for name in groups) or (
        groups and set(naming.values()) == {ObjectKind.GROUP}
    ):
        required.add(ObjectKind.GROUP)
    return frozenset(required)


def find_objects(definition: Operation, params: Mapping[str, Any]) -> list[NamedObject]:
    """All objects that the call names. A list entry that should name an object and does not has the kind None."""
    plain: dict[str, ObjectKind] = {}
    structs: dict[str, dict[str, ObjectKind]] = {}
    for name, kind in naming_parameters(definition).items():
        parameter = definition.parameters[name]
        target = structs.setdefault(parameter.base, {}) if parameter.member else plain
        target[parameter.member or parameter.base] = kind
    objects = list(_find_in(params, plain))
    for base, members in structs.items():
        for item in _as_list(params.get(base)):
            inside = list(_find_in(item, members)) if isinstance(item, Mapping) else []
            objects += inside or [NamedObject(None, base)]
    if definition.name == "Pub":  # the topic contains the device; ProductKey only repeats its product
        devices = {named.product for named in objects if named.kind is ObjectKind.DEVICE}
        objects = [
            named for named in objects if named.kind is not ObjectKind.PRODUCT or named.value not in devices
        ]
    return objects


def _find_in(params: Mapping[str, Any], naming: Mapping[str, ObjectKind]) -> Iterator[NamedObject]:
    device_keys = set()  # ProductKey parameters that belong to a DeviceName
    for name, kind in naming.items():
        if kind is ObjectKind.DEVICE:
            key = product_parameter(name)
            for value in _as_list(params.get(name)):
                device_keys.add(key)
                yield NamedObject(ObjectKind.DEVICE, str(value), str(params.get(key) or ""))
    for name, kind in naming.items():
        if kind is ObjectKind.DEVICE or name in device_keys:
            continue
        for value in _as_list(params.get(name)):
            if kind is ObjectKind.TOPIC:
                yield parse_topic(str(value))
            elif kind is ObjectKind.DEVICE_LIST:
                yield from _read_device_list(value)
            else:
                yield NamedObject(kind, str(value))


def find_objects_in_url(kinds: Mapping[str, ObjectKind], parts: Mapping[str, Any]) -> list[NamedObject]:
    """The objects that a URL names. `kinds`: what the parameters of the area's URLs name (`Area.url_objects`); `parts`: the
    parameters of this URL. A product together with a device only says whose device it is."""
    objects = [NamedObject(kind, str(parts[part])) for part, kind in kinds.items() if part in parts]
    devices = [named for named in objects if named.kind is ObjectKind.DEVICE]
    if not devices:
        return objects
    product = next(named.value for named in objects if named.kind is ObjectKind.PRODUCT)
    return [replace(device, product=product) for device in devices]


def parse_topic(text: str) -> NamedObject:
    """The device, or for a broadcast topic the product, that a full topic belongs to."""
    if match := _BROADCAST.fullmatch(text):
        return NamedObject(ObjectKind.PRODUCT, match[1])
    if match := _DEVICE_TOPIC.fullmatch(text):
        return NamedObject(ObjectKind.DEVICE, match[2], match[1])
    return NamedObject(None, text)


def _read_device_list(text: Any) -> Iterator[NamedObject]:
    """The devices of DeviceListStr (NotifyAddThingTopo): objects with productKey and deviceName, or iotId, in any letter case."""
    try:
        items = json.loads(text, object_pairs_hook=_read_json_object) if isinstance(text, str) else None
    except (ValueError, RecursionError):
        items = None
    if not isinstance(items, list):
        yield NamedObject(None, "DeviceListStr")
        return
    for item in items:
        fields = item if isinstance(item, Mapping) else {}
        inside = []
        if fields.get("devicename"):
            inside.append(NamedObject(ObjectKind.DEVICE, fields["devicename"], fields.get("productkey", "")))
        if fields.get("iotid"):
            inside.append(NamedObject(ObjectKind.IOT_ID, fields["iotid"]))
        yield from inside or [NamedObject(None, "DeviceListStr")]


def _read_json_object(pairs: list[tuple[str, Any]]) -> dict[str, str]:
    """A JSON object with lowercase names. Raises ValueError for a duplicate name in any letter case: it is unknown which one
    the platform uses."""
    fields = {name.lower(): str(value) for name, value in pairs}
    if len(fields) < len(pairs):
        raise ValueError("duplicate name")
    return fields


def _as_list(value: Any) -> list[Any]:
    """A value as a list, without empty entries."""
    values = value if isinstance(value, list | tuple) else [value]
    return [one for one in values if one not in (None, "")]
