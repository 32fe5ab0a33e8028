"""Who sees which jobs: members whose role reads what a kind of job calls, and whose access reaches what the job is about."""

from __future__ import annotations

from django.db.models import Q

from console.access.models import Membership
from console.access.roles import Area, Level
from console.cloud.catalogue import operations
from console.connections.gateway import Gateway
from console.jobs import kinds
from console.jobs.kinds import Kind
from console.jobs.models import Job, JobQuerySet


def jobs_of(gateway: Gateway) -> JobQuerySet:
    """The jobs of the gateway's connection that its member may see, of the kinds that there are."""
    seen = Q(pk__in=[])
    for kind in kinds.table().values():
        seen |= _seen(kind, gateway.membership)
    return Job.objects.for_team(gateway.membership.team).filter(seen, connection=gateway.connection)


def reaches(membership: Membership, job: Job) -> bool:
    """Whether the product that the job is about is within reach of the membership. Where it is about no single one, the
    gateway judges each call."""
    product = job.params.get(kinds.get(job.kind).product)
    fleets = [access_scope for access_scope in membership.access_scopes if access_scope.limits_devices]
    return product is None or all(product in fleet.products for fleet in fleets)


def _seen(kind: Kind, membership: Membership) -> Q:
    readable = {name for name, op in operations().items() if membership.has_level(Area(op.area), Level.READ)}
    if not readable.issuperset(kind.operations + kind.reveals):
        return Q(pk__in=[])
    seen = Q(kind=kind.slug)
    if kind.operation:
        seen &= Q(**{f"params__{kind.operation}__in": sorted(readable)})
    for access_scope in membership.access_scopes:
        if access_scope.limits_devices:
            seen &= (
                Q(**{f"params__{kind.product}__in": sorted(access_scope.products)})
                if kind.product
                else Q(pk__in=[])
            )
    return seen
