"""Searches the audit records, also among a million: each filter is turned into values of an indexed column if there is one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from django.core.exceptions import BadRequest
from django.db import connection
from django.db.models import Q

from console.accounts.models import Team
from console.audit.masking import clean_text
from console.audit.models import AuditQuerySet, AuditRecord
from console.audit.sentences import kind_of

_MAX_VALUES = 500


@dataclass(frozen=True)
class RecordQuery:
    """The records to search for; "" and None match anything.

    `text` is part of a target, `target` a whole one; `actor` and `token` are parts of the actor's and the token's label;
    `operation` is the beginning of its name, `kind` a value of `RecordKind`; `start` is included, `end` is not. The case matters for
    `target` and `connection` only.
    """

    text: str = ""
    target: str = ""
    actor: str = ""
    token: str = ""
    operation: str = ""
    kind: str = ""
    connection: str = ""
    outcome: str = ""
    job: int | None = None
    start: datetime | None = None
    end: datetime | None = None


def search_records(team: Team, query: RecordQuery) -> AuditQuerySet:
    """Return the team's records that match the query, newest first."""
    lookups = {
        "target__icontains": query.text,
        "target": query.target,
        "connection": query.connection,
        "outcome": query.outcome,
        "job": query.job,
        "at__gte": query.start,
        "at__lt": query.end,
    }
    records = AuditRecord.objects.for_team(team)
    records = records.filter(**{lookup: value for lookup, value in lookups.items() if value})
    if query.operation:
        prefix = query.operation.casefold()
        operations = [value for value in list_operations(team) if value.casefold().startswith(prefix)]
        records = _filter_values(records, "operation", operations)
    if query.kind:
        records = filter_kind(records, team, query.kind)
    for column, text in (("actor_label", query.actor), ("token", query.token)):
        if text:
            part = text.casefold()
            values = [value for value in _distinct_values(team, column) if part in value.casefold()]
            records = _filter_values(records, column, values)
    return records


def filter_kind(records: AuditQuerySet, team: Team, kind: str) -> AuditQuerySet:
    """Return the records of a team whose operations are of a kind (a value of `RecordKind`)."""
    operations = [operation for operation in list_operations(team) if kind_of(operation) == kind]
    return _filter_values(records, "operation", operations)


def find_last_record(team: Team, operation: str, target: str) -> AuditRecord | None:
    """Return the newest record of an operation on a target that changed it, or may have; None if there is none."""
    outcomes = (AuditRecord.Outcome.DONE, AuditRecord.Outcome.OPEN, AuditRecord.Outcome.UNKNOWN)
    records = AuditRecord.objects.for_team(team)
    stored = clean_text(target, 255)  # as a record has it: PostgreSQL refuses to compare with a NUL
    return records.filter(operation=operation, target=stored, outcome__in=outcomes).first()


def read_page(
    records: AuditQuerySet, token: str, size: int, *, oldest_first: bool = False
) -> tuple[list[AuditRecord], str | None]:
    """Return a page of `size` records and the token of the next page, or None if there is none.

    `records` are in the order of time, newest first or `oldest_first`. `token` names the page; "" is the first page. Pages are found
    by time and id, so the thousandth costs as much as the first. Raises BadRequest for an invalid token.
    """
    rows_and_next = list(find_after(records, parse_position(token)[0], oldest_first=oldest_first)[: size + 1])
    rows = rows_and_next[:size]
    if len(rows_and_next) == len(rows):
        return rows, None
    return rows, format_position((rows[-1].at, rows[-1].pk))


def find_after(
    records: AuditQuerySet, position: tuple[datetime, int] | None, *, oldest_first: bool = False
) -> AuditQuerySet:
    """Return the records after a position (time, id); all of them for None. `records` are newest first or `oldest_first`."""
    if position is None:
        return records
    at, pk = position
    if oldest_first:
        return records.filter(Q(at__gt=at) | Q(at=at, pk__gt=pk))
    return records.filter(Q(at__lt=at) | Q(at=at, pk__lt=pk))


def parse_position(token: str) -> tuple[tuple[datetime, int] | None, list[int]]:
    """Return the position and the jobs that the token of a page contains. Raises BadRequest for an invalid token."""
    if not token:
        return None, []
    moment, _separator, rest = token.partition("_")
    number, _separator, listed = rest.partition("_")
    try:
        at, pk = datetime.fromisoformat(moment), int(number)
        jobs = [int(job) for job in listed.split(".")] if listed else []
        if at.tzinfo is None or not all(0 <= value < 2**63 for value in (pk, *jobs)):
            raise BadRequest("no such page")
        return (at.astimezone(UTC), pk), jobs  # may be before the year 1
    except (ValueError, OverflowError) as error:
        raise BadRequest("no such page") from error


def format_position(position: tuple[datetime, int], jobs: Sequence[int] = ()) -> str:
    """Return the token of the page after a position, with jobs that it does not show."""
    at, pk = position
    token = f"{at.astimezone(UTC).isoformat()}_{pk}"
    return f"{token}_{'.'.join(map(str, jobs))}" if jobs else token


def list_operations(team: Team) -> list[str]:
    """Return the operations in the team's records, in order."""
    return _distinct_values(team, "operation")


def list_actors(team: Team) -> list[str]:
    """Return the labels of the actors in the team's records, in order; at most 500."""
    return _distinct_values(team, "actor_label")


def _filter_values(records: AuditQuerySet, column: str, values: Sequence[str]) -> AuditQuerySet:
    return records.filter(**{column: values[0]} if len(values) == 1 else {f"{column}__in": values})


def _distinct_values(team: Team, column: str) -> list[str]:
    """Return the distinct values of an indexed column. Each takes one step in the index, instead of reading all records."""
    quote = connection.ops.quote_name
    table, name, team_id = (quote(part) for part in (AuditRecord._meta.db_table, column, "team_id"))
    # Names of tables and columns of the console, quoted.
    sql = (
        f"WITH RECURSIVE found(value) AS (SELECT MIN({name}) FROM {table} WHERE {team_id} = %s UNION ALL "  # noqa: S608
        f"SELECT (SELECT MIN({name}) FROM {table} WHERE {team_id} = %s AND {name} > found.value) "
        "FROM found WHERE found.value IS NOT NULL) SELECT value FROM found WHERE value IS NOT NULL LIMIT %s"
    )
    with connection.cursor() as cursor:
        cursor.execute(sql, [team.pk, team.pk, _MAX_VALUES])
        return [value for (value,) in cursor.fetchall()]
