"""Writing CSV that spreadsheets read right and run nothing of."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import Any, TypeVar

from django.http import StreamingHttpResponse
from django.utils.http import content_disposition_header
from django.utils.translation import gettext

from console.cloud.errors import CloudError, explain

T = TypeVar("T")

# A spreadsheet runs what begins with one of these as a formula; those of East Asian width too, where it is set up for them.
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def safe_cell(value: object) -> str:
    """A cell's text; an apostrophe before what a spreadsheet would take for a formula. "" for None; numbers stay."""
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(FORMULA) and not isinstance(value, int | float) else text


class _Echo:
    def write(self, text: str) -> str:
        return text


def csv_lines(rows: Iterable[Sequence[object]], separator: str = ",") -> Iterator[str]:
    """The lines of a file: a byte-order mark (spreadsheets ask for it), then each row with safe cells."""
    writer = csv.writer(_Echo(), delimiter=separator)
    mark = "\ufeff"
    for row in rows:
        yield mark + writer.writerow([safe_cell(cell) for cell in row])
        mark = ""


def first_now(rows: Iterable[T]) -> Iterable[T]:
    """The same rows, the first read already: what is wrong from the start shows as a page, not inside a file."""
    remaining = iter(rows)
    return chain(list(islice(remaining, 1)), remaining)


def until_broken(lines: Iterable[str]) -> Iterator[str]:
    """The lines; an error of the cloud in the middle ends the file with a line that says so: its status is sent long ago."""
    try:
        yield from lines
    except CloudError as error:
        why = gettext("This file is not complete: %(why)s") % {"why": gettext(explain(error).title)}
        yield next(csv_lines([[why]])).removeprefix("\ufeff")


class Download(StreamingHttpResponse):
    """Lines as a file to save; they are taken as they are written, so they may be many.

    Every file that leaves the console is one of these, which is how the audit trail knows of it: `act` is the record's
    operation ("" is the room's export), `about` its target, `noted` more of its parameters; the first `header` lines are
    no rows.
    """

    def __init__(
        self,
        lines: Iterable[str],
        filename: str,
        *,
        content_type: str = "text/csv; charset=utf-8",
        act: str = "",
        about: str = "",
        noted: Mapping[str, Any] | None = None,
        header: int = 1,
    ) -> None:
        super().__init__(lines, content_type=content_type)
        self.filename, self.act, self.about, self.noted = filename, act, about, noted or {}
        self.header = header
        self["Content-Disposition"] = content_disposition_header(True, filename) or "attachment"
