"""Teams, their own roles, and who belongs to them."""

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

from console.access.models.people import User
from console.access.roles import BUILT_IN, CONSOLE_AREAS, NOTHING, Area, Level, Role
from console.access.scope import AccessScope

# First parts of addresses that mean something else: no team may be called so.
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
    """Raises ValidationError for a short name that an address of the console begins with, or that begins with "-" or "_"."""
    if slug.lower() in RESERVED_SLUGS or slug.startswith(("-", "_")):
        raise ValidationError(_("This short name is reserved."), code="reserved")


class Team(models.Model):
    """The people who share connections and see each other's work, and the rules they set themselves."""

    slug = models.SlugField(_("short name"), max_length=40, unique=True, validators=[validate_team_slug])
    name = models.CharField(_("name"), max_length=80)
    created_at = models.DateTimeField(default=timezone.now)

    second_factor_required = models.BooleanField(_("require a second factor"), default=False)
    audit_keep_days = models.PositiveIntegerField(
        _("keep the audit trail for (days)"), default=0, validators=[MaxValueValidator(36_500)]
    )  # 0: for ever
    # What a second person must agree to. None: nobody is asked.
    approve_product_deletion = models.BooleanField(_("deleting a product"), default=False)
    approve_batch_over = models.PositiveIntegerField(
        _("an update batch over so many devices"), null=True, blank=True
    )
    approve_deletion_over = models.PositiveIntegerField(
        _("deleting more than so many devices at once"), null=True, blank=True
    )
    approval_hours = models.PositiveIntegerField(
        _("a request waits for (hours)"),
        default=24,
        validators=[MinValueValidator(1), MaxValueValidator(24 * 30)],
    )

    def __str__(self) -> str:
        return self.name

    @cached_property
    def roles(self) -> Mapping[str, Role]:
        """The roles of this team by short name: the built-in ones, then its own."""
        return {**BUILT_IN, **{own.slug: own.role for own in self.custom_roles.all()}}

    def role(self, slug: str) -> Role:
        """The role of that short name; an unknown one may do nothing, never an error that lets someone in."""
        if slug in BUILT_IN:  # needs no query
            return BUILT_IN[slug]
        return self.roles.get(slug) or Role(slug, slug, "", NOTHING)


class CustomRole(models.Model):
    """A role that a team made for itself: a level for each area."""

    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="custom_roles")
    # What grants name it by: given once, never changed.
    slug = models.SlugField(_("short name"), max_length=40)
    name = models.CharField(_("name"), max_length=60)
    description = models.CharField(_("what it is for"), max_length=200, blank=True)
    levels = models.JSONField(default=dict)  # level by area; what is missing is none
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["team", "slug"], name="one_role_a_short_name"),
            models.UniqueConstraint(fields=["team", "name"], name="one_role_a_name"),
        ]
        ordering: ClassVar = ["name"]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        if self.slug in BUILT_IN:
            raise ValidationError({"slug": _("A built-in role has this short name.")}, code="reserved")

    @property
    def role(self) -> Role:
        """The levels as the rest of the console knows them; an area or a level that no longer exists counts as none."""
        known = {
            Area(area): Level(level)
            for area, level in self.levels.items()
            if area in Area._value2member_map_ and level in Level._value2member_map_
        }
        return Role(self.slug, self.name, self.description, known)


class Grant(models.Model):
    """A role in a team, and how far it reaches. What memberships, invitations, rules of single sign-on and tokens give."""

    role_slug = models.CharField(_("role"), max_length=40)
    access_scope = models.JSONField(default=dict, blank=True)  # as of AccessScope.kept

    class Meta:
        abstract = True

    team: Any  # each has its own, for the name that the team knows it by

    @property
    def own_role(self) -> Role:
        """The role that was given."""
        role: Role = self.team.role(self.role_slug)
        return role

    @property
    def own_scope(self) -> AccessScope:
        """How far it reaches."""
        return AccessScope.of(self.access_scope)


