"""The input of a call: read from an address or a form, edited row by row, converted to parameters.

Fields are named as in the query: `ProductKey`, `DeviceName.1`, `Tag.2.Key`. A long list may be sent as `DeviceName.lines`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.http import QueryDict

from iot_client.catalogue import Operation, Parameter

MULTILINE_FROM = 200
"""A list that takes this many entries is entered in one text box, one entry per line."""
MAX_ROWS = 200
_NUMBER = re.compile(r"[+-]?[0-9]{1,19}")
_ROW_NUMBER = re.compile(r"[0-9]{1,5}")

Row = dict[str, str]
"""One entry of a list: member name to text. An entry of a list of plain values has the member name ""."""


@dataclass
class CallInput:
    """The texts entered for an operation: `plain` by parameter name, `rows` by the base name of each list."""

    operation: Operation
    plain: dict[str, str] = field(default_factory=dict)
    rows: dict[str, list[Row]] = field(default_factory=dict)

    # -- reading -----------------------------------------------------------------------------------------------------

    @classmethod
    def from_query(cls, operation: Operation, query: QueryDict) -> CallInput:
        """Read the input from an address or a form; parameters that the operation does not have are ignored."""
        call_input = cls(operation)
        for parameter in operation.parameters.values():
            if not parameter.repeated:
                if parameter.name in query:
                    call_input.plain[parameter.name] = _unify_newlines(query[parameter.name])
            elif parameter.base not in call_input.rows:
                call_input.rows[parameter.base] = list(_read_rows(operation, parameter, query))
        return call_input

    @classmethod
    def from_params(cls, operation: Operation, params: Mapping[str, Any]) -> CallInput:
        """Return the input that results in these parameters (as in a Python call)."""
        call_input = cls(operation)
        for name, value in params.items():
            if isinstance(value, list):
                call_input.rows[name] = [
                    {k: _to_text(v) for k, v in item.items()}
                    if isinstance(item, dict)
                    else {"": _to_text(item)}
                    for item in value
                ]
            else:
                call_input.plain[name] = _to_text(value)
        return call_input

    # -- editing -----------------------------------------------------------------------------------------------------

    def add_row(self, base: str) -> int:
        """Add an empty row to a list. Returns its number, from 1; 0 if the list is full or does not exist."""
        if base not in list_parameters(self.operation) or len(self.rows.get(base, [])) >= MAX_ROWS:
            return 0
        self.rows.setdefault(base, []).append({})
        return len(self.rows[base])

    def remove_row(self, base: str, number: int) -> None:
        """Remove a row, counted from 1, from a list."""
        rows = self.rows.get(base, [])
        if 1 <= number <= len(rows):
            del rows[number - 1]

    # -- converting --------------------------------------------------------------------------------------------------

    def to_fields(self) -> dict[str, str]:
        """Return all texts by the name of their form field; rows are numbered from 1."""
        fields = dict(self.plain)
        for base, rows in self.rows.items():
            if is_multiline(list_parameters(self.operation)[base]):
                fields[f"{base}.lines"] = "\n".join(row.get("", "") for row in rows)
                continue
            for number, row in enumerate(rows, start=1):
                for member, value in row.items():
                    fields[f"{base}.{number}.{member}" if member else f"{base}.{number}"] = value
        return fields

    def to_params(self) -> dict[str, Any]:
        """Return the parameters as in a Python call: numbers and booleans converted if valid, empty values left out."""
        params: dict[str, Any] = {}
        for name, parameter in self.operation.parameters.items():
            base = parameter.base
            if not parameter.repeated:
                if self.plain.get(name, "") != "":
                    params[name] = _convert(parameter, self.plain[name])
            elif base not in params and (entries := [item for _number, item in self._entries(base)]):
                params[base] = entries
        return params

    def find_row(self, base: str, position: int) -> int:
        """Return the number of the row that was sent as entry `position` (both from 1): empty rows are not sent."""
        numbers = [number for number, _item in self._entries(base)]
        return numbers[position - 1] if 1 <= position <= len(numbers) else 0

    def _entries(self, base: str) -> Iterator[tuple[int, Any]]:
        members = {p.member: p for p in self.operation.parameters.values() if p.base == base}
        for number, row in enumerate(self.rows.get(base, []), start=1):
            values = {m: _convert(members[m], v) for m, v in row.items() if v != "" and m in members}
            if values:
                yield number, values.get("") if "" in members else values


def list_parameters(operation: Operation) -> dict[str, Parameter]:
    """Return the lists of an operation: base name to (the first) parameter."""
    lists: dict[str, Parameter] = {}
    for parameter in operation.parameters.values():
        if parameter.repeated:
            lists.setdefault(parameter.base, parameter)
    return lists


def is_multiline(parameter: Parameter) -> bool:
    """Whether a list is entered in one text box, one entry per line."""
    return not parameter.member and (parameter.max_items or 0) >= MULTILINE_FROM


def _read_rows(operation: Operation, parameter: Parameter, query: QueryDict) -> Iterator[Row]:
    base = parameter.base
    if not parameter.member:
        lines = query.get(f"{base}.lines", "")
        yield from ({"": line.strip()} for line in lines.splitlines() if line.strip())
        yield from ({"": value} for value in query.getlist(base))
    members = [p.member for p in operation.parameters.values() if p.base == base]
    numbered: dict[int, Row] = {}
    for name in query:
        head, _dot, place = name.partition(".")
        number, _dot, member = place.partition(".")
        if head == base and member in members and _ROW_NUMBER.fullmatch(number):
            numbered.setdefault(int(number), {})[member] = _unify_newlines(query[name])
    yield from (row for _number, row in sorted(numbered.items()))


def _convert(parameter: Parameter, text: str) -> str | int | bool:
    if parameter.type in {"Integer", "Long"} and _NUMBER.fullmatch(text.strip()):
        return int(text)
    if parameter.type == "Boolean" and text in {"true", "false"}:
        return text == "true"
    return text


def _unify_newlines(value: object) -> str:
    r"""Replace the `\r\n` that browsers send with `\n`."""
    return str(value).replace("\r\n", "\n")


def _to_text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
