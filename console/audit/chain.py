"""Appending entries to a team's hash chain, one at a time, whichever process writes.

The chain's head is locked (a row lock on PostgreSQL, the single writer's lock on SQLite) from reading it until the entry is
committed, about a millisecond. Therefore each entry has a separate transaction, and Django refuses to begin one inside
another.
"""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from console.accounts.models import Team
from console.audit import hmacs
from console.audit.models import AuditChain, AuditRecord

TEAMLESS_CHAIN = "-"
"""The name of the chain of records that belong to no team."""


def append_opening(record: AuditRecord) -> None:
    """Save a new record as the next entry of its team's chain. Raises RuntimeError within a transaction, Undecryptable."""
    with transaction.atomic(durable=True):
        chain = _lock_chain(record.team)
        record.at = timezone.now()  # set under the lock, so that times and numbers have the same order
        record.chain, record.opened_number = chain, chain.length + 1
        record.opened_hmac = hmacs.entry_hmac(
            chain.key, record.opened_number, chain.state, hmacs.opening_content(vars(record))
        )
        record.save(force_insert=True)
        _move_head(chain, record.opened_number, record.opened_hmac)


def append_closing(record: AuditRecord) -> None:
    """Save the outcome of an open record as the next entry. Does nothing if the record is already closed or was deleted.

    Raises RuntimeError within a transaction, Undecryptable.
    """
    if record.chain is None:
        raise ValueError("A record must be opened before it is closed.")
    with transaction.atomic(durable=True):
        chain = AuditChain.objects.select_for_update().get(pk=record.chain.pk)
        record.closed_at = timezone.now()
        record.closed_number = chain.length + 1
        record.closed_hmac = hmacs.entry_hmac(
            chain.key, record.closed_number, chain.state, hmacs.closing_content(vars(record))
        )
        open_records = AuditRecord.objects.filter(pk=record.pk, outcome=AuditRecord.Outcome.OPEN)
        updated = open_records.update(
            outcome=record.outcome,
            closed_at=record.closed_at,
            code=record.code,
            message=record.message,
            request_id=record.request_id,
            closed_number=record.closed_number,
            closed_hmac=record.closed_hmac,
        )
        if updated:
            _move_head(chain, record.closed_number, record.closed_hmac)


def _lock_chain(team: Team | None) -> AuditChain:
    """Return the chain of a team with its head locked. Creates the chain if there is none."""
    chains = AuditChain.objects.select_for_update()
    lookup = {"name": TEAMLESS_CHAIN} if team is None else {"team": team}
    chain = chains.filter(**lookup).first()
    if chain is None:
        # The short name alone is not enough: a deleted team leaves its chain behind, and another team may get its name.
        name = TEAMLESS_CHAIN if team is None else f"{team.slug[:20]}-{team.pk}"
        AuditChain.objects.get_or_create(**lookup, defaults={"name": name, "key": hmacs.new_key()})
        chain = chains.get(**lookup)
    return chain


def _move_head(chain: AuditChain, number: int, last_hmac: str) -> None:
    AuditChain.objects.filter(pk=chain.pk).update(
        length=number, state=hmacs.state_after(chain.key, number, last_hmac)
    )
