"""What the views of this room share: fetching a job, and refusing who may not touch it."""

from __future__ import annotations

from django.http import Http404

from console.cloud.catalogue import operation
from console.connections.gateway import PermissionRefused
from console.connections.http import CloudRequest
from console.jobs import kinds
from console.jobs.models import Job

REGISTER = "devices.register"
SECRETS = "devices.secrets"


def job_of(request: CloudRequest, pk: int) -> Job:
    """The job of that number on the request's connection. Raises Http404."""
    job = (
        Job.objects.for_team(request.team)
        .filter(pk=pk, connection=request.connection)
        .select_related("created_by", "started_by", "parent")
        .first()
    )
    if job is None or job.kind not in kinds.table():
        raise Http404
    return job


def demand(request: CloudRequest, kind: str, job: Job | None = None) -> None:
    """Refuse who may not run and stop this kind of job, or this very `job`. Raises PermissionRefused."""
    described = kinds.get(kind)
    making = described.making(job) if job is not None else ()
    for name in (*described.operations, *described.steering, *making):
        if not request.gateway.allows(name):
            raise PermissionRefused(operation(name), request.membership)
    for name in described.reveals:
        if not request.gateway.reveals(name):
            raise PermissionRefused(operation(name), request.membership, reveal=True)
