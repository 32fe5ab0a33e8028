"""Periodic tasks of the audit trail."""

from __future__ import annotations

import logging
from datetime import timedelta

from celery import shared_task
from django.utils import timezone

from console.audit import read_counts, retention
from console.audit.models import AuditChain
from console.audit.verification import verify_chain

log = logging.getLogger(__name__)


@shared_task(name="audit.reads", acks_late=False)
def flush_read_counts() -> None:
    """Move the counts of reads from Redis to the database."""
    read_counts.flush_counts()


@shared_task(name="audit.maintain", acks_late=False)
def maintain_audit_trail() -> None:
    """Delete old records, verify those of the last two days, and write each chain's length and state to the log.

    A copy of the log that is stored elsewhere shows if a chain is cut and given an older head.
    """
    retention.prune_chains()
    since = timezone.now() - timedelta(days=2)
    for chain in AuditChain.objects.order_by("pk"):
        log.info("The audit chain %s has %d entries, state %s", chain.name, chain.length, chain.state[:16])
        for problem in verify_chain(chain, since):
            log.error("The audit chain %s does not verify: %s: %s", chain.name, problem.kind, problem.text)
