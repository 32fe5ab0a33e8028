"""What needs the attention of a member on a connection."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext, ngettext

from console.approvals import inbox
from console.areas.ota.failures import OPERATIONS as FAILING_BATCHES
from console.areas.ota.failures import find_failing_batches
from console.areas.ota.jobs import KIND as MONITORING
from console.areas.ota.jobs import MonitoringParams
from console.connections.gateway import Gateway
from console.connections.http import CloudRequest
from console.dashboard.api import Package
from console.jobs.listing import job_title
from console.jobs.models import Job, JobQuerySet, Sample
from console.ui.format import number
from console.ui.links import connection_url
from console.ui.statuses import status

SHOWN = 6
_RECENT = timedelta(days=7)
_STUCK_AFTER = timedelta(hours=1)
_MAX_JOBS_READ = 50


@dataclass(frozen=True)
class Notice:
    """Something that needs attention, with the page where it can be looked at. `tone`: bad, warn or wait. `at`: since when."""

    title: str
    text: str | Promise
    url: str
    tone: str
    icon: str
    at: datetime | None = None


def find_notices(request: CloudRequest, jobs: JobQuerySet, packages: Iterable[Package]) -> list[Notice]:
    """Return what needs attention, the most urgent first: requests for approval, failed and stuck jobs and batches, packages.
    Makes no call to the cloud.

    `jobs`: those that the member may see. `packages`: update packages that are not verified.
    """
    return [
        *_find_approvals(request),
        *_find_jobs(request, jobs),
        *(_describe_package(request, package) for package in packages),
    ]


def _find_approvals(request: CloudRequest) -> Iterator[Notice]:
    count = inbox.count_requests_to_decide(request.membership)
    if count:
        title = ngettext("%(count)s request for approval", "%(count)s requests for approval", count)
        url = reverse("approvals:list", args=[request.team.slug])
        yield Notice(
            title % {"count": number(count)}, gettext("Waiting for your decision"), url, "warn", "user-check"
        )


def _find_jobs(request: CloudRequest, jobs: JobQuerySet) -> Iterator[Notice]:
    """Failures of the last days, and running jobs that have failures or do not advance. One notice for each batch."""
    subjects: set[str] = set()
    for job in _read_jobs(jobs):
        if job.kind == MONITORING and job.subject in subjects:
            continue
        subjects.add(job.subject)
        text, tone = _describe_problem(job)
        if text:
            yield Notice(
                _title(job),
                text,
                job_page(request, job),
                tone,
                "circle-x" if tone == "bad" else "clock-pause",
                job.finished_at or job.started_at,
            )


def _read_jobs(jobs: JobQuerySet) -> list[Job]:
    """The running jobs, and those that failed in the last days and were not started again."""
    recent = jobs.filter(
        state__in=(Job.State.FAILED, Job.State.PARTIAL), finished_at__gte=timezone.now() - _RECENT
    )
    recent = recent.exclude(children__state__in=(*Job.ACTIVE, Job.State.SUCCEEDED))
    return [*jobs.active()[:_MAX_JOBS_READ], *recent[:_MAX_JOBS_READ]]


def may_find_batches(gateway: Gateway) -> bool:
    """Whether the member may read what `find_batches` reads. Members limited to groups see no batches."""
    guard = gateway.limited_scope
    return all(map(gateway.allows, FAILING_BATCHES)) and (guard is None or bool(guard.products))


def find_batches(request: CloudRequest, jobs: JobQuerySet) -> list[Notice]:
    """Return running batches with failed devices, without those that `find_notices` finds by their monitoring. For the calls see
    `find_failing_batches`; raises CloudError."""
    monitored = {job.subject for job in _read_jobs(jobs) if job.kind == MONITORING}
    return [
        Notice(
            gettext("Batch %(name)s") % {"name": found.package},
            gettext("%(number)s failed") % {"number": number(found.failed)},
            connection_url(request, "ota:batch", found.batch.id),
            "bad",
            "circle-x",
            found.batch.started,
        )
        for found in find_failing_batches(request.gateway, known=monitored)
    ]


def _title(job: Job) -> str:
    if job.kind != MONITORING:
        return job_title(job)
    return gettext("Batch %(name)s") % {"name": MonitoringParams.read(job).package or job.subject}


def job_page(request: CloudRequest, job: Job) -> str:
    """Return the URL of the page that shows the progress of a job: that of the batch, if it monitors one."""
    if job.kind == MONITORING:
        return connection_url(request, "ota:batch", job.subject)
    return connection_url(request, "jobs:detail", job.pk)


def _describe_problem(job: Job) -> tuple[str, str]:
    """Return what is wrong with a job, and its tone; ("", "") if nothing is."""
    if job.failed:
        return gettext("%(failed)s of %(total)s failed") % {
            "failed": number(job.failed),
            "total": number(job.total),
        }, "bad"
    if job.is_finished:
        return job.error_text or str(status("job", job.state).label), "bad"
    if job.kind == MONITORING and _is_stuck(job):
        return gettext("No progress for more than an hour"), "warn"
    return "", ""


def _is_stuck(job: Job) -> bool:
    """Whether the counts of a monitored batch are those of an hour ago, and some of its devices are not finished."""
    before = timezone.now() - _STUCK_AFTER
    samples = Sample.objects.filter(job=job).order_by("-at", "-pk")
    latest, earlier = samples.first(), samples.filter(at__lte=before).first()
    if latest is None or earlier is None:
        return False
    return latest.counts == earlier.counts and job.done < job.total


def _describe_package(request: CloudRequest, package: Package) -> Notice:
    badge = status("package", package.status)
    text = " · ".join(filter(None, (str(badge.label), package.product)))
    url = connection_url(request, "ota:package", package.id)
    return Notice(package.name or package.id, text, url, badge.tone, badge.icon)
