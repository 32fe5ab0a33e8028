"""The rules of teams for users who come by single sign-on."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from console.accounts.models import Grant, Team


class SignOnRule(Grant):
    """A rule that adds users to a team when they sign in with SSO, by a claim. The first matching rule applies."""

    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="sign_on_rules")
    granted_by = models.JSONField(default=list, blank=True)  # as that of a membership: who set the rule
    position = models.PositiveIntegerField(default=0)
    # "" is the domain of the verified email address; otherwise the name of a claim.
    claim = models.CharField(_("claim"), max_length=80, blank=True)
    value = models.CharField(_("value"), max_length=200)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["team", "claim", "value"], name="unique_sign_on_rule")
        ]
        ordering: ClassVar = ["position", "id"]

    def __str__(self) -> str:
        return f"{self.claim or '@'} {self.value}"
