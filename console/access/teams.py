"""Who may give what in a team, and changing who belongs to it. Every change is a record of the audit trail."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from console.access.audit import Origin, recorded
from console.access.models import Departure, Membership, Team
from console.access.roles import OWNER, Area, Level, Role
from console.access.scope import AccessScope


class LastOwner(ValidationError):
    """A team always has an owner: the last one can be neither removed nor lowered."""

    def __init__(self) -> None:
        super().__init__(
            _("A team needs an owner, and this is the only one. Make somebody else owner first."),
            code="owner",
        )


@dataclass(frozen=True)
class Actor:
    """Who changes something, as what, and from where."""

    membership: Membership
    origin: Origin


# -- who may give what -------------------------------------------------------------------------------------------------


def assignable(membership: Membership) -> list[Role]:
    """The roles that this member may give: none that reaches further than their own. So only an owner makes owners."""
    if not membership.has_level(Area.MEMBERS, Level.WRITE):
        return []
    return [role for role in membership.team.roles.values() if membership.role.includes(role)]


def may_change(actor: Membership, member: Membership) -> bool:
    """Whether `actor` may change or remove `member`: whose present role must be one that the actor could give."""
    return actor.has_level(Area.MEMBERS, Level.WRITE) and actor.role.includes(member.own_role)


def is_owner(membership: Membership) -> bool:
    """Whether the member may do what is left to owners. Only the built-in role reaches this level."""
    return membership.has_level(Area.MEMBERS, Level.SECRET)


def is_last_owner(member: Membership) -> bool:
    """Whether the team would have no owner without them: nobody else who is one can sign in."""
    if member.role_slug != OWNER:
        return False
    others = Membership.objects.filter(team_id=member.team_id, role_slug=OWNER).exclude(pk=member.pk)
    return not others.filter(user__is_active=True).exists()


# -- changes -----------------------------------------------------------------------------------------------------------


def change_member(actor: Actor, member: Membership, role_slug: str, access_scope: AccessScope) -> None:
    """Give `member` another role or reach. Raises LastOwner, PermissionDenied, ValidationError when they have left."""
    with (
        recorded_as(
            actor,
            "team.change_role",
            member.user.label,
            granted(role_slug, access_scope),
            before=granted(member.role_slug, member.own_scope),
        ),
        transaction.atomic(),
    ):
        acting, present = _as_they_are_now(actor, member)
        if not may_change(acting, present):
            raise _not_yours()
        check_grant(acting, role_slug, access_scope)
        if role_slug != OWNER and is_last_owner(present):
            raise LastOwner
        # What was changed by hand is no longer a matter of the rules of single sign-on.
        Membership.objects.filter(pk=present.pk).update(
            role_slug=role_slug, access_scope=access_scope.kept(), source=Membership.Source.ADDED
        )
    member.role_slug, member.access_scope = role_slug, access_scope.kept()


def remove_member(actor: Actor, member: Membership) -> None:
    """Take `member` out of the team; anyone may take out themselves.

    Raises LastOwner, PermissionDenied, ValidationError when they have left.
    """
    with (
        recorded_as(
            actor,
            "team.remove_member",
            member.user.label,
            before=granted(member.role_slug, member.own_scope),
        ),
        transaction.atomic(),
    ):
        acting, present = _as_they_are_now(actor, member)
        if present.pk != acting.pk and not may_change(acting, present):
            raise _not_yours()
        if is_last_owner(present):
            raise LastOwner
        present.delete()
        # Nor do they come back by themselves: by a rule of single sign-on, with a role that was lowered by hand, or by an
        # invitation that they never used.
        Departure.objects.get_or_create(team=acting.team, user=present.user)
        acting.team.invitations.filter(email=present.user.email).delete()


def transfer_ownership(actor: Actor, member: Membership) -> None:
    """Make `member` owner and the actor, an owner, administrator: both or neither.

    Raises PermissionDenied, and ValidationError when they have left or cannot sign in.
    """
    with (
        recorded_as(
            actor,
            "team.transfer",
            member.user.label,
            {"role": OWNER},
            before=granted(member.role_slug, member.own_scope),
        ),
        transaction.atomic(),
    ):
        acting, present = _as_they_are_now(actor, member)
        if not is_owner(acting):
            raise _not_yours()
        if present.pk == acting.pk:
            raise ValidationError(gettext("You are owner already."), code="self")
        if not present.user.is_active:
            raise ValidationError(
                gettext("This person cannot sign in: their account is closed."), code="inactive"
            )
        Membership.objects.filter(pk=present.pk).update(
            role_slug=OWNER, access_scope={}, source=Membership.Source.ADDED
        )
        Membership.objects.filter(pk=acting.pk).update(role_slug="administrator")


# -- what changes of a team share --------------------------------------------------------------------------------------


def granted(role_slug: str, access_scope: AccessScope) -> dict[str, Any]:
    """A role and its scope, as records show them."""
    return {"role": role_slug, **access_scope.kept()}


def recorded_as(
    actor: Actor,
    operation: str,
    target: str,
    parameters: Mapping[str, Any] | None = None,
    before: Mapping[str, Any] | None = None,
) -> AbstractContextManager[None]:
    """A record of the team's trail around what `actor` does."""
    return recorded(
        operation=operation,
        actor=actor.membership.user,
        team=actor.membership.team,
        origin=actor.origin,
        target=target,
        parameters=parameters,
        before=before,
    )


def acting_now(actor: Actor) -> Membership:
    """The membership of who acts, read again with the team's row locked; to be called in a transaction.

    Changes of a team's people and roles come one by one, so what is checked still holds when it is done.
    Raises PermissionDenied when they are no member any more.
    """
    Team.objects.select_for_update().get(pk=actor.membership.team_id)
    present = (
        Membership.objects.select_related("team", "user")
        .filter(pk=actor.membership.pk, user__is_active=True)
        .first()
    )
    if present is None:
        raise _not_yours()
    return present


def check_grant(membership: Membership, role_slug: str, access_scope: AccessScope) -> None:
    """Raises PermissionDenied unless the member may give this role, ValidationError for a narrowed owner."""
    if role_slug not in {role.slug for role in assignable(membership)}:
        raise PermissionDenied(gettext("Your role does not allow giving this role."))
    if role_slug == OWNER and access_scope:
        raise ValidationError(gettext("An owner always has the whole team."), code="owner")


def _as_they_are_now(actor: Actor, member: Membership) -> tuple[Membership, Membership]:
    """The memberships of who acts and of `member`, as they are with the team's row locked."""
    acting = acting_now(actor)
    present = (
        acting.team.memberships.select_related("user").filter(pk=member.pk, user__is_service=False).first()
    )
    if present is None:
        raise ValidationError(gettext("This person is no longer a member of the team."), code="gone")
    present.team = acting.team
    return acting, present


def _not_yours() -> PermissionDenied:
    return PermissionDenied(gettext("Your role does not allow this change."))
