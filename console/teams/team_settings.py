"""Creating a team, changing its settings and deleting it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError, transaction
from django.utils.translation import gettext, gettext_noop

from console.accounts.approval_rules import read_setting, rules_by_field, save_setting
from console.accounts.models import Membership, Team, User
from console.accounts.roles import OWNER
from console.audit.chain import begin_chains
from console.audit.records import Origin, record_action
from console.sign_in.factors import has_second_factor
from console.teams.changes import Actor, is_owner, lock_acting_membership, record_change

SHORT_NAME_NOT_AVAILABLE = gettext_noop("This short name is not available. Choose another one.")
"""For names in use and reserved ones alike: it does not tell which teams exist."""


def may_create_teams(user: User) -> bool:
    """Return whether the user may create another team: only if they own one."""
    return user.memberships.filter(role_slug=OWNER).exists()


def create_team(user: User, name: str, slug: str, origin: Origin) -> Team:
    """Create a team with `user` as its owner. Raises PermissionDenied, ValidationError if the short name is not available."""
    if not may_create_teams(user):
        raise PermissionDenied(gettext("Only team owners can create teams."))
    try:
        with transaction.atomic():
            team = Team.objects.create(name=name, slug=slug)
            begin_chains(team)
    except IntegrityError as error:
        raise ValidationError({"slug": gettext(SHORT_NAME_NOT_AVAILABLE)}) from error
    try:
        with record_action(
            operation="team.create",
            actor=user,
            team=team,
            origin=origin,
            target=name,
            parameters={"name": name, "slug": slug},
        ):
            Membership.objects.create(team=team, user=user, role_slug=OWNER)
    except BaseException:
        team.delete()  # it has no owner
        raise
    return team


def change_settings(actor: Actor, changes: Mapping[str, Any]) -> None:
    """Save `changes` (values of Team fields, and of approval rules by their fields) and leave the other settings unchanged.

    Raises PermissionDenied if the actor is no owner, ValidationError if they require a second factor and have none themselves:
    they would lose access.
    """
    team = actor.membership.team
    rules = {name: rule for name, rule in rules_by_field().items() if name in changes}
    before = {
        name: read_setting(team, rules[name]) if name in rules else getattr(team, name) for name in changes
    }
    with record_change(actor, "team.settings", team.name, changes, before=before), transaction.atomic():
        acting = lock_acting_membership(actor)
        _require_owner(acting)
        if changes.get("second_factor_required") and not has_second_factor(acting.user):
            raise ValidationError(
                {
                    "second_factor_required": gettext(
                        "You do not have a second factor. Set one up first to keep your access."
                    )
                }
            )
        for name, rule in rules.items():
            save_setting(acting.team, rule, changes[name])
        fields = [name for name in changes if name not in rules]
        for name in fields:
            setattr(acting.team, name, changes[name])
        acting.team.save(update_fields=fields)


def delete_team(actor: Actor) -> None:
    """Delete the team with its memberships, roles, invitations and tokens. The audit trail is kept without a team.

    Raises PermissionDenied, ValidationError if it has a connection.
    """
    team = actor.membership.team
    with (
        record_change(actor, "team.delete", team.name, before={"name": team.name, "slug": team.slug}),
        transaction.atomic(),
    ):
        acting = lock_acting_membership(actor)
        _require_owner(acting)
        if acting.team.connections.exists():
            raise ValidationError(
                gettext("This team has connections. Delete them first. Their jobs and keys are deleted too."),
                code="connections",
            )
        # Accounts that were created for the team's API tokens belong to no other team.
        User.objects.filter(is_service=True, memberships__team=acting.team).delete()
        acting.team.delete()


def _require_owner(membership: Membership) -> None:
    if not is_owner(membership):
        raise PermissionDenied(gettext("Only team owners can do this."))
