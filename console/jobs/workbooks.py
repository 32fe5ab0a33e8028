"""Reads the first sheet of an Excel workbook (.xlsx) as CSV text, row by row, with bounded memory."""

from __future__ import annotations

import csv
import datetime
import io
import re
import shutil
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from functools import partial
from pathlib import Path
from tempfile import NamedTemporaryFile, TemporaryFile
from typing import IO, Any, BinaryIO

from django.utils.translation import gettext_noop

from console.jobs.encodings import UnusableFile
from console.jobs.tables import MAX_COLUMNS, Opener, too_many_rows

MAX_UNPACKED_BYTES = 256 * 1024 * 1024
"""The largest sum of the parts of a workbook. The texts that its cells share are in memory at once."""
_MAGIC = b"PK\x03\x04"
_MAX_PARTS = 2_000
_LINE_BREAK = re.compile(r"[\r\n]+")


@contextmanager
def open_table(
    open_file: Opener, max_rows: int, max_bytes: int = MAX_UNPACKED_BYTES
) -> Iterator[tuple[Opener, str]]:
    """Yield a function that opens a file as text, and the name of its sheet, "" if the file is no workbook.

    Of a workbook the text is CSV in UTF-8: the first visible sheet that has cells. Raises UnusableFile, also for a workbook of
    more than `max_rows` rows or more than `max_bytes` when it is unpacked.
    """
    with open_file() as file:
        if file.read(len(_MAGIC)) != _MAGIC:
            yield open_file, ""
            return
    with TemporaryFile() as packed, NamedTemporaryFile(suffix=".csv") as table:
        with open_file() as file:
            shutil.copyfileobj(file, packed)
        if not _is_workbook(packed, max_bytes):
            yield open_file, ""
            return
        sheet = _write_table(packed, table, max_rows)
        yield partial(_open, table.name), sheet


def _open(path: str) -> BinaryIO:
    return Path(path).open("rb")


def _is_workbook(file: IO[bytes], max_bytes: int) -> bool:
    """Return whether a ZIP file is a workbook. Raises UnusableFile for one that is too large. zipfile reads no more of a part than
    its header says."""
    try:
        with zipfile.ZipFile(file) as archive:
            parts = archive.infolist()
    except zipfile.BadZipFile:
        return False
    if all(part.filename != "xl/workbook.xml" for part in parts):
        return False
    if len(parts) > _MAX_PARTS or sum(part.file_size for part in parts) > max_bytes:
        text = gettext_noop("The workbook is too large. Save the sheet as “CSV UTF-8” and upload that file.")
        raise UnusableFile(text)
    return True


def _write_table(packed: IO[bytes], table: IO[bytes], max_rows: int) -> str:
    """Write the sheet as CSV. Returns its name. Raises UnusableFile."""
    # Only a process that reads a workbook needs this library, which takes a second and 20 MB.
    from openpyxl import load_workbook

    packed.seek(0)
    text = io.TextIOWrapper(table, encoding="utf-8", newline="", write_through=True)  # type: ignore[type-var]
    try:
        workbook = load_workbook(packed, read_only=True, data_only=True, keep_links=False)
        for sheet in workbook.worksheets:
            if sheet.sheet_state == "visible" and _write_rows(sheet, csv.writer(text), max_rows):
                return str(sheet.title)
    except UnusableFile:
        raise
    except Exception as error:  # the library raises whatever a damaged part causes
        raise UnusableFile(
            gettext_noop("The workbook cannot be read. Save the sheet as “CSV UTF-8” and upload that file.")
        ) from error
    finally:
        text.detach()
    raise UnusableFile(gettext_noop("The workbook has no visible sheet with cells."))


def _write_rows(sheet: Any, writer: Any, max_rows: int) -> bool:
    """Write the rows of a sheet up to the last one with a value. Returns whether there is one. Raises UnusableFile."""
    sheet.reset_dimensions()  # the file may state them wrongly
    empty = written = 0
    for number, cells in enumerate(sheet.iter_rows(max_col=MAX_COLUMNS, values_only=True), 1):
        if number > max_rows + 1:
            raise too_many_rows(max_rows)
        texts = _read_cells(cells)
        if not texts:
            empty += 1
            continue
        writer.writerows([[""]] * empty)  # so that rows keep their numbers
        writer.writerow(texts)
        written, empty = written + 1, 0
    return written > 0


def _read_cells(cells: Sequence[object]) -> list[str]:
    """Return the texts of a row without the empty cells at its end."""
    texts = [_read_cell(cell) for cell in cells]
    while texts and not texts[-1].strip():
        texts.pop()
    return texts


def _read_cell(value: object) -> str:
    """Return the text of a cell as a spreadsheet would show it: all digits of a number, a day in ISO order."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, float):
        return f"{Decimal(repr(value)):f}".removesuffix(".0")
    if isinstance(value, datetime.datetime) and value.time() == datetime.time():
        return value.date().isoformat()
    return _LINE_BREAK.sub(" ", str(value))
