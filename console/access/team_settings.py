"""A team itself: to make one, to change its rules, to delete it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError, transaction
from django.utils.translation import gettext

from console.access.audit import Origin, recorded
from console.access.models import Membership, Team, User
from console.access.roles import OWNER
from console.access.sign_in.factors import has_second_factor
from console.access.teams import Actor, acting_now, is_owner, recorded_as


def may_make_teams(user: User) -> bool:
    """Whether the person may make another team: who owns one."""
    return user.memberships.filter(role_slug=OWNER).exists()


def create_team(user: User, name: str, slug: str, origin: Origin) -> Team:
    """A team with `user` as its owner. Raises PermissionDenied, ValidationError for a short name that is not to be had."""
    if not may_make_teams(user):
        raise PermissionDenied(gettext("Only who owns a team may make another."))
    try:
        with transaction.atomic():
            team = Team.objects.create(name=name, slug=slug)
    except IntegrityError as error:
        raise ValidationError({"slug": gettext("This short name is not available.")}) from error
    try:
        with recorded(
            operation="team.create",
            actor=user,
            team=team,
            origin=origin,
            target=name,
            parameters={"name": name, "slug": slug},
        ):
            Membership.objects.create(team=team, user=user, role_slug=OWNER)
    except BaseException:
        team.delete()  # nobody owns it
        raise
    return team


def change_settings(actor: Actor, changes: Mapping[str, Any]) -> None:
    """Write `changes` (fields of Team by name) and leave the rest as it is.

    Raises PermissionDenied for who is no owner, ValidationError for an owner who asks for a second factor and has none:
    they would lock themselves out.
    """
    team = actor.membership.team
    before = {name: getattr(team, name) for name in changes}
    with recorded_as(actor, "team.settings", team.name, changes, before=before), transaction.atomic():
        acting = acting_now(actor)
        _check_owner(acting)
        if changes.get("second_factor_required") and not has_second_factor(acting.user):
            raise ValidationError(
                {
                    "second_factor_required": gettext(
                        "You have none yourself yet: set one up first, or you would lock yourself out."
                    )
                }
            )
        for name, value in changes.items():
            setattr(acting.team, name, value)
        acting.team.save(update_fields=list(changes))


def delete_team(actor: Actor) -> None:
    """Delete the team with its memberships, roles, invitations and tokens. The audit trail stays, as nobody's.

    Raises PermissionDenied, ValidationError while it has a connection.
    """
    team = actor.membership.team
    with (
        recorded_as(actor, "team.delete", team.name, before={"name": team.name, "slug": team.slug}),
        transaction.atomic(),
    ):
        acting = acting_now(actor)
        _check_owner(acting)
        if acting.team.connections.exists():
            raise ValidationError(
                gettext("The team has connections. Delete them first: with them go their jobs and keys."),
                code="connections",
            )
        # Accounts made for the team's API tokens belong to it alone.
        User.objects.filter(is_service=True, memberships__team=acting.team).delete()
        acting.team.delete()


def _check_owner(membership: Membership) -> None:
    if not is_owner(membership):
        raise PermissionDenied(gettext("Only an owner of the team may do this."))
