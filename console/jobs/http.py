"""Functions that the job views share: finding a job and checking the rights to control it."""

from __future__ import annotations

from django.http import Http404

from console.connections.http import CloudRequest
from console.jobs import kinds
from console.jobs.models import Job
from console.jobs.visibility import visible_jobs


def find_job(request: CloudRequest, pk: int) -> Job:
    """Return a job of the request's connection that the user may see. Raises Http404."""
    visible = visible_jobs(request.gateway).select_related("created_by", "started_by", "parent")
    job = visible.filter(pk=pk).first()
    if job is None:
        raise Http404
    return job


def require_job_rights(request: CloudRequest, kind: str, job: Job | None = None) -> None:
    """Check that the user may run and control this kind of job, or this `job`. Raises PermissionRefused."""
    job_kind = kinds.get(kind)
    job_operations = job_kind.job_operations(job) if job is not None else ()
    request.gateway.require(*job_kind.operations, *job_kind.control_operations, *job_operations)
    request.gateway.require_secrets(*job_kind.reveals)
