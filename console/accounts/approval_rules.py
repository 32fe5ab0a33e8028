"""The approval rules that the areas declare, as the settings of a team: a rule is on, off, or has a limit."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Protocol

from django.utils.functional import Promise

from console.accounts.models import ApprovalSetting, Team
from console.ui.areas import all_approval_rules

Value = bool | int | None
"""The setting of a rule: whether it is on; for a rule with a limit the limit, or None if the rule is off."""


class TeamRule(Protocol):
    """What the settings of a team need to know about a rule (console/connections/approval_rules.py)."""

    @property
    def slug(self) -> str: ...
    @property
    def label(self) -> str | Promise: ...
    @property
    def help_text(self) -> str | Promise: ...
    @property
    def has_limit(self) -> bool: ...


@cache
def rules_by_field() -> Mapping[str, TeamRule]:
    """The rules by the name of their field, in the form of the settings and in audit records."""
    return {f"approve_{rule.slug}": rule for rule in all_approval_rules()}


def read_setting(team: Team, rule: TeamRule) -> Value:
    """Return the team's setting of a rule."""
    if rule.slug not in team.approval_limits:
        return None if rule.has_limit else False
    return (team.approval_limits[rule.slug] or 0) if rule.has_limit else True


def save_setting(team: Team, rule: TeamRule, value: Value) -> None:
    """Store the team's setting of a rule."""
    if value is None or value is False:
        ApprovalSetting.objects.filter(team=team, rule=rule.slug).delete()
        return
    limit = int(value) if rule.has_limit else None
    ApprovalSetting.objects.update_or_create(team=team, rule=rule.slug, defaults={"limit": limit})
