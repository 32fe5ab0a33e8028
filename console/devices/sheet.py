"""A factory's list of devices: which columns it has, which rules its lines must keep, and making rows of it.

The rules are the platform's, from the catalogue (BatchCheckDeviceNames).
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from console.cloud.catalogue import Parameter, operation
from console.cloud.catalogue.check import width
from console.jobs.kinds import Rule
from console.jobs.tables import Known, Layout, Record, trim

NAME, NICKNAME = "name", "nickname"
KNOWN = (
    Known(
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
    ),
    Known(
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
)
_NAME, _NICKNAME, _LINE = _("Device name"), _("Nickname"), _("The line")
COLUMNS: dict[str, str | Promise] = {NAME: _NAME, NICKNAME: _NICKNAME}
# The rules a line can break.
RULES = {
    "name_missing": Rule(_NAME, _("The device name is missing.")),
    "name_length": Rule(_NAME, _("A device name must have 4 to 32 characters.")),
    "name_chars": Rule(
        _NAME,
        _(
            "A device name may contain only English letters, digits, hyphens, underscores, periods, at signs and colons."
        ),
    ),
    "name_number": Rule(
        _NAME, _("A spreadsheet has shortened this number. Make the column text there, and export it again.")
    ),
    "duplicate": Rule(_NAME, _("The same device name stands further up.")),
    "nickname_length": Rule(
        _NICKNAME, _("A nickname must have 4 to 64 characters, a Chinese one counting as two.")
    ),
    "nickname_chars": Rule(_NICKNAME, _("A nickname may contain only letters, digits and underscores.")),
    "ragged": Rule(_LINE, _("The line has more cells than the header.")),
    "quotes": Rule(_LINE, _("The quotation marks do not pair.")),
}
_EXAMPLES = 5
_STORED = 200  # characters of a value that are kept
_MENDED = 2000  # of a cell of a line that somebody is to mend
_SHORTENED = re.compile(r"[0-9][.,][0-9]+[eE]\+?[0-9]+")


@cache
def _parameter(member: str) -> Parameter:
    return operation("BatchCheckDeviceNames").parameters[f"DeviceNameList.N.{member}"]


@cache
def _pattern(member: str) -> re.Pattern[str]:
    return re.compile(_parameter(member).pattern or ".*", re.DOTALL)


def _check(member: str, value: str, rule: str) -> str:
    """The rule that `value` breaks, or ""."""
    parameter = _parameter(member)
    if not _pattern(member).fullmatch(value):
        return f"{rule}_chars"
    length = width(value, parameter.count)
    if length < (parameter.min_length or 0) or length > (parameter.max_length or length):
        return f"{rule}_length"
    return ""


def name_problem(value: str) -> str:
    """The rule that a device name breaks, or ""."""
    if not value:
        return "name_missing"
    if _SHORTENED.fullmatch(value):
        return "name_number"
    return _check("DeviceName", value, "name")


def nickname_problem(value: str) -> str:
    """The rule that a nickname breaks, or ""; it may be empty."""
    return _check("DeviceNickname", value, "nickname") if value else ""


def is_name(value: str) -> bool:
    """Whether a device could be called so."""
    return not name_problem(value)


@dataclass(slots=True)
class Line:
    """What is read from a line. `findings`: (rule, value, other); with any, the line is left out.

    `form`: the ApplyId that an earlier job sent it with and never learned the outcome of; 0 for none.
    """

    number: int
    name: str = ""
    nickname: str = ""
    tags: dict[str, str] = field(default_factory=dict)
    cells: list[str] = field(default_factory=list)
    raw: str = ""
    findings: list[tuple[str, str, str]] = field(default_factory=list)
    form: int = 0


def clean(text: str, most: int = _STORED) -> str:
    """A cell as the database can hold it: no NUL (PostgreSQL refuses it), not endless."""
    return text.replace("\x00", "\ufffd")[:most]


def original(line: Line) -> dict[str, Any]:
    """What is kept of a line that is left out: what is wrong, and its cells (or its text), to be mended and sent again."""
    kept: dict[str, Any] = {"findings": line.findings, "cells": [clean(cell, _MENDED) for cell in line.cells]}
    return kept | {"raw": clean(line.raw, _MENDED)} if line.raw else kept


def lines(found: Iterator[Record], layout: Layout, with_tags: bool) -> Iterator[Line | None]:
    """What the table's lines say; None for a blank one."""
    name_at, nickname_at = layout.columns[NAME], layout.columns.get(NICKNAME)
    tags_at = layout.tags if with_tags else {}
    for record in found:
        if record.problem:
            span = "" if record.last_line <= record.line else str(record.last_line)
            yield Line(record.line, raw=record.raw, findings=[(record.problem, "", span)])
            continue
        if record.blank:
            yield None
            continue
        cells = record.cells
        line = Line(record.line)
        line.name = trim(cells[name_at]) if name_at < len(cells) else ""
        if nickname_at is not None and nickname_at < len(cells):
            line.nickname = trim(cells[nickname_at])
        line.tags = {
            key: value for key, at in tags_at.items() if at < len(cells) and (value := trim(cells[at]))
        }
        if layout.width and any(map(trim, cells[layout.width :])):
            line.findings.append(("ragged", str(len(cells)), str(layout.width)))
        for problem, value in (
            (name_problem(line.name), line.name),
            (nickname_problem(line.nickname), line.nickname),
        ):
            if problem:
                line.findings.append((problem, clean(value), ""))
        line.cells = cells
        yield line


class Findings:
    """Findings by rule: how many, and the first few."""

    def __init__(self) -> None:
        self._rules: dict[str, dict[str, Any]] = {}

    def add(self, line: Line) -> None:
        """Count a line's findings."""
        for rule, value, other in line.findings:
            known = self._rules.setdefault(rule, {"count": 0, "examples": []})
            known["count"] += 1
            if len(known["examples"]) < _EXAMPLES:
                known["examples"].append([line.number, value, other])

    def as_dict(self) -> dict[str, Any]:
        """As a job keeps them."""
        return self._rules


def mark_duplicates(batch: Sequence[Line], first_line_of: Callable[[list[str]], dict[str, int]]) -> None:
    """Find lines whose name a good line further up has; `first_line_of` tells of the lines before this batch."""
    good = [line for line in batch if not line.findings]
    seen = first_line_of([line.name for line in good])
    for line in good:
        first = seen.setdefault(line.name, line.number)
        if first != line.number:
            line.findings.append(("duplicate", line.name, str(first)))


_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"  # none that is taken for another


def random_name(prefix: str) -> str:
    """A device name that nobody has: 16 random characters after the prefix."""
    return prefix + "".join(secrets.choice(_LETTERS) for _ in range(16))
