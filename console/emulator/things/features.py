"""What a thing model is made of: properties, services and events in modules ("function blocks").

Read from ThingModelJson with the rules of its data structure (CreateThingModel), and written back sorted as the
platform sorts it: features by the time they were defined, fields by name.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, TypeVar

from console.emulator.things.specs import (
    Flaw,
    Member,
    Spec,
    checked_identifier,
    checked_name,
    from_json,
    to_json,
)

EVENT_KINDS = {"INFO_EVENT_TYPE": "info", "ALERT_EVENT_TYPE": "alert", "ERROR_EVENT_TYPE": "error"}
_EVENT_WORDS = {word: name for name, word in EVENT_KINDS.items()}
MAX_PARAMETERS = 50  # of a service or an event


@dataclass(frozen=True, slots=True)
class Feature:
    """What properties, services and events share. `created` in ms; `extend` is the extended information as JSON text.

    `custom` is false for what comes from a category's template.
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
    """A value that the device reports, and takes when it is `writable`."""

    spec: Spec = field(default_factory=lambda: Spec("int"))
    writable: bool = False


@dataclass(frozen=True, slots=True)
class Service(Feature):
    """Something the device can be asked to do; `sync` when the caller waits for the answer."""

    inputs: tuple[Member, ...] = ()
    outputs: tuple[Member, ...] = ()
    sync: bool = False


@dataclass(frozen=True, slots=True)
class Event(Feature):
    """Something the device tells; `kind` is info, alert or error."""

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

    def all(self) -> tuple[Feature, ...]:
        """Every feature of the module."""
        return (*self.properties, *self.services, *self.events)


@dataclass(frozen=True, slots=True)
class Model:
    """A thing model: its modules by identifier, the default one ("") always among them."""

    blocks: Mapping[str, Block] = field(default_factory=lambda: {"": Block()})

    def block(self, identifier: str = "") -> Block | None:
        """The module of this identifier, or None."""
        return self.blocks.get(identifier)

    def with_block(self, block: Block) -> Model:
        """The model with `block` in place of the one of its identifier, or added."""
        return Model({**self.blocks, block.identifier: block})

    def find_property(self, identifier: str) -> Property | None:
        """The property of `Temperature` or `module:Temperature`, or None."""
        block, name = self._split(identifier)
        return _find(block.properties, name) if block else None

    def find_service(self, identifier: str) -> Service | None:
        """The service of `Restart` or `module:Restart`, or None."""
        block, name = self._split(identifier)
        return _find(block.services, name) if block else None

    def find_event(self, identifier: str) -> Event | None:
        """The event of `Fault` or `module:Fault`, or None."""
        block, name = self._split(identifier)
        return _find(block.events, name) if block else None

    def properties(self) -> Iterable[tuple[str, Property]]:
        """All properties with the identifiers by which requests name them."""
        return self._named(lambda block: block.properties)

    def services(self) -> Iterable[tuple[str, Service]]:
        """All services, likewise."""
        return self._named(lambda block: block.services)

    def events(self) -> Iterable[tuple[str, Event]]:
        """All events, likewise."""
        return self._named(lambda block: block.events)

    def _split(self, identifier: str) -> tuple[Block | None, str]:
        block, mark, name = identifier.rpartition(":")
        return self.blocks.get(block if mark else ""), name

    def _named(self, pick: Callable[[Block], tuple[F, ...]]) -> Iterable[tuple[str, F]]:
        for block in self.blocks.values():
            prefix = f"{block.identifier}:" if block.identifier else ""
            for feature in pick(block):
                yield prefix + feature.identifier, feature


F = TypeVar("F", bound=Feature)


def _find(features: Iterable[F], identifier: str) -> F | None:
    return next((feature for feature in features if feature.identifier == identifier), None)


# --- reading ThingModelJson


def read_block(data: Mapping[str, Any], now: int) -> Block:
    """The features of one ThingModelJson object; the time of definition is `now` (ms) where it is not given.

    Raises Flaw for anything its rules forbid, duplicates within it included.
    """
    block = Block(
        properties=tuple(read_property(entry, now) for entry in entries_of(data, "properties")),
        services=tuple(read_service(entry, now) for entry in entries_of(data, "services")),
        events=tuple(read_event(entry, now) for entry in entries_of(data, "events")),
    )
    check_duplicates(block)
    return block


