"""The validator of passwords that Django does not have, and the rules of all validators in words."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext

from console.accounts.models import User


class MaximumLengthValidator:
    """Refuses a new password with more than `max_length` characters. A longer one that is in use still works."""

    def __init__(self, max_length: int) -> None:
        self.max_length = max_length

    def validate(self, password: str, user: User | None = None) -> None:
        if len(password) > self.max_length:
            raise ValidationError(
                gettext("This password is too long. Use at most %(length)s characters."),
                code="password_too_long",
                params={"length": self.max_length},
            )

    def get_help_text(self) -> str:
        return gettext("Your password must contain at most %(length)s characters.") % {
            "length": self.max_length
        }


def describe_password_rules() -> str:
    """Return the rules of AUTH_PASSWORD_VALIDATORS in two sentences. Django's texts are one sentence for each validator."""
    validators: Any = settings.AUTH_PASSWORD_VALIDATORS
    lengths = {name: length for one in validators for name, length in one.get("OPTIONS", {}).items()}
    return (
        gettext(
            "%(min_length)s to %(max_length)s characters. Do not use a common password, only digits, or your name or email address."
        )
        % lengths
    )
