"""Teams and their custom roles."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import ClassVar

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from console.accounts.roles import BUILT_IN, NO_LEVELS, Area, Level, Role

# URLs that begin with these mean something else: no team may have such a short name.
RESERVED_SLUGS = frozenset(
    [
        "account",
        "accounts",
        "admin",
        "api",
        "static",
        "media",
        "healthz",
        "metrics",
        "teams",
        "team",
        "login",
        "logout",
        "favicon",
        "i18n",
        "invitations",
        "robots",
        "help",
        "docs",
    ]
)


def validate_team_slug(slug: str) -> None:
    """Raise ValidationError for a short name that a URL of the console begins with, or that begins with "-" or "_"."""
    if slug.startswith(("-", "_")):
        raise ValidationError(_("Start the short name with a letter or digit."), code="invalid")
    if slug.lower() in RESERVED_SLUGS:
        raise ValidationError(_("This short name is reserved. Choose another one."), code="reserved")


class Team(models.Model):
    """Users who share connections and see each other's work, and their settings."""

    slug = models.SlugField(_("short name"), max_length=40, unique=True, validators=[validate_team_slug])
    name = models.CharField(_("name"), max_length=80)
    created_at = models.DateTimeField(default=timezone.now)

    second_factor_required = models.BooleanField(_("require a second factor"), default=False)
    audit_keep_days = models.PositiveIntegerField(
        _("keep the audit trail for (days)"), default=0, validators=[MaxValueValidator(36_500)]
    )  # 0: forever
    approval_hours = models.PositiveIntegerField(
        _("requests expire after (hours)"),
        default=24,
        validators=[MinValueValidator(1), MaxValueValidator(24 * 30)],
    )

    def __str__(self) -> str:
        return self.name

    @property
    def requires_second_factor(self) -> bool:
        """Whether members need a second factor: by the team's own setting, or because all teams of this console require it."""
        return self.second_factor_required or settings.REQUIRE_SECOND_FACTOR

    @cached_property
    def roles(self) -> Mapping[str, Role]:
        """The roles of this team by short name: the built-in ones, then the custom ones."""
        return {**BUILT_IN, **{custom.slug: custom.role for custom in self.custom_roles.all()}}

    def role(self, slug: str) -> Role:
        """Return the role with this short name. An unknown role has no permissions: an error must not let anybody in."""
        if slug in BUILT_IN:  # needs no query
            return BUILT_IN[slug]
        return self.roles.get(slug) or Role(slug, slug, "", NO_LEVELS)

    @cached_property
    def approval_limits(self) -> Mapping[str, int | None]:
        """The limits of the approval rules that are on, by slug; None for a rule without a limit. Read once for each instance."""
        return dict(self.approval_settings.values_list("rule", "limit"))


class ApprovalSetting(models.Model):
    """An approval rule that a team switched on. Rules that no area declares any more are ignored."""

    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="approval_settings")
    rule = models.CharField(max_length=40)  # the slug of an ApprovalRule
    limit = models.PositiveIntegerField(null=True)  # None for a rule without a limit

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["team", "rule"], name="unique_approval_rule_of_team")
        ]

    def __str__(self) -> str:
        return self.rule


class CustomRole(models.Model):
    """A role that a team created: a level for each area."""

    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="custom_roles")
    # The name that grants refer to; never changed.
    slug = models.SlugField(_("short name"), max_length=40)
    name = models.CharField(_("name"), max_length=60)
    description = models.CharField(_("description"), max_length=200, blank=True)
    levels = models.JSONField(default=dict)  # level by area; a missing area has none
    levels_changed_at = models.DateTimeField(default=timezone.now)
    levels_changed_by = models.JSONField(default=list, blank=True)  # as `granted_by` of a membership
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["team", "slug"], name="unique_role_slug"),
            models.UniqueConstraint(fields=["team", "name"], name="unique_role_name"),
        ]
        ordering: ClassVar = ["name"]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        if self.slug in BUILT_IN:
            raise ValidationError(
                {"slug": _("A built-in role has this short name. Choose another one.")}, code="reserved"
            )

    @property
    def role(self) -> Role:
        """The levels as a Role. An area or a level that no longer exists counts as none."""
        levels = {
            Area(area): Level(level)
            for area, level in self.levels.items()
            if area in Area._value2member_map_ and level in Level._value2member_map_
        }
        return Role(self.slug, self.name, self.description, levels)
