"""A device list in a file: its columns, the rules for its rows, and how its rows are parsed.

The rules are those of the platform, from the catalogue (BatchCheckDeviceNames).
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from console.jobs.tables import KnownColumn, Layout, Record, trim_cell
from console.pages.device_names import (
    NAME_COLUMN,
    NAME_RULES,
    check_limits,
    check_name,
    is_doubtful,
    list_invisible,
)

NAME, NICKNAME, PRODUCT = NAME_COLUMN.key, "nickname", "product"


@dataclass(frozen=True)
class Rule:
    """A rule for the rows of a file: the label of the column it applies to, and the error text."""

    column: str | Promise
    text: str | Promise


KNOWN_COLUMNS = (
    NAME_COLUMN,
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
    **{rule: Rule(_NAME, text) for rule, text in NAME_RULES.items()},
    "duplicate": Rule(_NAME, _("Duplicate device name.")),
    "duplicate_changed": Rule(
        _NAME,
        _(
            "Duplicate device name. A spreadsheet may have turned different names into this number or date. Compare the rows with the original list."
        ),
    ),
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


def check_nickname(value: str) -> str:
    """Return the rule that a nickname breaks, or ""; it may be empty."""
    return check_limits("DeviceNickname", value, "nickname") if value else ""


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
                invisible = ", ".join(list_invisible(value)[:3]) if problem == "name_invisible" else ""
                row.findings.append((problem, clean_text(value), invisible))
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
            rule = "duplicate_changed" if is_doubtful(row.name) else "duplicate"
            row.findings.append((rule, row.name, str(first)))


_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"  # without characters that look alike


def generate_name(prefix: str) -> str:
    """Return a unique device name: the prefix and 16 random characters."""
    return prefix + "".join(secrets.choice(_LETTERS) for _ in range(16))
