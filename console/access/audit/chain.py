"""Adding links to a team's chain: one at a time, whoever writes.

The head is locked (a row lock on PostgreSQL, the only writer's lock on SQLite) from reading it to committing the link, a
millisecond; hence the links have transactions of their own, and Django refuses one that is begun inside another.
"""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from console.access.audit import seals
from console.access.models import AuditChain, AuditRecord, Team

TEAMLESS = "-"
"""The name of the chain of what belongs to no team."""


def append_opening(record: AuditRecord) -> None:
    """Save a new record as the next link of its team's chain. Raises RuntimeError within a transaction, Undecryptable."""
    with transaction.atomic(durable=True):
        chain = _locked(record.team)
        record.at = timezone.now()  # under the lock, so that time goes the way of the numbers
        record.chain, record.opened_number = chain, chain.length + 1
        record.opened_seal = seals.seal(
            chain.key, record.opened_number, chain.state, seals.opening(vars(record))
        )
        record.save(force_insert=True)
        _move_head(chain, record.opened_number, record.opened_seal)


def append_closing(record: AuditRecord) -> None:
    """Save how an open record ended as the next link; nothing when it is closed already or was deleted.

    Raises RuntimeError within a transaction, Undecryptable.
    """
    if record.chain is None:
        raise ValueError("A record is opened before it is closed.")
    with transaction.atomic(durable=True):
        chain = AuditChain.objects.select_for_update().get(pk=record.chain.pk)
        record.closed_at = timezone.now()
        record.closed_number = chain.length + 1
        record.closed_seal = seals.seal(
            chain.key, record.closed_number, chain.state, seals.closing(vars(record))
        )
        open_yet = AuditRecord.objects.filter(pk=record.pk, outcome=AuditRecord.Outcome.OPEN)
        closed = open_yet.update(
            outcome=record.outcome,
            closed_at=record.closed_at,
            code=record.code,
            message=record.message,
            request_id=record.request_id,
            closed_number=record.closed_number,
            closed_seal=record.closed_seal,
        )
        if closed:
            _move_head(chain, record.closed_number, record.closed_seal)


def _locked(team: Team | None) -> AuditChain:
    """The chain of a team, made when it has none yet, with its head locked."""
    chains = AuditChain.objects.select_for_update()
    named = {"name": TEAMLESS} if team is None else {"team": team}
    chain = chains.filter(**named).first()
    if chain is None:
        # Not the short name alone: a team that is gone leaves its chain behind, and another may get its name.
        name = TEAMLESS if team is None else f"{team.slug[:20]}-{team.pk}"
        AuditChain.objects.get_or_create(**named, defaults={"name": name, "key": seals.new_key()})
        chain = chains.get(**named)
    return chain


def _move_head(chain: AuditChain, number: int, seal: str) -> None:
    AuditChain.objects.filter(pk=chain.pk).update(
        length=number, state=seals.state_after(chain.key, number, seal)
    )
