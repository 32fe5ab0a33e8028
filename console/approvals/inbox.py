"""Who sees which requests, and who may decide on them."""

from __future__ import annotations

from django.core.exceptions import PermissionDenied
from django.db.models import Q
from django.db.models.functions import Now

from console.access.models import Membership, User
from console.access.roles import Area, Level
from console.approvals import actions
from console.approvals.models import ApprovalQuerySet, ApprovalRequest
from console.cloud.catalogue import operation
from console.connections.approval import RULES
from console.connections.gateway import Gateway

_LOOKED_THROUGH = 500  # requests, for a member whose access is limited to some products


def visible(membership: Membership) -> ApprovalQuerySet:
    """The requests that a member sees: their own, and on connections within their reach those of areas that they may read.

    Whose access is limited to some products or groups sees the requests that name these products alone; another that is
    within their scope, by a group, they find by its address.
    """
    team, user = membership.team, membership.user
    readable = [name for name in RULES if membership.role.level(Area(operation(name).area)) >= Level.READ]
    found = ApprovalRequest.objects.for_team(team).asked().filter(connection__in=membership.connections)
    found = found.filter(Q(requested_by=user) | Q(operation__in=readable))
    fleets = [access_scope for access_scope in membership.access_scopes if access_scope.limits_devices]
    if not fleets:
        return found
    within = [
        pk
        for pk, asker, products in found.values_list("pk", "requested_by", "products")[:_LOOKED_THROUGH]
        if asker == user.pk or all(set(products) <= access_scope.products for access_scope in fleets)
    ]
    return found.filter(pk__in=within)


def waiting_for(membership: Membership) -> ApprovalQuerySet:
    """The requests that wait and that the member may decide on."""
    allowed = [name for name in RULES if membership.role.allows(operation(name))]
    user = membership.user
    if not allowed or membership.token is not None or user.is_service:
        return ApprovalRequest.objects.none()
    # Who asked may be gone: a comparison with nobody would leave the request out.
    others = ~Q(requested_by=user) | Q(requested_by__isnull=True)
    own_token = Q(token__created_by=user)
    return (
        visible(membership)
        .filter(others, state=ApprovalRequest.State.WAITING, expires_at__gt=Now(), operation__in=allowed)
        .exclude(own_token)
    )


def number_waiting_for(membership: Membership) -> int:
    """How many requests wait for the member. Mostly nothing waits in the whole team, and that costs next to nothing."""
    waiting = ApprovalRequest.objects.filter(team=membership.team_id, state=ApprovalRequest.State.WAITING)
    return waiting_for(membership).count() if waiting.exists() else 0


def deciders(request: ApprovalRequest) -> list[User]:
    """The people who may decide on a request that waits."""
    members = Membership.objects.select_related("user", "team").filter(
        team=request.team_id, user__is_active=True, user__is_service=False
    )
    return [
        membership.user for membership in members if waiting_for(membership).filter(pk=request.pk).exists()
    ]


def reaches(gateway: Gateway, request: ApprovalRequest) -> bool:
    """Whether all that a request's calls name is within the gateway's reach. Raises Altered, Undecryptable."""
    try:
        actions.demand_reach(request, gateway)
    except PermissionDenied:
        return False
    return True
