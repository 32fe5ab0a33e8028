"""Reads an uploaded CSV table as a stream, with constant memory for files of any length.

`detect_layout` detects the encoding, the separator and the columns; `read_records` then reads the rows. Both read the file
from its start, through a function that opens it.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from itertools import islice, takewhile
from typing import Any, BinaryIO

from django.utils.translation import gettext_noop

from console.jobs import encodings
from console.jobs.encodings import UnusableFile
from console.ui.csv import restore_cell
from console.ui.format import number

Opener = Callable[[], BinaryIO]
MAX_LINE_LENGTH = 1_000_000  # characters
MAX_COLUMNS = 500
SEPARATORS = (",", ";", "\t", "|", "，")
_SAMPLE_RECORDS = 30  # records from which the layout is detected
_MAX_HEADING = 80  # characters of a heading that are compared, stored and shown
_MAX_TITLES = 9  # rows with titles that may precede the header
# Invisible characters that spreadsheets (and DOS, at the end of a file) leave around a value.
_SURROUNDING = " \t\r\n\v\f\x1a\u00a0\u3000\ufeff\u200b\u200c\u200d\u2060"
csv.field_size_limit(MAX_LINE_LENGTH)


class MissingColumn(UnusableFile):
    """No heading of the table names the required column."""


@dataclass(frozen=True)
class KnownColumn:
    """A known column: its key, and its possible headings (as `normalize_heading` returns them).

    `missing`: the error text (a msgid with %(row)s, the first row) of a file that needs this column and does not have it.
    """

    key: str
    names: frozenset[str]
    missing: str = ""


@dataclass(frozen=True)
class Layout:
    """The layout of a file, by which it is read.

    `columns`: key of a known column → its index; `tags`: tag key → its index; `unknown`: headings of ignored columns.
    `header`: the cells of the header row, empty without a header; `above`: the number of title rows before it; `sheet`: the name
    of the sheet of a workbook, "" for a text file.
    """

    encoding: str
    separator: str
    header: list[str]
    columns: dict[str, int]
    tags: dict[str, int] = field(default_factory=dict)
    unknown: list[str] = field(default_factory=list)
    hint: bool = False  # the file starts with Excel's "sep=;" line
    above: int = 0
    sheet: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return the layout as a job stores it."""
        return asdict(self)

    @property
    def width(self) -> int:
        """The number of cells of the header; 0 without a header."""
        return len(self.header)


@dataclass(frozen=True)
class Record:
    """A row of the table: the number of its first line in the file (from 1), its unchanged cells, and a problem of its form."""

    row: int
    cells: list[str]
    last_row: int = 0
    # "", or "quotes": unpaired quotation marks, so that all up to the last line was read as one row; `raw` is its text
    problem: str = ""
    raw: str = ""

    @property
    def is_blank(self) -> bool:
        """Whether all cells are empty."""
        return not any(map(trim_cell, self.cells))


def trim_cell(value: str) -> str:
    """Return a cell without surrounding blanks, and without the apostrophes that protect a spreadsheet from a formula."""
    return restore_cell(value.strip(_SURROUNDING))


def _plain_heading(text: str) -> str:
    """Return a heading as it is stored and shown, without NUL (PostgreSQL cannot store it)."""
    return trim_cell(text)[:_MAX_HEADING].replace("\x00", "\ufffd")


def normalize_heading(text: str) -> str:
    """Return a heading for comparison: without case, spaces, hyphens, underscores, text in brackets and full-width forms."""
    text = unicodedata.normalize("NFKC", trim_cell(text)[:_MAX_HEADING]).casefold()
    text = re.sub(r"\([^()]*\)|\[[^\[\]]*\]|[*]", "", text)
    return re.sub(r"[\s_\-." + _SURROUNDING + "]+", "", text)


def tag_key(text: str) -> str:
    """Return the tag key of a heading like `tag:site` or `标签:厂区`; "" for any other heading."""
    word, _colon, key = unicodedata.normalize("NFKC", _plain_heading(text)).partition(":")
    return key.strip() if word.strip().casefold() in {"tag", "标签"} else ""


# -- detecting the layout ---------------------------------------------------------------------------------------------


