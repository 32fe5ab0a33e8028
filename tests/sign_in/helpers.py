"""Helpers for tests of sign-in: the sign-in form, authenticator apps and recovery codes."""

from __future__ import annotations

import re
import time
from typing import Any

from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, hotp_value
from django.test import Client

from console.accounts.models import User
from tests.conftest import PASSWORD, start_session

LOGIN = "/accounts/login/"
SECOND_STEP = "/accounts/second-step/"
PROFILE = "/account/profile/"
APP_SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


def submit_password(client: Client, email: str, password: str = PASSWORD, **extra: Any) -> Any:
    """Send the sign-in form. Return the response."""
    return client.post(LOGIN, {"login": email, "password": password}, **extra)


def is_signed_in(client: Client) -> bool:
    return bool(client.get(PROFILE).status_code == 200)


def totp_code(secret: str = APP_SECRET, steps: int = 0) -> str:
    """Return the code that an authenticator app shows now, or after so many steps of 30 seconds."""
    return format_hotp_value(hotp_value(secret, int(time.time()) // 30 + steps))


def add_authenticator_app(user: User) -> Authenticator:
    """Set up an authenticator app with APP_SECRET for the user."""
    return TOTP.activate(user, APP_SECRET).instance


def add_recovery_codes(user: User) -> list[str]:
    """Create recovery codes for the user. Return the codes."""
    return RecoveryCodes.activate(user).generate_codes()


def stable_text(response: Any) -> str:
    """Return the page without the parts that differ between requests."""
    return re.sub(
        r'(csrf\w*token\W+value="|"X-CSRFToken": ")[^"]+|value="[^"]*"', "", response.content.decode()
    )


def client_signed_in_before(user: User, minutes: float = 60) -> Client:
    """Return a client that signed in so many minutes ago and has used the session since."""
    client = start_session(user)
    session = client.session
    session["account_authentication_methods"][0]["at"] = time.time() - minutes * 60
    session.save()
    return client
