"""Data types of thing models: reading and writing them in the platform's two notations, and checking values.

The notations are ThingModelJson (`dataType`, `dataSpecs`, `dataSpecsList`) and TSL (`type`, `specs`). A `Spec` is
independent of the notation. Numbers keep their original text: `"0.10"` stays `"0.10"`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

NUMBERS = ("int", "float", "double")
KINDS = (*NUMBERS, "text", "date", "enum", "bool", "array", "struct")
RESERVED = frozenset(("set", "get", "post", "property", "event", "time", "value"))
MAX_TEXT = 2048  # bytes
MAX_ARRAY = 512  # elements
_ITEM_KINDS = ("struct", *NUMBERS, "text")
_MEMBER_KINDS = (*NUMBERS, "text", "date", "enum", "bool")
_IDENTIFIER = re.compile(r"[A-Za-z0-9_]{1,50}")
_NAME = re.compile(r"[^\W_][\w\-. ]*")
_INT = range(-(2**31), 2**31)


class RuleViolation(ValueError):
    """A model or a value breaks a rule of thing models; the text says which."""


@dataclass(frozen=True, slots=True)
class Spec:
    """One data type. `low`, `high`, `step` of numbers; `length` of texts in bytes; `size` and `item` of arrays;
    `items` of enumerations and booleans (number, name); `members` of structures."""

    kind: str
    low: Decimal | None = None
    high: Decimal | None = None
    step: Decimal | None = None
    unit: str = ""
    unit_name: str = ""
    length: int = 0
    size: int = 0
    item: Spec | None = None
    items: tuple[tuple[int, str], ...] = ()
    members: tuple[Member, ...] = ()
    default: str = ""


@dataclass(frozen=True, slots=True)
class Member:
    """A named value: a member of a structure, or a parameter of a service or an event."""

    identifier: str
    name: str
    spec: Spec


def read_identifier(value: object) -> str:
    """Check that `value` is an identifier of a feature, parameter or member; raises RuleViolation."""
    if not isinstance(value, str) or not _IDENTIFIER.fullmatch(value):
        raise RuleViolation("an identifier must have 1 to 50 characters: letters, digits, _")
    if value in RESERVED:
        raise RuleViolation(f"the identifier {value} is reserved")
    return value


def read_name(value: object, longest: int = 30) -> str:
    """Check that `value` is a name of at most `longest` characters; raises RuleViolation."""
    if not isinstance(value, str) or not 1 <= len(value) <= longest or not _NAME.fullmatch(value):
        raise RuleViolation(
            f"a name must have 1 to {longest} characters: letters, digits, spaces, - _ . "
            "It must start with a letter or digit"
        )
    return value


# --- reading


def spec_from_json(data: Mapping[str, Any], kind: object = None, *, inside: str = "") -> Spec:
    """Read the type that ThingModelJson describes in `data` (a property, parameter, array or structure member).

    `kind` replaces `dataType`; `inside` is array or struct for a nested type. Raises RuleViolation.
    """
    name = str(kind if kind is not None else data.get("dataType") or "").lower()
    _check_kind(name, inside)
    specs = data.get("dataSpecs")
    listed = data.get("dataSpecsList")
    if specs is not None and not isinstance(specs, Mapping):
        raise RuleViolation("dataSpecs must be an object")
    specs = specs or {}
    if name in NUMBERS:
        return _read_number(name, specs, is_untyped=inside == "array" and not specs)
    if name == "text":
        return _read_text(specs, is_untyped=inside == "array" and not specs)
    if name == "date":
        return Spec("date", default=str(specs.get("defaultValue") or ""))
    if name == "array":
        child = specs.get("childDataType")
        return Spec(
            "array", size=_read_size(specs.get("size")), item=spec_from_json(specs, child, inside="array")
        )
    if not isinstance(listed, list) or not all(isinstance(entry, Mapping) for entry in listed):
        raise RuleViolation(f"dataSpecsList of {name.upper()} must be a list of objects")
    if name == "struct":
        return Spec("struct", members=_check_members([_member_from_json(entry) for entry in listed]))
    default = next((str(e.get("value")) for e in listed if str(e.get("defaultValue")).lower() == "true"), "")
    return Spec(
        name, items=_read_items(name, [(e.get("value"), e.get("name")) for e in listed]), default=default
    )


def spec_from_tsl(data: object, *, inside: str = "") -> Spec:
    """Read the type that TSL describes in a `dataType` object; raises RuleViolation."""
    if not isinstance(data, Mapping):
        raise RuleViolation("dataType must be an object")
    name = str(data.get("type") or "").lower()
    _check_kind(name, inside)
    specs = data.get("specs")
    if name == "struct":
        if not isinstance(specs, list) or not all(isinstance(entry, Mapping) for entry in specs):
            raise RuleViolation("specs of struct must be a list of objects")
        return Spec("struct", members=_check_members([_member_from_tsl(entry) for entry in specs]))
    if specs is not None and not isinstance(specs, Mapping):
        raise RuleViolation(f"specs of {name} must be an object")
    specs = specs or {}
    if name in NUMBERS:
        return _read_number(name, specs, is_untyped=inside == "array" and not specs)
    if name == "text":
        return _read_text(specs, is_untyped=inside == "array" and not specs)
    if name == "date":
        return Spec("date")
    if name == "array":
        return Spec(
            "array", size=_read_size(specs.get("size")), item=spec_from_tsl(specs.get("item"), inside="array")
        )
    return Spec(name, items=_read_items(name, list(specs.items())))


def _check_kind(name: str, inside: str) -> None:
    allowed = {"": KINDS, "array": _ITEM_KINDS, "struct": _MEMBER_KINDS}[inside]
    if name not in allowed:
        where = f" inside {inside.upper()}" if inside else ""
        raise RuleViolation(f"{name.upper() or 'nothing'} is not a data type{where}")


def _member_from_json(entry: Mapping[str, Any]) -> Member:
    return Member(
        read_identifier(entry.get("identifier")),
        read_name(entry.get("childName") or entry.get("name"), 64),
        spec_from_json(entry, entry.get("childDataType") or "", inside="struct"),
    )


def _member_from_tsl(entry: Mapping[str, Any]) -> Member:
    return Member(
        read_identifier(entry.get("identifier")),
        read_name(entry.get("name"), 64),
        spec_from_tsl(entry.get("dataType"), inside="struct"),
    )


def _check_members(members: list[Member]) -> tuple[Member, ...]:
    if not members:
        raise RuleViolation("STRUCT must have at least one member")
    if len({member.identifier for member in members}) < len(members):
        raise RuleViolation("members of STRUCT must have unique identifiers")
    return tuple(members)


def _read_number(kind: str, specs: Mapping[str, Any], *, is_untyped: bool) -> Spec:
    if is_untyped:
        return Spec(kind)
    low, high = (_read_bound(kind, specs, "min"), _read_bound(kind, specs, "max"))
    step = _read_bound(kind, specs, "step")
    if low > high:
        raise RuleViolation("min must not be greater than max")
    if step <= 0 or (high > low and step > high - low):
        raise RuleViolation("step must be greater than 0 and at most max - min")
    return Spec(
        kind,
        low,
        high,
        step,
        unit=str(specs.get("unit") or ""),
        unit_name=str(specs.get("unitName") or ""),
        default=str(specs.get("defaultValue") or ""),
    )


def _read_bound(kind: str, specs: Mapping[str, Any], key: str) -> Decimal:
    value = specs.get(key)
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise RuleViolation(f"{key} of {kind.upper()} is required")
    try:
        number = Decimal(str(value).strip())
    except InvalidOperation:
        raise RuleViolation(f"{key} is not a number") from None
    if not number.is_finite():
        raise RuleViolation(f"{key} is not a number")
    if kind == "int" and (number != number.to_integral_value() or int(number) not in _INT):
        raise RuleViolation(f"{key} is not a 32-bit integer")
    return number


def _read_text(specs: Mapping[str, Any], *, is_untyped: bool) -> Spec:
    if is_untyped:
        return Spec("text", length=MAX_TEXT)
    value = specs.get("length")
    if isinstance(value, bool) or not str(value).isdigit() or not 1 <= int(str(value)) <= MAX_TEXT:
        raise RuleViolation(f"length of TEXT must be from 1 to {MAX_TEXT} bytes")
    return Spec("text", length=int(str(value)), default=str(specs.get("defaultValue") or ""))


def _read_size(value: object) -> int:
    if isinstance(value, bool) or not str(value).isdigit() or not 1 <= int(str(value)) <= MAX_ARRAY:
        raise RuleViolation(f"size of ARRAY must be from 1 to {MAX_ARRAY}")
    return int(str(value))


def _read_items(kind: str, pairs: list[tuple[Any, Any]]) -> tuple[tuple[int, str], ...]:
    items: list[tuple[int, str]] = []
    for value, name in pairs:
        if isinstance(value, bool) or not re.fullmatch(r"-?\d{1,10}", str(value)):
            raise RuleViolation(f"the value of an item of {kind.upper()} must be an integer")
        items.append((int(str(value)), read_name(name, 20)))
    values = {value for value, _ in items}
    if len(values) < len(items):
        raise RuleViolation(f"items of {kind.upper()} must have unique values")
    if kind == "bool" and values != {0, 1}:
        raise RuleViolation("BOOL must have the items 0 and 1")
    if not items:
        raise RuleViolation("ENUM must have at least one item")
    return tuple(items)


# --- writing


def spec_to_json(spec: Spec, custom: bool) -> dict[str, Any]:
    """Write a type as `dataType` with `dataSpecs` or `dataSpecsList`, as in ThingModelJson."""
    kind = spec.kind.upper()
    if spec.kind in ("enum", "bool"):
        listed = [
            {
                "custom": custom,
                "dataType": kind,
                "defaultValue": str(str(value) == spec.default).lower(),
                "name": name,
                "value": value,
            }
            for value, name in spec.items
        ]
        return {"dataType": kind, "dataSpecsList": listed}
    if spec.kind == "struct":
        return {
            "dataType": kind,
            "dataSpecsList": [_member_to_json(member, custom) for member in spec.members],
        }
    specs: dict[str, Any] = {"custom": custom, "dataType": kind}
    if spec.kind in NUMBERS and spec.low is not None:
        specs |= {"min": str(spec.low), "max": str(spec.high), "step": str(spec.step)}
        if spec.kind != "int":
            specs["precise"] = 7 if spec.kind == "float" else 16
        specs |= {key: value for key, value in (("unit", spec.unit), ("unitName", spec.unit_name)) if value}
    if spec.kind == "text":
        specs["length"] = spec.length
    if spec.default:
        specs["defaultValue"] = spec.default
    if spec.kind == "array" and spec.item is not None:
        specs |= {"size": spec.size, "childDataType": spec.item.kind.upper()}
        specs |= {key: value for key, value in spec_to_json(spec.item, custom).items() if key != "dataType"}
    return {"dataType": kind, "dataSpecs": specs}


def _member_to_json(member: Member, custom: bool) -> dict[str, Any]:
    inner = spec_to_json(member.spec, custom)
    return {
        "childDataType": inner.pop("dataType"),
        "childName": member.name,
        "custom": custom,
        "dataType": "STRUCT",
        "identifier": member.identifier,
        "name": member.name,
        **inner,
    }


def spec_to_tsl(spec: Spec) -> dict[str, Any]:
    """Write a type as the `dataType` object of TSL."""
    specs: Any = {}
    if spec.kind in NUMBERS and spec.low is not None:
        specs = {"min": str(spec.low), "max": str(spec.high)}
        specs |= {key: value for key, value in (("unit", spec.unit), ("unitName", spec.unit_name)) if value}
        specs["step"] = str(spec.step)
    elif spec.kind == "text":
        specs = {"length": str(spec.length)}
    elif spec.kind in ("enum", "bool"):
        specs = {str(value): name for value, name in spec.items}
    elif spec.kind == "array" and spec.item is not None:
        specs = {"size": str(spec.size), "item": spec_to_tsl(spec.item)}
    elif spec.kind == "struct":
        specs = [
            {"identifier": member.identifier, "name": member.name, "dataType": spec_to_tsl(member.spec)}
            for member in spec.members
        ]
    return {"type": spec.kind, "specs": specs}


# --- values


def check_value(spec: Spec, value: Any) -> None:
    """Check that a decoded JSON value has the type: its kind, range, step, length and size. Raises RuleViolation."""
    if spec.kind in NUMBERS:
        _check_number(spec, value)
    elif spec.kind == "text":
        if not isinstance(value, str):
            raise RuleViolation("must be a string")
        if len(value.encode("utf-8", "surrogatepass")) > spec.length:
            raise RuleViolation(f"must not be longer than {spec.length} bytes")
    elif spec.kind == "date":
        if not isinstance(value, str | int) or not re.fullmatch(r"\d{1,14}", str(value)):
            raise RuleViolation("must be a time in milliseconds, as a string")
    elif spec.kind in ("enum", "bool"):
        if isinstance(value, bool) or not isinstance(value, int) or value not in dict(spec.items):
            raise RuleViolation(f"must be one of {', '.join(str(number) for number, _ in spec.items)}")
    elif spec.kind == "array":
        if not isinstance(value, list):
            raise RuleViolation("must be a list")
        if len(value) > spec.size:
            raise RuleViolation(f"must not have more than {spec.size} elements")
        for element in value:
            check_value(_require_item(spec.item), element)
    else:
        check_values(spec.members, value)


def check_values(members: tuple[Member, ...], values: object) -> None:
    """Check that `values` is an object of members, each with its type. Members may be missing. Raises RuleViolation with the
    identifier of the member."""
    if not isinstance(values, Mapping):
        raise RuleViolation("must be an object")
    known = {member.identifier: member for member in members}
    for identifier, value in values.items():
        member = known.get(identifier)
        if member is None:
            raise RuleViolation(f"{identifier} is unknown")
        try:
            check_value(member.spec, value)
        except RuleViolation as violation:
            raise RuleViolation(f"{identifier} {violation}") from None


def _check_number(spec: Spec, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise RuleViolation("must be a number")
    if spec.kind == "int" and not isinstance(value, int):
        raise RuleViolation("must be an integer")
    number = Decimal(str(value))
    if not number.is_finite():
        raise RuleViolation("must be a number")
    if spec.low is None or spec.high is None or spec.step is None:
        return
    if not spec.low <= number <= spec.high:
        raise RuleViolation(f"must be from {spec.low} to {spec.high}")
    try:
        off_step = (number - spec.low) % spec.step != 0
    except InvalidOperation:  # the quotient has more digits than Decimal can hold
        return
    if off_step:
        raise RuleViolation(f"must be a multiple of {spec.step} counted from {spec.low}")


def _require_item(spec: Spec | None) -> Spec:
    assert spec is not None  # noqa: S101 - an array always has an item
    return spec


def format_value(value: Any) -> str:
    """Write a value as in the responses of the history: a string unchanged, anything else as JSON."""
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
