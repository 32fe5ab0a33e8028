"""The rows of the conformance table, and the check of one row."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from iot_client.catalogue import operation
from tests.conformance.platform import PreparedPlatform
from tests.conformance.sdk import leaf_paths, list_paths

Request = dict[str, Any]
Response = dict[str, Any]
Changes = Mapping[str, Any] | Callable[[PreparedPlatform, Request], Mapping[str, Any]]

ERROR_FIELDS = frozenset({"Code", "ErrorMessage"})
TYPES: Mapping[str, type] = {"String": str, "Integer": int, "Long": int, "Boolean": bool, "Struct": dict}


@dataclass(frozen=True)
class Row:
    """One call of an operation. An operation has several rows if its responses differ.

    build_request       creates the objects that the call needs in an empty platform, and returns the request parameters
    result              what a successful call shows, for the printed summary
    check               whether the call really succeeded, from the platform, the request and the response; only rows
                        whose result is completely in the response may omit it
    absent_fields       response paths of the catalogue that this response does not have; all others must be set
    missing             parameter -> error code if it is missing, in addition to the required parameters of the catalogue
                        (`Missing<Parameter>` unless this has another code)
    invalid             (changes of the request, error code) for invalid values; a change to None removes a parameter
    not_found           the same for objects that do not exist; an unknown instance is always checked
    other_account_code  error code of the same request by another account, by default the first code of `not_found`;
                        None if other accounts may make the call. Only checked if `not_found` is set
    extra_fields        fields that are in the text of the reference but not in the SDK's model
    code                error code, for a call that must be refused and whose response has more fields than the code

    Invalid values of numbers and booleans are checked for every row.
    """

    operation: str
    build_request: Callable[[PreparedPlatform], Request]
    result: str
    check: Callable[[PreparedPlatform, Request, Response], object] | None = None
    absent_fields: frozenset[str] | set[str] = frozenset()
    missing: Mapping[str, str] = field(default_factory=dict)
    invalid: Sequence[tuple[Changes, str]] = ()
    not_found: Sequence[tuple[Changes, str]] = ()
    other_account_code: str | None = ""
    extra_fields: frozenset[str] | set[str] = frozenset()
    code: str = ""


@dataclass
class CheckedCodes:
    """The error codes that the check of a row has seen, for the printed summary."""

    missing: list[str] = field(default_factory=list)
    invalid: list[str] = field(default_factory=list)
    not_found: list[str] = field(default_factory=list)


def check_row(row: Row, platform: PreparedPlatform) -> CheckedCodes:
    """Make all calls of a row: first those that are refused, because they change nothing, then the successful one."""
    request = row.build_request(platform)
    checked = CheckedCodes()
    for name, code in _required_parameters(row).items():
        assert name in request, f"the request of {row.operation} has no {name}"
        _check_refused(row, platform, request, {name: None}, code)
        checked.missing.append(code)
    for changes, code in row.invalid:
        _check_refused(row, platform, request, changes, code)
        checked.invalid.append(code)
    for name, member in _list_members(row, request):
        first, *others = request[name]
        incomplete = {key: value for key, value in first.items() if key != member}
        if incomplete:
            checked.missing.append(_error_code(row, platform, request | {name: [incomplete, *others]}))
    for name in _list_numbers(row):
        _check_refused(row, platform, request, {name: "nonsense"}, "InvalidParameter")
        checked.invalid.append("InvalidParameter")
    for changes, code in row.not_found:
        _check_refused(row, platform, request, changes, code)
        checked.not_found.append(code)
    if row.not_found and row.other_account_code is not None:
        code = platform.partner.error_code(row.operation, request)
        expected = row.other_account_code or row.not_found[0][1]
        assert code == expected, f"another account's {row.operation}: {code}"
        checked.not_found.append(code)
    if "IotInstanceId" in operation(row.operation).parameters:
        _check_refused(
            row, platform, request, {"IotInstanceId": "iot-nowhere"}, "iot.system.InstanceNotFound"
        )
        checked.not_found.append("iot.system.InstanceNotFound")
    response = (
        platform.call_refused(row.operation, row.code, request)
        if row.code
        else platform.call(row.operation, **request)
    )
    check_response(row, response, platform.last_response())
    if row.check is not None:
        assert row.check(platform, request, response), (
            f"{row.operation} did not show: {row.result}\n{response}"
        )
    return checked


def check_response(row: Row, response: Response, sent: Response) -> None:
    """Check that the SDK's model has all fields that were `sent`, and that all fields match the reference."""
    documented = operation(row.operation).response
    lost = set(list_paths(sent)) - set(list_paths(response))
    assert lost == set(row.extra_fields), f"{row.operation}: the SDK lost {lost} of {sent}"
    # Some models read a list that was not sent as an empty list.
    assert lost or remove_empty(response) == remove_empty(sent), (
        f"{row.operation}: the SDK read {response} from {sent}"
    )
    undocumented = deviations(sent, "", {**documented, **dict.fromkeys(row.extra_fields, "")})
    assert undocumented == [], (
        f"{row.operation} has fields that are not in the reference or have another type: {undocumented}"
    )
    expected = leaf_paths(documented) - ERROR_FIELDS - set(row.absent_fields)
    present = set(list_paths(response))
    assert expected - present == set(), f"{row.operation} has no {sorted(expected - present)} in {sent}"
    unexpected = set(row.absent_fields) & present
    assert not unexpected, f"{row.operation} has {unexpected}, which absent_fields excludes"


