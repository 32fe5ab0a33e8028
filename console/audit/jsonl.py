"""The audit trail as JSON lines: one record per line, with the numbers and HMACs to compare it with the chain later."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from django.utils.dateparse import parse_datetime

from console.accounts.models import Team
from console.audit import hmacs
from console.audit.models import AuditChain, AuditQuerySet, AuditRecord
from console.audit.verification import Problem
from console.ui.csv import Download

# The fields that the HMACs cover, and the HMACs.
_FIELDS = dict.fromkeys(
    (*hmacs.OPENING_FIELDS, *hmacs.CLOSING_FIELDS, "opened_hmac", "closed_number", "closed_hmac")
)


def build_jsonl_download(team: Team, records: AuditQuerySet) -> Download:
    """Return the records as a file. Sending the file is itself recorded."""
    return Download(
        write_json_lines(records),
        f"audit-{team.slug}.jsonl",
        content_type="application/jsonl",
        operation="audit.export",
        header=0,
    )


def write_json_lines(records: AuditQuerySet) -> Iterator[str]:
    """Yield each record as a line of JSON, times as ISO 8601 in UTC with microseconds; `chain` is the name of its chain."""
    for record in records.select_related("chain").iterator(chunk_size=500):
        values = {name: getattr(record, name) for name in _FIELDS}
        values["chain"] = record.chain.name if record.chain else ""
        yield json.dumps(values, ensure_ascii=False, default=_format_value) + "\n"


def _format_value(value: Any) -> str:
    return value.isoformat(timespec="microseconds") if isinstance(value, datetime) else str(value)


def compare_lines(lines: Iterable[str]) -> Iterator[Problem | None]:
    """Compare exported lines with the chains. Yields for each line its problem, or None.

    A record that was pruned since the export, or that was open then and is closed now, is no problem. A record of the file
    that the chain does not contain shows that the chain was cut and given an older head.
    """
    chains = {chain.name: chain for chain in AuditChain.objects.all()}
    for line_number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            values = json.loads(line)
            chain = chains.get(values["chain"])
            opened_number, opened_hmac = int(values["opened_number"]), str(values["opened_hmac"])
            for name in ("at", "closed_at"):
                values[name] = parse_datetime(values[name]) if values[name] else None
            contents = hmacs.opening_content(values), hmacs.closing_content(values)
        except (ValueError, KeyError, TypeError):
            yield Problem("file", f"line {line_number} is not a record of an export")
            continue
        if chain is None:
            yield Problem("removed", f"line {line_number}: the chain {values['chain']} does not exist")
        elif opened_number > chain.base_length:
            records = AuditRecord.objects.filter(chain=chain)
            yield _find_difference(line_number, values, contents, records, opened_hmac)
        else:
            yield None


def _find_difference(
    line_number: int,
    values: dict[str, Any],
    contents: tuple[str, str],
    records: AuditQuerySet,
    opened_hmac: str,
) -> Problem | None:
    record = records.filter(opened_number=values["opened_number"]).first()
    if record is None:
        return Problem("removed", f"line {line_number}: entry {values['opened_number']} is missing")
    columns = vars(record)
    is_same = (hmacs.opening_content(columns), record.opened_hmac) == (contents[0], opened_hmac)
    if is_same and values["closed_number"] is not None:
        is_same = (hmacs.closing_content(columns), record.closed_number, record.closed_hmac) == (
            contents[1],
            values["closed_number"],
            values["closed_hmac"],
        )
    if is_same:
        return None
    return Problem("altered", f"line {line_number}: record {record.pk} differs from the file", record.pk)