def check_duplicates(block: Block) -> None:
    """Raise Flaw when two features of a kind share an identifier or a name."""
    for features in (block.properties, block.services, block.events):
        for what, values in (
            ("identifier", [feature.identifier for feature in features]),
            ("name", [feature.name for feature in features]),
        ):
            twice = {value for value in values if values.count(value) > 1}
            if twice:
                raise Duplicate(f"two features have the {what} {min(twice)}")


class Duplicate(Flaw):
    """Two features of a model have the same identifier or name."""


def entries_of(data: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    """The list of objects under `key`, empty where it is absent; raises Flaw for anything else."""
    entries = data.get(key)
    if entries is None:
        return []
    if not isinstance(entries, list) or not all(isinstance(entry, Mapping) for entry in entries):
        raise Flaw(f"{key} must be a list of objects")
    return entries


def read_property(data: Mapping[str, Any], now: int) -> Property:
    """A property of ThingModelJson; raises Flaw."""
    common = _common(data, "name", now)
    if data.get("rwFlag") not in ("READ_WRITE", "READ_ONLY"):
        raise Flaw(f"rwFlag of {common['identifier']} must be READ_WRITE or READ_ONLY")
    try:
        spec = from_json(data)
    except Flaw as flaw:
        raise Flaw(f"{common['identifier']}: {flaw}") from None
    return Property(**common, spec=spec, writable=data["rwFlag"] == "READ_WRITE")


def read_service(data: Mapping[str, Any], now: int) -> Service:
    """A service of ThingModelJson; raises Flaw."""
    common = _common(data, "serviceName", now)
    if data.get("callType") not in ("ASYNC", "SYNC"):
        raise Flaw(f"callType of {common['identifier']} must be ASYNC or SYNC")
    inputs = _parameters(data, "inputParams", "PARAM_INPUT")
    outputs = _parameters(data, "outputParams", "PARAM_OUTPUT")
    if len(inputs) + len(outputs) > MAX_PARAMETERS:
        raise Flaw(f"{common['identifier']} has more than {MAX_PARAMETERS} parameters")
    return Service(**common, inputs=inputs, outputs=outputs, sync=data["callType"] == "SYNC")


def read_event(data: Mapping[str, Any], now: int) -> Event:
    """An event of ThingModelJson; raises Flaw."""
    common = _common(data, "eventName", now)
    kind = EVENT_KINDS.get(str(data.get("eventType")))
    if kind is None:
        raise Flaw(f"eventType of {common['identifier']} must be one of {', '.join(EVENT_KINDS)}")
    outputs = _parameters(data, "outputdata" if "outputdata" in data else "outputData", "PARAM_OUTPUT")
    if len(outputs) > MAX_PARAMETERS:
        raise Flaw(f"{common['identifier']} has more than {MAX_PARAMETERS} parameters")
    return Event(**common, kind=kind, outputs=outputs)


def _common(data: Mapping[str, Any], name_key: str, now: int) -> dict[str, Any]:
    identifier = checked_identifier(data.get("identifier"))
    created = data.get("createTs")
    extend = data.get("extendConfig") or ""
    if isinstance(extend, Mapping):
        extend = json.dumps(extend, ensure_ascii=False, separators=(",", ":"))
    if not isinstance(extend, str):
        raise Flaw(f"extendConfig of {identifier} must be JSON text")
    try:
        name = checked_name(data.get(name_key) or data.get("name"))
    except Flaw as flaw:
        raise Flaw(f"{identifier}: {flaw}") from None
    return {
        "identifier": identifier,
        "name": name,
        "description": str(data.get("description") or "")[:256],
        "required": data.get("required") is True,
        "custom": data.get("custom") is not False,
        "created": created if isinstance(created, int) and not isinstance(created, bool) else now,
        "extend": extend,
        "config_code": str(data.get("configCode") or "") or (new_config_code(now) if extend else ""),
    }


def new_config_code(now: int) -> str:
    """The platform's own id of a feature's extended information."""
    return f"{uuid.uuid4().hex.upper()}{now}"


def _parameters(data: Mapping[str, Any], key: str, direction: str) -> tuple[Member, ...]:
    entries = entries_of(data, key)
    if any(entry.get("direction", direction) != direction for entry in entries):
        raise Flaw(f"direction in {key} must be {direction}")
    orders = [entry.get("paraOrder", number) for number, entry in enumerate(entries)]
    if len(set(map(str, orders))) < len(orders):
        raise Flaw(f"paraOrder in {key} must differ")
    members = []
    for entry in sorted(entries, key=lambda entry: _order(entry)):
        identifier = checked_identifier(entry.get("identifier"))
        try:
            members.append(Member(identifier, checked_name(entry.get("name")), from_json(entry)))
        except Flaw as flaw:
            raise Flaw(f"{identifier}: {flaw}") from None
    if len({member.identifier for member in members}) < len(members):
        raise Duplicate(f"two parameters in {key} have the same identifier")
    return tuple(members)


def _order(entry: Mapping[str, Any]) -> int:
    order = entry.get("paraOrder", 0)
    if isinstance(order, bool) or not isinstance(order, int):
        raise Flaw("paraOrder must be a whole number")
    return order


# --- writing ThingModelJson


def block_json(block: Block, product_key: str) -> dict[str, Any]:
    """`properties`, `services` and `events` of a module, in the order of their definition."""

    def ordered(features: Iterable[F]) -> list[F]:
        return sorted(features, key=lambda feature: feature.created)

    return {
        "properties": [property_json(item, product_key) for item in ordered(block.properties)],
        "services": [service_json(item, product_key) for item in ordered(block.services)],
        "events": [event_json(item, product_key) for item in ordered(block.events)],
    }


def property_json(item: Property, product_key: str) -> dict[str, Any]:
    """A property in ThingModelJson."""
    return {
        **_common_json(item, product_key),
        "name": item.name,
        "customFlag": item.custom,
        "std": not item.custom,
        "rwFlag": "READ_WRITE" if item.writable else "READ_ONLY",
        **to_json(item.spec, item.custom),
    }


def service_json(item: Service, product_key: str) -> dict[str, Any]:
    """A service in ThingModelJson."""
    return {
        **_common_json(item, product_key),
        "serviceName": item.name,
        "callType": "SYNC" if item.sync else "ASYNC",
        "inputParams": _parameters_json(item.inputs, "PARAM_INPUT", item.custom),
        "outputParams": _parameters_json(item.outputs, "PARAM_OUTPUT", item.custom),
    }


def event_json(item: Event, product_key: str) -> dict[str, Any]:
    """An event in ThingModelJson."""
    return {
        **_common_json(item, product_key),
        "eventName": item.name,
        "eventType": _EVENT_WORDS[item.kind],
        "outputdata": _parameters_json(item.outputs, "PARAM_OUTPUT", item.custom),
    }


def _common_json(item: Feature, product_key: str) -> dict[str, Any]:
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


def _parameters_json(members: tuple[Member, ...], direction: str, custom: bool) -> list[dict[str, Any]]:
    return [
        {
            "custom": custom,
            "direction": direction,
            "identifier": member.identifier,
            "name": member.name,
            "paraOrder": number,
            **to_json(member.spec, custom),
        }
        for number, member in enumerate(members)
    ]


# --- keeping


def dump(model: Model) -> str:
    """A model as text for the store; `load` reads it."""
    return json.dumps(
        [
            {
                "identifier": block.identifier,
                "name": block.name,
                "description": block.description,
                **block_json(block, ""),
            }
            for block in model.blocks.values()
        ],
        ensure_ascii=False,
        separators=(",", ":"),
    )


@lru_cache(maxsize=256)
def load(text: str) -> Model:
    """The model that `dump` wrote. Read once for each text: a page of history asks for it many times."""
    blocks = {}
    for data in json.loads(text):
        read = read_block(data, 0)
        blocks[data["identifier"]] = replace(
            read, identifier=data["identifier"], name=data["name"], description=data["description"]
        )
    return Model(blocks)
