"""A device list in a file: its columns, the rules for its rows, and how its rows are parsed.

The rules are those of the platform, from the catalogue (BatchCheckDeviceNames).
"""

from __future__ import annotations

import re
import secrets
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop

from console.jobs.tables import KnownColumn, Layout, Record, trim_cell
from iot_client.catalogue import Parameter, operation
from iot_client.catalogue.check import matches_pattern, measure_length

NAME, NICKNAME, PRODUCT = "name", "nickname", "product"


@dataclass(frozen=True)
class Rule:
    """A rule for the rows of a file: the label of the column it applies to, and the error text."""

    column: str | Promise
    text: str | Promise


KNOWN_COLUMNS = (
    KnownColumn(
        NAME,
        frozenset(
            {
                "devicename",
                "name",
                "device",
                "deviceid",
                "设备名称",
                "设备名",
                "名称",
                "设备",
                "设备名称devicename",
            }
        ),
        missing=gettext_noop("No column has the heading “device name”. First row: %(row)s"),
    ),
    KnownColumn(
        NICKNAME,
        frozenset(
            {
                "nickname",
                "devicenickname",
                "nick",
                "alias",
                "remarkname",
                "备注名",
                "备注名称",
                "设备备注名称",
                "昵称",
                "别名",
                "备注",
            }
        ),
    ),
    KnownColumn(PRODUCT, frozenset({"productkey", "产品key", "产品标识"})),
)
_NAME, _NICKNAME, _ROW = _("Device name"), _("Nickname"), _("Row")
COLUMNS: dict[str, str | Promise] = {NAME: _NAME, NICKNAME: _NICKNAME, PRODUCT: "ProductKey"}
# The rules that a row can break.
RULES = {
    "name_missing": Rule(_NAME, _("The device name is missing.")),
    "name_length": Rule(_NAME, _("The device name must have 4 to 32 characters.")),
    "name_chars": Rule(
        _NAME,
        _("The device name can contain only English letters, digits and - _ @ . :"),
    ),
    "name_number": Rule(
        _NAME, _("A spreadsheet shortened this number. Format the column as text and export it again.")
    ),
    "name_protected": Rule(
        _NAME, _('A spreadsheet marked this name as text with \' or ="…". Remove the mark from the file.')
    ),
    "name_invisible": Rule(_NAME, _("The device name contains an invisible character. Type the name again.")),
    "duplicate": Rule(_NAME, _("Duplicate device name.")),
    "nickname_length": Rule(
        _NICKNAME, _("The nickname must have 4 to 64 characters. A Chinese character counts as two.")
    ),
    "nickname_chars": Rule(_NICKNAME, _("The nickname can contain only letters, digits and underscores.")),
    "ragged": Rule(_ROW, _("The row has more cells than the header.")),
    "quotes": Rule(_ROW, _("The quotation marks are not paired.")),
}
# What may be wrong with valid rows. A user decides.
DOUBTS = {
    "other_product": Rule(
        "ProductKey",
        _(
            "These rows have the ProductKey of another product. The devices are registered in the selected product."
        ),
    ),
    "name_changed": Rule(
        _NAME,
        _(
            "A spreadsheet may have turned these names into numbers or dates. They are registered as they are. Compare them with the original list."
        ),
    ),
}
_EXAMPLES = 5
_MAX_STORED_VALUE = 200  # characters of a value that are stored
_MAX_STORED_CELL = 2000  # characters of a cell that a user has to correct
# Spreadsheets write a long number with an exponent, and keep 15 of its digits. The shorter forms may be real names.
_SHORTENED_NUMBER = re.compile(r"[0-9]+[.,][0-9]+[eE][+-]?[0-9]+|[0-9]+[eE][+-][0-9]+|[0-9]{15}0{3,}")
_MONTH = "(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)"
_DOUBTFUL = re.compile(
    rf"[0-9]+e[0-9]+|[0-9]{{15}}0{{1,2}}|{_MONTH}-[0-9]{{1,4}}|[0-9]{{1,2}}-{_MONTH}(?:-[0-9]{{2,4}})?",
    re.IGNORECASE | re.ASCII,
)
_PROTECTED = re.compile(r"'[^']*|=\"[^\"]*\"")


@cache
def _parameter(member: str) -> Parameter:
    return operation("BatchCheckDeviceNames").parameters[f"DeviceNameList.N.{member}"]


def _check_value(member: str, value: str, rule: str) -> str:
    """Return the rule that `value` breaks, or ""."""
    parameter = _parameter(member)
    if not matches_pattern(parameter, value):
        return f"{rule}_chars"
    length = measure_length(value, parameter.count)
    if length < (parameter.min_length or 0) or length > (parameter.max_length or length):
        return f"{rule}_length"
    return ""


def check_name(value: str) -> str:
    """Return the rule that a device name breaks, or ""."""
    if not value:
        return "name_missing"
    if _SHORTENED_NUMBER.fullmatch(value):
        return "name_number"
    if _PROTECTED.fullmatch(value):
        return "name_protected"
    if any(unicodedata.category(character) in {"Cf", "Zs"} for character in value.replace(" ", "")):
        return "name_invisible"
    return _check_value("DeviceName", value, "name")


