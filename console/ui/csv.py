"""Writes CSV that spreadsheets read correctly and that contains no formulas."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import Any, TypeVar

from django.http import StreamingHttpResponse
from django.utils.http import content_disposition_header
from django.utils.translation import gettext

from iot_client.errors import CloudError, explain

T = TypeVar("T")

# A spreadsheet treats a cell that starts with one of these signs as a formula; East Asian editions also the full-width ones.
FORMULA_SIGNS = "=+-@\uff1d\uff0b\uff0d\uff20"
# The start of a text, and each run of blanks, quotation marks and separators in it. A spreadsheet with another separator starts
# a new cell there.
_BREAK = r"""(?:\A|(?<![\s",;|])(?=[\s",;|]))[\s",;|]*+"""
_SIGN = rf"(?='*[{re.escape(FORMULA_SIGNS)}])"
_FORMULA = re.compile(f"({_BREAK}){_SIGN}")
_MARKED_FORMULA = re.compile(f"({_BREAK})'{_SIGN}")


def safe_cell(value: object) -> str:
    """A cell's text in which no spreadsheet finds a formula, whatever its separator: an apostrophe precedes each sign that starts
    the cell, or follows a separator or line break in it. "" for None; numbers are kept."""
    if value is None or isinstance(value, int | float):
        return "" if value is None else str(value)
    return _FORMULA.sub(lambda found: f"{found[1]}'" if _starts_cell(found) else found[0], str(value))


def restore_cell(text: str) -> str:
    """The text that `safe_cell` was given."""
    if "'" not in text:
        return text
    return _MARKED_FORMULA.sub(lambda found: found[1] if _starts_cell(found) else found[0], text)


def _starts_cell(found: re.Match[str]) -> bool:
    """Whether a spreadsheet may start a cell at a break: blanks and quotation marks alone separate no cells."""
    return found.start() == 0 or found[1].strip(' "') != ""


class _Echo:
    def write(self, text: str) -> str:
        return text


def csv_lines(rows: Iterable[Sequence[object]], separator: str = ",") -> Iterator[str]:
    """The lines of a file: a byte-order mark, which spreadsheets need, then each row with safe cells."""
    writer = csv.writer(_Echo(), delimiter=separator)
    mark = "\ufeff"
    for row in rows:
        yield mark + writer.writerow([safe_cell(cell) for cell in row])
        mark = ""


def read_first_rows(rows: Iterable[T], count: int = 1) -> Iterable[T]:
    """The same rows, with the first ones read now: an early error becomes an error page, not part of a file."""
    remaining = iter(rows)
    return chain(list(islice(remaining, count)), remaining)


def report_cloud_error(lines: Iterable[str]) -> Iterator[str]:
    """The lines. A CloudError ends the file with a line about it, because the status is already sent."""
    try:
        yield from lines
    except CloudError as error:
        why = gettext("This file is incomplete: %(why)s") % {"why": gettext(explain(error).title)}
        yield next(csv_lines([[why]])).removeprefix("\ufeff")


class Download(StreamingHttpResponse):
    """Lines as a file download. Lines are read while they are sent, so their number is not limited.

    Every file that leaves the console is a Download; the audit trail records it: `operation` is the record's operation ("": the
    area's export), `target` its target, `audit_parameters` further parameters. The first `header` lines do not count as rows.
    """

    def __init__(
        self,
        lines: Iterable[str],
        filename: str,
        *,
        content_type: str = "text/csv; charset=utf-8",
        operation: str = "",
        target: str = "",
        audit_parameters: Mapping[str, Any] | None = None,
        header: int = 1,
    ) -> None:
        super().__init__(lines, content_type=content_type)
        self.filename, self.operation, self.target, self.audit_parameters = (
            filename,
            operation,
            target,
            audit_parameters or {},
        )
        self.header = header
        self["Content-Disposition"] = content_disposition_header(True, filename) or "attachment"
