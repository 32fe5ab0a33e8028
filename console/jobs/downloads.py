"""Files that a job gives."""

from __future__ import annotations

from django.http import HttpResponseBase
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from console.access.audit import close_record, open_record
from console.access.models import AuditRecord
from console.connections.http import CloudRequest
from console.jobs import outcomes
from console.jobs.http import SECRETS, demand, job_of
from console.jobs.models import Secret
from console.ui.csv import download


@require_safe
def result(request: CloudRequest, job: int) -> HttpResponseBase:
    """One line a row: name, outcome, reason."""
    found = job_of(request, job)
    return download(outcomes.result(found), f"job-{found.pk}-result.csv")


@never_cache
@require_safe
def with_secrets(request: CloudRequest, job: int) -> HttpResponseBase:
    """The result with device secrets, for those who may see them. Audited."""
    found = job_of(request, job)
    demand(request, SECRETS)
    record = open_record(
        operation="DownloadDeviceSecrets",
        actor=request.user,
        team=request.team,
        origin=request.gateway.origin,
        target=f"job {found.pk}",
        parameters={"Count": Secret.objects.filter(job=found, expires_at__gt=timezone.now()).count()},
        connection=request.connection.slug,
    )
    response = download(outcomes.result(found, secrets=True), f"job-{found.pk}-secrets.csv")
    close_record(record, AuditRecord.Outcome.DONE)
    return response


@require_safe
def findings(request: CloudRequest, job: int) -> HttpResponseBase:
    """What is wrong with which line of the file."""
    found = job_of(request, job)
    return download(outcomes.findings(found), f"job-{found.pk}-findings.csv")


@require_safe
def bad_lines(request: CloudRequest, job: int) -> HttpResponseBase:
    """The lines that were left out or failed, in the shape of the original file."""
    found = job_of(request, job)
    return download(outcomes.bad_rows(found), f"job-{found.pk}-bad-lines.csv")
