"""What a person has filled in for a call: read from an address or a form, changed row by row, made into parameters.

Fields are named as they travel: `ProductKey`, `DeviceName.1`, `Tag.2.Key`; a long list may come as `DeviceName.lines`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.http import QueryDict

from console.cloud.catalogue import Operation, Parameter

LINES_FROM = 200
"""Entries in a call from which a list is typed as lines of one box, not as a field each."""
MOST_ROWS = 200
_NUMBER = re.compile(r"[+-]?[0-9]{1,19}")

Row = dict[str, str]
"""One entry of a list: by member; under "" for a list of plain values."""


@dataclass
class Entry:
    """The texts typed for an operation: `plain` by parameter, `rows` by the base name of each list."""

    operation: Operation
    plain: dict[str, str] = field(default_factory=dict)
    rows: dict[str, list[Row]] = field(default_factory=dict)

    # -- reading -----------------------------------------------------------------------------------------------------

    @classmethod
    def read(cls, operation: Operation, given: QueryDict) -> Entry:
        """What an address or a form holds; what the operation does not take is ignored."""
        entry = cls(operation)
        for parameter in operation.parameters.values():
            if not parameter.repeated:
                if parameter.name in given:
                    entry.plain[parameter.name] = _lines(given[parameter.name])
            elif parameter.base not in entry.rows:
                entry.rows[parameter.base] = list(_rows(operation, parameter, given))
        return entry

    @classmethod
    def of(cls, operation: Operation, params: Mapping[str, Any]) -> Entry:
        """What a call with these parameters (as in a Python call) would have been typed as."""
        entry = cls(operation)
        for name, value in params.items():
            if isinstance(value, list):
                entry.rows[name] = [
                    {k: _text(v) for k, v in item.items()} if isinstance(item, dict) else {"": _text(item)}
                    for item in value
                ]
            else:
                entry.plain[name] = _text(value)
        return entry

    # -- changing ----------------------------------------------------------------------------------------------------

    def grow(self, base: str) -> int:
        """Add an empty row to a list; its number, from 1, or 0 when there is no room or no such list."""
        if base not in lists(self.operation) or len(self.rows.get(base, [])) >= MOST_ROWS:
            return 0
        self.rows.setdefault(base, []).append({})
        return len(self.rows[base])

    def drop(self, base: str, number: int) -> None:
        """Take a row, counted from 1, out of a list."""
        rows = self.rows.get(base, [])
        if 1 <= number <= len(rows):
            del rows[number - 1]

    # -- using -------------------------------------------------------------------------------------------------------

    def fields(self) -> dict[str, str]:
        """Every text by the name of its field, rows numbered from 1."""
        found = dict(self.plain)
        for base, rows in self.rows.items():
            if by_lines(lists(self.operation)[base]):
                found[f"{base}.lines"] = "\n".join(row.get("", "") for row in rows)
                continue
            for number, row in enumerate(rows, start=1):
                for member, value in row.items():
                    found[f"{base}.{number}.{member}" if member else f"{base}.{number}"] = value
        return found

    def params(self) -> dict[str, Any]:
        """The parameters as in a Python call: numbers and booleans as such where they can be read, what is empty left out."""
        found: dict[str, Any] = {}
        for name, parameter in self.operation.parameters.items():
            base = parameter.base
            if not parameter.repeated:
                if self.plain.get(name, "") != "":
                    found[name] = _value(parameter, self.plain[name])
            elif base not in found and (entries := [item for _number, item in self._entries(base)]):
                found[base] = entries
        return found

    def row_of(self, base: str, position: int) -> int:
        """The number of the row that became entry `position` (both from 1): empty rows are not sent."""
        numbers = [number for number, _item in self._entries(base)]
        return numbers[position - 1] if 1 <= position <= len(numbers) else 0

    def _entries(self, base: str) -> Iterator[tuple[int, Any]]:
        members = {p.member: p for p in self.operation.parameters.values() if p.base == base}
        for number, row in enumerate(self.rows.get(base, []), start=1):
            given = {m: _value(members[m], v) for m, v in row.items() if v != "" and m in members}
            if given:
                yield number, given.get("") if "" in members else given


def lists(operation: Operation) -> dict[str, Parameter]:
    """The lists that an operation takes: base name and (the first) record."""
    found: dict[str, Parameter] = {}
    for parameter in operation.parameters.values():
        if parameter.repeated:
            found.setdefault(parameter.base, parameter)
    return found


def by_lines(parameter: Parameter) -> bool:
    """Whether a list is typed as lines of one box."""
    return not parameter.member and (parameter.max_items or 0) >= LINES_FROM


def _rows(operation: Operation, parameter: Parameter, given: QueryDict) -> Iterator[Row]:
    base = parameter.base
    if not parameter.member:
        lines = given.get(f"{base}.lines", "")
        yield from ({"": line.strip()} for line in lines.splitlines() if line.strip())
        yield from ({"": value} for value in given.getlist(base))
    members = [p.member for p in operation.parameters.values() if p.base == base]
    numbered: dict[int, Row] = {}
    for name in given:
        match = re.fullmatch(rf"{re.escape(base)}\.([0-9]{{1,5}})(?:\.(.+))?", name)
        if match and (match[2] or "") in members:
            numbered.setdefault(int(match[1]), {})[match[2] or ""] = _lines(given[name])
    yield from (row for _number, row in sorted(numbered.items()))


def _value(parameter: Parameter, text: str) -> str | int | bool:
    if parameter.type in {"Integer", "Long"} and _NUMBER.fullmatch(text.strip()):
        return int(text)
    if parameter.type == "Boolean" and text in {"true", "false"}:
        return text == "true"
    return text


def _lines(value: object) -> str:
    """A text as it was meant: browsers send the ends of its lines as two characters."""
    return str(value).replace("\r\n", "\n")


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
