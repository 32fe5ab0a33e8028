"""The audit records of approval requests, and the end of their execution."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.db.models.functions import Now

from console.accounts.models import User
from console.approvals.models import ApprovalRequest
from console.audit.models import AuditRecord
from console.audit.records import Origin, record_action, write_record
from console.connections.gateway import Gateway


def finish_request(
    request: ApprovalRequest, state: ApprovalRequest.State, failure: dict[str, Any] | None
) -> None:
    """Close an approved request whose job has ended, with `failure`, a sentence, if there is one. Runs in the transaction that
    ends the job."""
    approved = ApprovalRequest.objects.filter(pk=request.pk, state=ApprovalRequest.State.APPROVED)
    if approved.update(state=state, finished_at=Now(), failure=failure):
        outcome = AuditRecord.Outcome(state.value)
        transaction.on_commit(lambda: write_event(request, "approval.execute", outcome, request.requested_by))


def write_event(
    request: ApprovalRequest, operation: str, outcome: AuditRecord.Outcome, actor: User | None
) -> None:
    """Write an audit record of an event that no user caused directly."""
    write_record(
        outcome,
        operation=operation,
        actor=actor,
        team=request.team,
        origin=Origin(job_id=request.job_id),
        target=request.audit_target,
        parameters=_audit_parameters(request),
        connection=request.connection.slug,
    )


def record_user_action(operation: str, request: ApprovalRequest, gateway: Gateway, reason: str = "") -> Any:
    """A context manager that records an action of a user in the audit trail."""
    return record_action(
        operation=operation,
        actor=gateway.actor,
        team=request.team,
        origin=gateway.origin,
        target=request.audit_target,
        parameters=_audit_parameters(request) | ({"reason": reason} if reason else {}),
        connection=request.connection.slug,
    )


def _audit_parameters(request: ApprovalRequest) -> dict[str, Any]:
    return {
        "approval": request.pk,
        "rule": request.rule,
        "requested_by": request.requester_label,
        "devices": request.devices,
        "digest": request.digest,
    }
