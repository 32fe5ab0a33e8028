"""What the tests of signing in share: entering, codes of an authenticator app, and who has one."""

from __future__ import annotations

import time
from typing import Any

from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, hotp_value
from django.test import Client

from console.access.models import User
from tests.conftest import PASSWORD

LOGIN = "/accounts/login/"
STEP = "/accounts/second-step/"
INSIDE = "/account/profile/"
APP_SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


def enter(client: Client, email: str, password: str = PASSWORD, **extra: Any) -> Any:
    return client.post(LOGIN, {"login": email, "password": password}, **extra)


def is_inside(client: Client) -> bool:
    return bool(client.get(INSIDE).status_code == 200)


def code(secret: str = APP_SECRET, steps: int = 0) -> str:
    """What an authenticator app shows now, or so many steps of 30 seconds from now."""
    return format_hotp_value(hotp_value(secret, int(time.time()) // 30 + steps))


def give_app(user: User) -> Authenticator:
    """Let the person have an authenticator app."""
    return TOTP.activate(user, APP_SECRET).instance


def give_recovery_codes(user: User) -> list[str]:
    """Let the person have recovery codes; the codes."""
    return RecoveryCodes.activate(user).generate_codes()
