"""Changes of the single sign-on rules of a team. Every change is recorded in the audit trail.

Rules apply at the next sign-in of each user. A change of a rule does not change memberships immediately.
"""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import Max
from django.utils.translation import gettext

from console.accounts.models import Membership
from console.accounts.roles import OWNER, Area, Level, Role
from console.accounts.scope import AccessScope, grant_values
from console.sign_in.models import SignOnRule
from console.sign_in.openid_connect.claims import list_domains
from console.teams.changes import Actor, list_assignable_roles, lock_acting_membership, record_change


def list_rule_roles(membership: Membership) -> list[Role]:
    """Return the roles that this member may set in a rule: all that they may assign to members, except owner."""
    return [role for role in list_assignable_roles(membership) if role.slug != OWNER]


def add_rule(actor: Actor, claim: str, value: str, role_slug: str, access_scope: AccessScope) -> SignOnRule:
    """Add a rule after all others. Raises PermissionDenied, and ValidationError if a rule for this value exists or no domain of
    the rule is confirmed for the team."""
    rule = SignOnRule(team=actor.membership.team, claim=claim, value=value)
    with (
        record_change(actor, "sign_on.add_rule", str(rule), grant_values(role_slug, access_scope)),
        transaction.atomic(),
    ):
        acting = _lock_acting_owner(actor, role_slug)
        _check_unique(rule)
        _check_confirmed(rule)
        last = _team_rules(rule).aggregate(last=Max("position"))["last"]
        rule.position = 0 if last is None else last + 1
        rule.role_slug, rule.access_scope = role_slug, access_scope.to_json()
        rule.granted_by = acting.list_grantors()
        rule.save()
    return rule


def change_rule(
    actor: Actor, rule: SignOnRule, claim: str, value: str, role_slug: str, access_scope: AccessScope
) -> None:
    """Change a rule. Raises as `add_rule` does, and ValidationError if the rule no longer exists."""
    new = SignOnRule(pk=rule.pk, team=rule.team, claim=claim, value=value)
    with (
        record_change(
            actor,
            "sign_on.change_rule",
            str(new),
            {"rule": str(new), **grant_values(role_slug, access_scope)},
            before={"rule": str(rule), **grant_values(rule.role_slug, rule.own_scope)},
        ),
        transaction.atomic(),
    ):
        acting = _lock_acting_owner(actor, role_slug)
        _check_unique(new)
        _check_confirmed(new)
        fields: dict[str, Any] = {"claim": claim, "value": value, "role_slug": role_slug}
        fields |= {"access_scope": access_scope.to_json(), "granted_by": acting.list_grantors()}
        if not _team_rules(rule).filter(pk=rule.pk).update(**fields):
            raise ValidationError(
                gettext("This rule no longer exists. Reload the list of rules."), code="gone"
            )


def move_rule(actor: Actor, rule: SignOnRule, up: bool) -> None:
    """Move a rule one position up or down. At the end of the list, nothing happens."""
    with (
        record_change(actor, "sign_on.move_rule", str(rule), {"to": "up" if up else "down"}),
        transaction.atomic(),
    ):
        _lock_acting_owner(actor)
        order = list(_team_rules(rule))
        old = next((position for position, other in enumerate(order) if other.pk == rule.pk), None)
        new = old + (-1 if up else 1) if old is not None else -1
        if old is None or not 0 <= new < len(order):
            return
        order[old], order[new] = order[new], order[old]
        for position, other in enumerate(order):
            other.position = position
        SignOnRule.objects.bulk_update(order, ["position"])


def delete_rule(actor: Actor, rule: SignOnRule) -> None:
    """Delete a rule. Can be repeated."""
    before = {"rule": str(rule), **grant_values(rule.role_slug, rule.own_scope)}
    with record_change(actor, "sign_on.delete_rule", str(rule), before=before), transaction.atomic():
        _lock_acting_owner(actor)
        _team_rules(rule).filter(pk=rule.pk).delete()


def _team_rules(rule: SignOnRule) -> Any:
    return SignOnRule.objects.filter(team_id=rule.team_id)


def _lock_acting_owner(actor: Actor, role_slug: str | None = None) -> Membership:
    """Lock the team, and return the actor's membership. Raises PermissionDenied unless the actor is still an owner and may assign the role."""
    acting = lock_acting_membership(actor)
    if not acting.has_level(Area.MEMBERS, Level.SECRET):
        raise PermissionDenied(gettext("Only team owners can change single sign-on rules."))
    if role_slug is not None and role_slug not in {role.slug for role in list_rule_roles(acting)}:
        raise PermissionDenied(gettext("Your role does not allow you to assign this role."))
    return acting


def _check_unique(rule: SignOnRule) -> None:
    duplicates = _team_rules(rule).filter(claim=rule.claim, value=rule.value).exclude(pk=rule.pk)
    if duplicates.exists():
        raise ValidationError({"value": gettext("A rule for this value already exists. Edit that rule.")})


def _check_confirmed(rule: SignOnRule) -> None:
    """Raise ValidationError for a domain of somebody else: its owner would see who signs in from there."""
    domains = list_domains(rule.team)
    if not domains or not (rule.claim or rule.value in domains):
        raise ValidationError(
            {
                "value": gettext(
                    "The email domain of this rule is not confirmed for your team. Ask the server administrator to add it to"
                    " SIGN_ON_DOMAINS."
                )
            }
        )
