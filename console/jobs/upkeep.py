"""What is not to be kept: secrets past their time, drafts that nobody started, jobs that ended long ago."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from console.jobs import actions
from console.jobs.models import Job, Secret

_AT_ONCE = 200  # jobs; the rest when it is time again


def tidy() -> None:
    """Delete expired secrets, drafts older than JOBS_DRAFT_HOURS, and jobs that ended JOBS_KEEP_DAYS ago (0: none)."""
    now = timezone.now()
    Secret.objects.filter(expires_at__lte=now).delete()
    stale = Job.objects.filter(
        state__in=Job.DRAFTS, created_at__lt=now - timedelta(hours=settings.JOBS_DRAFT_HOURS)
    )
    for job in stale:
        actions.discard(job)
    if settings.JOBS_KEEP_DAYS:
        over = Job.objects.filter(
            state__in=Job.OVER, finished_at__lt=now - timedelta(days=settings.JOBS_KEEP_DAYS)
        )
        for job in over.exclude(children__state__in=Job.AT_WORK)[:_AT_ONCE]:
            actions.delete(job)
