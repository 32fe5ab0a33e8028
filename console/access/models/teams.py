"""Teams, custom roles, members, invitations, single sign-on rules and API tokens."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from functools import cached_property
from typing import Any, ClassVar

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from console.access.models.users import User
from console.access.roles import BUILT_IN, CONSOLE_AREAS, NO_LEVELS, Area, Level, Role
from console.access.scope import AccessScope

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
    if slug.lower() in RESERVED_SLUGS or slug.startswith(("-", "_")):
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
    # Operations that require approval by a second person. None: no approval.
    approve_product_deletion = models.BooleanField(_("product deletion"), default=False)
    approve_batch_over = models.PositiveIntegerField(
        _("batches larger than (devices)"), null=True, blank=True
    )
    approve_deletion_over = models.PositiveIntegerField(
        _("deletions of more than (devices)"), null=True, blank=True
    )
    approval_hours = models.PositiveIntegerField(
        _("requests expire after (hours)"),
        default=24,
        validators=[MinValueValidator(1), MaxValueValidator(24 * 30)],
    )

    def __str__(self) -> str:
        return self.name

    @cached_property
    def roles(self) -> Mapping[str, Role]:
        """The roles of this team by short name: the built-in ones, then the custom ones."""
        return {**BUILT_IN, **{custom.slug: custom.role for custom in self.custom_roles.all()}}

    def role(self, slug: str) -> Role:
        """Return the role with this short name. An unknown role has no permissions: an error must not let anybody in."""
        if slug in BUILT_IN:  # needs no query
            return BUILT_IN[slug]
        return self.roles.get(slug) or Role(slug, slug, "", NO_LEVELS)


class CustomRole(models.Model):
    """A role that a team created: a level for each area."""

    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="custom_roles")
    # The name that grants refer to; never changed.
    slug = models.SlugField(_("short name"), max_length=40)
    name = models.CharField(_("name"), max_length=60)
    description = models.CharField(_("description"), max_length=200, blank=True)
    levels = models.JSONField(default=dict)  # level by area; a missing area has none
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


class Grant(models.Model):
    """A role in a team with its access scope. Memberships, invitations, single sign-on rules and API tokens are grants."""

    role_slug = models.CharField(_("role"), max_length=40)
    access_scope = models.JSONField(default=dict, blank=True)  # as returned by AccessScope.to_json

    class Meta:
        abstract = True

    team: Any  # a field of each subclass, because the related names differ

    @property
    def own_role(self) -> Role:
        role: Role = self.team.role(self.role_slug)
        return role

    @property
    def own_scope(self) -> AccessScope:
        """The access scope of this grant."""
        return AccessScope.from_json(self.access_scope)


class Membership(Grant):
    """The membership of a user in a team."""

    class Source(models.TextChoices):
        ADDED = "added", _("Invitation")
        SIGN_ON = "sign-on", _("Single sign-on")

    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    source = models.CharField(max_length=8, choices=Source, default=Source.ADDED)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["team", "user"], name="unique_team_membership")
        ]

    def __str__(self) -> str:
        return f"{self.user} ({self.role_slug})"

    # The API token that acts for the user, if one does.
    _token: ApiToken | None = None

    def limit_to_token(self, token: ApiToken) -> Membership:
        """Return this membership limited to a token: never more than the user's permissions, never more than the token's."""
        limited = Membership(
            pk=self.pk,
            team=self.team,
            user=self.user,
            role_slug=self.role_slug,
            access_scope=self.access_scope,
            source=self.source,
            created_at=self.created_at,
        )
        limited._state.adding, limited._state.db = False, self._state.db
        limited._token = token
        return limited

    @property
    def token(self) -> ApiToken | None:
        """The API token that acts for the user; None if the user acts."""
        return self._token

    @property
    def role(self) -> Role:
        """The effective role: that of the member, limited to that of the token."""
        return self.own_role if self._token is None else self.own_role.limit_to(self._token.own_role)

    @property
    def access_scopes(self) -> tuple[AccessScope, ...]:
        """The scopes that limit this membership; an action must be in all of them. Empty: the entire team."""
        scopes = (self.own_scope, self._token.own_scope if self._token else AccessScope())
        return tuple(access_scope for access_scope in scopes if access_scope)

    @property
    def scope_keys(self) -> tuple[frozenset[str], ...]:
        """For each scope that limits devices: the keys of the products that it includes as a whole."""
        return tuple(
            access_scope.products for access_scope in self.access_scopes if access_scope.limits_devices
        )

    def includes_connection(self, pk: int) -> bool:
        """Return whether the connection is in the access scope."""
        return all(access_scope.includes_connection(pk) for access_scope in self.access_scopes)

    @cached_property
    def connections(self) -> list[Any]:
        """The team's connections in the access scope, in their order. Their model belongs to console.connections."""
        return [
            connection
            for connection in self.team.connections.all()
            if self.includes_connection(connection.pk)
        ]

    def has_level(self, area: Area, level: Level) -> bool:
        """Return whether the role has `level` in `area`.

        Members, connections, settings and the audit trail belong to the entire team: a membership with a limited scope has no
        access to them.
        """
        if area in CONSOLE_AREAS and self.access_scopes:
            return level <= Level.NONE
        return self.role.level(area) >= level


INVITATION_DAYS = 7


def default_invitation_expiry() -> Any:
    return timezone.now() + timedelta(days=INVITATION_DAYS)


class Invitation(Grant):
    """An invitation for one email address, until it is used, withdrawn or expired. Only a digest of its token is stored."""

    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="invitations")
    email = models.EmailField(_("email address"))
    name = models.CharField(pgettext_lazy("of a person", "name"), max_length=80, blank=True)
    digest = models.CharField(max_length=64, unique=True)
    invited_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField(default=default_invitation_expiry)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["team", "email"], name="unique_invitation_email")
        ]
        ordering: ClassVar = ["-created_at", "-id"]

    def __str__(self) -> str:
        return self.email


class Departure(models.Model):
    """A user who left a team or was removed. Rules of single sign-on do not add them again; an invitation does."""

    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="departures")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["team", "user"], name="unique_departure")]

    def __str__(self) -> str:
        return f"{self.user_id} from {self.team_id}"


class SignOnRule(Grant):
    """A rule that adds users to a team when they sign in with SSO, by a claim. The first matching rule applies."""

    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="sign_on_rules")
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


class ApiToken(Grant):
    """A token for the HTTP API. A personal token acts for its user, a team token for a service account created for it.

    Only a digest is stored. A token can never do more than the membership of its `user`.
    """

    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="tokens")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="tokens")
    name = models.CharField(_("name"), max_length=60)
    digest = models.CharField(max_length=64, unique=True)
    hint = models.CharField(max_length=16)  # its first characters, to identify it
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField(_("expires"))
    last_used_at = models.DateTimeField(_("last used"), null=True)
    last_used_ip = models.GenericIPAddressField(null=True)
    revoked_at = models.DateTimeField(null=True)

    class Meta:
        ordering: ClassVar = ["-created_at", "-id"]

    def __str__(self) -> str:
        return self.name

    @property
    def label(self) -> str:
        """The token in the audit trail: its name, and its first characters, which distinguish it from others with the same
        name."""
        return f"{self.name} ({self.hint}…)"

    @property
    def state(self) -> str:
        """working, expired or revoked."""
        return "revoked" if self.revoked_at else "working" if self.is_valid else "expired"

    @property
    def is_valid(self) -> bool:
        """Whether the token can be used: it is neither revoked nor expired."""
        return self.revoked_at is None and self.expires_at > timezone.now()
