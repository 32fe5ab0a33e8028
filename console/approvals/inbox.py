"""The requests that a member can see, and the users who may decide on them."""

from __future__ import annotations

from django.core.exceptions import PermissionDenied
from django.db.models import Q
from django.db.models.functions import Now

from console.accounts.models import Membership, User
from console.accounts.roles import Area, Level
from console.approvals import actions
from console.approvals.models import ApprovalQuerySet, ApprovalRequest
from console.connections.approval_rules import covered_operations
from console.connections.gateway import Gateway
from iot_client.catalogue import operation

_MAX_REQUESTS_READ = 500  # for a member whose access scope is limited to some products


def visible_requests(membership: Membership) -> ApprovalQuerySet:
    """The requests that a member can see: their own, and those on connections in their access scope in areas that they may
    read.

    A member whose access scope is limited to some products or groups sees the requests that name only these products. Other
    requests in their scope, by a group, they can open by URL.
    """
    team, user = membership.team, membership.user
    readable = [
        name
        for name in covered_operations()
        if membership.role.level(Area(operation(name).area)) >= Level.READ
    ]
    requests = (
        ApprovalRequest.objects.for_team(team).without_drafts().filter(connection__in=membership.connections)
    )
    requests = requests.filter(Q(requested_by=user) | Q(operation__in=readable))
    limited_scopes = [
        access_scope for access_scope in membership.access_scopes if access_scope.limits_devices
    ]
    if not limited_scopes:
        return requests
    in_scope = [
        pk
        for pk, requester, products in requests.values_list("pk", "requested_by", "products")[
            :_MAX_REQUESTS_READ
        ]
        if requester == user.pk
        or all(set(products) <= access_scope.products for access_scope in limited_scopes)
    ]
    return requests.filter(pk__in=in_scope)


def requests_to_decide(membership: Membership) -> ApprovalQuerySet:
    """The pending requests that the member may decide on."""
    allowed = [name for name in covered_operations() if membership.role.allows(operation(name))]
    user = membership.user
    if not allowed or membership.token is not None or user.is_service:
        return ApprovalRequest.objects.none()
    # The requester may have been deleted: a comparison with NULL alone would exclude the request.
    others = ~Q(requested_by=user) | Q(requested_by__isnull=True)
    own_token = Q(token__created_by=user)
    facts = membership.role_facts
    from_grantor = Q(requested_by__in=facts.granted_by) | Q(token__created_by__in=facts.granted_by)
    return (
        visible_requests(membership)
        .filter(others, state=ApprovalRequest.State.WAITING, expires_at__gt=Now(), operation__in=allowed)
        .filter(created_at__gte=facts.since)
        .exclude(own_token)
        .exclude(from_grantor)
    )


def count_requests_to_decide(membership: Membership) -> int:
    """The number of requests that the member may decide on. Fast if the team has no pending request, which is the usual case."""
    waiting = ApprovalRequest.objects.filter(team=membership.team_id, state=ApprovalRequest.State.WAITING)
    return requests_to_decide(membership).count() if waiting.exists() else 0


def find_deciders(request: ApprovalRequest) -> list[User]:
    """The users who may decide on a pending request."""
    members = Membership.objects.select_related("user", "team").filter(
        team=request.team_id, user__is_active=True, user__is_service=False
    )
    return [
        membership.user
        for membership in members
        if requests_to_decide(membership).filter(pk=request.pk).exists()
    ]


def is_in_scope(gateway: Gateway, request: ApprovalRequest) -> bool:
    """Whether all objects of a request's calls are in the gateway's access scope. Raises RequestAltered, Undecryptable."""
    try:
        actions.check_scope(request, gateway)
    except PermissionDenied:
        return False
    return True
