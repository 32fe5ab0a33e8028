"""Reading a table that somebody uploads as CSV, as a stream: memory stays flat however long it is.

`survey` finds out how the file is written (encoding, separator, which column is which); `records` then reads it. Both
read the file from its start, through a function that opens it.
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
from console.jobs.encodings import Unusable
from console.ui.format import number

Opener = Callable[[], BinaryIO]
LONGEST_LINE = 1_000_000  # characters
MOST_COLUMNS = 500
SEPARATORS = (",", ";", "\t")
_LOOKED_AT = 30  # records that decide how the file is read
_TITLES = 9  # lines that may stand above the header
# What spreadsheets (and DOS, at a file's end) leave around a value without anybody seeing it.
_AROUND = " \t\r\n\v\f\x1a\u00a0\u3000\ufeff\u200b\u200c\u200d\u2060"
csv.field_size_limit(LONGEST_LINE)


@dataclass(frozen=True)
class Known:
    """A column that is understood: its key, and the headings it goes by (compared by `heading`)."""

    key: str
    names: frozenset[str]


@dataclass(frozen=True)
class Layout:
    """How a file is read. `columns`: key of a known column → its place; `tags`: tag key → its place; `unknown`: headings
    of the columns that are left out. `header` is its first line as it is, empty when there is none; `above` is how many
    lines with titles come before it."""

    encoding: str
    separator: str
    header: list[str]
    columns: dict[str, int]
    tags: dict[str, int] = field(default_factory=dict)
    unknown: list[str] = field(default_factory=list)
    hint: bool = False  # Excel's "sep=;" line comes before the table
    above: int = 0

    def as_dict(self) -> dict[str, Any]:
        """As a job keeps it."""
        return asdict(self)

    @property
    def width(self) -> int:
        """How many cells a line has; 0 when no header says."""
        return len(self.header)


@dataclass(frozen=True)
class Record:
    """A line of the table: where it starts in the file (from 1), its cells as they are, and what is wrong with its form."""

    line: int
    cells: list[str]
    last_line: int = 0
    # "", or "quotes": the quotation marks do not pair, and all to the last line is one muddle; `raw` is its text
    problem: str = ""
    raw: str = ""

    @property
    def blank(self) -> bool:
        """Whether there is nothing in it."""
        return not any(map(trim, self.cells))


def trim(value: str) -> str:
    """A cell without what surrounds its value, and without the apostrophe that keeps a spreadsheet from reading a formula."""
    value = value.strip(_AROUND)
    return value[1:] if value[:1] == "'" and value[1:2] in {"=", "+", "-", "@"} else value


def _plain(text: str) -> str:
    """A heading as it is kept and shown. PostgreSQL keeps no NUL."""
    return trim(text).replace("\x00", "\ufffd")[:80]


def heading(text: str) -> str:
    """A heading as it is compared: without case, spaces, hyphens, underscores, remarks in brackets, full-width forms."""
    text = unicodedata.normalize("NFKC", trim(text)).casefold()
    text = re.sub(r"\([^)]*\)|\[[^\]]*\]|[*]", "", text)
    return re.sub(r"[\s_\-." + _AROUND + "]+", "", text)


_TAG = re.compile(r"^\s*(?:tag|标签)\s*:\s*(.+?)\s*$", re.IGNORECASE | re.DOTALL)


def tag_key(text: str) -> str:
    """The key of a heading like `tag:site` or `标签:厂区`; "" for any other."""
    found = _TAG.match(unicodedata.normalize("NFKC", trim(text)))
    return found.group(1).replace("\x00", "\ufffd") if found else ""


# -- how it is written -----------------------------------------------------------------------------------------------


def survey(
    open_file: Opener,
    known: Sequence[Known],
    needed: str,
    looks_right: Callable[[str], bool],
    chosen: Mapping[str, int] | None = None,
    headless: bool | None = None,
    most_lines: int | None = None,
) -> Layout:
    """How the file is to be read. Raises Unusable, also for more than `most_lines`.

    `needed` is the column it must have. `looks_right` tells whether a value could stand in it: a file of bare values
    has no heading. A person may have `chosen` the places of columns, and said whether the file is `headless`.
    """
    encoding = encodings.find(open_file)
    if most_lines is not None:
        _bounded(open_file, encoding, most_lines)
    first = _first_lines(open_file, encoding)
    if not first:
        raise Unusable(gettext_noop("The file is empty."))
    hint = re.fullmatch(r"sep=(.)", first[0].strip("\r\n\ufeff"), re.IGNORECASE)
    separator = hint.group(1) if hint and hint.group(1) in SEPARATORS else _separator(first, known)
    sample = _sample(open_file, encoding, separator, bool(hint))
    if not sample:
        raise Unusable(gettext_noop("The file has no lines with anything in them."))
    plain = Layout(encoding, separator, [], {}, hint=bool(hint))
    if chosen is not None:
        above = 0 if headless else _titles(sample, looks_right)
        return _chosen(replace(plain, above=above), sample[above].cells, chosen, bool(headless))
    found = _headed(plain, sample, known, needed, looks_right)
    if found is not None:
        return found
    if _is_bare(sample, looks_right):
        return replace(plain, columns={needed: 0})
    top = sample[_titles(sample, looks_right)].cells
    raise Unusable(
        gettext_noop("No column is called “device name”. The first line reads: %(line)s"),
        columns=[_plain(cell) for cell in top],
        line=" | ".join(_plain(cell)[:40] for cell in top[:8]) + (" | …" if len(top) > 8 else ""),
    )


def too_many(most: int) -> Unusable:
    """The refusal of a file that has more lines than that."""
    text = gettext_noop(
        "The file has more than %(most)s lines. Split it, and upload the parts one after another."
    )
    return Unusable(text, most=number(most))


def _bounded(open_file: Opener, encoding: str, most: int) -> None:
    """Refuse what is far too long before a million lines of it are read. Raises Unusable."""
    # In UTF-16 a byte of a letter may look like the end of a line; in the others it never does.
    decoder = codecs.getincrementaldecoder(encoding if encoding.startswith("utf-16") else "latin-1")()
    feeds = returns = 0
    with open_file() as file:
        while piece := file.read(256 * 1024):
            text = decoder.decode(piece)
            feeds += text.count("\n")
            returns += text.count("\r")
            if max(feeds, returns) > most + 1:
                raise too_many(most)


def _first_lines(open_file: Opener, encoding: str) -> list[str]:
    """The first lines with anything in them."""
    with open_file() as file:
        return list(islice(filter(trim, _lines(file, encoding)), _LOOKED_AT))


def _separator(lines: Sequence[str], known: Sequence[Known]) -> str:
    """The separator that makes most sense of the lines that may be a header, else of the first one."""
    names = frozenset().union(*(column.names for column in known))

    def cells(line: str, separator: str) -> list[str]:
        try:
            return next(csv.reader([line], delimiter=separator))
        except (csv.Error, StopIteration):
            return []

    def sense(separator: str) -> tuple[int, int]:
        rows = [cells(line, separator) for line in lines[: _TITLES + 1]]
        told = max(sum(heading(cell) in names or bool(tag_key(cell)) for cell in row) for row in rows)
        return told, len(rows[0])

    return max(SEPARATORS, key=sense)


def _sample(open_file: Opener, encoding: str, separator: str, hint: bool) -> list[Record]:
    found: list[Record] = []
    with open_file() as file:
        for record in _records(file, encoding, separator, hint):
            if not record.blank:
                found.append(record)
            if len(found) >= _LOOKED_AT:
                break
    return found


def _headed(
    plain: Layout,
    sample: Sequence[Record],
    known: Sequence[Known],
    needed: str,
    looks_right: Callable[[str], bool],
) -> Layout | None:
    """The layout by the first line that names the needed column, with nothing but titles above it."""
    for above, record in enumerate(sample[: _TITLES + 1]):
        try:
            layout = _by_headings(replace(plain, above=above), record.cells, known)
        except Unusable:
            if above:  # a line of values that only look like headings
                continue
            raise
        if needed in layout.columns:
            place, width = layout.columns[needed], len(_filled(record))
            titles = (
                len(_filled(line)) == 1 < width
                or place >= len(line.cells)
                or not looks_right(trim(line.cells[place]))
                for line in sample[:above]
            )
            return layout if all(titles) else None
    return None


def _filled(record: Record) -> list[str]:
    return [cell for cell in record.cells if trim(cell)]


def _titles(sample: Sequence[Record], looks_right: Callable[[str], bool]) -> int:
    """How many lines are titles above the header, when no heading is known: lone texts above lines of several cells."""
    for above, record in enumerate(sample[: _TITLES + 1]):
        filled = _filled(record)
        if len(filled) > 1:
            return above
        if looks_right(trim(filled[0])):
            break
    return 0


def _by_headings(plain: Layout, top: list[str], known: Sequence[Known]) -> Layout:
    columns: dict[str, int] = {}
    tags: dict[str, int] = {}
    unknown: list[str] = []
    for place, cell in enumerate(top):
        name, tag = heading(cell), tag_key(cell)
        key = next((column.key for column in known if name in column.names), "")
        if key and key in columns:
            raise Unusable(
                gettext_noop("Two columns hold the same: “%(first)s” and “%(second)s”. Leave one."),
                first=_plain(top[columns[key]]),
                second=_plain(cell),
            )
        if key:
            columns[key] = place
        elif tag and tag not in tags:
            tags[tag] = place
        elif trim(cell):
            unknown.append(_plain(cell))
    return replace(plain, header=_shown(top), columns=columns, tags=tags, unknown=unknown)


def _chosen(plain: Layout, top: list[str], chosen: Mapping[str, int], headless: bool) -> Layout:
    columns = {key: place for key, place in chosen.items() if 0 <= place < len(top)}
    taken = set(columns.values())
    if headless:
        return replace(plain, columns=columns)
    tags = {tag_key(cell): place for place, cell in enumerate(top) if place not in taken and tag_key(cell)}
    unknown = [
        _plain(cell)
        for place, cell in enumerate(top)
        if place not in taken and trim(cell) and not tag_key(cell)
    ]
    return replace(plain, header=_shown(top), columns=columns, tags=tags, unknown=unknown)


def _shown(top: Sequence[str]) -> list[str]:
    return [_plain(cell) for cell in top]


def _is_bare(sample: Sequence[Record], looks_right: Callable[[str], bool]) -> bool:
    """One value a line, no heading. The first must look like the rest and hold a digit: a word alone may be a heading."""
    values = [trim(record.cells[0]) for record in sample]
    if any(len([cell for cell in record.cells if trim(cell)]) != 1 for record in sample):
        return False
    return any(c.isdigit() for c in values[0]) and sum(map(looks_right, values)) > len(values) / 2


# -- reading it ------------------------------------------------------------------------------------------------------


def records(open_file: Opener, layout: Layout) -> Iterator[Record]:
    """The lines under the header, blank ones too. Raises Unusable where the file cannot be read on."""
    with open_file() as file:
        found = _records(file, layout.encoding, layout.separator, layout.hint)
        above = layout.above + 1 if layout.header else 0
        while above and (record := next(found, None)):
            above -= not record.blank
        yield from found


def _records(file: BinaryIO, encoding: str, separator: str, hint: bool) -> Iterator[Record]:
    lines = _lines(file, encoding)
    before = 0
    if hint:
        before = 1 + sum(1 for _line in takewhile(lambda line: not trim(line), lines))
    read: list[str] = []

    def remembered() -> Iterator[str]:
        for line in lines:
            read.append(line)
            yield line

    reader = csv.reader(remembered(), delimiter=separator, strict=True, skipinitialspace=True)
    while True:
        start = before + reader.line_num + 1
        read.clear()
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            if "end of data" in str(error) or "field larger" in str(error):
                raise Unusable(
                    gettext_noop("A quotation mark that is opened on line %(line)d is never closed."),
                    line=start,
                ) from None
            yield Record(start, [], before + reader.line_num, "quotes", "".join(read))
            continue
        if len(cells) > MOST_COLUMNS:
            while cells and not trim(
                cells[-1]
            ):  # a spreadsheet may write a separator for every column it has
                cells.pop()
        if len(cells) > MOST_COLUMNS:
            text = gettext_noop("Line %(line)d has %(count)d columns: this is no list of devices.")
            raise Unusable(text, line=start, count=len(cells))
        yield Record(start, cells, before + reader.line_num)


def _lines(file: BinaryIO, encoding: str) -> Iterator[str]:
    """The file's lines with their ends, never one of endless length."""
    text = io.TextIOWrapper(file, encoding=encoding, errors="strict", newline="")
    try:
        number = 1
        while line := text.readline(LONGEST_LINE):
            if len(line) >= LONGEST_LINE:
                raise Unusable(
                    gettext_noop(
                        "Line %(line)d is longer than a million characters: this is no list of devices."
                    ),
                    line=number,
                )
            yield line
            number += 1
    finally:
        with suppress(ValueError):  # who stopped reading may have closed the file already
            text.detach()
