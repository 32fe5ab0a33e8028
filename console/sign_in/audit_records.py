"""Audit records of changes that users make to their own sign-in. Each goes to the audit trail of each of the user's teams."""

from __future__ import annotations

from typing import Any

from allauth.account import signals as account_signals
from allauth.mfa import signals as mfa_signals
from allauth.mfa.models import Authenticator
from django.http import HttpRequest

from console.accounts.models import User
from console.audit.models import AuditRecord
from console.audit.records import Origin, write_record
from console.sign_in.lockout import failure_caused_lock


def record_event(
    request: HttpRequest,
    user: User,
    operation: str,
    outcome: AuditRecord.Outcome = AuditRecord.Outcome.DONE,
    **parameters: Any,
) -> None:
    """Record an action of a user, or an attempt in their name."""
    for membership in user.memberships.select_related("team"):
        write_record(
            outcome,
            operation=operation,
            actor=user,
            team=membership.team,
            origin=Origin.from_request(request),
            target=user.email,
            parameters=parameters,
        )


def record_failure(request: HttpRequest, user: User, operation: str) -> None:
    """Record a wrong password or code, and the lock of the account if this failure caused it."""

    record_event(request, user, operation, AuditRecord.Outcome.FAILED)
    if failure_caused_lock(request):
        record_event(request, user, "session.lock")


def connect_signals() -> None:
    """Record changes of passwords and factors on the pages of allauth, which reports them by signals only."""
    account_signals.password_changed.connect(_record_password_change)
    account_signals.password_set.connect(_record_password_change)
    account_signals.password_reset.connect(_record_password_reset)
    mfa_signals.authenticator_added.connect(_record_added_factor)
    mfa_signals.authenticator_removed.connect(_record_removed_factor)
    mfa_signals.authenticator_reset.connect(_record_new_recovery_codes)
    mfa_signals.authenticator_used.connect(_record_used_recovery_code)


def _record_password_change(request: HttpRequest, user: User, **_: Any) -> None:
    record_event(request, user, "password.change")


def _record_password_reset(request: HttpRequest, user: User, **_: Any) -> None:
    record_event(request, user, "password.reset")


def _record_added_factor(request: HttpRequest, user: User, authenticator: Authenticator, **_: Any) -> None:
    record_event(request, user, "factor.add", Type=authenticator.type)


def _record_removed_factor(request: HttpRequest, user: User, authenticator: Authenticator, **_: Any) -> None:
    record_event(request, user, "factor.remove", Type=authenticator.type)


def _record_new_recovery_codes(request: HttpRequest, user: User, **_: Any) -> None:
    record_event(request, user, "factor.recovery_codes")


def _record_used_recovery_code(
    request: HttpRequest, user: User, authenticator: Authenticator, **_: Any
) -> None:
    if authenticator.type == Authenticator.Type.RECOVERY_CODES:
        record_event(request, user, "factor.recovery_code")