def remove_empty(value: Any) -> Any:
    """Remove empty lists, structs and nulls from a response."""
    if isinstance(value, dict):
        items = {name: remove_empty(item) for name, item in value.items()}
        return {name: item for name, item in items.items() if item not in (None, {}, [])}
    return [remove_empty(item) for item in value] if isinstance(value, list) else value


def deviations(value: Any, path: str, documented: Mapping[str, str]) -> list[str]:
    """Find the paths of a response that are not in the reference, or have another type there."""
    if isinstance(value, dict):
        paths = []
        for name, item in value.items():
            child = f"{path}.{name}" if path else name
            child += "[]" if isinstance(item, list) else ""
            paths += [] if child in documented else [child]
            paths += deviations(item, child, documented)
        return paths
    if isinstance(value, list):
        return [deviation for item in value for deviation in deviations(item, path, documented)]
    expected = TYPES.get(documented.get(path, ""))
    is_valid = (
        value is None
        or expected is None
        or (isinstance(value, expected) and (expected is bool) >= (value is True))
    )
    return [] if is_valid else [f"{path}: {type(value).__name__}"]


def _required_parameters(row: Row) -> dict[str, str]:
    """Map each required parameter to the error code of a request without it."""
    required = {
        parameter.base: f"Missing{parameter.base}"
        for parameter in operation(row.operation).parameters.values()
        if parameter.required and not parameter.member
    }
    return required | dict(row.missing)


def _list_members(row: Row, request: Request) -> list[tuple[str, str]]:
    """List (parameter, member) for the lists of structs in the request, with the members that each element must have."""
    parameters = operation(row.operation).parameters.values()
    return [
        (p.base, p.member)
        for p in parameters
        if p.member and (p.required or p.per_item) and p.base in request
    ]


def _error_code(row: Row, platform: PreparedPlatform, params: Request) -> str:
    """Make a call that must be refused by the platform; returns the error code."""
    code = platform.error_code(row.operation, **params)
    assert code.startswith(("Missing", "iot.")), f"{row.operation}: {code}"
    return code


def _list_numbers(row: Row) -> list[str]:
    """List the parameters that are numbers or booleans."""
    parameters = operation(row.operation).parameters.values()
    return [p.name for p in parameters if p.type in ("Integer", "Long", "Boolean") and not p.repeated]


def _check_refused(
    row: Row, platform: PreparedPlatform, request: Request, changes: Changes, expected: str
) -> None:
    changed = {**request, **(changes(platform, request) if callable(changes) else changes)}
    params = {name: value for name, value in changed.items() if value is not None}
    code = platform.error_code(row.operation, **params)
    assert code == expected, (
        f"{row.operation} with {dict(changes) if not callable(changes) else params}: {code}, not {expected}"
    )
