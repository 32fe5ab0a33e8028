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
from console.audit.models import TEAMLESS_CHAIN, AuditChain, AuditRecord


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


def begin_chains(*teams: Team) -> None:
    """Create the chains of new teams, in the transaction that creates the teams. Teams that have a chain keep it.

    A team without a chain does not verify: its chain was deleted.
    """
    with transaction.atomic():
        teamless = _lock_teamless_chain()  # only one process at a time creates a chain
        present = set(AuditChain.objects.filter(team__in=teams).values_list("team_id", flat=True))
        chains = []
        for team in teams:
            if team.pk not in present:
                teamless.chain_count += 1
                # The short name alone is not enough: a deleted team leaves its chain behind, and another may get its name.
                chains.append(_build_chain(f"{team.slug[:20]}-{team.pk}", teamless.chain_count, team))
        if chains:
            store_row(teamless)
            AuditChain.objects.bulk_create(chains)


def store_row(chain: AuditChain) -> None:
    """Save base, head and count of a locked chain, with the HMAC that covers them."""
    chain.row_hmac = hmacs.row_hmac(chain.key, vars(chain))
    chain.save(
        update_fields=["chain_count", "base_length", "base_state", "length", "state", "row_hmac"],
    )


def _lock_chain(team: Team | None) -> AuditChain:
    """Return the chain of a team with its head locked. Creates the chain if there is none."""
    if team is None:
        return _lock_teamless_chain()
    chains = AuditChain.objects.select_for_update().filter(team=team)
    chain = chains.first()
    if chain is None:
        begin_chains(team)
        chain = chains.get()
    return chain


def _lock_teamless_chain() -> AuditChain:
    chains = AuditChain.objects.select_for_update().filter(name=TEAMLESS_CHAIN)
    chain = chains.first()
    if chain is None:
        # Another process may create it at the same time: then the name is not unique, and this one is dropped.
        AuditChain.objects.bulk_create([_build_chain(TEAMLESS_CHAIN, 0)], ignore_conflicts=True)
        chain = chains.get()
    return chain


def _build_chain(name: str, number: int, team: Team | None = None) -> AuditChain:
    chain = AuditChain(team=team, name=name, number=number, key=hmacs.new_key())
    chain.state = chain.base_state = hmacs.start_state(chain.key, name)
    chain.row_hmac = hmacs.row_hmac(chain.key, vars(chain))
    return chain


def _move_head(chain: AuditChain, number: int, last_hmac: str) -> None:
    chain.length, chain.state = number, hmacs.state_after(chain.key, number, last_hmac)
    store_row(chain)
