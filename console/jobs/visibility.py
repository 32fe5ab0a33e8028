"""The jobs that a member sees: their role may read the operations of the kind, and their access scope includes the object of
the job."""

from __future__ import annotations

from typing import Any

from django.db.models import Q

from console.accounts.models import Membership
from console.accounts.roles import Level
from console.connections.gateway import Gateway
from console.jobs import kinds
from console.jobs.kinds import Kind
from console.jobs.models import Job, JobQuerySet
from iot_client.catalogue import operations


def visible_jobs(gateway: Gateway) -> JobQuerySet:
    """Return the jobs of the gateway's connection that its member may see."""
    membership = gateway.membership
    areas = {area for area, level in membership.levels.items() if level >= Level.READ}
    readable = {name for name, op in operations().items() if op.area in areas}
    visible = Q(pk__in=[])
    for kind in kinds.all_kinds().values():
        if readable.issuperset(kind.operations + kind.reveals):
            visible |= _build_filter(kind, readable)
    for scope_keys in membership.scope_keys:
        visible &= Q(scope_key__in=sorted(scope_keys))
    return Job.objects.for_team(membership.team).filter(visible, connection=gateway.connection)


def is_in_scope(membership: Membership, job: Job) -> bool:
    """Return whether the object of the job is in the access scope of the membership.

    For a job that has no single object it returns True: the gateway checks each of its calls.
    """
    return not job.scope_key or all(job.scope_key in scope_keys for scope_keys in membership.scope_keys)


def _build_filter(kind: Kind[Any], readable: set[str]) -> Q:
    """The jobs of a kind whose operation, if the parameters name it, is one of `readable`."""
    visible = Q(kind=kind.slug)
    if kind.operation_param:
        visible &= Q(**{f"params__{kind.operation_param}__in": sorted(readable)})
    return visible
