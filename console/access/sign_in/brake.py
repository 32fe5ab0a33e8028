"""The brake on guessing: passwords, codes of second factors and recovery codes alike.

django-axes counts failures in the database, so that a Redis that is away opens no door. An account is locked to the
address that failed AXES_FAILURE_LIMIT times. So that many addresses together cannot go on guessing, the account is locked
to all after SIGN_IN_ACCOUNT_FAILURES, but for those that it signed in from lately: nobody else can lock a person out there.
"""

from __future__ import annotations

import ipaddress
from datetime import timedelta
from typing import Any

from allauth.account.auth_backends import AuthenticationBackend
from axes.attempts import get_cool_off_threshold
from axes.handlers.database import AxesDatabaseHandler
from axes.handlers.proxy import AxesProxyHandler
from axes.models import AccessAttempt, AccessLog
from django.conf import settings
from django.db.models import Sum
from django.http import HttpRequest
from django.utils import timezone

from console.access.audit import Origin, storable
from console.access.models import User
from console.access.sign_in.upkeep import KEPT_DAYS

_IPV6_PREFIX = 64  # what one customer of a provider has


def account_name(request: HttpRequest | None, credentials: dict[str, Any] | None) -> str:
    """What failures are counted under: the e-mail address that was tried, as accounts are kept, whether there is one or not."""
    return storable(str((credentials or {}).get("email") or "").strip().lower(), 255)


def client_address(request: HttpRequest) -> str:
    """What attempts are counted by: the address of the audit trail; of IPv6 the network, for its addresses are free."""
    ip = Origin.of(request).ip or "0.0.0.0"  # noqa: S104 - a key to count by, not an address to listen on
    if ":" in ip:
        return str(ipaddress.ip_network(f"{ip}/{_IPV6_PREFIX}", strict=False).network_address)
    return ip


class Brake(AxesDatabaseHandler):  # type: ignore[misc]  # axes has no type information
    """axes' counting, with a second and slower limit for the account as a whole."""

    def is_locked(self, request: HttpRequest, credentials: dict[str, Any] | None = None) -> bool:
        return super().is_locked(request, credentials) or self._besieged(request, credentials)

    def _besieged(self, request: Any, credentials: dict[str, Any] | None) -> bool:
        name = account_name(request, credentials)
        recent = AccessAttempt.objects.filter(
            username=name, attempt_time__gte=get_cool_off_threshold(request)
        )
        failures = recent.aggregate(total=Sum("failures_since_start"))["total"] or 0
        if failures < settings.SIGN_IN_ACCOUNT_FAILURES:
            return False
        since = timezone.now() - timedelta(days=KEPT_DAYS)
        known = AccessLog.objects.filter(
            username=name, ip_address=request.axes_ip_address, attempt_time__gte=since
        )
        return not known.exists()


def locked(request: HttpRequest, email: str) -> bool:
    """Whether the account may not be tried from where the request comes. What fails while it is locked is not counted."""
    shut = bool(AxesProxyHandler.is_locked(request, {"email": email}))
    request.axes_locked_out = shut  # type: ignore[attr-defined]
    return shut


def failed(request: HttpRequest, email: str) -> None:
    """Count a wrong code or password for the account."""
    AxesProxyHandler.user_login_failed(sender=__name__, credentials={"email": email}, request=request)


def just_locked(request: HttpRequest) -> bool:
    """Whether the failure that was counted in this request is the one that locked."""
    failures: int | None = getattr(request, "axes_failures_since_start", None)
    return failures is not None and failures == settings.AXES_FAILURE_LIMIT


class Backend(AuthenticationBackend):  # type: ignore[misc]
    """allauth's check of address and password, under the brake.

    The password is checked in any case: how long an answer takes does not tell whether an account is there or locked.
    """

    def authenticate(self, request: HttpRequest | None, **credentials: Any) -> User | None:
        shut = request is not None and locked(request, account_name(request, credentials))
        user: User | None = super().authenticate(request, **credentials)
        return None if shut else user

    def user_can_authenticate(self, user: User) -> bool:  # type: ignore[override]
        return user.is_active and not user.is_service
