"""Lists of device names and versions that users type or upload."""

from __future__ import annotations

import codecs
import csv
import re
from collections.abc import Iterator

from django.core.validators import MaxLengthValidator
from django.forms import ValidationError
from django.utils.translation import gettext_lazy as _

from console.areas.ota import api, rules

# The heading of device names in exports of the console, in both languages, and in lists of other programs.
_NAME_HEADINGS = frozenset({"name", "device name", "device_name", "devicename", "名称", "设备名称"})
_SEPARATOR = re.compile(r"[\s,;]+")


def parse_device_names(text: str) -> tuple[str, ...]:
    """Return the device names in order, without duplicates.

    If the first row has the heading of a column of names, as in an export of devices, only this column is read. Otherwise names
    are separated by white space, commas or semicolons. Raises ValidationError that lists the first invalid names with their row
    numbers.
    """
    names: dict[str, None] = {}
    invalid: list[str] = []
    try:
        parts = list(_read_names(text.splitlines()))
    except csv.Error as error:
        raise ValidationError(_("The list cannot be read as CSV. Check its quotation marks.")) from error
    for number, name in parts:
        if re.fullmatch(rules.DEVICE_NAME, name):
            names[name] = None
        else:
            invalid.append(f"{number}: {name[:40]}")
    if invalid:
        shown = "; ".join(invalid[:5]) + (" …" if len(invalid) > 5 else "")
        raise ValidationError(
            _(
                "Invalid device names (row: name): %(names)s. Use 4 to 32 characters: English letters, digits, - _ @ . :"
            ),
            params={"names": shown},
        )
    return tuple(names)


def _read_names(lines: list[str]) -> Iterator[tuple[int, str]]:
    """Yield the texts that should be device names, with the numbers of their rows from 1."""
    header = lines[0] if lines else ""
    separator = next((sign for sign in "\t;," if sign in header), ",")
    headings = [cell.strip().casefold() for cell in next(csv.reader([header], delimiter=separator), [])]
    column = next((at for at, heading in enumerate(headings) if heading in _NAME_HEADINGS), None)
    if column is None:
        for number, line in enumerate(lines, 1):
            parts = (part.strip("\"'") for part in _SEPARATOR.split(line.strip()))
            yield from ((number, name) for name in parts if name)
        return
    rows = csv.reader(lines, delimiter=separator, strict=True)
    next(rows)
    for row in rows:
        if len(row) > column and row[column].strip():
            yield rows.line_num, row[column].strip()


def parse_versions(text: str) -> tuple[str, ...]:
    """Return the versions in order, without duplicates. Raises ValidationError."""
    versions = tuple(dict.fromkeys(filter(None, _SEPARATOR.split(text))))
    for version in versions:
        if not re.fullmatch(rules.VERSION, version):
            raise ValidationError(
                _(
                    "“%(version)s” is not a valid version. Use 1 to 64 letters, digits, periods, hyphens or underscores."
                ),
                params={"version": version[:64]},
            )
    MaxLengthValidator(api.MAX_SOURCE_VERSIONS, _("Enter up to 10 versions."))(versions)
    return versions


def decode_text(content: bytes) -> str:
    """Return the text of an uploaded list: UTF-16 with a byte order mark, otherwise UTF-8. Raises ValidationError."""
    utf16 = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        text = content.decode("utf-16" if utf16 else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValidationError(
            _("The file is not a text file. Upload a text or CSV file in UTF-8.")
        ) from error
    if "\0" in text:
        raise ValidationError(_("The file is not a text file. Upload a text or CSV file in UTF-8."))
    return text
