"""Lockout after failed attempts: of passwords, codes of second factors and recovery codes alike.

django-axes counts failures in the database, so the limits also apply while Redis is unavailable. After
AXES_FAILURE_LIMIT failures from one address, the account is locked for that address. After SIGN_IN_ACCOUNT_FAILURES
failures from any number of addresses, it is locked for all addresses except those that it signed in from recently,
so that nobody else can lock a user out there.
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

from console.accounts.lookup import Lookup
from console.accounts.models import User
from console.audit.masking import clean_text
from console.audit.records import Origin
from console.sign_in.cleanup import LOG_RETENTION_DAYS

_USERS = Lookup(User, "pk")
_IPV6_PREFIX = 64  # the network that a provider gives to one customer


def account_name(request: HttpRequest | None, credentials: dict[str, Any] | None) -> str:
    """Return the key that failures are counted under: the email address, normalized, whether an account exists or not."""
    return clean_text(str((credentials or {}).get("email") or "").strip().lower(), 255)


def client_address(request: HttpRequest) -> str:
    """Return the address that attempts are counted by, as in the audit trail. For IPv6, return the /64 network."""
    ip = Origin.from_request(request).ip or "0.0.0.0"  # noqa: S104 - a key to count by, not an address to listen on
    if ":" in ip:
        return str(ipaddress.ip_network(f"{ip}/{_IPV6_PREFIX}", strict=False).network_address)
    return ip


class LockoutHandler(AxesDatabaseHandler):  # type: ignore[misc]  # axes has no type information
    """The counting of axes, with a second, higher limit for the account as a whole."""

    def is_locked(self, request: HttpRequest, credentials: dict[str, Any] | None = None) -> bool:
        return super().is_locked(request, credentials) or self._is_locked_for_unknown(request, credentials)

    def _is_locked_for_unknown(self, request: Any, credentials: dict[str, Any] | None) -> bool:
        """Return whether the account is locked for all unknown addresses and the request comes from one of them."""
        name = account_name(request, credentials)
        attempts = AccessAttempt.objects.filter(
            username=name, attempt_time__gte=get_cool_off_threshold(request)
        )
        failures = attempts.aggregate(total=Sum("failures_since_start"))["total"] or 0
        if failures < settings.SIGN_IN_ACCOUNT_FAILURES:
            return False
        since = timezone.now() - timedelta(days=LOG_RETENTION_DAYS)
        sign_ins = AccessLog.objects.filter(
            username=name, ip_address=request.axes_ip_address, attempt_time__gte=since
        )
        return not sign_ins.exists()


def is_locked(request: HttpRequest, email: str) -> bool:
    """Return whether the account is locked for the address of the request. Failures are not counted while it is."""
    locked = bool(AxesProxyHandler.is_locked(request, {"email": email}))
    request.axes_locked_out = locked  # type: ignore[attr-defined]
    return locked


def count_failure(request: HttpRequest, email: str) -> None:
    """Count a wrong code or password for the account."""
    AxesProxyHandler.user_login_failed(sender=__name__, credentials={"email": email}, request=request)


def failure_caused_lock(request: HttpRequest) -> bool:
    """Return whether the failure that was counted in this request locked the account."""
    failures: int | None = getattr(request, "axes_failures_since_start", None)
    return failures is not None and failures == settings.AXES_FAILURE_LIMIT


class LockoutBackend(AuthenticationBackend):  # type: ignore[misc]
    """Checks email address and password as allauth does, and refuses locked accounts.

    The password is always checked, so that the response time does not reveal whether an account exists or is locked.
    """

    def authenticate(self, request: HttpRequest | None, **credentials: Any) -> User | None:
        locked = request is not None and is_locked(request, account_name(request, credentials))
        user: User | None = super().authenticate(request, **credentials)
        return None if locked else user

    def get_user(self, user_id: int) -> User | None:  # type: ignore[override]
        user = _USERS.find(user_id)
        return user if user is not None and self.user_can_authenticate(user) else None

    def user_can_authenticate(self, user: User) -> bool:  # type: ignore[override]
        return user.is_active and not user.is_service
