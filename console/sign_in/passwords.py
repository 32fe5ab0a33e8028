"""New passwords: what they must fulfil, and how strong they are while they are typed."""

from __future__ import annotations

from typing import Any

from allauth.core import ratelimit
from django import forms
from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.password_validation import CommonPasswordValidator, validate_password
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST
from zxcvbn import zxcvbn

from console.accounts.models import User

# -- strength ----------------------------------------------------------------------------------------------------------

# zxcvbn's score from which on a password is accepted: more than 10^8 guesses. 4, the highest, is more than 10^10.
_ACCEPTED, _STRONG = 3, 4
# zxcvbn tries all meanings of signs that stand for letters. Both limits keep this below about 0.1 seconds.
_RATED_LENGTH = 64
_MAX_SIGNS = 8
_SIGNS = frozenset("@4({[<8369!|1o0$5+7%2")
_FEWER_SIGNS = str.maketrans("@{[<!|$+", "4(((1157")


def rate_strength(password: str) -> int:
    """Return how hard the password is to guess, from 0 to 4. Of a long one, only the beginning counts."""
    rated = password[:_RATED_LENGTH]
    if len(_SIGNS & set(rated)) > _MAX_SIGNS:
        rated = rated.translate(_FEWER_SIGNS)
    score: int = zxcvbn(rated)["score"]
    return score


# -- validators --------------------------------------------------------------------------------------------------------


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


class GuessablePasswordValidator(CommonPasswordValidator):
    """Refuses a password of Django's list or of zxcvbn's, both from data breaches, and one that is made of such passwords,
    words, names, dates, repetitions or keys in a row."""

    def validate(self, password: str, user: Any = None) -> None:
        if password.lower().strip() in self.passwords or rate_strength(password) < _ACCEPTED:
            raise ValidationError(
                gettext(
                    "This password is easy to guess. Use several words that do not belong together, or a generated password."
                ),
                code="password_guessable",
            )

    def get_help_text(self) -> str:
        return gettext("Your password must not be easy to guess, such as a common password or a date.")


# -- while it is typed -------------------------------------------------------------------------------------------------


class NewPasswordInput(forms.PasswordInput):
    """The field `password1` of a form. While the user types, the page says below it whether the password is accepted."""

    shows_strength = True  # for ui/field.html

    def __init__(self) -> None:
        super().__init__({"autocomplete": "new-password"})

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context(name, value, attrs)
        shown = context["widget"]["attrs"]
        shown |= {
            "hx-post": reverse("sign_in:password-strength"),
            "hx-trigger": "input changed delay:400ms",
            "hx-target": f"#{shown['id']}_strength",
            "hx-swap": "innerHTML show:none",
            "hx-select": "unset",
            "hx-params": "csrfmiddlewaretoken,password1",
            "hx-sync": "this:replace",
        }
        return context


@sensitive_post_parameters()
@login_not_required
@never_cache
@require_POST
def strength(request: HttpRequest) -> HttpResponse:
    """Say whether the typed password would be accepted. Visitors may ask too: they reset a password or accept an invitation."""
    password = request.POST.get("password1", "")
    if not password:
        return HttpResponse()
    if not ratelimit.consume(request, action="password_strength"):
        return HttpResponse(status=204)
    user = request.user if request.user.is_authenticated else None
    try:
        validate_password(password, user)
    except ValidationError as error:
        context = {"level": 1, "tone": "bad", "text": " ".join(error.messages)}
    else:
        is_strong = rate_strength(password) >= _STRONG
        context = {
            "level": 3 if is_strong else 2,
            "tone": "good" if is_strong else "warn",
            "text": gettext("Strong password") if is_strong else gettext("Acceptable password"),
        }
    return render(request, "sign_in/password_strength.html", context)


def describe_password_rules() -> str:
    """Return the rules of AUTH_PASSWORD_VALIDATORS in two sentences. Django's texts are one sentence for each validator."""
    validators: Any = settings.AUTH_PASSWORD_VALIDATORS
    lengths = {name: length for one in validators for name, length in one.get("OPTIONS", {}).items()}
    return (
        gettext(
            "%(min_length)s to %(max_length)s characters. Do not use a password that is easy to guess, such as a date, only digits, or your name or email address."
        )
        % lengths
    )
