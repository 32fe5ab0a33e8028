"""What people do to their own sign-in, in the audit trail of each team that they belong to."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from console.access.audit import Origin, close_record, open_record
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
        record = open_record(
            operation=operation,
            actor=user,
            team=membership.team,
            origin=Origin.of(request),
            target=user.email,
            parameters=parameters,
        )
        close_record(record, outcome)


def note_failure(request: HttpRequest, user: User, operation: str) -> None:
    """Write that a password or code was wrong, and when that was one too many, that the account is locked there."""

    note(request, user, operation, AuditRecord.Outcome.FAILED)
    if just_locked(request):
        note(request, user, "session.lock")
