"""Finding records among a million: what is asked for is brought to columns that are indexed, where there is one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from django.core.exceptions import BadRequest
from django.db import connection
from django.db.models import Q

from console.access.models import AuditQuerySet, AuditRecord, Team

_MOST_VALUES = 500


@dataclass(frozen=True)
class Wanted:
    """What is looked for; "" and None are anything.

    `text` is part of a target, `target` the whole of one; `person` and `token` are part of theirs, `operation` is the
    beginning of its name; from `start` to before `end`. Upper and lower case are the same but for `target` and `connection`.
    """

    text: str = ""
    target: str = ""
    person: str = ""
    token: str = ""
    operation: str = ""
    connection: str = ""
    outcome: str = ""
    job: int | None = None
    start: datetime | None = None
    end: datetime | None = None


def search(team: Team, wanted: Wanted) -> AuditQuerySet:
    """The team's records that are wanted, newest first."""
    lookups = {
        "target__icontains": wanted.text,
        "target": wanted.target,
        "connection": wanted.connection,
        "outcome": wanted.outcome,
        "job": wanted.job,
        "at__gte": wanted.start,
        "at__lt": wanted.end,
    }
    records = AuditRecord.objects.for_team(team)
    records = records.filter(**{lookup: value for lookup, value in lookups.items() if value})
    if wanted.operation:
        begun = wanted.operation.casefold()
        records = _of_values(
            records, "operation", [v for v in operations(team) if v.casefold().startswith(begun)]
        )
    for column, asked in (("actor_label", wanted.person), ("token", wanted.token)):
        if asked:
            part = asked.casefold()
            found = [value for value in _values(team, column) if part in value.casefold()]
            records = _of_values(records, column, found)
    return records


def part(records: AuditQuerySet, token: str, size: int) -> tuple[list[AuditRecord], str | None]:
    """So many of the records from where the token says ("": the newest), and the token of what follows them, if anything does.

    Parts are found by time and id, so the thousandth costs what the first does. Raises BadRequest for what is no token.
    """
    if token:
        moment, _separator, number = token.rpartition("_")
        try:
            at, pk = datetime.fromisoformat(moment), int(number)
            if at.tzinfo is None or not 0 <= pk < 2**63:
                raise BadRequest("no such page")
            at = at.astimezone(UTC)  # which may be before the year 1
        except (ValueError, OverflowError) as error:
            raise BadRequest("no such page") from error
        records = records.filter(Q(at__lt=at) | Q(at=at, pk__lt=pk))
    found = list(records[: size + 1])
    rows = found[:size]
    if len(found) == len(rows):
        return rows, None
    return rows, f"{rows[-1].at.astimezone(UTC).isoformat()}_{rows[-1].pk}"


def operations(team: Team) -> list[str]:
    """The operations that the team's records name, in order."""
    return _values(team, "operation")


def people(team: Team) -> list[str]:
    """The people that the team's records name, in order; at most 500."""
    return _values(team, "actor_label")


def _of_values(records: AuditQuerySet, column: str, values: Sequence[str]) -> AuditQuerySet:
    return records.filter(**{column: values[0]} if len(values) == 1 else {f"{column}__in": values})


def _values(team: Team, column: str) -> list[str]:
    """The different values of an indexed column, each found by one step in the index instead of reading all records."""
    quote = connection.ops.quote_name
    table, name, team_id = (quote(part) for part in (AuditRecord._meta.db_table, column, "team_id"))
    # Names of our own table and columns, quoted.
    sql = (
        f"WITH RECURSIVE found(value) AS (SELECT MIN({name}) FROM {table} WHERE {team_id} = %s UNION ALL "  # noqa: S608
        f"SELECT (SELECT MIN({name}) FROM {table} WHERE {team_id} = %s AND {name} > found.value) "
        "FROM found WHERE found.value IS NOT NULL) SELECT value FROM found WHERE value IS NOT NULL LIMIT %s"
    )
    with connection.cursor() as cursor:
        cursor.execute(sql, [team.pk, team.pk, _MOST_VALUES])
        return [value for (value,) in cursor.fetchall()]
