"""What the views of this room share: fetching a job, and refusing who may not touch it."""

from __future__ import annotations

from django.http import Http404

from console.connections.http import CloudRequest
from console.jobs import kinds
from console.jobs.models import Job
from console.jobs.visibility import jobs_of

REGISTER = "devices.register"
SECRETS = "devices.secrets"


def job_of(request: CloudRequest, pk: int) -> Job:
    """The job of that number on the request's connection, if the person may see it. Raises Http404."""
    found = jobs_of(request.gateway).select_related("created_by", "started_by", "parent")
    job = found.filter(pk=pk).first()
    if job is None:
        raise Http404
    return job


def demand(request: CloudRequest, kind: str, job: Job | None = None) -> None:
    """Refuse who may not run and stop this kind of job, or this very `job`. Raises PermissionRefused."""
    described = kinds.get(kind)
    making = described.making(job) if job is not None else ()
    request.gateway.require(*described.operations, *described.steering, *making)
    request.gateway.require_secrets(*described.reveals)