def detect_layout(
    open_file: Opener,
    known: Sequence[KnownColumn],
    needed: str,
    is_valid_value: Callable[[str], bool],
    chosen: Mapping[str, int] | None = None,
    headless: bool | None = None,
    max_lines: int | None = None,
    encoding: str = "",
    separator: str = "",
) -> Layout:
    """Return how to read the file. Raises UnusableFile, also for more than `max_lines` lines.

    `needed` is the key of the required column; `is_valid_value` returns whether a value is valid in it (a file that only has
    values has no heading). `chosen` (index of each column), `headless` (no header), `encoding` (the Python name) and `separator`
    are a user's choice, if there is one.
    """
    encoding = encodings.detect_encoding(open_file, encoding)
    if max_lines is not None:
        _check_line_count(open_file, encoding, max_lines)
    first = _first_lines(open_file, encoding)
    if not first:
        raise UnusableFile(gettext_noop("The file is empty."))
    hint = re.fullmatch(r"sep=(.)", first[0].strip("\r\n\ufeff"), re.IGNORECASE)
    if not separator:
        separator = hint.group(1) if hint and hint.group(1) in SEPARATORS else _detect_separator(first, known)
    sample = _read_sample(open_file, encoding, separator, bool(hint))
    if not sample:
        raise UnusableFile(gettext_noop("All rows of the file are empty."))
    plain = Layout(encoding, separator, [], {}, hint=bool(hint))
    if chosen is not None:
        above = 0 if headless else _count_titles(sample, is_valid_value)
        return _chosen_layout(replace(plain, above=above), sample[above].cells, chosen, bool(headless))
    layout = _layout_by_header(plain, sample, known, needed, is_valid_value)
    if layout is not None:
        return layout
    if _has_bare_values(sample, is_valid_value):
        return replace(plain, columns={needed: 0})
    first_row = sample[_count_titles(sample, is_valid_value)].cells
    raise MissingColumn(
        next(column.missing for column in known if column.key == needed),
        columns=[_plain_heading(cell) for cell in first_row],
        row=" | ".join(_plain_heading(cell)[:40] for cell in first_row[:8])
        + (" | …" if len(first_row) > 8 else ""),
    )


def too_many_rows(limit: int) -> UnusableFile:
    """Return the error for a file that has more than `limit` rows."""
    text = gettext_noop("The file has more than %(most)s rows. Split it and upload the parts separately.")
    return UnusableFile(text, most=number(limit))


def _check_line_count(open_file: Opener, encoding: str, limit: int) -> None:
    """Refuse a file that is far too long before all of it is parsed. Raises UnusableFile."""
    # In UTF-16 a byte of a letter may look like a line end; in the other encodings it never does.
    decoder = codecs.getincrementaldecoder(encoding if encoding.startswith("utf-16") else "latin-1")()
    feeds = returns = 0
    with open_file() as file:
        while piece := file.read(256 * 1024):
            text = decoder.decode(piece)
            feeds += text.count("\n")
            returns += text.count("\r")
            if max(feeds, returns) > limit + 1:
                raise too_many_rows(limit)


def _first_lines(open_file: Opener, encoding: str) -> list[str]:
    """Return the first lines that are not empty."""
    with open_file() as file:
        return list(islice(filter(trim_cell, _lines(file, encoding)), _SAMPLE_RECORDS))


def _detect_separator(lines: Sequence[str], known: Sequence[KnownColumn]) -> str:
    """Return the separator that finds the most known headings in possible header lines, else the most cells in the first line."""
    names = frozenset().union(*(column.names for column in known))

    def cells(line: str, separator: str) -> list[str]:
        try:
            return next(csv.reader([line], delimiter=separator))[:MAX_COLUMNS]
        except (csv.Error, StopIteration):
            return []

    def score(separator: str) -> tuple[int, int]:
        rows = [cells(line, separator) for line in lines[: _MAX_TITLES + 1]]
        known_headings = max(
            sum(normalize_heading(cell) in names or bool(tag_key(cell)) for cell in row) for row in rows
        )
        return known_headings, len(rows[0])

    return max(SEPARATORS, key=score)


def _read_sample(open_file: Opener, encoding: str, separator: str, hint: bool) -> list[Record]:
    sample: list[Record] = []
    with open_file() as file:
        for record in _records(file, encoding, separator, hint):
            if not record.is_blank:
                sample.append(record)
            if len(sample) >= _SAMPLE_RECORDS:
                break
    return sample


def _layout_by_header(
    plain: Layout,
    sample: Sequence[Record],
    known: Sequence[KnownColumn],
    needed: str,
    is_valid_value: Callable[[str], bool],
) -> Layout | None:
    """Return the layout by the first row that names the needed column and has only titles above it; None without one."""
    for above, record in enumerate(sample[: _MAX_TITLES + 1]):
        try:
            layout = _match_headings(replace(plain, above=above), record.cells, known)
        except UnusableFile:
            if above:  # a row of values that only look like headings
                continue
            raise
        if needed in layout.columns:
            index, width = layout.columns[needed], len(_filled_cells(record))
            titles = (
                len(_filled_cells(line)) == 1 < width
                or index >= len(line.cells)
                or not is_valid_value(trim_cell(line.cells[index]))
                for line in sample[:above]
            )
            return layout if all(titles) else None
    return None


def _filled_cells(record: Record) -> list[str]:
    return [cell for cell in record.cells if trim_cell(cell)]


def _count_titles(sample: Sequence[Record], is_valid_value: Callable[[str], bool]) -> int:
    """Return the number of title rows above the header if no heading is known: single texts above rows of several cells."""
    for above, record in enumerate(sample[: _MAX_TITLES + 1]):
        filled = _filled_cells(record)
        if len(filled) > 1:
            return above
        if is_valid_value(trim_cell(filled[0])):
            break
    return 0


