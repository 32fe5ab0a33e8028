"""The audit trail as people read it: the records of one job are one entry.

A page costs a fixed number of queries, however many records its jobs have.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from django.db.models import Count, Max

from console.audit.models import AuditQuerySet, AuditRecord
from console.audit.phrases import PHRASES
from console.audit.search import find_after, format_position, parse_position
from console.audit.sentences import describe_record, parse_count

_WINDOW = 500  # records that are read at once to find the entries of a page
_WINDOWS = 4
_MAX_REMEMBERED_JOBS = 40  # in the token of the next page
_MAX_TARGETS = 5_000  # of the jobs of a page whose targets state numbers of objects

Row = tuple[datetime, int, int | None]  # of a record: time, id, job


@dataclass(frozen=True)
class Entry:
    """A record, or the records of a job.

    `record` is the record that says what was done, `at` the time of the first one in the order of the page. `count` is the number
    of records, `unsuccessful` how many of them did not succeed, `objects` the number of objects of the job (0: that of the record).
    """

    record: AuditRecord
    at: datetime
    count: int = 1
    unsuccessful: int = 0
    objects: int = 0
    outcome: str = ""

    @property
    def sentence(self) -> str:
        """What was done, without a full stop."""
        return describe_record(self.record, self.objects)


@dataclass
class _JobRecords:
    """The records of a job by operation: their numbers, those that were not carried out, and the newest record that was."""

    counts: Counter[str] = field(default_factory=Counter)
    unsuccessful: Counter[str] = field(default_factory=Counter)
    outcomes: set[str] = field(default_factory=set)
    newest: dict[str, int] = field(default_factory=dict)

    @property
    def main_operation(self) -> str:
        """The operation that says what the job did: the most frequent one that prepares no other."""
        prepares = {name for name in self.counts if (phrase := PHRASES.get(name)) and phrase.is_preparatory}
        return max(self.counts, key=lambda name: (name not in prepares, self.counts[name], name))


def read_entries(
    records: AuditQuerySet, token: str, size: int, *, by_job: bool = True, oldest_first: bool = False
) -> tuple[list[Entry], str | None]:
    """Return a page of up to `size` entries, and the token of the next page, or None if there is none.

    `records` are newest first or `oldest_first`. An entry stands where the first of its records does. The token contains the last
    jobs that the pages before have shown: a job is shown again only if its records reach beyond 40 other jobs. A page is shorter
    if its jobs have thousands of records. `by_job=False`: each record is an entry. Raises BadRequest for an invalid token.
    """
    position, shown_jobs = parse_position(token)
    rows, jobs, last, has_more = _find_rows(
        records, position, shown_jobs, size, by_job=by_job, oldest_first=oldest_first
    )
    summaries = _read_jobs(records, [row[2] for row in rows if row[2] is not None]) if by_job else {}
    shown = {pk: _representative(pk, summaries.get(job or 0)) for _at, pk, job in rows}
    found = AuditRecord.objects.in_bulk(shown.values())
    objects = _count_objects(records, summaries, found.values())
    entries = [
        _build_entry(found[shown[pk]], at, summaries.get(job or 0), objects)
        for at, pk, job in rows
        if shown[pk] in found
    ]
    next_token = format_position(last, jobs[-_MAX_REMEMBERED_JOBS:]) if has_more and last else None
    return entries, next_token


def _find_rows(
    records: AuditQuerySet,
    position: tuple[datetime, int] | None,
    shown_jobs: list[int],
    size: int,
    *,
    by_job: bool,
    oldest_first: bool,
) -> tuple[list[Row], list[int], tuple[datetime, int] | None, bool]:
    """Find the first records after a position, of each job one.

    Returns the rows, the jobs that were shown until the end of them, the position of the last record that was read, and whether there
    are more records.
    """
    rows: list[Row] = []
    jobs = list(shown_jobs)
    for _window in range(_WINDOWS):
        unread = find_after(records, position, oldest_first=oldest_first)
        if by_job and jobs:
            unread = unread.exclude(job__in=jobs)
        window = list(unread.values_list("at", "pk", "job")[:_WINDOW])
        for at, pk, job in window:
            if by_job and job in jobs:
                position = at, pk
                continue
            if len(rows) == size:
                return rows, jobs, position, True
            rows.append((at, pk, job))
            position = at, pk
            if job is not None:
                jobs.append(job)
        if len(window) < _WINDOW:
            return rows, jobs, position, False
    return rows, jobs, position, True


def _read_jobs(records: AuditQuerySet, jobs: list[int]) -> dict[int, _JobRecords]:
    """Return the records of jobs, counted by the database."""
    summaries: dict[int, _JobRecords] = defaultdict(_JobRecords)
    if not jobs:
        return summaries
    groups = records.filter(job__in=jobs).order_by().values_list("job", "operation", "outcome")
    for job, operation, outcome, count, newest in groups.annotate(Count("pk"), Max("pk")):
        summary = summaries[job]
        summary.counts[operation] += count
        summary.outcomes.add(outcome)
        is_done = outcome == AuditRecord.Outcome.DONE
        if not is_done:
            summary.unsuccessful[operation] += count
        if is_done or operation not in summary.newest:
            summary.newest[operation] = newest
    return summaries


def _representative(pk: int, summary: _JobRecords | None) -> int:
    """Return the id of the record that stands for a job, or of the record itself."""
    return summary.newest[summary.main_operation] if summary else pk


def _count_objects(
    records: AuditQuerySet, summaries: Mapping[int, _JobRecords], shown: Iterable[AuditRecord]
) -> dict[int, int]:
    """Return the number of objects of jobs with several records: the sum of what their targets state, or the number of calls."""
    counts: dict[int, int] = {}
    stated: list[AuditRecord] = []
    for record in shown:
        summary = summaries.get(record.job or 0)
        if summary is None:
            continue
        operation = record.operation
        successful = summary.counts[operation] - summary.unsuccessful[operation]
        phrase = PHRASES.get(operation)
        if parse_count(operation, record.target):
            stated.append(record)
        elif successful > 1 and phrase and not phrase.items and not phrase.place:
            counts[record.job or 0] = successful
    if stated:
        targets = records.filter(
            job__in=[record.job for record in stated],
            operation__in={record.operation for record in stated},
            outcome=AuditRecord.Outcome.DONE,
        ).order_by()
        main = {record.job: record.operation for record in stated}
        for job, operation, target in targets.values_list("job", "operation", "target")[:_MAX_TARGETS]:
            if main[job] == operation:
                counts[job or 0] = counts.get(job or 0, 0) + parse_count(operation, target)
    return counts


def _build_entry(
    record: AuditRecord, at: datetime, summary: _JobRecords | None, objects: Mapping[int, int]
) -> Entry:
    if summary is None:
        return Entry(record, at, outcome=record.outcome)
    return Entry(
        record,
        at,
        count=summary.counts.total(),
        unsuccessful=summary.unsuccessful.total(),
        objects=objects.get(record.job or 0, 0),
        outcome=next(iter(summary.outcomes)) if len(summary.outcomes) == 1 else "partial",
    )
