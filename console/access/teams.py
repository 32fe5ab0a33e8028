"""Changing who belongs to a team, and as what. Every change is a record of the audit trail."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass

from allauth.account.forms import default_token_generator  # type: ignore[import-not-found]
from allauth.account.utils import user_pk_to_url_str  # type: ignore[import-not-found]
from django.contrib.auth.hashers import make_password
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from console.access.audit import Origin, recorded
from console.access.models import Membership, Team, User
from console.access.roles import BUILT_IN, Area, Level, Role

OWNER = "owner"


class LastOwner(ValidationError):  # noqa: N818
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


def assignable(membership: Membership) -> list[Role]:
    """The roles that this member may give: owners all, others who may change members all but owner."""
    if not membership.has_level(Area.MEMBERS, Level.WRITE):
        return []
    return [
        role
        for role in BUILT_IN.values()
        if role.slug != OWNER or membership.has_level(Area.MEMBERS, Level.SECRET)
    ]


def may_change(actor: Membership, member: Membership) -> bool:
    """Whether `actor` may change or remove `member`: whose present role must be one that the actor could give."""
    return any(role.slug == member.role_slug for role in assignable(actor))


def add_member(actor: Actor, email: str, name: str, role_slug: str) -> Membership:
    """Add the person of that address to the actor's team, as a new user without a password where there is none yet.

    Raises ValidationError when they are a member already, PermissionDenied when the actor may not give the role.
    """
    team = actor.membership.team
    address = email.strip().lower()
    with _recorded(actor, "team.add_member", address, {"role": role_slug}):
        _check_assignable(actor.membership, role_slug)
        with transaction.atomic():
            user, _new = User.objects.get_or_create(
                email=address, defaults={"name": name, "password": make_password(None)}
            )
            membership, created = Membership.objects.get_or_create(
                team=team, user=user, defaults={"role_slug": role_slug}
            )
        if not created:
            raise ValidationError({"email": gettext("This person is a member of the team already.")})
    return membership


def change_role(actor: Actor, member: Membership, role_slug: str) -> None:
    """Give `member` another role. Raises LastOwner, PermissionDenied, ValidationError when they have left."""
    with (
        _recorded(actor, "team.change_role", member.user.email, {"from": member.role_slug, "to": role_slug}),
        transaction.atomic(),
    ):
        acting, present = _as_they_are_now(actor, member)
        if not may_change(acting, present):
            raise _not_yours()
        _check_assignable(acting, role_slug)
        if present.role_slug == OWNER and role_slug != OWNER:
            _check_other_owner(present)
        Membership.objects.filter(pk=present.pk).update(role_slug=role_slug)
    member.role_slug = role_slug


def remove_member(actor: Actor, member: Membership) -> None:
    """Take `member` out of the team; anyone may take out themselves.

    Raises LastOwner, PermissionDenied, ValidationError when they have left.
    """
    with (
        _recorded(actor, "team.remove_member", member.user.email, {"role": member.role_slug}),
        transaction.atomic(),
    ):
        acting, present = _as_they_are_now(actor, member)
        if present.pk != acting.pk and not may_change(acting, present):
            raise _not_yours()
        if present.role_slug == OWNER:
            _check_other_owner(present)
        present.delete()


def awaits_password(user: User) -> bool:
    """Whether the person was added and never chose a password."""
    return not user.has_usable_password() and user.last_login is None


def may_hand_link(actor: Membership, member: Membership) -> bool:
    """Whether `actor` may hand `member` the link to their first password.

    Only in the team that brought the person: who has the link can become them, in every team they belong to.
    """
    first = Membership.objects.filter(user_id=member.user_id).order_by("pk").first()
    return (
        may_change(actor, member)
        and awaits_password(member.user)
        and first is not None
        and first.team_id == member.team_id
    )


def password_link(user: User) -> str:
    """The path where a person who was added chooses their first password; works once, for PASSWORD_RESET_TIMEOUT.

    Raises ValueError for anyone who has a password: with a link for them an administrator could become them.
    """
    if not awaits_password(user):
        raise ValueError("The person has a password already.")
    return reverse(
        "account_reset_password_from_key",
        kwargs={"uidb36": user_pk_to_url_str(user), "key": default_token_generator.make_token(user)},
    )


def _recorded(
    actor: Actor, operation: str, target: str, parameters: dict[str, str]
) -> AbstractContextManager[None]:
    return recorded(
        operation=operation,
        actor=actor.membership.user,
        team=actor.membership.team,
        origin=actor.origin,
        target=target,
        parameters=parameters,
    )


def _as_they_are_now(actor: Actor, member: Membership) -> tuple[Membership, Membership]:
    """The memberships of who acts and of `member`, read again with the team's row locked.

    Two owners who remove each other come one by one, and the second is no member any more.
    """
    Team.objects.select_for_update().get(pk=member.team_id)
    present = Membership.objects.in_bulk([actor.membership.pk, member.pk])
    if actor.membership.pk not in present:
        raise _not_yours()
    if member.pk not in present:
        raise ValidationError(gettext("This person is no longer a member of the team."), code="gone")
    return present[actor.membership.pk], present[member.pk]


def _check_other_owner(member: Membership) -> None:
    others = Membership.objects.filter(team_id=member.team_id, role_slug=OWNER).exclude(pk=member.pk)
    if not others.filter(user__is_active=True).exists():
        raise LastOwner


def _check_assignable(membership: Membership, role_slug: str) -> None:
    if role_slug not in {role.slug for role in assignable(membership)}:
        raise PermissionDenied(gettext("Your role does not allow giving this role."))


def _not_yours() -> PermissionDenied:
    return PermissionDenied(gettext("Only an owner may change or remove an owner."))
