"""Letting old records go, from the beginning of a chain only, so that what stays can still be verified."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from console.access.audit.records import Origin, close_record, open_record
from console.access.audit.verifying import Reading, links_between
from console.access.encryption import Undecryptable
from console.access.models import AuditChain, AuditRecord, ReadCount

log = logging.getLogger(__name__)
OPERATION = "audit.prune"
_AT_ONCE = 500


class Broken(Exception):
    """The beginning of a chain does not verify: it is evidence, and stays until somebody has looked."""


def prune_all() -> None:
    """Prune every chain that has a limit, and the counts of reads with it."""
    for chain in AuditChain.objects.select_related("team").order_by("pk"):
        try:
            prune(chain)
        except (Broken, Undecryptable) as error:
            log.error("The audit chain %s was not pruned: %s", chain.name, error)


def prune(chain: AuditChain) -> int:
    """Delete the records older than the team keeps them; how many. The pruning is itself a record.

    Kept longer: an old record that ended after a younger one began, until that one goes too. Raises Broken, Undecryptable.
    """
    days = chain.team.audit_keep_days if chain.team else settings.AUDIT_KEEP_DAYS
    if not days:
        return 0
    limit = timezone.now() - timedelta(days=days)
    if chain.team:
        ReadCount.objects.filter(team=chain.team, day__lt=limit.date()).delete()
    if not AuditRecord.objects.filter(chain=chain, at__lt=limit).exists():
        return 0
    record = open_record(
        operation=OPERATION,
        actor=None,
        team=chain.team,
        origin=Origin(),
        target=chain.name,
        parameters={"days": days, "until": limit.isoformat(timespec="seconds")},
    )
    deleted = 0
    try:
        while some := _prune_some(chain, limit):
            deleted += some
    except (Broken, Undecryptable) as error:
        close_record(record, AuditRecord.Outcome.FAILED, code=type(error).__name__, message=str(error))
        raise
    close_record(record, AuditRecord.Outcome.DONE, message=f"{deleted} records")
    return deleted


def _prune_some(chain: AuditChain, limit: datetime) -> int:
    """Delete a part of what is too old; how many records, 0 when nothing can go any more."""
    chain.refresh_from_db()
    end = _end(chain, limit)
    if end is None:
        return 0
    number, state = end
    with transaction.atomic():
        present = AuditChain.objects.select_for_update().get(pk=chain.pk)
        going = AuditRecord.objects.filter(chain=chain, opened_number__lte=number)
        # Somebody else pruned, or a record that never ended did after all: the next time.
        if present.base_length != chain.base_length or going.filter(closed_number__gt=number).exists():
            return 0
        deleted, _by_model = going.delete()
        AuditChain.objects.filter(pk=chain.pk).update(base_length=number, base_state=state)
    return deleted


def _end(chain: AuditChain, limit: datetime) -> tuple[int, str] | None:
    """The last link, and the state after it, of a beginning that holds whole records and only old ones; None for none.

    It has at most some thousand links: the first place after 500 of them that no record reaches across.
    """
    reading = Reading(chain, chain.key, chain.base_length, [chain.base_state])
    unfinished: set[int] = set()
    end = None
    while reading.number < chain.length and (end is None or end[0] < chain.base_length + _AT_ONCE):
        last = min(reading.number + _AT_ONCE, chain.length)
        found = links_between(chain, reading.number + 1, last)
        for number in range(reading.number + 1, last + 1):
            link = next(iter(found.get(number, [])), None)
            if link and link.opens and link.record.at >= limit:
                return end
            if link is None or not reading.take(link):
                raise Broken(f"link {number} does not verify")
            if link.opens and link.record.closed_number:
                unfinished.add(link.record.closed_number)
            unfinished.discard(number)
            if not unfinished:
                end = number, reading.states[0]
    return end
