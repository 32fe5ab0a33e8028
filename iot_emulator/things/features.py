"""The parts of a thing model: properties, services and events in modules ("function blocks").

They are read from ThingModelJson by the rules of its data structure (CreateThingModel), and written back in the
platform's order: features by the time of their definition, fields by name.
"""

from __future__ import annotations

import json
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, TypeVar

from iot_emulator.things.specs import (
    Member,
    RuleViolation,
    Spec,
    read_identifier,
    read_name,
    spec_from_json,
    spec_to_json,
)

EVENT_KINDS = {"INFO_EVENT_TYPE": "info", "ALERT_EVENT_TYPE": "alert", "ERROR_EVENT_TYPE": "error"}
_EVENT_WORDS = {word: name for name, word in EVENT_KINDS.items()}
MAX_PARAMETERS = 50  # of a service or an event


@dataclass(frozen=True, slots=True)
class Feature:
    """The common fields of properties, services and events. `created` in ms; `extend` is the extended information as
    JSON text; `custom` is false for a feature of a category's template.
    """

    identifier: str
    name: str
    description: str = ""
    required: bool = False
    custom: bool = True
    created: int = 0
    extend: str = ""
    config_code: str = ""


@dataclass(frozen=True, slots=True)
class Property(Feature):
    """A value that the device reports. If `writable`, the value can also be set."""

    spec: Spec = field(default_factory=lambda: Spec("int"))
    writable: bool = False


@dataclass(frozen=True, slots=True)
class Service(Feature):
    """A function that the device can run on request; `sync` if the caller waits for the response."""

    inputs: tuple[Member, ...] = ()
    outputs: tuple[Member, ...] = ()
    sync: bool = False


@dataclass(frozen=True, slots=True)
class Event(Feature):
    """A message of the device about something that happened; `kind` is info, alert or error."""

    kind: str = "info"
    outputs: tuple[Member, ...] = ()


@dataclass(frozen=True, slots=True)
class Block:
    """A module of a model. The default one has the identifier ""."""

    identifier: str = ""
    name: str = ""
    description: str = ""
    properties: tuple[Property, ...] = ()
    services: tuple[Service, ...] = ()
    events: tuple[Event, ...] = ()

    def all_features(self) -> tuple[Feature, ...]:
        """Every feature of the module."""
        return (*self.properties, *self.services, *self.events)


@dataclass(frozen=True, slots=True)
class Model:
    """A thing model: its modules by identifier. The default module ("") always exists."""

    blocks: Mapping[str, Block] = field(default_factory=lambda: {"": Block()})

    def block(self, identifier: str = "") -> Block | None:
        """The module of this identifier, or None."""
        return self.blocks.get(identifier)

    def with_block(self, block: Block) -> Model:
        """Return a copy of the model in which `block` is added, or replaces the module of the same identifier."""
        return Model({**self.blocks, block.identifier: block})

    def find_property(self, identifier: str) -> Property | None:
        """Find a property by `Temperature` or `module:Temperature`; None if there is none."""
        block, name = self._split_identifier(identifier)
        return _find_feature(block.properties, name) if block else None

    def find_service(self, identifier: str) -> Service | None:
        """Find a service by `Restart` or `module:Restart`; None if there is none."""
        block, name = self._split_identifier(identifier)
        return _find_feature(block.services, name) if block else None

    def find_event(self, identifier: str) -> Event | None:
        """Find an event by `Fault` or `module:Fault`; None if there is none."""
        block, name = self._split_identifier(identifier)
        return _find_feature(block.events, name) if block else None

    def properties(self) -> Iterable[tuple[str, Property]]:
        """All properties, each with the identifier that requests use for it (`module:Temperature`)."""
        return self._list_qualified(lambda block: block.properties)

    def services(self) -> Iterable[tuple[str, Service]]:
        """All services, each with the identifier that requests use for it."""
        return self._list_qualified(lambda block: block.services)

    def events(self) -> Iterable[tuple[str, Event]]:
        """All events, each with the identifier that requests use for it."""
        return self._list_qualified(lambda block: block.events)

    def _split_identifier(self, identifier: str) -> tuple[Block | None, str]:
        block, mark, name = identifier.rpartition(":")
        return self.blocks.get(block if mark else ""), name

    def _list_qualified(self, pick: Callable[[Block], tuple[F, ...]]) -> Iterable[tuple[str, F]]:
        for block in self.blocks.values():
            prefix = f"{block.identifier}:" if block.identifier else ""
            for feature in pick(block):
                yield prefix + feature.identifier, feature


F = TypeVar("F", bound=Feature)


def _find_feature(features: Iterable[F], identifier: str) -> F | None:
    return next((feature for feature in features if feature.identifier == identifier), None)


