"""Finds who deleted an object."""

from __future__ import annotations

from collections.abc import Sequence

from console.accounts.models import Team
from console.audit.models import AuditRecord
from iot_client.catalogue import Access, operations

_DELETIONS = [name for name, entry in operations().items() if entry.access is Access.DELETE]
_RECORDS = 20  # the newest ones: several objects may have the same name


def find_deletion(team: Team, connection: str, names: Sequence[str]) -> AuditRecord | None:
    """Return the newest record of the deletion of an object on a connection (its slug); None if there is none.

    `names` are the parameters of the object's URL. The target of its records is the last one, or all of them joined. The others
    are among their parameters.
    """
    records = AuditRecord.objects.for_team(team).filter(
        target__in=(names[-1], "/".join(names)),
        operation__in=_DELETIONS,
        connection=connection,
        outcome=AuditRecord.Outcome.DONE,
    )
    for record in records.order_by("-at", "-id")[:_RECORDS]:
        if {*names[:-1]} <= {str(value) for value in record.parameters.values()}:
            return record
    return None
