"""The outcome of each device of a registration: explanations, the error report, and the rows to correct."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from console.areas.devices.registration.params import RegistrationParams
from console.areas.devices.registration.sheet import NAME, NICKNAME, RULES
from console.jobs import kinds
from console.jobs.models import Item, Job
from console.jobs.outcomes import explain, read_batches
from console.ui.csv import csv_lines, safe_cell
from console.ui.format import join_sentences

ERROR_HEADING = "fleetdesk_error"
"""The heading of the column of a file of invalid rows that says what is wrong in each of them."""

# The explanation of an outcome when no reason is known.
_MEANINGS: dict[str, str | Promise] = {
    Item.Outcome.PARTIAL: _("The device was created, but its tags were not set."),
    Item.Outcome.UNCHANGED: _("The product already has a device with this name."),
    Item.Outcome.INVALID: _("The platform does not accept this name."),
    Item.Outcome.FAILED: _("The platform rejected the device."),
}


def explain_outcome(outcome: str, data: Mapping[str, Any]) -> str:
    """Return why a device has its outcome; "" when there is nothing to explain."""
    if outcome == Item.Outcome.SKIPPED:
        return join_sentences(describe_finding(*finding) for finding in data.get("findings", ()))
    if outcome in _MEANINGS:
        return str(_MEANINGS[outcome])
    return kinds.explain_outcome(outcome, data)


def describe_finding(rule: str, value: str, other: str) -> str:
    """Return the error text of a finding. `other` is a second value, such as the number of another row."""
    broken_rule = RULES.get(rule)
    text = str(broken_rule.text) if broken_rule else rule
    if rule == "duplicate" and other:
        return gettext("Duplicate device name. First used in row %(row)s.") % {"row": other}
    if rule == "ragged" and other:
        return gettext("The row has %(cells)s cells, but the header has %(header)s.") % {
            "cells": value,
            "header": other,
        }
    if rule == "duplicate_changed" and other:
        return f"{text} " + gettext("First used in row %(row)s.") % {"row": other}
    if rule == "name_invisible" and other:
        return f"{text} ({other})"
    if rule == "quotes" and other:
        return f"{text} " + gettext("Everything up to row %(row)s was read as one row.") % {"row": other}
    return text


def describe_second_value(rule: str, value: str, other: str) -> str:
    """Return a note about one row in addition to the rule that it breaks; "" for most rules."""
    if not other:
        return ""
    if rule == "name_invisible":
        return other
    if rule in ("duplicate", "duplicate_changed"):
        return gettext("first used in row %(row)s") % {"row": other}
    if rule == "ragged":
        return gettext("%(cells)s cells, header: %(header)s") % {"cells": value, "header": other}
    return gettext("up to row %(row)s") % {"row": other}


def finding_lines(job: Job) -> Iterator[str]:
    """Yield the CSV lines of the error report: row, column, rule, value and explanation."""

    def rows() -> Iterator[list[object]]:
        yield ["row", "column", "rule", "value", "explanation"]
        skipped = Item.objects.filter(job=job, outcome=Item.Outcome.SKIPPED).order_by("number")
        for batch in read_batches(skipped, "number", "data"):
            for number, data in batch:
                for rule, value, other in (data or {}).get("findings", ()):
                    column = RULES[rule].column if rule in RULES else ""
                    yield [number, column, rule, value, describe_finding(rule, value, other)]

    return csv_lines(rows())


def invalid_row_lines(job: Job) -> Iterator[str]:
    """Yield the skipped and failed rows in the layout of the original file, so that they can be corrected and uploaded again. If the
    file has a header, a further column says what is wrong in a row."""
    kind = kinds.get(job.kind)
    layout = RegistrationParams.read(job).file_layout
    separator = layout.separator if layout else ","
    header = layout.header if layout else ["DeviceName", "Nickname"]
    columns = layout.columns if layout else {NAME: 0, NICKNAME: 1}
    tags = layout.tags if layout else {}
    width = max([len(header), *(index + 1 for index in [*columns.values(), *tags.values()])])
    # The file may be one that was downloaded and corrected before.
    error_at = header.index(ERROR_HEADING) if ERROR_HEADING in header else width
    outcomes = [Item.Outcome.SKIPPED, *Item.UNSUCCESSFUL]
    invalid = Item.objects.filter(job=job, outcome__in=outcomes).order_by("number")

    def lines() -> Iterator[str]:
        if header:
            yield from csv_lines([add_error(header, ERROR_HEADING)], separator)
        else:
            yield "\ufeff"
        for batch in read_batches(invalid, "key", "label", "outcome", "reason", "data"):
            for name, nickname, outcome, reason, data in batch:
                original = data or {}
                if original.get("raw"):
                    yield safe_cell(original["raw"].rstrip("\r\n")) + "\r\n"
                    continue
                cells = original.get("cells") or build_cells(name, nickname, original.get("tags", {}))
                if header:
                    cells = add_error(cells, explain(outcome, reason, data, kind))
                yield next(csv_lines([cells], separator)).removeprefix("\ufeff")

    def add_error(cells: Sequence[str], text: str) -> list[str]:
        """Return the cells with a text in the column for errors, or after the last cell of a row that is too long."""
        padded = [*cells, *[""] * (error_at - len(cells))]
        return (
            [*padded[:error_at], text, *padded[error_at + 1 :]] if len(padded) <= width else [*padded, text]
        )

    def build_cells(name: str, nickname: str, values: dict[str, str]) -> list[str]:
        cells = [""] * width
        for key, value in ((NAME, name), (NICKNAME, nickname)):
            if key in columns:
                cells[columns[key]] = value
        for key, index in tags.items():
            cells[index] = values.get(key, "")
        return cells

    return lines()
