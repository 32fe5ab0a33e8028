"""The files of a job to download."""

from __future__ import annotations

from django.http import HttpResponseBase
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from console.access.reauthentication import ReauthenticationNeeded
from console.connections.http import CloudRequest
from console.jobs import outcomes
from console.jobs.http import SECRETS, find_job, require_job_rights
from console.jobs.models import Secret
from console.ui.csv import Download
from console.ui.links import connection_url


@require_safe
def result(request: CloudRequest, job: int) -> HttpResponseBase:
    """Download the outcome of every row."""
    record = find_job(request, job)
    return Download(outcomes.result_lines(record), f"job-{record.pk}-result.csv", target=f"job {record.pk}")


@never_cache
@require_safe
def result_with_secrets(request: CloudRequest, job: int) -> HttpResponseBase:
    """Download the results with DeviceSecrets, for users who may see them. Audited."""
    record = find_job(request, job)
    require_job_rights(request, SECRETS)
    if not request.gateway.reauthenticated:
        # Return to the page with the link: a download would leave the user on the confirmation page.
        raise ReauthenticationNeeded(connection_url(request, "jobs:detail", record.pk))
    return Download(
        outcomes.result_lines(record, secrets=True),
        f"job-{record.pk}-secrets.csv",
        operation="DownloadDeviceSecrets",
        target=f"job {record.pk}",
        audit_parameters={"Count": Secret.objects.filter(job=record, expires_at__gt=timezone.now()).count()},
    )


@require_safe
def findings(request: CloudRequest, job: int) -> HttpResponseBase:
    """Download the error report of the file."""
    record = find_job(request, job)
    return Download(
        outcomes.finding_lines(record), f"job-{record.pk}-findings.csv", target=f"job {record.pk}"
    )


@require_safe
def invalid_rows(request: CloudRequest, job: int) -> HttpResponseBase:
    """Download the skipped and failed rows in the layout of the original file."""
    record = find_job(request, job)
    return Download(
        outcomes.invalid_row_lines(record), f"job-{record.pk}-invalid-rows.csv", target=f"job {record.pk}"
    )
