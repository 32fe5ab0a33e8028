"""Users, teams, memberships and the audit trail."""

from __future__ import annotations

from typing import Any, ClassVar

from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.core.exceptions import ValidationError
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from console.access.roles import BUILT_IN, Area, Level, Role, role


class UserManager(BaseUserManager["User"]):
    """Makes users by e-mail address."""

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> User:
        """A user who signs in with `email` (kept lower-case) and `password` (None: cannot sign in by password)."""
        user = self.model(email=email.strip().lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def get_by_natural_key(self, username: str | None) -> User:
        return self.get(email=(username or "").strip().lower())


class User(AbstractBaseUser):
    """A person. What they may do is said by their memberships, never by a flag here."""

    class Theme(models.TextChoices):
        AUTO = "auto", _("As the system")
        LIGHT = "light", _("Light")
        DARK = "dark", _("Dark")

    email = models.EmailField(_("e-mail address"), unique=True)
    name = models.CharField(pgettext_lazy("of a person", "name"), max_length=80, blank=True)
    time_zone = models.CharField(_("time zone"), max_length=64, default="UTC")
    language = models.CharField(
        _("language"),
        max_length=12,
        blank=True,
        choices=[("", _("As the browser")), *settings.LANGUAGES],
        default="",
    )
    theme = models.CharField(_("theme"), max_length=8, choices=Theme, default=Theme.AUTO)
    # "team/connection" that the person looked at last: where the front door leads.
    last_place = models.CharField(max_length=100, blank=True, default="")
    is_active = models.BooleanField(_("active"), default=True)
    date_joined = models.DateTimeField(_("joined"), default=timezone.now)

    objects: ClassVar[UserManager] = UserManager()
    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    def __str__(self) -> str:
        return self.name or self.email


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
    """The people who share connections and see each other's work."""

    slug = models.SlugField(_("short name"), max_length=40, unique=True, validators=[validate_team_slug])
    name = models.CharField(_("name"), max_length=80)
    created_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return self.name


class Membership(models.Model):
    """A person's place in a team, with one role."""

    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    role_slug = models.CharField(
        _("role"), max_length=40, choices=[(r.slug, r.label) for r in BUILT_IN.values()]
    )
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["team", "user"], name="one_membership_a_team")
        ]

    def __str__(self) -> str:
        return f"{self.user} ({self.role_slug})"

    @property
    def role(self) -> Role:
        """What this person may do in this team."""
        return role(self.role_slug)

    def has_level(self, area: Area, level: Level) -> bool:
        """Whether the role reaches `level` in `area`."""
        return self.role.level(area) >= level


class AuditQuerySet(models.QuerySet["AuditRecord"]):
    def for_team(self, team: Team) -> AuditQuerySet:
        """The team's own records."""
        return self.filter(team=team)


class AuditRecord(models.Model):
    """One write, reveal of a secret, sign-in or change of access: opened before it is done, closed after, then never edited.

    Names are copied, not referenced, so that a record outlives the person, the connection and the job it speaks of.
    """

    class Outcome(models.TextChoices):
        OPEN = "open", _("No answer yet")
        DONE = "done", _("Done")
        FAILED = "failed", _("Failed")
        REFUSED = "refused", _("Refused")
        UNKNOWN = "unknown", _("Not known: the answer was lost")

    at = models.DateTimeField(_("time"), default=timezone.now, db_index=True)
    closed_at = models.DateTimeField(null=True)
    team = models.ForeignKey(Team, on_delete=models.SET_NULL, null=True, related_name="+")
    actor = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    actor_label = models.CharField(_("person"), max_length=255)
    ip = models.GenericIPAddressField(_("address"), null=True)
    user_agent = models.CharField(max_length=255, blank=True)
    connection = models.CharField(_("connection"), max_length=80, blank=True)
    job = models.BigIntegerField(_("job"), null=True)
    operation = models.CharField(_("operation"), max_length=64, db_index=True)
    target = models.CharField(_("target"), max_length=255, blank=True)
    parameters = models.JSONField(_("parameters"), default=dict)
    outcome = models.CharField(_("outcome"), max_length=8, choices=Outcome, default=Outcome.OPEN)
    code = models.CharField(max_length=128, blank=True)
    message = models.CharField(max_length=1000, blank=True)
    request_id = models.CharField(max_length=64, blank=True)

    objects = AuditQuerySet.as_manager()

    class Meta:
        indexes: ClassVar = [models.Index(fields=["team", "-at", "-id"], name="audit_by_team")]
        ordering: ClassVar = ["-at", "-id"]

    def __str__(self) -> str:
        return f"{self.operation} {self.target} by {self.actor_label}"
