"""Device names that users type, paste or upload: the rule for a name, and how a list of names is read.

The rule is that of the platform, from the catalogue (BatchCheckDeviceNames).
"""

from __future__ import annotations

import io
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, partial

from django import forms
from django.forms import ValidationError
from django.utils.translation import gettext, gettext_noop
from django.utils.translation import gettext_lazy as _

from console.jobs import encodings, tables
from console.jobs.encodings import UnusableFile
from console.jobs.models import read_sentence
from console.jobs.tables import KnownColumn, MissingColumn, trim_cell
from console.jobs.workbooks import open_table
from iot_client.catalogue import Parameter, operation
from iot_client.catalogue.check import matches_pattern, measure_length

NAME_COLUMN = KnownColumn(
    "name",
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
)
# The rules that a name can break.
NAME_RULES = {
    "name_missing": _("The device name is missing."),
    "name_length": _("The device name must have 4 to 32 characters."),
    "name_chars": _("The device name can contain only English letters, digits and - _ . : @."),
    "name_number": _("A spreadsheet shortened this number. Format the column as text and export it again."),
    "name_protected": _(
        'A spreadsheet marked this name as text with \' or ="…". Remove the mark from the file.'
    ),
    "name_invisible": _("The device name contains an invisible character. Type the name again."),
}
_EXAMPLES = 5
_MAX_ROWS = 20_000  # of a workbook, which is read while the user waits
_MAX_UNPACKED_BYTES = 16 * 1024 * 1024
# Spreadsheets write a long number with an exponent, and keep 15 of its digits. The shorter forms may be real names.
_SHORTENED_NUMBER = re.compile(r"[0-9]+[.,][0-9]+[eE][+-]?[0-9]+|[0-9]+[eE][+-][0-9]+|[0-9]{15}0{3,}")
_MONTH = "(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)"
_DOUBTFUL = re.compile(
    rf"[0-9]+e[0-9]+|[0-9]{{15}}0{{1,2}}|{_MONTH}-[0-9]{{1,4}}|[0-9]{{1,2}}-{_MONTH}(?:-[0-9]{{2,4}})?"
    r"|[0-9]{4}-[0-9]{2}-[0-9]{2}",
    re.IGNORECASE | re.ASCII,
)
_PROTECTED = re.compile(r"'[^']*|=\"[^\"]*\"")
_SEPARATOR = re.compile(r"[\s,;，；]+")


def check_name(value: str) -> str:
    """Return the rule that a device name breaks, or ""."""
    if not value:
        return "name_missing"
    if _SHORTENED_NUMBER.fullmatch(value):
        return "name_number"
    if _PROTECTED.fullmatch(value):
        return "name_protected"
    if list_invisible(value):
        return "name_invisible"
    return check_limits("DeviceName", value, "name")


@cache
def _parameter(member: str) -> Parameter:
    return operation("BatchCheckDeviceNames").parameters[f"DeviceNameList.N.{member}"]


def check_limits(member: str, value: str, rule: str) -> str:
    """Return the rule that a value of a new device breaks, `{rule}_chars` or `{rule}_length`, or ""."""
    parameter = _parameter(member)
    if not matches_pattern(parameter, value):
        return f"{rule}_chars"
    length = measure_length(value, parameter.count)
    if length < (parameter.min_length or 0) or length > (parameter.max_length or length):
        return f"{rule}_length"
    return ""


def is_valid_name(value: str) -> bool:
    """Return whether a text is a valid device name."""
    return not check_name(value)


def may_exist(name: str) -> bool:
    """Return whether a device can have this name: also a number that looks shortened, which nobody should register."""
    return not check_limits("DeviceName", name, "name")


def is_doubtful(name: str) -> bool:
    """Return whether a valid name looks like a number or a date that a spreadsheet made of another name."""
    return bool(_DOUBTFUL.fullmatch(name))


