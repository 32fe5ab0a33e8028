"""The files of a registration to download, besides its results."""

from __future__ import annotations

from collections.abc import Iterable

from django.http import Http404, HttpResponseBase
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from console.areas.devices.registration import outcomes
from console.areas.devices.registration.params import REGISTER_KIND, SECRETS_KIND, RegistrationParams
from console.connections.http import CloudRequest
from console.jobs.http import find_job, require_job_rights
from console.jobs.models import Job, Secret
from console.jobs.outcomes import result_lines
from console.sign_in.reauthentication import ReauthenticationNeeded
from console.ui.csv import Download, read_first_rows
from console.ui.links import connection_url


def find_registration(request: CloudRequest, job: int) -> Job:
    """Return a registration of the request's connection that the user may see. Raises Http404."""
    record = find_job(request, job)
    if record.kind != REGISTER_KIND:
        raise Http404
    return record


@never_cache
@require_safe
def secrets(request: CloudRequest, job: int) -> HttpResponseBase:
    """Download the results with DeviceSecrets, for users who may see them. Audited."""
    record = find_registration(request, job)
    require_job_rights(request, SECRETS_KIND)
    if not request.gateway.reauthenticated:
        # Return to the page with the link: a download would leave the user on the confirmation page.
        raise ReauthenticationNeeded(connection_url(request, "jobs:detail", record.pk))
    product_key = RegistrationParams.read(record).product_key
    lines = result_lines(record, "device_secret", {"product_key": product_key})
    return Download(
        read_first_rows(
            lines, 2
        ),  # the heading and one row: a secret that cannot be decrypted becomes an error page
        f"job-{record.pk}-secrets.csv",
        operation="DownloadDeviceSecrets",
        target=f"job {record.pk}",
        audit_parameters={"Count": Secret.objects.filter(job=record, expires_at__gt=timezone.now()).count()},
    )


@require_safe
def findings(request: CloudRequest, job: int) -> HttpResponseBase:
    """Download the error report of the file."""
    record = find_registration(request, job)
    return _download(record, "findings", outcomes.finding_lines(record))


@require_safe
def invalid_rows(request: CloudRequest, job: int) -> HttpResponseBase:
    """Download the skipped and failed rows in the layout of the original file."""
    record = find_registration(request, job)
    return _download(record, "invalid-rows", outcomes.invalid_row_lines(record))


def _download(job: Job, name: str, lines: Iterable[str]) -> Download:
    return Download(lines, f"job-{job.pk}-{name}.csv", operation="jobs.export", target=f"job {job.pk}")