# --- reading ThingModelJson


def read_block(data: Mapping[str, Any], now: int) -> Block:
    """Read the features of one ThingModelJson object; the time of definition is `now` (ms) unless the object sets it.

    Raises RuleViolation for a breach of its rules, including duplicate identifiers and names.
    """
    block = Block(
        properties=tuple(read_property(entry, now) for entry in read_entries(data, "properties")),
        services=tuple(read_service(entry, now) for entry in read_entries(data, "services")),
        events=tuple(read_event(entry, now) for entry in read_entries(data, "events")),
    )
    check_duplicates(block)
    return block


def check_duplicates(block: Block) -> None:
    """Raise RuleViolation when two features of a kind share an identifier or a name."""
    for features in (block.properties, block.services, block.events):
        for what, values in (
            ("identifier", [feature.identifier for feature in features]),
            ("name", [feature.name for feature in features]),
        ):
            duplicates = [value for value, count in Counter(values).items() if count > 1]
            if duplicates:
                raise DuplicateFeature(f"two features have the {what} {min(duplicates)}")


class DuplicateFeature(RuleViolation):
    """Two features of a model have the same identifier or the same name."""


def read_entries(data: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    """Read the list of objects under `key`, empty if absent; raises RuleViolation for any other value."""
    entries = data.get(key)
    if entries is None:
        return []
    if not isinstance(entries, list) or not all(isinstance(entry, Mapping) for entry in entries):
        raise RuleViolation(f"{key} must be a list of objects")
    return entries


def read_property(data: Mapping[str, Any], now: int) -> Property:
    """Read a property of ThingModelJson; raises RuleViolation."""
    fields = _read_common_fields(data, "name", now)
    if data.get("rwFlag") not in ("READ_WRITE", "READ_ONLY"):
        raise RuleViolation(f"rwFlag of {fields['identifier']} must be READ_WRITE or READ_ONLY")
    try:
        spec = spec_from_json(data)
    except RuleViolation as violation:
        raise RuleViolation(f"{fields['identifier']}: {violation}") from None
    return Property(**fields, spec=spec, writable=data["rwFlag"] == "READ_WRITE")


def read_service(data: Mapping[str, Any], now: int) -> Service:
    """Read a service of ThingModelJson; raises RuleViolation."""
    fields = _read_common_fields(data, "serviceName", now)
    if data.get("callType") not in ("ASYNC", "SYNC"):
        raise RuleViolation(f"callType of {fields['identifier']} must be ASYNC or SYNC")
    inputs = _read_parameters(data, "inputParams", "PARAM_INPUT")
    outputs = _read_parameters(data, "outputParams", "PARAM_OUTPUT")
    if len(inputs) + len(outputs) > MAX_PARAMETERS:
        raise RuleViolation(f"{fields['identifier']} has more than {MAX_PARAMETERS} parameters")
    return Service(**fields, inputs=inputs, outputs=outputs, sync=data["callType"] == "SYNC")


def read_event(data: Mapping[str, Any], now: int) -> Event:
    """Read an event of ThingModelJson; raises RuleViolation."""
    fields = _read_common_fields(data, "eventName", now)
    kind = EVENT_KINDS.get(str(data.get("eventType")))
    if kind is None:
        raise RuleViolation(f"eventType of {fields['identifier']} must be one of {', '.join(EVENT_KINDS)}")
    outputs = _read_parameters(data, "outputdata" if "outputdata" in data else "outputData", "PARAM_OUTPUT")
    if len(outputs) > MAX_PARAMETERS:
        raise RuleViolation(f"{fields['identifier']} has more than {MAX_PARAMETERS} parameters")
    return Event(**fields, kind=kind, outputs=outputs)


def _read_common_fields(data: Mapping[str, Any], name_key: str, now: int) -> dict[str, Any]:
    identifier = read_identifier(data.get("identifier"))
    created = data.get("createTs")
    extend = data.get("extendConfig") or ""
    if isinstance(extend, Mapping):
        extend = json.dumps(extend, ensure_ascii=False, separators=(",", ":"))
    if not isinstance(extend, str):
        raise RuleViolation(f"extendConfig of {identifier} must be JSON text")
    try:
        name = read_name(data.get(name_key) or data.get("name"))
    except RuleViolation as violation:
        raise RuleViolation(f"{identifier}: {violation}") from None
    return {
        "identifier": identifier,
        "name": name,
        "description": str(data.get("description") or "")[:256],
        "required": data.get("required") is True,
        "custom": data.get("custom") is not False,
        "created": created if isinstance(created, int) and not isinstance(created, bool) else now,
        "extend": extend,
        "config_code": str(data.get("configCode") or "") or (create_config_code(now) if extend else ""),
    }


def create_config_code(now: int) -> str:
    """Create an id as the platform gives to a feature's extended information."""
    return f"{uuid.uuid4().hex.upper()}{now}"


def _read_parameters(data: Mapping[str, Any], key: str, direction: str) -> tuple[Member, ...]:
    entries = read_entries(data, key)
    if any(entry.get("direction", direction) != direction for entry in entries):
        raise RuleViolation(f"direction in {key} must be {direction}")
    orders = [entry.get("paraOrder", number) for number, entry in enumerate(entries)]
    if len(set(map(str, orders))) < len(orders):
        raise RuleViolation(f"paraOrder values in {key} must be unique")
    members = []
    for entry in sorted(entries, key=lambda entry: _read_order(entry)):
        identifier = read_identifier(entry.get("identifier"))
        try:
            members.append(Member(identifier, read_name(entry.get("name")), spec_from_json(entry)))
        except RuleViolation as violation:
            raise RuleViolation(f"{identifier}: {violation}") from None
    if len({member.identifier for member in members}) < len(members):
        raise DuplicateFeature(f"two parameters in {key} have the same identifier")
    return tuple(members)


def _read_order(entry: Mapping[str, Any]) -> int:
    order = entry.get("paraOrder", 0)
    if isinstance(order, bool) or not isinstance(order, int):
        raise RuleViolation("paraOrder must be an integer")
    return order


# --- writing ThingModelJson


def block_to_json(block: Block, product_key: str) -> dict[str, Any]:
    """Write `properties`, `services` and `events` of a module, each in the order of definition."""

    def ordered(features: Iterable[F]) -> list[F]:
        return sorted(features, key=lambda feature: feature.created)

    return {
        "properties": [property_to_json(item, product_key) for item in ordered(block.properties)],
        "services": [service_to_json(item, product_key) for item in ordered(block.services)],
        "events": [event_to_json(item, product_key) for item in ordered(block.events)],
    }


def property_to_json(item: Property, product_key: str) -> dict[str, Any]:
    """Write a property in ThingModelJson."""
    return {
        **_common_to_json(item, product_key),
        "name": item.name,
        "customFlag": item.custom,
        "std": not item.custom,
        "rwFlag": "READ_WRITE" if item.writable else "READ_ONLY",
        **spec_to_json(item.spec, item.custom),
    }


def service_to_json(item: Service, product_key: str) -> dict[str, Any]:
    """Write a service in ThingModelJson."""
    return {
        **_common_to_json(item, product_key),
        "serviceName": item.name,
        "callType": "SYNC" if item.sync else "ASYNC",
        "inputParams": _parameters_to_json(item.inputs, "PARAM_INPUT", item.custom),
        "outputParams": _parameters_to_json(item.outputs, "PARAM_OUTPUT", item.custom),
    }


def event_to_json(item: Event, product_key: str) -> dict[str, Any]:
    """Write an event in ThingModelJson."""
    return {
        **_common_to_json(item, product_key),
        "eventName": item.name,
        "eventType": _EVENT_WORDS[item.kind],
        "outputdata": _parameters_to_json(item.outputs, "PARAM_OUTPUT", item.custom),
    }


def _common_to_json(item: Feature, product_key: str) -> dict[str, Any]:
    data: dict[str, Any] = {
        "createTs": item.created,
        "custom": item.custom,
        "description": item.description,
        "identifier": item.identifier,
        "required": item.required,
    }
    if product_key:
        data["productKey"] = product_key
    if item.extend:
        data |= {"extendConfig": item.extend, "configCode": item.config_code}
    return data


def _parameters_to_json(members: tuple[Member, ...], direction: str, custom: bool) -> list[dict[str, Any]]:
    return [
        {
            "custom": custom,
            "direction": direction,
            "identifier": member.identifier,
            "name": member.name,
            "paraOrder": number,
            **spec_to_json(member.spec, custom),
        }
        for number, member in enumerate(members)
    ]


# --- storing


def dump_model(model: Model) -> str:
    """Write a model as text for the store; `load_model` reads it."""
    return json.dumps(
        [
            {
                "identifier": block.identifier,
                "name": block.name,
                "description": block.description,
                **block_to_json(block, ""),
            }
            for block in model.blocks.values()
        ],
        ensure_ascii=False,
        separators=(",", ":"),
    )


@lru_cache(maxsize=256)
def load_model(text: str) -> Model:
    """Read a model that `dump_model` wrote. The result is cached: one page of history reads the same model many times."""
    blocks = {}
    for data in json.loads(text):
        block = read_block(data, 0)
        blocks[data["identifier"]] = replace(
            block, identifier=data["identifier"], name=data["name"], description=data["description"]
        )
    return Model(blocks)
