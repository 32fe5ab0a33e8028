"""What beat asks of the audit trail and of sign-in."""

from __future__ import annotations

import logging
from datetime import timedelta

from celery import shared_task
from django.utils import timezone

from console.access.audit import reads, retention
from console.access.audit.verifying import verify
from console.access.models import AuditChain
from console.access.sign_in import upkeep

log = logging.getLogger(__name__)


@shared_task(name="audit.reads", acks_late=False)
def count_reads() -> None:
    """Bring the counts of reads from Redis to the database."""
    reads.flush()


@shared_task(name="audit.tidy", acks_late=False)
def tidy() -> None:
    """Let go what is too old, verify what was added of late, and write each chain's end to the log.

    Who keeps the log elsewhere can show by it that a chain was cut and given back an older end.
    """
    retention.prune_all()
    since = timezone.now() - timedelta(days=2)
    for chain in AuditChain.objects.order_by("pk"):
        log.info("The audit chain %s has %d links, state %s", chain.name, chain.length, chain.state[:16])
        for problem in verify(chain, since):
            log.error("The audit chain %s does not verify: %s: %s", chain.name, problem.kind, problem.text)


@shared_task(name="sign_in.tidy", acks_late=False)
def tidy_sign_in() -> None:
    """Let go of sessions that are over and of old notes about sign-ins."""
    upkeep.delete_expired()