def _match_headings(plain: Layout, first_row: list[str], known: Sequence[KnownColumn]) -> Layout:
    columns: dict[str, int] = {}
    tags: dict[str, int] = {}
    unknown: list[str] = []
    for index, cell in enumerate(first_row):
        name, tag = normalize_heading(cell), tag_key(cell)
        key = next((column.key for column in known if name in column.names), "")
        if key and key in columns:
            raise UnusableFile(
                gettext_noop(
                    "Two columns have the same meaning: “%(first)s” and “%(second)s”. Select one of them."
                ),
                columns=[_plain_heading(cell) for cell in first_row],
                first=_plain_heading(first_row[columns[key]]),
                second=_plain_heading(cell),
            )
        if key:
            columns[key] = index
        elif tag and tag not in tags:
            tags[tag] = index
        elif trim_cell(cell):
            unknown.append(_plain_heading(cell))
    return replace(plain, header=_plain_cells(first_row), columns=columns, tags=tags, unknown=unknown)


def _chosen_layout(plain: Layout, first_row: list[str], chosen: Mapping[str, int], headless: bool) -> Layout:
    columns = {key: index for key, index in chosen.items() if 0 <= index < len(first_row)}
    used = set(columns.values())
    if headless:
        return replace(plain, columns=columns)
    tags: dict[str, int] = {}
    for index, cell in enumerate(first_row):
        if index not in used and tag_key(cell):
            tags.setdefault(tag_key(cell), index)
    unknown = [
        _plain_heading(cell)
        for index, cell in enumerate(first_row)
        if index not in used and trim_cell(cell) and not tag_key(cell)
    ]
    return replace(plain, header=_plain_cells(first_row), columns=columns, tags=tags, unknown=unknown)


def _plain_cells(first_row: Sequence[str]) -> list[str]:
    return [_plain_heading(cell) for cell in first_row]


def _has_bare_values(sample: Sequence[Record], is_valid_value: Callable[[str], bool]) -> bool:
    """Return whether the rows have one value each and no heading.

    The first value must look like the others and contain a digit: a single word may be a heading.
    """
    values = [trim_cell(record.cells[0]) for record in sample]
    if any(len([cell for cell in record.cells if trim_cell(cell)]) != 1 for record in sample):
        return False
    return any(c.isdigit() for c in values[0]) and sum(map(is_valid_value, values)) > len(values) / 2


# -- reading the rows ------------------------------------------------------------------------------------------------


def read_records(open_file: Opener, layout: Layout) -> Iterator[Record]:
    """Yield the rows under the header, also empty ones. Raises UnusableFile where the file cannot be read."""
    with open_file() as file:
        all_records = _records(file, layout.encoding, layout.separator, layout.hint)
        above = layout.above + 1 if layout.header else 0
        while above and (record := next(all_records, None)):
            above -= not record.is_blank
        yield from all_records


def _records(file: BinaryIO, encoding: str, separator: str, hint: bool) -> Iterator[Record]:
    lines = _lines(file, encoding)
    before = 0
    if hint:
        before = 1 + sum(1 for _line in takewhile(lambda line: not trim_cell(line), lines))
    raw_lines: list[str] = []

    def collect_lines() -> Iterator[str]:
        for line in lines:
            raw_lines.append(line)
            yield line

    reader = csv.reader(collect_lines(), delimiter=separator, strict=True, skipinitialspace=True)
    while True:
        start = before + reader.line_num + 1
        raw_lines.clear()
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            if "end of data" in str(error) or "field larger" in str(error):
                raise UnusableFile(
                    gettext_noop(
                        "The quotation mark that opens in row %(row)d is never closed. Correct the file."
                    ),
                    row=start,
                ) from None
            yield Record(start, [], before + reader.line_num, "quotes", "".join(raw_lines))
            continue
        if len(cells) > MAX_COLUMNS:
            while cells and not trim_cell(
                cells[-1]
            ):  # a spreadsheet may write a separator for every column it has
                cells.pop()
        if len(cells) > MAX_COLUMNS:
            text = gettext_noop("Row %(row)d has %(count)d columns. This file is not a list.")
            raise UnusableFile(text, row=start, count=len(cells))
        yield Record(start, cells, before + reader.line_num)


def _lines(file: BinaryIO, encoding: str) -> Iterator[str]:
    """Yield the lines of the file with their line ends. Raises UnusableFile for a line that is too long."""
    text = io.TextIOWrapper(file, encoding=encoding, errors="strict", newline="")
    try:
        number = 1
        while line := text.readline(MAX_LINE_LENGTH):
            if len(line) >= MAX_LINE_LENGTH:
                raise UnusableFile(
                    gettext_noop("Row %(row)d has more than 1,000,000 characters. This file is not a list."),
                    row=number,
                )
            yield line
            number += 1
    finally:
        with suppress(ValueError):  # a caller that stopped reading may have closed the file
            text.detach()