def list_invisible(value: str) -> list[str]:
    """Return the invisible characters of a text, like "U+200B ZERO WIDTH SPACE", without ordinary spaces."""
    invisible = (c for c in dict.fromkeys(value) if c != " " and unicodedata.category(c) in {"Cf", "Zs"})
    return [f"U+{ord(c):04X} {unicodedata.name(c, '')}".strip() for c in invisible]


@dataclass(frozen=True)
class NameList:
    """The names of a list in order, without duplicates. `heading`: that of the column they were read from, "" without one."""

    names: tuple[str, ...] = ()
    heading: str = ""


def read_text(text: str) -> NameList:
    """Read a list that was typed or pasted. Raises ValidationError."""
    return read_list(text.encode("utf-8-sig")) if text.strip() else NameList()


def read_list(content: bytes) -> NameList:
    """Read a list that is a file.

    If a row has the heading of a column of names, as in an export of devices, only this column is read. Otherwise names are
    separated by white space, commas or semicolons. Raises ValidationError, for invalid names with their rows.
    """
    try:
        with open_table(partial(io.BytesIO, content), _MAX_ROWS, _MAX_UNPACKED_BYTES) as (open_file, _sheet):
            return _read_list(open_file)
    except UnusableFile as problem:
        raise ValidationError(read_sentence(problem.sentence)) from problem


def _read_list(open_file: tables.Opener) -> NameList:
    """Read a list. Raises UnusableFile, ValidationError."""
    encoding = encodings.detect_encoding(open_file)
    try:
        layout = tables.detect_layout(
            open_file, (NAME_COLUMN,), NAME_COLUMN.key, is_valid_name, encoding=encoding
        )
    except MissingColumn:
        layout = None
    if layout is None or not layout.header:
        with open_file() as file:
            return NameList(_check_names(_split_text(file.read().decode(encoding))))
    column = layout.columns[NAME_COLUMN.key]
    names = _check_names(_read_column(tables.read_records(open_file, layout), column))
    return NameList(names, layout.header[column])


def _split_text(text: str) -> Iterator[tuple[int, str]]:
    """Yield the parts of a text, with the numbers of their rows from 1."""
    for number, row in enumerate(text.splitlines(), 1):
        for part in _SEPARATOR.split(row):
            quoted = re.fullmatch(r"\"([^\"]*)\"|'([^']*)'", trim_cell(part))
            name = trim_cell(quoted[1] or quoted[2] or "") if quoted else trim_cell(part)
            if name:
                yield number, name


def _read_column(records: Iterator[tables.Record], column: int) -> Iterator[tuple[int, str]]:
    for record in records:
        if record.problem:
            text = gettext("The quotation marks in row %(row)s are not paired. Correct the file.")
            raise ValidationError(text % {"row": record.row})
        if len(record.cells) > column and (name := trim_cell(record.cells[column])):
            yield record.row, name


def _check_names(names: Iterator[tuple[int, str]]) -> tuple[str, ...]:
    """Return the names without duplicates. Raises ValidationError: the rules that names break, and their first rows."""
    valid: dict[str, None] = {}
    invalid: defaultdict[str, list[str]] = defaultdict(list)
    for row, name in names:
        if may_exist(name):
            valid[name] = None
        else:
            invalid[check_name(name)].append(f"{row}: {name[:40]}")
    if invalid:
        text = gettext("%(rule)s Rows: %(rows)s")
        raise ValidationError(
            [
                text
                % {
                    "rule": NAME_RULES[rule],
                    "rows": "; ".join(rows[:_EXAMPLES]) + (" …" if len(rows) > _EXAMPLES else ""),
                }
                for rule, rows in invalid.items()
            ]
        )
    return tuple(valid)


class SelectedNames(forms.Form):
    """A form with names that were selected in the results of a search (templates/areas/devices/_find.html)."""

    @property
    def selected_names(self) -> list[str]:
        """The names that were selected and can exist, without duplicates."""
        values = self.data.getlist("device") if hasattr(self.data, "getlist") else self.data.get("device", [])
        return [name for name in dict.fromkeys(map(str, values)) if may_exist(name)]
