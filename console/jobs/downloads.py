"""The files of a job to download."""

from __future__ import annotations

from django.http import HttpResponseBase
from django.views.decorators.http import require_safe

from console.connections.http import CloudRequest
from console.jobs import outcomes
from console.jobs.http import find_job
from console.ui.csv import Download


@require_safe
def result(request: CloudRequest, job: int) -> HttpResponseBase:
    """Download the outcome of every item."""
    record = find_job(request, job)
    return Download(outcomes.result_lines(record), f"job-{record.pk}-result.csv", target=f"job {record.pk}")
