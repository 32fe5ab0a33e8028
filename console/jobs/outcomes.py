"""The outcome of each row: explanations, and the CSV files to download."""

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
# The explanation of an outcome when no reason is known.
_MEANINGS: dict[str, str | Promise] = {
    Row.State.EXISTS: _("The product already has a device with this name."),
    Row.State.INVALID: _("The platform does not accept this name."),
    Row.State.FAILED: _("The platform rejected the device."),
    Row.State.UNKNOWN: _("The row was sent, but the job stopped before its outcome was known."),
    Row.State.CANCELED: _("Not sent because the job stopped first."),
}


def explain(state: str, reason: str, extra: Mapping[str, Any] | None, kind: Kind) -> str:
    """Return why a row has its outcome, in the reader's language; "" when there is nothing to explain."""
    if state == Row.State.SKIPPED:
        return " ".join(describe_finding(kind, *finding) for finding in (extra or {}).get("findings", ()))
    meaning = str(_MEANINGS.get(state, ""))
    return " ".join(filter(None, [meaning, gettext(reason) if reason else ""]))


def describe_finding(kind: Kind, rule: str, value: str, other: str) -> str:
    """Return the error text of a finding. `other` is a second value, such as the number of another row."""
    broken_rule = kind.rules.get(rule)
    text = str(broken_rule.text) if broken_rule else rule
    if rule == "duplicate" and other:
        return gettext("Duplicate device name. First used in row %(row)s.") % {"row": other}
    if rule == "ragged" and other:
        return gettext("The row has %(cells)s cells, but the header has %(header)s.") % {
            "cells": value,
            "header": other,
        }
    if rule == "quotes" and other:
        return f"{text} " + gettext("Everything up to row %(row)s was read as one row.") % {"row": other}
    return text


def finding_note(rule: str, value: str, other: str) -> str:
    """Return a note about one row in addition to the rule that it breaks; "" for most rules."""
    if not other:
        return ""
    if rule == "duplicate":
        return gettext("first used in row %(row)s") % {"row": other}
    if rule == "ragged":
        return gettext("%(cells)s cells, header: %(header)s") % {"cells": value, "header": other}
    return gettext("up to row %(row)s") % {"row": other}


def result_lines(job: Job, secrets: bool = False) -> Iterator[str]:
    """Yield the CSV lines of a job's results: row, name, nickname, outcome, reason and, with `secrets`, the DeviceSecret."""
    kind = kinds.get(job.kind)
    header = ["row", "device_name", "nickname", "outcome", "reason", *(["device_secret"] if secrets else [])]

    def rows() -> Iterator[Sequence[object]]:
        yield header
        job_rows = Row.objects.filter(job=job).order_by("number")
        for batch in _batches(job_rows, "number", "name", "nickname", "state", "reason", "extra"):
            secrets_by_name = _secrets(job, [row[1] for row in batch]) if secrets else {}
            for number, name, nickname, state, reason, extra in batch:
                cells = [number, name, nickname, state, explain(state, reason, extra, kind)]
                yield [*cells, secrets_by_name.get(name, "")] if secrets else cells

    return csv_lines(rows())


def _secrets(job: Job, names: list[str]) -> dict[str, str]:
    stored = Secret.objects.filter(job=job, name__in=names, expires_at__gt=timezone.now())
    return dict(stored.values_list("name", "value"))


def finding_lines(job: Job) -> Iterator[str]:
    """Yield the CSV lines of the error report: row, column, rule, value and explanation."""
    kind = kinds.get(job.kind)

    def rows() -> Iterator[list[object]]:
        yield ["row", "column", "rule", "value", "explanation"]
        bad = Row.objects.filter(job=job, state=Row.State.SKIPPED).order_by("number")
        for batch in _batches(bad, "number", "extra"):
            for number, extra in batch:
                for rule, value, other in (extra or {}).get("findings", ()):
                    broken_rule = kind.rules.get(rule)
                    yield [
                        number,
                        broken_rule.column if broken_rule else "",
                        rule,
                        value,
                        describe_finding(kind, rule, value, other),
                    ]

    return csv_lines(rows())


def invalid_row_lines(job: Job) -> Iterator[str]:
    """Yield the skipped and failed rows in the layout of the original file, so that they can be corrected and uploaded again."""
    layout = job.params.get("layout") or {}
    separator = layout.get("separator") or ","
    header = layout.get("header") or []
    columns, tags = layout.get("columns") or {"name": 0, "nickname": 1}, layout.get("tags") or {}
    width = max([len(header), *(index + 1 for index in [*columns.values(), *tags.values()])])
    bad = Row.objects.filter(job=job, state__in=[Row.State.SKIPPED, *Row.UNSUCCESSFUL]).order_by("number")
    # In raw text without cells: the places that a spreadsheet would read as the start of a formula.
    signs = re.escape("".join(sign for sign in FORMULA if not sign.isspace()))
    formula = re.compile(rf'((?:^|[\n\r{re.escape(separator)}])\s*"*)(?=[{signs}])')

    def lines() -> Iterator[str]:
        if header or not layout:
            yield from csv_lines([header or ["DeviceName", "Nickname"]], separator)
        else:
            yield "\ufeff"
        for batch in _batches(bad, "name", "nickname", "extra"):
            for name, nickname, extra in batch:
                original = extra or {}
                if original.get("raw"):
                    yield formula.sub("\\1'", original["raw"].rstrip("\r\n")) + "\r\n"
                    continue
                cells = original.get("cells") or build_cells(name, nickname, original.get("tags", {}))
                yield next(csv_lines([cells], separator)).removeprefix("\ufeff")

    def build_cells(name: str, nickname: str, values: dict[str, str]) -> list[str]:
        cells = [""] * width
        for key, value in (("name", name), ("nickname", nickname)):
            if key in columns:
                cells[columns[key]] = value
        for key, index in tags.items():
            cells[index] = values.get(key, "")
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
