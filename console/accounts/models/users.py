"""User accounts."""

from __future__ import annotations

from typing import Any, ClassVar

from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.hashers import UNUSABLE_PASSWORD_PREFIX
from django.db import models
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from console.accounts.encryption import DecryptedAttribute, EncryptedTextField, Undecryptable


class _PasswordAttribute(DecryptedAttribute):
    """The hash of a password. If no key decrypts it, an unusable one: the user cannot sign in with it, but can reset it."""

    def __get__(self, instance: models.Model | None, cls: Any = None) -> Any:
        try:
            return super().__get__(instance, cls)
        except Undecryptable:
            return UNUSABLE_PASSWORD_PREFIX


class PasswordField(EncryptedTextField):
    """The hash of a password, encrypted: a copy of the database alone is not enough to try passwords."""

    descriptor_class = _PasswordAttribute


def digest_address(email: str) -> str:
    """Return what remains of the address of a deleted account: a digest under SECRET_KEY."""
    return salted_hmac("console.accounts.deleted", email.strip().lower(), algorithm="sha256").hexdigest()


_DELETED = "@deleted.invalid"  # the domain of deleted accounts


class UserManager(BaseUserManager["User"]):
    """Creates users by email address."""

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> User:
        """Create a user who signs in with `email` (stored in lower case) and `password` (None: no sign-in with a password)."""
        user = self.model(email=email.strip().lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def get_by_natural_key(self, username: str | None) -> User:
        return self.get(email=(username or "").strip().lower())


class User(AbstractBaseUser):
    """A user account. Permissions come from memberships only, never from a field here."""

    class Theme(models.TextChoices):
        AUTO = "auto", _("System default")
        LIGHT = "light", _("Light")
        DARK = "dark", _("Dark")

    password = PasswordField(_("password"))
    email = models.EmailField(_("email address"), unique=True)
    name = models.CharField(pgettext_lazy("of a person", "name"), max_length=80, blank=True)
    # "" for that of the browser, which its cookie names.
    time_zone = models.CharField(_("time zone"), max_length=64, blank=True, default="")
    language = models.CharField(
        _("language"),
        max_length=12,
        blank=True,
        choices=[("", _("Browser default")), *settings.LANGUAGES],
        default="",
    )
    theme = models.CharField(_("theme"), max_length=8, choices=Theme, default=Theme.AUTO)
    # "team/connection" that the user visited last; the start page redirects to it.
    last_visited = models.CharField(max_length=100, blank=True, default="")
    is_active = models.BooleanField(_("active"), default=True)
    # An account of a team's API token: nobody can sign in with it, and lists of users do not contain it.
    is_service = models.BooleanField(default=False)
    date_joined = models.DateTimeField(_("joined"), default=timezone.now)

    objects: ClassVar[UserManager] = UserManager()
    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    def __str__(self) -> str:
        return self.name or (gettext("Deleted user") if self.is_deleted else self.email)

    @property
    def is_deleted(self) -> bool:
        """Whether the user deleted the account."""
        return self.email.endswith(_DELETED)

    def erase(self) -> None:
        """Replace the personal data of this row. Nobody can sign in with it, and the address can be used for a new account."""
        self.email = f"{digest_address(self.email)}-{self.pk}{_DELETED}"
        self.name = self.time_zone = self.language = self.last_visited = ""
        self.theme, self.last_login, self.is_active = self.Theme.AUTO, None, False
        self.set_unusable_password()
        self.save()

    @property
    def label(self) -> str:
        """The name of this account in the audit trail."""
        return self.name if self.is_service else self.email
