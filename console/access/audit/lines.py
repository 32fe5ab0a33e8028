"""The trail as JSON lines: one record a line, with the numbers and seals by which it can be held against the chain later."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from django.utils.dateparse import parse_datetime

from console.access.audit import seals
from console.access.audit.verifying import Problem
from console.access.models import AuditChain, AuditQuerySet, AuditRecord, Team
from console.ui.csv import Download

# What the seals cover, and the seals.
_FIELDS = dict.fromkeys((*seals.OPENING, *seals.CLOSING, "opened_seal", "closed_number", "closed_seal"))


def download(team: Team, records: AuditQuerySet) -> Download:
    """The records as a file; sending it is itself a record."""
    return Download(
        json_lines(records),
        f"audit-{team.slug}.jsonl",
        content_type="application/jsonl",
        act="audit.export",
        header=0,
    )


def json_lines(records: AuditQuerySet) -> Iterator[str]:
    """Each record as a line of JSON, times as ISO 8601 in UTC with microseconds; `chain` is the name of its chain."""
    for record in records.select_related("chain").iterator(chunk_size=500):
        values = {name: getattr(record, name) for name in _FIELDS}
        values["chain"] = record.chain.name if record.chain else ""
        yield json.dumps(values, ensure_ascii=False, default=_text) + "\n"


def _text(value: Any) -> str:
    return value.isoformat(timespec="microseconds") if isinstance(value, datetime) else str(value)


def compare(lines: Iterable[str]) -> Iterator[Problem | None]:
    """Hold exported lines against the chains: for each line what is wrong with it, or None.

    Nothing is wrong with a record that was pruned since, or that was open when it was exported and ended since. A record
    of the file that the chain never reached shows that the chain was cut and given an older head.
    """
    chains = {chain.name: chain for chain in AuditChain.objects.all()}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            values = json.loads(line)
            chain = chains.get(values["chain"])
            opened, sealed = int(values["opened_number"]), str(values["opened_seal"])
            for name in ("at", "closed_at"):
                values[name] = parse_datetime(values[name]) if values[name] else None
            contents = seals.opening(values), seals.closing(values)
        except (ValueError, KeyError, TypeError):
            yield Problem("file", f"line {number} is no record of an export")
            continue
        if chain is None:
            yield Problem("removed", f"line {number}: there is no chain {values['chain']}")
        elif opened > chain.base_length:
            yield _difference(number, values, contents, AuditRecord.objects.filter(chain=chain), sealed)
        else:
            yield None


def _difference(
    line: int, values: dict[str, Any], contents: tuple[str, str], records: AuditQuerySet, sealed: str
) -> Problem | None:
    record = records.filter(opened_number=values["opened_number"]).first()
    if record is None:
        return Problem("removed", f"line {line}: link {values['opened_number']} is gone")
    here = vars(record)
    same = (seals.opening(here), record.opened_seal) == (contents[0], sealed)
    if same and values["closed_number"] is not None:
        same = (seals.closing(here), record.closed_number, record.closed_seal) == (
            contents[1],
            values["closed_number"],
            values["closed_seal"],
        )
    if same:
        return None
    return Problem("altered", f"line {line}: record {record.pk} is another here than in the file", record.pk)
