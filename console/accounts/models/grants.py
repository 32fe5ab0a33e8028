"""Which roles users have in teams: memberships and API tokens; and the users who left."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, ClassVar

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from console.accounts.models.teams import Team
from console.accounts.models.users import User, digest_address
from console.accounts.roles import BUILT_IN, CONSOLE_AREAS, OWNER, Area, Level, Role
from console.accounts.scope import AccessScope


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


@dataclass(frozen=True)
class RoleFacts:
    """Since when a member has the present permissions, and the ids of the users who gave them."""

    since: datetime
    granted_by: frozenset[int]


class Membership(Grant):
    """The membership of a user in a team."""

    class Source(models.TextChoices):
        ADDED = "added", _("Invitation")
        SIGN_ON = "sign-on", _("Single sign-on")

    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    source = models.CharField(max_length=8, choices=Source, default=Source.ADDED)
    created_at = models.DateTimeField(default=timezone.now)
    # Since when the member has this role and access scope, and the ids of the users who gave them: the one who invited or
    # changed the member, and those who had given that one the role, except owners. Empty for the first owner.
    granted_at = models.DateTimeField(default=timezone.now)
    granted_by = models.JSONField(default=list, blank=True)

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

    def list_grantors(self) -> list[int]:
        """Return `granted_by` of what this member grants: a member whom somebody invited cannot pass on an independent role."""
        owners = set(self.team.memberships.filter(role_slug=OWNER).values_list("user_id", flat=True))
        inherited = [] if self.user_id in owners else [pk for pk in self.granted_by if pk not in owners]
        return [self.user_id, *(pk for pk in inherited if pk != self.user_id)]

    @cached_property
    def role_facts(self) -> RoleFacts:
        """Since when the member has these permissions, and who gave them, with later changes of a custom role."""
        facts = RoleFacts(self.granted_at, frozenset(self.granted_by))
        custom = None
        if self.role_slug not in BUILT_IN:
            custom = self.team.custom_roles.filter(slug=self.role_slug).first()
        if custom is None or custom.levels_changed_at <= self.granted_at:
            return facts
        return RoleFacts(custom.levels_changed_at, facts.granted_by | frozenset(custom.levels_changed_by))

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

    @property
    def levels(self) -> Mapping[Area, Level]:
        """The level in each area.

        Members, connections, settings and the audit trail belong to the entire team: a membership with a limited scope has no
        access to them.
        """
        role, is_limited = self.role, bool(self.access_scopes)
        return {
            area: Level.NONE if is_limited and area in CONSOLE_AREAS else role.level(area) for area in Area
        }

    def has_level(self, area: Area, level: Level) -> bool:
        """Return whether `levels` has `level` in `area`."""
        return self.levels[Area(area)] >= level


class DepartureQuerySet(models.QuerySet["Departure"]):
    def of_address(self, email: str) -> DepartureQuerySet:
        """Return those of the user with this address, also of earlier accounts with it, which were deleted."""
        return self.filter(Q(user__email=email) | Q(user__email__startswith=digest_address(email)))


class Departure(models.Model):
    """A user who left a team or was removed. Rules of single sign-on do not add them again; an invitation does."""

    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="departures")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    at = models.DateTimeField(default=timezone.now)

    objects = DepartureQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["team", "user"], name="unique_departure")]

    def __str__(self) -> str:
        return f"{self.user_id} from {self.team_id}"


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
