"""Deletes old records, from the beginning of a chain only, so that the remaining records can still be verified."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from console.accounts.encryption import Undecryptable
from console.audit.chain import store_row
from console.audit.models import AuditChain, AuditRecord, ReadCount
from console.audit.records import Origin, close_record, open_record
from console.audit.verification import ChainReader, read_entries

log = logging.getLogger(__name__)
OPERATION = "audit.prune"
_BATCH_SIZE = 500


class BrokenChain(Exception):
    """The beginning of a chain does not verify. It is evidence, so it is kept and has to be examined."""


def prune_chains() -> None:
    """Prune every chain that has a limit, and the counts of reads with it."""
    for chain in AuditChain.objects.select_related("team").order_by("pk"):
        try:
            prune_chain(chain)
        except (BrokenChain, Undecryptable) as error:
            log.error("The audit chain %s was not pruned: %s", chain.name, error)


def prune_chain(chain: AuditChain) -> int:
    """Delete the records older than the team keeps them. Returns their number. The pruning is itself recorded.

    An old record that was closed after a newer one was opened is kept until the newer one is deleted too.
    Raises BrokenChain, Undecryptable.
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
    total = 0
    try:
        while deleted := _prune_batch(chain, limit):
            total += deleted
    except (BrokenChain, Undecryptable) as error:
        close_record(record, AuditRecord.Outcome.FAILED, code=type(error).__name__, message=str(error))
        raise
    close_record(record, AuditRecord.Outcome.DONE, message=f"{total} records")
    return total


def _prune_batch(chain: AuditChain, limit: datetime) -> int:
    """Delete some of the old records. Returns their number, 0 when none can be deleted any more."""
    chain.refresh_from_db()
    end = _find_end(chain, limit)
    if end is None:
        return 0
    number, state = end
    with transaction.atomic():
        locked_chain = AuditChain.objects.select_for_update().get(pk=chain.pk)
        old_records = AuditRecord.objects.filter(chain=chain, opened_number__lte=number)
        # Another process pruned, or an open record was closed in the meantime: leave it to the next run.
        is_overtaken = locked_chain.base_length != chain.base_length
        if is_overtaken or old_records.filter(closed_number__gt=number).exists():
            return 0
        deleted, _by_model = old_records.delete()
        locked_chain.base_length, locked_chain.base_state = number, state
        store_row(locked_chain)
    return deleted


def _find_end(chain: AuditChain, limit: datetime) -> tuple[int, str] | None:
    """Find the longest beginning of the chain that contains only whole records, all of them old.

    Returns its last entry's number and the state after it, or None if there is no such beginning. The beginning has at most a
    few thousand entries: the search stops at the first possible end after 500 of them.
    """
    reader = ChainReader(chain, chain.key, chain.base_length, [chain.base_state])
    unfinished: set[int] = set()
    end = None
    while reader.number < chain.length and (end is None or end[0] < chain.base_length + _BATCH_SIZE):
        last = min(reader.number + _BATCH_SIZE, chain.length)
        entries = read_entries(chain, reader.number + 1, last)
        for number in range(reader.number + 1, last + 1):
            entry = next(iter(entries.get(number, [])), None)
            if entry and entry.is_opening and entry.record.at >= limit:
                return end
            if entry is None or not reader.accept_entry(entry):
                raise BrokenChain(f"entry {number} does not verify")
            if entry.is_opening and entry.record.closed_number:
                unfinished.add(entry.record.closed_number)
            unfinished.discard(number)
            if not unfinished:
                end = number, reader.states[0]
    return end
