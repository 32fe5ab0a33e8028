"""What came of each row, in words and as files to download."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from console.jobs import kinds
from console.jobs.kinds import Kind
from console.jobs.models import Job, Row, Secret
from console.ui.csv import FORMULA, csv_lines

_BATCH = 2000
# What an outcome means when nothing more is known.
_MEANINGS: dict[str, str | Promise] = {
    Row.State.EXISTS: _("The product has a device of this name already."),
    Row.State.INVALID: _("The platform does not accept this name."),
    Row.State.FAILED: _("The platform refused the device."),
    Row.State.UNKNOWN: _("It was sent, but the job stopped before its outcome was known."),
    Row.State.CANCELED: _("Not sent: the job stopped before."),
}


def explain(state: str, reason: str, extra: Mapping[str, Any] | None, kind: Kind) -> str:
    """Why a row came out as it did, in the reader's language; "" when there is nothing to say."""
    if state == Row.State.SKIPPED:
        return " ".join(said_finding(kind, *finding) for finding in (extra or {}).get("findings", ()))
    meaning = str(_MEANINGS.get(state, ""))
    return " ".join(filter(None, [meaning, gettext(reason) if reason else ""]))


def said_finding(kind: Kind, rule: str, value: str, other: str) -> str:
    """A finding as a sentence."""
    known = kind.rules.get(rule)
    text = str(known.text) if known else rule
    if rule == "duplicate" and other:
        return gettext("The same device name stands on line %(line)s.") % {"line": other}
    if rule == "ragged" and other:
        return gettext("The line has %(cells)s cells, the header %(header)s.") % {
            "cells": value,
            "header": other,
        }
    if rule == "quotes" and other:
        return f"{text} " + gettext("All up to line %(line)s was taken for one.") % {"line": other}
    return text


def noted(rule: str, value: str, other: str) -> str:
    """What is to be said of one line beside the rule it broke; mostly nothing."""
    if not other:
        return ""
    if rule == "duplicate":
        return gettext("first on line %(line)s") % {"line": other}
    if rule == "ragged":
        return gettext("%(cells)s cells, the header has %(header)s") % {"cells": value, "header": other}
    return gettext("up to line %(line)s") % {"line": other}


def result(job: Job, secrets: bool = False) -> Iterator[str]:
    """Every line of the job: line, name, nickname, outcome, reason, and if asked for the device's secret."""
    kind = kinds.get(job.kind)
    header = ["line", "device_name", "nickname", "outcome", "reason", *(["device_secret"] if secrets else [])]

    def rows() -> Iterator[Sequence[object]]:
        yield header
        found = Row.objects.filter(job=job).order_by("number")
        for batch in _batches(found, "number", "name", "nickname", "state", "reason", "extra"):
            known = _secrets(job, [row[1] for row in batch]) if secrets else {}
            for number, name, nickname, state, reason, extra in batch:
                cells = [number, name, nickname, state, explain(state, reason, extra, kind)]
                yield [*cells, known.get(name, "")] if secrets else cells

    return csv_lines(rows())


def _secrets(job: Job, names: list[str]) -> dict[str, str]:
    kept = Secret.objects.filter(job=job, name__in=names, expires_at__gt=timezone.now())
    return dict(kept.values_list("name", "value"))


def findings(job: Job) -> Iterator[str]:
    """What is wrong with which line of the file: line, column, rule, value, and the sentence."""
    kind = kinds.get(job.kind)

    def rows() -> Iterator[list[object]]:
        yield ["line", "column", "rule", "value", "explanation"]
        bad = Row.objects.filter(job=job, state=Row.State.SKIPPED).order_by("number")
        for batch in _batches(bad, "number", "extra"):
            for number, extra in batch:
                for rule, value, other in (extra or {}).get("findings", ()):
                    known = kind.rules.get(rule)
                    yield [
                        number,
                        known.column if known else "",
                        rule,
                        value,
                        said_finding(kind, rule, value, other),
                    ]

    return csv_lines(rows())


def bad_rows(job: Job) -> Iterator[str]:
    """The lines left out, and those that failed, in the shape of the original file: to be mended and sent again."""
    layout = job.params.get("layout") or {}
    separator = layout.get("separator") or ","
    header = layout.get("header") or []
    columns, tags = layout.get("columns") or {"name": 0, "nickname": 1}, layout.get("tags") or {}
    width = max([len(header), *(place + 1 for place in [*columns.values(), *tags.values()])])
    bad = Row.objects.filter(job=job, state__in=[Row.State.SKIPPED, *Row.BAD]).order_by("number")
    # In a line that is no row of cells: what a spreadsheet would take for the beginning of a formula.
    signs = re.escape("".join(sign for sign in FORMULA if not sign.isspace()))
    formula = re.compile(rf'((?:^|[\n\r{re.escape(separator)}])\s*"*)(?=[{signs}])')

    def lines() -> Iterator[str]:
        if header or not layout:
            yield from csv_lines([header or ["DeviceName", "Nickname"]], separator)
        else:
            yield "\ufeff"
        for batch in _batches(bad, "name", "nickname", "extra"):
            for name, nickname, extra in batch:
                kept = extra or {}
                if kept.get("raw"):
                    yield formula.sub("\\1'", kept["raw"].rstrip("\r\n")) + "\r\n"
                    continue
                cells = kept.get("cells") or _rebuilt(name, nickname, kept.get("tags", {}))
                yield next(csv_lines([cells], separator)).removeprefix("\ufeff")

    def _rebuilt(name: str, nickname: str, values: dict[str, str]) -> list[str]:
        cells = [""] * width
        for key, value in (("name", name), ("nickname", nickname)):
            if key in columns:
                cells[columns[key]] = value
        for key, place in tags.items():
            cells[place] = values.get(key, "")
        return cells

    return lines()


def _batches(rows: QuerySet[Row], *fields: str) -> Iterable[list[Any]]:
    batch: list[Any] = []
    for row in rows.values_list(*fields).iterator(chunk_size=_BATCH):
        batch.append(row)
        if len(batch) == _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch
