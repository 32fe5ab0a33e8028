"""Periodic tasks of the audit trail."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

import httpx
from celery import shared_task
from django.conf import settings
from django.utils import timezone

from console.audit import anchors, read_counts, retention
from console.audit.models import AuditChain
from console.audit.verification import report_missing_chains, verify_chain

log = logging.getLogger(__name__)


@shared_task(name="audit.reads", acks_late=False)
def flush_read_counts() -> None:
    """Move the counts of reads from Redis to the database."""
    read_counts.flush_counts()


@shared_task(name="audit.maintain", acks_late=False)
def maintain_audit_trail() -> None:
    """Delete old records, and verify those of the last two days."""
    retention.prune_chains()
    for problem in report_missing_chains():
        log.error("The audit trail does not verify: %s: %s", problem.kind, problem.text)
    since = timezone.now() - timedelta(days=2)
    for chain in AuditChain.objects.order_by("pk"):
        for problem in verify_chain(chain, since):
            log.error("The audit chain %s does not verify: %s: %s", chain.name, problem.kind, problem.text)


@shared_task(name="audit.anchor", acks_late=False)
def anchor_chains() -> list[dict[str, Any]]:
    """Write the heads of all chains to the log, and start to send them to the webhook if there is one. Returns them."""
    heads = anchors.log_anchors()
    if settings.AUDIT_ANCHOR_URL:
        send_anchors.delay(heads)
    return heads


@shared_task(
    name="audit.send_anchors",
    autoretry_for=(httpx.HTTPError,),
    max_retries=12,
    retry_backoff=15,
    retry_backoff_max=300,  # less than the visibility timeout, after which the broker delivers a message again
)
def send_anchors(heads: list[dict[str, Any]]) -> None:
    """Send heads of chains to the webhook. A failed attempt is repeated for about half an hour, less and less often."""
    anchors.post_anchors(heads)
