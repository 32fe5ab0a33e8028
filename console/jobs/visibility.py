"""The jobs that a member sees: their role may read the operations of the kind, and their access scope includes the job's
product."""

from __future__ import annotations

from django.db.models import Q

from console.access.models import Membership
from console.access.roles import Area, Level
from console.connections.gateway import Gateway
from console.jobs import kinds
from console.jobs.kinds import Kind
from console.jobs.models import Job, JobQuerySet
from iot_client.catalogue import operations


def visible_jobs(gateway: Gateway) -> JobQuerySet:
    """Return the jobs of the gateway's connection that its member may see."""
    visible = Q(pk__in=[])
    for kind in kinds.all_kinds().values():
        visible |= _build_filter(kind, gateway.membership)
    return Job.objects.for_team(gateway.membership.team).filter(visible, connection=gateway.connection)


def is_in_scope(membership: Membership, job: Job) -> bool:
    """Return whether the job's product is in the access scope of the membership.

    For a job that has no single product it returns True: the gateway checks each of its calls.
    """
    product = job.params.get(kinds.get(job.kind).product_param)
    fleets = [access_scope for access_scope in membership.access_scopes if access_scope.limits_devices]
    return product is None or all(product in fleet.products for fleet in fleets)


def _build_filter(kind: Kind, membership: Membership) -> Q:
    readable = {name for name, op in operations().items() if membership.has_level(Area(op.area), Level.READ)}
    if not readable.issuperset(kind.operations + kind.reveals):
        return Q(pk__in=[])
    visible = Q(kind=kind.slug)
    if kind.operation_param:
        visible &= Q(**{f"params__{kind.operation_param}__in": sorted(readable)})
    for access_scope in membership.access_scopes:
        if access_scope.limits_devices:
            visible &= (
                Q(**{f"params__{kind.product_param}__in": sorted(access_scope.products)})
                if kind.product_param
                else Q(pk__in=[])
            )
    return visible
