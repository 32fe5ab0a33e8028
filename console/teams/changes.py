"""Assigning roles and changing the members of a team. Every change is recorded in the audit trail."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from console.accounts.models import Departure, Membership, Team
from console.accounts.roles import OWNER, Area, Level, Role
from console.accounts.scope import AccessScope, grant_values
from console.audit.records import Origin, record_action


class LastOwner(ValidationError):
    """A team always has an owner: the last one cannot leave, be removed or get another role."""

    def __init__(self) -> None:
        super().__init__(
            _("This is the only owner of the team. Assign another owner first."),
            code="owner",
        )


@dataclass(frozen=True)
class Actor:
    """The member who changes something, and the origin of the request."""

    membership: Membership
    origin: Origin


# -- assigning roles --------------------------------------------------------------------------------------------------


def list_assignable_roles(membership: Membership) -> list[Role]:
    """Return the roles that this member may assign: none with more permissions than their own. Only owners assign owners."""
    if not membership.has_level(Area.MEMBERS, Level.WRITE):
        return []
    return [role for role in membership.team.roles.values() if membership.role.includes(role)]


def may_change_member(actor: Membership, member: Membership) -> bool:
    """Return whether `actor` may change or remove `member`: only if the actor could assign the member's present role."""
    return actor.has_level(Area.MEMBERS, Level.WRITE) and actor.role.includes(member.own_role)


def is_owner(membership: Membership) -> bool:
    """Return whether the member is an owner. Only the built-in role has this level."""
    return membership.has_level(Area.MEMBERS, Level.SECRET)


def is_last_owner(member: Membership) -> bool:
    """Return whether the team would have no owner without this member: no other owner can sign in."""
    if member.role_slug != OWNER:
        return False
    others = Membership.objects.filter(team_id=member.team_id, role_slug=OWNER).exclude(pk=member.pk)
    return not others.filter(user__is_active=True).exists()


# -- changes -----------------------------------------------------------------------------------------------------------


def change_member(actor: Actor, member: Membership, role_slug: str, access_scope: AccessScope) -> None:
    """Set the role and access scope of `member`.

    Raises LastOwner, PermissionDenied, ValidationError if they are no longer a member.
    """
    with (
        record_change(
            actor,
            "team.change_role",
            member.user.label,
            grant_values(role_slug, access_scope),
            before=grant_values(member.role_slug, member.own_scope),
        ),
        transaction.atomic(),
    ):
        acting, present = _lock_memberships(actor, member)
        if not may_change_member(acting, present):
            raise _change_refused()
        check_grant(acting, role_slug, access_scope)
        if role_slug != OWNER and is_last_owner(present):
            raise LastOwner
        # The rules of single sign-on no longer apply to a member who was changed manually.
        Membership.objects.filter(pk=present.pk).update(
            role_slug=role_slug,
            access_scope=access_scope.to_json(),
            source=Membership.Source.ADDED,
            granted_at=timezone.now(),
            granted_by=present.granted_by if present.pk == acting.pk else acting.list_grantors(),
        )
    member.role_slug, member.access_scope = role_slug, access_scope.to_json()


def remove_member(actor: Actor, member: Membership) -> None:
    """Remove `member` from the team. Every member may remove themselves.

    Raises LastOwner, PermissionDenied, ValidationError if they are no longer a member.
    """
    with (
        record_change(
            actor,
            "team.remove_member",
            member.user.label,
            before=grant_values(member.role_slug, member.own_scope),
        ),
        transaction.atomic(),
    ):
        acting, present = _lock_memberships(actor, member)
        if present.pk != acting.pk and not may_change_member(acting, present):
            raise _change_refused()
        if is_last_owner(present):
            raise LastOwner
        present.delete()
        # A rule of single sign-on must not add them again, possibly with a higher role, nor may an invitation that they
        # never used.
        Departure.objects.get_or_create(team=acting.team, user=present.user)
        acting.team.invitations.filter(email=present.user.email).delete()


def transfer_ownership(actor: Actor, member: Membership) -> None:
    """Make `member` owner, and the actor, an owner, administrator: both or neither.

    Raises PermissionDenied, and ValidationError if they are no longer a member or cannot sign in.
    """
    with (
        record_change(
            actor,
            "team.transfer",
            member.user.label,
            {"role": OWNER},
            before=grant_values(member.role_slug, member.own_scope),
        ),
        transaction.atomic(),
    ):
        acting, present = _lock_memberships(actor, member)
        if not is_owner(acting):
            raise _change_refused()
        if present.pk == acting.pk:
            raise ValidationError(gettext("You are already an owner."), code="self")
        if not present.user.is_active:
            raise ValidationError(
                gettext("This user cannot sign in: the account is deactivated."), code="inactive"
            )
        Membership.objects.filter(pk=present.pk).update(
            role_slug=OWNER,
            access_scope={},
            source=Membership.Source.ADDED,
            granted_at=timezone.now(),
            granted_by=acting.list_grantors(),
        )
        Membership.objects.filter(pk=acting.pk).update(role_slug="administrator", granted_at=timezone.now())


# -- shared by all changes of a team -----------------------------------------------------------------------------------


def record_change(
    actor: Actor,
    operation: str,
    target: str,
    parameters: Mapping[str, Any] | None = None,
    before: Mapping[str, Any] | None = None,
) -> AbstractContextManager[None]:
    """Record a change that `actor` makes in the team's audit trail, around a block."""
    return record_action(
        operation=operation,
        actor=actor.membership.user,
        team=actor.membership.team,
        origin=actor.origin,
        target=target,
        parameters=parameters,
        before=before,
    )


def lock_acting_membership(actor: Actor) -> Membership:
    """Return the actor's membership, read again with the team's row locked. To be called in a transaction.

    The lock serializes changes of a team's members and roles, so that what was checked still holds when it is done.
    Raises PermissionDenied if the actor is no longer a member.
    """
    Team.objects.select_for_update().get(pk=actor.membership.team_id)
    present = (
        Membership.objects.select_related("team", "user")
        .filter(pk=actor.membership.pk, user__is_active=True)
        .first()
    )
    if present is None:
        raise _change_refused()
    return present


def check_grant(membership: Membership, role_slug: str, access_scope: AccessScope) -> None:
    """Raise PermissionDenied unless the member may assign this role, ValidationError for an owner with a limited scope."""
    if role_slug not in {role.slug for role in list_assignable_roles(membership)}:
        raise PermissionDenied(gettext("Your role does not allow you to assign this role."))
    if role_slug == OWNER and access_scope:
        raise ValidationError(gettext("Owners always have access to the entire team."), code="owner")


def _lock_memberships(actor: Actor, member: Membership) -> tuple[Membership, Membership]:
    """Return the memberships of the actor and of `member`, read again with the team's row locked."""
    acting = lock_acting_membership(actor)
    present = (
        acting.team.memberships.select_related("user").filter(pk=member.pk, user__is_service=False).first()
    )
    if present is None:
        raise ValidationError(gettext("This user is no longer a member of the team."), code="gone")
    present.team = acting.team
    return acting, present


def _change_refused() -> PermissionDenied:
    return PermissionDenied(gettext("Your role does not allow this change. Ask a team owner."))
