"""Changing a team's rules of single sign-on. Every change is a record of the audit trail.

Rules count at the next sign-in of each person; changing them changes nobody's membership at once.
"""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import Max
from django.utils.translation import gettext

from console.access.models import Membership, SignOnRule
from console.access.roles import OWNER, Area, Level, Role
from console.access.scope import AccessScope
from console.access.teams import Actor, acting_now, assignable, granted, recorded_as


def givable(membership: Membership) -> list[Role]:
    """The roles that a rule of this member may give: those they may give by hand, but for owner."""
    return [role for role in assignable(membership) if role.slug != OWNER]


def add_rule(actor: Actor, claim: str, value: str, role_slug: str, access_scope: AccessScope) -> SignOnRule:
    """A new rule, after all others. Raises ValidationError when there is one for this value, PermissionDenied."""
    rule = SignOnRule(team=actor.membership.team, claim=claim, value=value)
    with (
        recorded_as(actor, "sign_on.add_rule", str(rule), granted(role_slug, access_scope)),
        transaction.atomic(),
    ):
        _check(actor, role_slug)
        _check_only(rule)
        last = _rules(rule).aggregate(last=Max("position"))["last"]
        rule.position = 0 if last is None else last + 1
        rule.role_slug, rule.access_scope = role_slug, access_scope.kept()
        rule.save()
    return rule


def change_rule(
    actor: Actor, rule: SignOnRule, claim: str, value: str, role_slug: str, access_scope: AccessScope
) -> None:
    """Say something else by a rule. Raises as `add_rule`, and ValidationError when it is gone."""
    new = SignOnRule(pk=rule.pk, team=rule.team, claim=claim, value=value)
    with (
        recorded_as(
            actor,
            "sign_on.change_rule",
            str(new),
            {"rule": str(new), **granted(role_slug, access_scope)},
            before={"rule": str(rule), **granted(rule.role_slug, rule.own_scope)},
        ),
        transaction.atomic(),
    ):
        _check(actor, role_slug)
        _check_only(new)
        fields: dict[str, Any] = {"claim": claim, "value": value, "role_slug": role_slug}
        if not _rules(rule).filter(pk=rule.pk).update(**fields, access_scope=access_scope.kept()):
            raise ValidationError(gettext("This rule was deleted meanwhile."), code="gone")


def move_rule(actor: Actor, rule: SignOnRule, up: bool) -> None:
    """Let a rule count before its neighbour above, or after the one below; at the end of the list nothing happens."""
    with (
        recorded_as(actor, "sign_on.move_rule", str(rule), {"to": "up" if up else "down"}),
        transaction.atomic(),
    ):
        _check(actor)
        order = list(_rules(rule))
        here = next((place for place, other in enumerate(order) if other.pk == rule.pk), None)
        there = here + (-1 if up else 1) if here is not None else -1
        if here is None or not 0 <= there < len(order):
            return
        order[here], order[there] = order[there], order[here]
        for position, other in enumerate(order):
            other.position = position
        SignOnRule.objects.bulk_update(order, ["position"])


def delete_rule(actor: Actor, rule: SignOnRule) -> None:
    """Forget a rule; a second time nothing happens."""
    before = {"rule": str(rule), **granted(rule.role_slug, rule.own_scope)}
    with recorded_as(actor, "sign_on.delete_rule", str(rule), before=before), transaction.atomic():
        _check(actor)
        _rules(rule).filter(pk=rule.pk).delete()


def _rules(rule: SignOnRule) -> Any:
    return SignOnRule.objects.filter(team_id=rule.team_id)


def _check(actor: Actor, role_slug: str | None = None) -> None:
    """Locks the team; raises PermissionDenied unless who acts is an owner still, and may give the role."""
    acting = acting_now(actor)
    if not acting.has_level(Area.MEMBERS, Level.SECRET):
        raise PermissionDenied(gettext("Only an owner may change the rules of single sign-on."))
    if role_slug is not None and role_slug not in {role.slug for role in givable(acting)}:
        raise PermissionDenied(gettext("Your role does not allow giving this role."))


def _check_only(rule: SignOnRule) -> None:
    same = _rules(rule).filter(claim=rule.claim, value=rule.value).exclude(pk=rule.pk)
    if same.exists():
        raise ValidationError({"value": gettext("There is a rule for this already.")})
