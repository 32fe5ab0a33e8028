"""What people do to their own sign-in, in the audit trail of each team that they belong to."""

from __future__ import annotations

from typing import Any

from allauth.account import signals as account_signals
from allauth.mfa import signals as mfa_signals
from allauth.mfa.models import Authenticator
from django.http import HttpRequest

from console.access.audit import Origin, write_record
from console.access.models import AuditRecord, User
from console.access.sign_in.brake import just_locked


def note(
    request: HttpRequest,
    user: User,
    operation: str,
    outcome: AuditRecord.Outcome = AuditRecord.Outcome.DONE,
    **parameters: Any,
) -> None:
    """Write what a person did, or what was tried in their name."""
    for membership in user.memberships.select_related("team"):
        write_record(
            outcome,
            operation=operation,
            actor=user,
            team=membership.team,
            origin=Origin.of(request),
            target=user.email,
            parameters=parameters,
        )


def note_failure(request: HttpRequest, user: User, operation: str) -> None:
    """Write that a password or code was wrong, and when that was one too many, that the account is locked there."""

    note(request, user, operation, AuditRecord.Outcome.FAILED)
    if just_locked(request):
        note(request, user, "session.lock")


def listen() -> None:
    """Write down what allauth's own pages do to passwords and factors. Its signals are the only word it gives of that."""
    account_signals.password_changed.connect(_password_changed)
    account_signals.password_set.connect(_password_changed)
    account_signals.password_reset.connect(_password_reset)
    mfa_signals.authenticator_added.connect(_factor_added)
    mfa_signals.authenticator_removed.connect(_factor_removed)
    mfa_signals.authenticator_reset.connect(_codes_renewed)
    mfa_signals.authenticator_used.connect(_factor_used)


def _password_changed(request: HttpRequest, user: User, **_: Any) -> None:
    note(request, user, "password.change")


def _password_reset(request: HttpRequest, user: User, **_: Any) -> None:
    note(request, user, "password.reset")


def _factor_added(request: HttpRequest, user: User, authenticator: Authenticator, **_: Any) -> None:
    note(request, user, "factor.add", Type=authenticator.type)


def _factor_removed(request: HttpRequest, user: User, authenticator: Authenticator, **_: Any) -> None:
    note(request, user, "factor.remove", Type=authenticator.type)


def _codes_renewed(request: HttpRequest, user: User, **_: Any) -> None:
    note(request, user, "factor.recovery_codes")


def _factor_used(request: HttpRequest, user: User, authenticator: Authenticator, **_: Any) -> None:
    if authenticator.type == Authenticator.Type.RECOVERY_CODES:
        note(request, user, "factor.recovery_code")
