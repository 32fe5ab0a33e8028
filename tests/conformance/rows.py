"""What a row of the table of conformance is, and how one is tried."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from console.cloud.catalogue import operation
from tests.conformance.platform import PreparedPlatform
from tests.conformance.sdk import leaves, paths

Asked = dict[str, Any]
Told = dict[str, Any]
Changes = Mapping[str, Any] | Callable[[PreparedPlatform, Asked], Mapping[str, Any]]

NOT_SAID_ON_SUCCESS = frozenset({"Code", "ErrorMessage"})
TYPES: Mapping[str, type] = {"String": str, "Integer": int, "Long": int, "Boolean": bool, "Struct": dict}


@dataclass(frozen=True)
class Row:
    """One operation, or one of the ways in which it answers: an operation may have several rows.

    asks      makes what the call needs in an empty platform, and returns its parameters by the platform's names
    says      what its success shows, for the printed table
    proves    tells from the platform, the parameters and the answer whether the success was real; may be left out only
              where the fields of the answer are all there is
    code      of a refusal whose answer tells more than the code; then that is what is looked at
    beyond    fields that the reference's text tells of, and the SDK's model knows nothing of
    without   response paths of the catalogue that this answer has not; every other one must be set
    missing   parameter -> code, besides those that the catalogue requires, which are left out one by one anyway and
              must be refused with `Missing<Parameter>` unless told otherwise here
    bad       (changes to the request, code) of values that are refused; a change to None leaves a parameter out
    absent    the same for what does not exist; an instance that does not exist is always tried

    Also tried for every row: numbers and booleans that are none, and, where `absent` says that the request names
    something, the same request by another account, to which the thing does not exist either (`alien` tells the code
    where it is not the first of `absent`; None where another account may).
    """

    operation: str
    asks: Callable[[PreparedPlatform], Asked]
    says: str
    proves: Callable[[PreparedPlatform, Asked, Told], object] | None = None
    without: frozenset[str] | set[str] = frozenset()
    missing: Mapping[str, str] = field(default_factory=dict)
    bad: Sequence[tuple[Changes, str]] = ()
    absent: Sequence[tuple[Changes, str]] = ()
    alien: str | None = ""
    beyond: frozenset[str] | set[str] = frozenset()
    code: str = ""


@dataclass
class Tried:
    """What a trial of a row covered, for the printed table: the codes seen."""

    missing: list[str] = field(default_factory=list)
    bad: list[str] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)


def try_row(row: Row, platform: PreparedPlatform) -> Tried:
    """Refusals first, for they change nothing; then the success. Fails with what was wrong."""
    asked = row.asks(platform)
    tried = Tried()
    for name, code in _required(row).items():
        assert name in asked, f"the request of {row.operation} does not give {name}"
        _refuse(row, platform, asked, {name: None}, code)
        tried.missing.append(code)
    for changes, code in row.bad:
        _refuse(row, platform, asked, changes, code)
        tried.bad.append(code)
    for name, member in _members(row, asked):
        first, *others = asked[name]
        halved = {key: value for key, value in first.items() if key != member}
        if halved:
            tried.missing.append(_refusal(row, platform, asked | {name: [halved, *others]}))
    for name in _numbers(row):
        _refuse(row, platform, asked, {name: "nonsense"}, "InvalidParameter")
        tried.bad.append("InvalidParameter")
    for changes, code in row.absent:
        _refuse(row, platform, asked, changes, code)
        tried.absent.append(code)
    if row.absent and row.alien is not None:
        told = platform.partner.refused(row.operation, asked)
        assert told == (row.alien or row.absent[0][1]), f"another account's {row.operation}: {told}"
        tried.absent.append(told)
    if "IotInstanceId" in operation(row.operation).parameters:
        _refuse(row, platform, asked, {"IotInstanceId": "iot-nowhere"}, "iot.system.InstanceNotFound")
        tried.absent.append("iot.system.InstanceNotFound")
    told = (
        platform.told_in_refusal(row.operation, row.code, asked)
        if row.code
        else platform.call(row.operation, **asked)
    )
    check_answer(row, told, platform.raw())
    if row.proves is not None:
        assert row.proves(platform, asked, told), f"{row.operation} did not show: {row.says}\n{told}"
    return tried


def check_answer(row: Row, told: Told, wire: Told) -> None:
    """The SDK's model holds all that was sent, all of it in the reference's shape, and nothing that should be is left out."""
    response = operation(row.operation).response
    lost = set(paths(wire)) - set(paths(told))
    assert lost == set(row.beyond), f"{row.operation}: the SDK lost {lost} of {wire}"
    # A list that was not sent reads as an empty one in some models.
    assert lost or pruned(told) == pruned(wire), f"{row.operation}: the SDK read {told} from {wire}"
    strange = deviations(wire, "", {**response, **dict.fromkeys(row.beyond, "")})
    assert strange == [], (
        f"{row.operation} has fields that the reference has not, or of another type: {strange}"
    )
    wanted = leaves(response) - NOT_SAID_ON_SUCCESS - set(row.without)
    found = set(paths(told))
    assert wanted - found == set(), f"{row.operation} left {sorted(wanted - found)} out of {wire}"
    needless = set(row.without) & found
    assert not needless, f"{row.operation} has {needless} after all"


def pruned(value: Any) -> Any:
    """An answer without what is empty: lists, structs and nulls."""
    if isinstance(value, dict):
        return {name: kept for name, item in value.items() if (kept := pruned(item)) not in (None, {}, [])}
    return [pruned(item) for item in value] if isinstance(value, list) else value


def deviations(value: Any, path: str, known: Mapping[str, str]) -> list[str]:
    """Paths of an answer that the reference has not, or has with another type."""
    if isinstance(value, dict):
        found = []
        for name, item in value.items():
            below = f"{path}.{name}" if path else name
            below += "[]" if isinstance(item, list) else ""
            found += [] if below in known else [below]
            found += deviations(item, below, known)
        return found
    if isinstance(value, list):
        return [deviation for item in value for deviation in deviations(item, path, known)]
    wanted = TYPES.get(known.get(path, ""))
    right = (
        value is None or wanted is None or (isinstance(value, wanted) and (wanted is bool) >= (value is True))
    )
    return [] if right else [f"{path}: {type(value).__name__}"]


def _required(row: Row) -> dict[str, str]:
    """Parameter -> the code with which a request without it is refused."""
    known = {
        parameter.base: f"Missing{parameter.base}"
        for parameter in operation(row.operation).parameters.values()
        if parameter.required and not parameter.member
    }
    return known | dict(row.missing)


def _members(row: Row, asked: Asked) -> list[tuple[str, str]]:
    """The lists of structs that are asked with, and what each of their elements must have."""
    known = operation(row.operation).parameters.values()
    return [(p.base, p.member) for p in known if p.member and (p.required or p.per_item) and p.base in asked]


def _refusal(row: Row, platform: PreparedPlatform, params: Asked) -> str:
    """A code of the platform."""
    code = platform.refused(row.operation, **params)
    assert code.startswith(("Missing", "iot.")), f"{row.operation}: {code}"
    return code


def _numbers(row: Row) -> list[str]:
    """The parameters that are numbers or booleans."""
    known = operation(row.operation).parameters.values()
    return [p.name for p in known if p.type in ("Integer", "Long", "Boolean") and not p.repeated]


def _refuse(row: Row, platform: PreparedPlatform, asked: Asked, changes: Changes, code: str) -> None:
    changed = {**asked, **(changes(platform, asked) if callable(changes) else changes)}
    params = {name: value for name, value in changed.items() if value is not None}
    told = platform.refused(row.operation, **params)
    assert told == code, (
        f"{row.operation} with {dict(changes) if not callable(changes) else params}: {told}, not {code}"
    )