def is_doubtful(name: str) -> bool:
    """Return whether a valid name looks like a number or a date that a spreadsheet made of another name."""
    return bool(_DOUBTFUL.fullmatch(name))


def check_nickname(value: str) -> str:
    """Return the rule that a nickname breaks, or ""; it may be empty."""
    return _check_value("DeviceNickname", value, "nickname") if value else ""


def is_valid_name(value: str) -> bool:
    """Return whether a text is a valid device name."""
    return not check_name(value)


@dataclass(slots=True)
class ParsedRow:
    """A parsed row. `findings`: (rule, value, other) of each broken rule; a row with findings is skipped.

    `apply_id`: the application with which an earlier job sent the row without learning the outcome; 0 for none.
    `is_created`: an earlier job created the device, and only its tags are missing.
    """

    number: int
    name: str = ""
    nickname: str = ""
    tags: dict[str, str] = field(default_factory=dict)
    cells: list[str] = field(default_factory=list)
    raw: str = ""
    findings: list[tuple[str, str, str]] = field(default_factory=list)
    apply_id: int = 0
    is_created: bool = False
    product_key: str = ""


def clean_text(text: str, most: int = _MAX_STORED_VALUE) -> str:
    """Return a text that the database can store: without NUL (PostgreSQL rejects it), at most `most` characters."""
    return text.replace("\x00", "\ufffd")[:most]


def original_values(row: ParsedRow) -> dict[str, Any]:
    """Return the stored part of a skipped row: its findings, and its cells or raw text for a corrected upload."""
    values: dict[str, Any] = {
        "findings": row.findings,
        "cells": [clean_text(cell, _MAX_STORED_CELL) for cell in row.cells],
    }
    return values | {"raw": clean_text(row.raw, _MAX_STORED_CELL)} if row.raw else values


def parse_rows(records: Iterator[Record], layout: Layout, with_tags: bool) -> Iterator[ParsedRow | None]:
    """Yield the parsed rows of a table; None for an empty row."""
    name_at, nickname_at = layout.columns[NAME], layout.columns.get(NICKNAME)
    tags_at = layout.tags if with_tags else {}
    for record in records:
        if record.problem:
            span = "" if record.last_row <= record.row else str(record.last_row)
            yield ParsedRow(record.row, raw=record.raw, findings=[(record.problem, "", span)])
            continue
        if record.is_blank:
            yield None
            continue
        cells = record.cells
        row = ParsedRow(record.row)
        row.name = _read_value(cells, name_at)
        row.nickname = "" if nickname_at is None else _read_value(cells, nickname_at)
        row.product_key = _read_value(cells, layout.columns[PRODUCT]) if PRODUCT in layout.columns else ""
        row.tags = {key: value for key, at in tags_at.items() if (value := _read_value(cells, at))}
        if layout.width and any(map(trim_cell, cells[layout.width :])):
            row.findings.append(("ragged", str(len(cells)), str(layout.width)))
        for problem, value in (
            (check_name(row.name), row.name),
            (check_nickname(row.nickname), row.nickname),
        ):
            if problem:
                row.findings.append((problem, clean_text(value), ""))
        row.cells = cells
        yield row


def _read_value(cells: Sequence[str], index: int) -> str:
    """Return the part of a cell that is checked and stored; "" if the row has no such cell."""
    return trim_cell(cells[index])[:_MAX_STORED_VALUE] if index < len(cells) else ""


class Findings:
    """Findings by rule: their number and the first examples."""

    def __init__(self) -> None:
        self._rules: dict[str, dict[str, Any]] = {}

    def add(self, number: int, findings: Sequence[tuple[str, str, str]]) -> None:
        """Count the findings of the row with this number."""
        for rule, value, other in findings:
            entry = self._rules.setdefault(rule, {"count": 0, "examples": []})
            entry["count"] += 1
            if len(entry["examples"]) < _EXAMPLES:
                entry["examples"].append([number, value, other])

    def as_dict(self) -> dict[str, Any]:
        """Return the findings as a job stores them."""
        return self._rules


def mark_duplicates(
    batch: Sequence[ParsedRow], find_first_rows: Callable[[list[str]], dict[str, int]]
) -> None:
    """Add a finding to rows whose name an earlier valid row has.

    `find_first_rows` returns, for names, the numbers of the rows with them before this batch.
    """
    valid_rows = [row for row in batch if not row.findings]
    seen = find_first_rows([row.name for row in valid_rows])
    for row in valid_rows:
        first = seen.setdefault(row.name, row.number)
        if first != row.number:
            row.findings.append(("duplicate", row.name, str(first)))


_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"  # without characters that look alike


def generate_name(prefix: str) -> str:
    """Return a unique device name: the prefix and 16 random characters."""
    return prefix + "".join(secrets.choice(_LETTERS) for _ in range(16))