class Membership(Grant):
    """A person's place in a team."""

    class Source(models.TextChoices):
        ADDED = "added", _("Invited")
        SIGN_ON = "sign-on", _("Single sign-on")

    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    source = models.CharField(max_length=8, choices=Source, default=Source.ADDED)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["team", "user"], name="one_membership_a_team")
        ]

    def __str__(self) -> str:
        return f"{self.user} ({self.role_slug})"

    # What a token of this person was limited to, while it acts for them.
    _limit: ApiToken | None = None

    def limited_by(self, limit: ApiToken) -> Membership:
        """This membership as a token has it: never more than the person's own rights, never more than the token's."""
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
        limited._limit = limit
        return limited

    @property
    def token(self) -> ApiToken | None:
        """The token that acts, where it is not the person themselves."""
        return self._limit

    @property
    def role(self) -> Role:
        """What may be done here, as levels."""
        return self.own_role if self._limit is None else self.own_role.at_most(self._limit.own_role)

    @property
    def access_scopes(self) -> tuple[AccessScope, ...]:
        """What narrows this membership: whatever is done must be within all of them. Empty: the whole team."""
        both = (self.own_scope, self._limit.own_scope if self._limit else AccessScope())
        return tuple(access_scope for access_scope in both if access_scope)

    def admits_connection(self, pk: int) -> bool:
        """Whether the connection is within reach."""
        return all(access_scope.admits_connection(pk) for access_scope in self.access_scopes)

    @cached_property
    def connections(self) -> list[Any]:
        """The team's connections that are within scope, in their order (what a connection is, the room above knows)."""
        return [
            connection for connection in self.team.connections.all() if self.admits_connection(connection.pk)
        ]

    def has_level(self, area: Area, level: Level) -> bool:
        """Whether the role reaches `level` in `area`.

        Members, connections, settings and the audit trail are the whole team's: a narrowed membership has no part in them.
        """
        if area in CONSOLE_AREAS and self.access_scopes:
            return level <= Level.NONE
        return self.role.level(area) >= level


INVITATION_DAYS = 7


def _invitation_end() -> Any:
    return timezone.now() + timedelta(days=INVITATION_DAYS)


class Invitation(Grant):
    """An open door for one e-mail address, until it is used, taken back or too old. Only a digest of its link is kept."""

    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="invitations")
    email = models.EmailField(_("e-mail address"))
    name = models.CharField(pgettext_lazy("of a person", "name"), max_length=80, blank=True)
    digest = models.CharField(max_length=64, unique=True)
    invited_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField(default=_invitation_end)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["team", "email"], name="one_invitation_a_person")
        ]
        ordering: ClassVar = ["-created_at", "-id"]

    def __str__(self) -> str:
        return self.email


class Departure(models.Model):
    """Somebody left a team or was taken out of it: rules of single sign-on do not bring them back, an invitation does."""

    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="departures")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["team", "user"], name="one_departure_a_person")
        ]

    def __str__(self) -> str:
        return f"{self.user_id} from {self.team_id}"


class SignOnRule(Grant):
    """Whom single sign-on brings into a team, by what the identity provider says of them. The first that fits counts."""

    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="sign_on_rules")
    position = models.PositiveIntegerField(default=0)
    # "" is the domain of the verified e-mail address; else the name of a claim.
    claim = models.CharField(_("claim"), max_length=80, blank=True)
    value = models.CharField(_("value"), max_length=200)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["team", "claim", "value"], name="one_rule_a_value")
        ]
        ordering: ClassVar = ["position", "id"]

    def __str__(self) -> str:
        return f"{self.claim or '@'} {self.value}"


class ApiToken(Grant):
    """A key for the HTTP API. Personal ones act for their person; a team's own act for an account made for them.

    Only a digest is kept. It may never do more than its `user`'s membership.
    """

    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="tokens")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="tokens")
    name = models.CharField(_("name"), max_length=60)
    digest = models.CharField(max_length=64, unique=True)
    hint = models.CharField(max_length=16)  # its beginning, to tell it from others
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
        """How the audit trail names it: its name, and its beginning to tell it from another of that name."""
        return f"{self.name} ({self.hint}…)"

    @property
    def state(self) -> str:
        """working, expired or revoked."""
        return "revoked" if self.revoked_at else "working" if self.works else "expired"

    @property
    def works(self) -> bool:
        """Whether it can still be used: neither revoked nor expired."""
        return self.revoked_at is None and self.expires_at > timezone.now()
