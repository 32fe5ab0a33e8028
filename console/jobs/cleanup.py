"""Deletes expired secrets, drafts that were never started, and old finished jobs."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from console.jobs import actions
from console.jobs.models import Job, Secret

_AT_ONCE = 200  # jobs; the next run deletes more


def delete_expired() -> None:
    """Delete expired secrets, drafts older than JOBS_DRAFT_HOURS, and jobs that ended JOBS_KEEP_DAYS ago (0: keep all)."""
    now = timezone.now()
    Secret.objects.filter(expires_at__lte=now).delete()
    stale = Job.objects.filter(
        state__in=Job.DISCARDABLE, created_at__lt=now - timedelta(hours=settings.JOBS_DRAFT_HOURS)
    )
    for job in stale:
        actions.discard(job)
    if settings.JOBS_KEEP_DAYS:
        over = Job.objects.filter(
            state__in=Job.FINISHED, finished_at__lt=now - timedelta(days=settings.JOBS_KEEP_DAYS)
        )
        for job in over.exclude(children__state__in=Job.ACTIVE)[:_AT_ONCE]:
            actions.delete(job)
