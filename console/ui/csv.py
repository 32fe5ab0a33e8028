"""Writes CSV that spreadsheets read correctly and that contains no formulas."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import Any, TypeVar

from django.http import StreamingHttpResponse
from django.utils.http import content_disposition_header
from django.utils.translation import gettext

from iot_client.errors import CloudError, explain

T = TypeVar("T")

# A spreadsheet treats a cell with one of these prefixes as a formula; East Asian editions also the full-width ones.
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def safe_cell(value: object) -> str:
    """A cell's text, with an apostrophe before a formula prefix. "" for None; numbers are kept."""
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(FORMULA) and not isinstance(value, int | float) else text


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
