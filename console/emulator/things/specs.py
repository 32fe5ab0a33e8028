"""Data types of thing models: read from either of the platform's two notations, written in both, and values checked.

The notations are ThingModelJson (`dataType`, `dataSpecs`, `dataSpecsList`) and TSL (`type`, `specs`). A `Spec` stands
between them. Numbers keep the text they were written with, so that `"0.10"` stays `"0.10"`.
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


class Flaw(ValueError):
    """What is wrong with a model or a value, in words."""


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


def checked_identifier(value: object) -> str:
    """`value` as an identifier of a feature, parameter or member; raises Flaw."""
    if not isinstance(value, str) or not _IDENTIFIER.fullmatch(value):
        raise Flaw("an identifier has 1 to 50 English letters, digits and underscores")
    if value in RESERVED:
        raise Flaw(f"the identifier {value} is reserved")
    return value


def checked_name(value: object, longest: int = 30) -> str:
    """`value` as a name; raises Flaw."""
    if not isinstance(value, str) or not 1 <= len(value) <= longest or not _NAME.fullmatch(value):
        raise Flaw(
            f"a name has 1 to {longest} letters, digits, hyphens, underscores, periods and spaces, "
            "and starts with a letter or digit"
        )
    return value


# --- reading


def from_json(data: Mapping[str, Any], kind: object = None, *, inside: str = "") -> Spec:
    """The type that ThingModelJson describes in `data` (a property, parameter, array or structure member).

    `kind` when it is not under `dataType`; `inside` is array or struct for what is nested. Raises Flaw.
    """
    name = str(kind if kind is not None else data.get("dataType") or "").lower()
    _check_kind(name, inside)
    specs = data.get("dataSpecs")
    listed = data.get("dataSpecsList")
    if specs is not None and not isinstance(specs, Mapping):
        raise Flaw("dataSpecs must be an object")
    specs = specs or {}
    if name in NUMBERS:
        return _number(name, specs, bare=inside == "array" and not specs)
    if name == "text":
        return _text(specs, bare=inside == "array" and not specs)
    if name == "date":
        return Spec("date", default=str(specs.get("defaultValue") or ""))
    if name == "array":
        child = specs.get("childDataType")
        return Spec("array", size=_size(specs.get("size")), item=from_json(specs, child, inside="array"))
    if not isinstance(listed, list) or not all(isinstance(entry, Mapping) for entry in listed):
        raise Flaw(f"dataSpecsList of {name.upper()} must be a list of objects")
    if name == "struct":
        return Spec("struct", members=_members([_json_member(entry) for entry in listed]))
    default = next((str(e.get("value")) for e in listed if str(e.get("defaultValue")).lower() == "true"), "")
    return Spec(name, items=_items(name, [(e.get("value"), e.get("name")) for e in listed]), default=default)


def from_tsl(data: object, *, inside: str = "") -> Spec:
    """The type that TSL describes in a `dataType` object; raises Flaw."""
    if not isinstance(data, Mapping):
        raise Flaw("dataType must be an object")
    name = str(data.get("type") or "").lower()
    _check_kind(name, inside)
    specs = data.get("specs")
    if name == "struct":
        if not isinstance(specs, list) or not all(isinstance(entry, Mapping) for entry in specs):
            raise Flaw("specs of struct must be a list of objects")
        return Spec("struct", members=_members([_tsl_member(entry) for entry in specs]))
    if specs is not None and not isinstance(specs, Mapping):
        raise Flaw(f"specs of {name} must be an object")
    specs = specs or {}
    if name in NUMBERS:
        return _number(name, specs, bare=inside == "array" and not specs)
    if name == "text":
        return _text(specs, bare=inside == "array" and not specs)
    if name == "date":
        return Spec("date")
    if name == "array":
        return Spec("array", size=_size(specs.get("size")), item=from_tsl(specs.get("item"), inside="array"))
    return Spec(name, items=_items(name, list(specs.items())))


def _check_kind(name: str, inside: str) -> None:
    allowed = {"": KINDS, "array": _ITEM_KINDS, "struct": _MEMBER_KINDS}[inside]
    if name not in allowed:
        where = f" inside {inside.upper()}" if inside else ""
        raise Flaw(f"{name.upper() or 'nothing'} is not a data type{where}")


def _json_member(entry: Mapping[str, Any]) -> Member:
    return Member(
        checked_identifier(entry.get("identifier")),
        checked_name(entry.get("childName") or entry.get("name"), 64),
        from_json(entry, entry.get("childDataType") or "", inside="struct"),
    )


def _tsl_member(entry: Mapping[str, Any]) -> Member:
    return Member(
        checked_identifier(entry.get("identifier")),
        checked_name(entry.get("name"), 64),
        from_tsl(entry.get("dataType"), inside="struct"),
    )


def _members(members: list[Member]) -> tuple[Member, ...]:
    if not members:
        raise Flaw("STRUCT needs at least one member")
    if len({member.identifier for member in members}) < len(members):
        raise Flaw("members of STRUCT have different identifiers")
    return tuple(members)


def _number(kind: str, specs: Mapping[str, Any], *, bare: bool) -> Spec:
    if bare:
        return Spec(kind)
    low, high = (_bound(kind, specs, "min"), _bound(kind, specs, "max"))
    step = _bound(kind, specs, "step")
    if low > high:
        raise Flaw("min must not be greater than max")
    if step <= 0 or (high > low and step > high - low):
        raise Flaw("step must be above 0 and not above max - min")
    return Spec(
        kind,
        low,
        high,
        step,
        unit=str(specs.get("unit") or ""),
        unit_name=str(specs.get("unitName") or ""),
        default=str(specs.get("defaultValue") or ""),
    )


def _bound(kind: str, specs: Mapping[str, Any], key: str) -> Decimal:
    given = specs.get(key)
    if isinstance(given, bool) or not isinstance(given, str | int | float):
        raise Flaw(f"{key} of {kind.upper()} is required")
    try:
        number = Decimal(str(given).strip())
    except InvalidOperation:
        raise Flaw(f"{key} is not a number") from None
    if not number.is_finite():
        raise Flaw(f"{key} is not a number")
    if kind == "int" and (number != number.to_integral_value() or int(number) not in _INT):
        raise Flaw(f"{key} is not a 32-bit whole number")
    return number


def _text(specs: Mapping[str, Any], *, bare: bool) -> Spec:
    if bare:
        return Spec("text", length=MAX_TEXT)
    given = specs.get("length")
    if isinstance(given, bool) or not str(given).isdigit() or not 1 <= int(str(given)) <= MAX_TEXT:
        raise Flaw(f"length of TEXT is from 1 to {MAX_TEXT} bytes")
    return Spec("text", length=int(str(given)), default=str(specs.get("defaultValue") or ""))


def _size(given: object) -> int:
    if isinstance(given, bool) or not str(given).isdigit() or not 1 <= int(str(given)) <= MAX_ARRAY:
        raise Flaw(f"size of ARRAY is from 1 to {MAX_ARRAY}")
    return int(str(given))


def _items(kind: str, pairs: list[tuple[Any, Any]]) -> tuple[tuple[int, str], ...]:
    items: list[tuple[int, str]] = []
    for value, name in pairs:
        if isinstance(value, bool) or not re.fullmatch(r"-?\d{1,10}", str(value)):
            raise Flaw(f"an item of {kind.upper()} has a whole number as its value")
        items.append((int(str(value)), checked_name(name, 20)))
    values = {value for value, _ in items}
    if len(values) < len(items):
        raise Flaw(f"items of {kind.upper()} have different values")
    if kind == "bool" and values != {0, 1}:
        raise Flaw("BOOL has the items 0 and 1")
    if not items:
        raise Flaw("ENUM needs at least one item")
    return tuple(items)


# --- writing


def to_json(spec: Spec, custom: bool) -> dict[str, Any]:
    """`dataType` with `dataSpecs` or `dataSpecsList`, as ThingModelJson has them."""
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
        return {"dataType": kind, "dataSpecsList": [_member_json(member, custom) for member in spec.members]}
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
        specs |= {key: value for key, value in to_json(spec.item, custom).items() if key != "dataType"}
    return {"dataType": kind, "dataSpecs": specs}


def _member_json(member: Member, custom: bool) -> dict[str, Any]:
    inner = to_json(member.spec, custom)
    return {
        "childDataType": inner.pop("dataType"),
        "childName": member.name,
        "custom": custom,
        "dataType": "STRUCT",
        "identifier": member.identifier,
        "name": member.name,
        **inner,
    }


def to_tsl(spec: Spec) -> dict[str, Any]:
    """The `dataType` object of TSL."""
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
        specs = {"size": str(spec.size), "item": to_tsl(spec.item)}
    elif spec.kind == "struct":
        specs = [
            {"identifier": member.identifier, "name": member.name, "dataType": to_tsl(member.spec)}
            for member in spec.members
        ]
    return {"type": spec.kind, "specs": specs}


# --- values


def check_value(spec: Spec, value: Any) -> None:
    """Whether a decoded JSON value is of the type: its kind, range, step, length and size. Raises Flaw."""
    if spec.kind in NUMBERS:
        _check_number(spec, value)
    elif spec.kind == "text":
        if not isinstance(value, str):
            raise Flaw("must be a text")
        if len(value.encode("utf-8", "surrogatepass")) > spec.length:
            raise Flaw(f"must not be longer than {spec.length} bytes")
    elif spec.kind == "date":
        if not isinstance(value, str | int) or not re.fullmatch(r"\d{1,14}", str(value)):
            raise Flaw("must be a time in milliseconds, as text")
    elif spec.kind in ("enum", "bool"):
        if isinstance(value, bool) or not isinstance(value, int) or value not in dict(spec.items):
            raise Flaw(f"must be one of {', '.join(str(number) for number, _ in spec.items)}")
    elif spec.kind == "array":
        if not isinstance(value, list):
            raise Flaw("must be a list")
        if len(value) > spec.size:
            raise Flaw(f"must not have more than {spec.size} elements")
        for element in value:
            check_value(_of(spec.item), element)
    else:
        check_values(spec.members, value)


def check_values(members: tuple[Member, ...], values: object) -> None:
    """Whether `values` is an object of some of the members, each of its type; raises Flaw naming the member."""
    if not isinstance(values, Mapping):
        raise Flaw("must be an object")
    known = {member.identifier: member for member in members}
    for identifier, value in values.items():
        member = known.get(identifier)
        if member is None:
            raise Flaw(f"{identifier} is not known")
        try:
            check_value(member.spec, value)
        except Flaw as flaw:
            raise Flaw(f"{identifier} {flaw}") from None


def _check_number(spec: Spec, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Flaw("must be a number")
    if spec.kind == "int" and not isinstance(value, int):
        raise Flaw("must be a whole number")
    number = Decimal(str(value))
    if not number.is_finite():
        raise Flaw("must be a number")
    if spec.low is None or spec.high is None or spec.step is None:
        return
    if not spec.low <= number <= spec.high:
        raise Flaw(f"must be from {spec.low} to {spec.high}")
    try:
        off_step = (number - spec.low) % spec.step != 0
    except InvalidOperation:  # a quotient of more digits than can be told apart
        return
    if off_step:
        raise Flaw(f"must go by steps of {spec.step} from {spec.low}")


def _of(spec: Spec | None) -> Spec:
    assert spec is not None  # noqa: S101 - an array always has an item
    return spec


def as_text(value: Any) -> str:
    """A value as the history answers write it: a text as it is, anything else as JSON."""
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
