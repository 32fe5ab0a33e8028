"""Files that a job gives."""

from __future__ import annotations

from django.http import HttpResponseBase
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from console.access.reauthentication import ReauthenticationNeeded
from console.connections.http import CloudRequest
from console.jobs import outcomes
from console.jobs.http import SECRETS, demand, job_of
from console.jobs.models import Secret
from console.ui.csv import Download
from console.ui.links import curl


@require_safe
def result(request: CloudRequest, job: int) -> HttpResponseBase:
    """One line a row: name, outcome, reason."""
    found = job_of(request, job)
    return Download(outcomes.result(found), f"job-{found.pk}-result.csv", about=f"job {found.pk}")


@never_cache
@require_safe
def with_secrets(request: CloudRequest, job: int) -> HttpResponseBase:
    """The result with device secrets, for those who may see them. Audited."""
    found = job_of(request, job)
    demand(request, SECRETS)
    if not request.gateway.reauthenticated:
        # Back to the page with the link: a file would leave the person on the page that asked.
        raise ReauthenticationNeeded(curl(request, "jobs:detail", found.pk))
    return Download(
        outcomes.result(found, secrets=True),
        f"job-{found.pk}-secrets.csv",
        act="DownloadDeviceSecrets",
        about=f"job {found.pk}",
        noted={"Count": Secret.objects.filter(job=found, expires_at__gt=timezone.now()).count()},
    )


@require_safe
def findings(request: CloudRequest, job: int) -> HttpResponseBase:
    """What is wrong with which line of the file."""
    found = job_of(request, job)
    return Download(outcomes.findings(found), f"job-{found.pk}-findings.csv", about=f"job {found.pk}")


@require_safe
def bad_lines(request: CloudRequest, job: int) -> HttpResponseBase:
    """The lines that were left out or failed, in the shape of the original file."""
    found = job_of(request, job)
    return Download(outcomes.bad_rows(found), f"job-{found.pk}-bad-lines.csv", about=f"job {found.pk}")
