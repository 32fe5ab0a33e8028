"""Actions on approval requests: prepare, request, approve, reject, withdraw. Each is safe to repeat and leaves an audit record.
A request is for calls, or for a whole job (job_requests.py).

The first conditional update of the request's state takes effect; all later ones raise NotPending. Times come from the database
clock.
"""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction
from django.db.models import F
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from console.approvals import job_requests
from console.approvals.models import (
    ApprovalCall,
    ApprovalRequest,
    NotPending,
    OtherRequestShown,
    compute_digest,
    compute_job_digest,
)
from console.approvals.params import ApprovalParams
from console.approvals.records import finish_request, record_user_action, write_event
from console.audit.masking import clean_text
from console.audit.models import AuditRecord
from console.connections.approval import ApprovalNeeded, PlannedCall
from console.connections.gateway import Gateway
from console.connections.scope import NotInScope
from console.jobs import actions as job_actions
from console.jobs.models import Job, make_sentence, seconds_from_now
from iot_client.catalogue import operation

KIND = "approvals.execute"
State = ApprovalRequest.State


# -- requesting ----------------------------------------------------------------------------------------------------------


def prepare_request(needed: ApprovalNeeded) -> ApprovalRequest:
    """Returns the pending request for the same calls if there is one, else a draft that the user has yet to submit."""
    gateway, calls = needed.gateway, list(needed.calls)
    job = Job.objects.get(pk=needed.job) if needed.job is not None else None
    digest = compute_digest(gateway.connection.pk, calls) if job is None else compute_job_digest(job)
    expire(ApprovalRequest.objects.filter(connection=gateway.connection, digest=digest))
    same = ApprovalRequest.objects.filter(connection=gateway.connection, digest=digest)
    waiting = same.filter(state=State.WAITING).first()
    if waiting is not None:
        return waiting
    draft = same.filter(state=State.DRAFT, requested_by=gateway.actor, token=gateway.membership.token).first()
    if draft is not None:
        return draft
    return ApprovalRequest.objects.create(
        team=gateway.membership.team,
        connection=gateway.connection,
        rule=needed.rule.slug,
        requested_by=gateway.actor,
        requester_label=gateway.actor.label,
        token=gateway.membership.token,
        calls=json.dumps([call.stored_form for call in calls]),
        digest=digest,
        operation=needed.operation,
        target=clean_text(_name_target(needed) if job is None else job_requests.name_target(job), 255),
        subject_id=clean_text(_find_subject_id(needed), 255),
        products=sorted({str(call.params.get("ProductKey") or "") for call in calls})
        if job is None
        else [job.scope_key],
        devices=needed.count,
        job=job,
        covers_job=job is not None,
    )


def _name_target(needed: ApprovalNeeded) -> str:
    """The target of a request, as lists and the audit trail name it."""
    name_target = needed.rule.description_of(needed.operation).name_target
    if name_target is not None and len(needed.calls) == 1:
        return name_target(needed.gateway, needed.calls[0])
    first = needed.target or _find_target(needed.calls[0])
    return f"{first} (+{len(needed.calls) - 1})" if len(needed.calls) > 1 else first


def _find_target(call: PlannedCall) -> str:
    return operation(call.operation).find_target(call.params)


def _find_subject_id(needed: ApprovalNeeded) -> str:
    """The id of the object that the request is about, by which its page finds the request; "" for several objects."""
    return _find_target(needed.calls[0]) if len(needed.calls) == 1 else ""


def request_approval(request: ApprovalRequest, gateway: Gateway, reason: str) -> ApprovalRequest:
    """Submit a draft of the actor. Returns the request that is now pending: this one, or an identical one that another user
    submitted first. Raises PermissionDenied, RequestAltered, and NotPending if the request is no longer a draft."""
    _check_requester(request, gateway)
    expire(ApprovalRequest.objects.filter(connection=request.connection, digest=request.digest))
    draft = ApprovalRequest.objects.filter(pk=request.pk, state=State.DRAFT)
    with record_user_action("approval.request", request, gateway, reason=reason):
        try:
            with transaction.atomic():
                updated = draft.update(
                    state=State.WAITING,
                    reason=clean_text(reason, 500),
                    asked_at=Now(),
                    expires_at=seconds_from_now(timedelta(hours=request.team.approval_hours).total_seconds()),
                )
                if updated and request.covers_job:
                    job_requests.hold_job(request)
        except IntegrityError:  # an identical request is already pending
            ApprovalRequest.objects.filter(pk=request.pk, state=State.DRAFT).delete()
            first = ApprovalRequest.objects.filter(
                connection=request.connection, digest=request.digest, state=State.WAITING
            ).first()
            if first is None:
                raise NotPending from None
            return first
        if not updated:
            raise NotPending
    request.refresh_from_db()
    return request


def _check_requester(request: ApprovalRequest, gateway: Gateway) -> None:
    if request.requested_by_id != gateway.actor.pk or request.token_id != _token_id(gateway):
        raise PermissionDenied(_("Only the user who started this request can submit it."))
    check_scope(request, gateway)


def _token_id(gateway: Gateway) -> int | None:
    token = gateway.membership.token
    return None if token is None else token.pk


def withdraw(request: ApprovalRequest, gateway: Gateway) -> None:
    """Withdraw a pending request of the actor. Raises PermissionDenied, NotPending."""
    if request.requested_by_id != gateway.actor.pk:
        raise PermissionDenied(_("Only the requester can withdraw this request."))
    with record_user_action("approval.withdraw", request, gateway), transaction.atomic():
        waiting = ApprovalRequest.objects.filter(pk=request.pk, state=State.WAITING)
        if not waiting.update(state=State.WITHDRAWN, finished_at=Now()):
            raise NotPending
        job_requests.release_job(request)


# -- deciding --------------------------------------------------------------------------------------------------------


def find_obstacle(request: ApprovalRequest, gateway: Gateway) -> str:
    """Why the gateway's actor cannot decide, as a text for users; "" if they can. Raises RequestAltered, Undecryptable."""
    if gateway.actor.pk == request.requested_by_id:
        return _("This is your own request. Another team member must decide.")
    if gateway.actor.is_service or gateway.membership.token is not None:
        return _("API tokens cannot decide on requests. A team member must decide in the console.")
    if request.token is not None and request.token.created_by_id == gateway.actor.pk:
        return _("An API token that you created made this request. Another team member must decide.")
    facts = gateway.membership.role_facts
    if facts.granted_by & request.requester_ids:
        return _(
            "The requester invited you or gave you your role, directly or through another member. "
            "Another team member must decide."
        )
    if facts.since > request.created_at:
        return _(
            "You got your role or access scope after this request was made. Another team member must decide."
        )
    if not _may_carry_out(request, gateway):
        return _("Your role cannot call %(operation)s, so you cannot decide on this request.") % {
            "operation": request.operation
        }
    return ""


def _may_carry_out(request: ApprovalRequest, gateway: Gateway) -> bool:
    """Whether the role of the gateway's actor allows what is requested. Raises RequestAltered, Undecryptable."""
    if request.covers_job:
        return job_actions.may_control(job_requests.find_job(request), gateway)
    return gateway.allows(request.planned_calls[0].operation)


def check_scope(request: ApprovalRequest, gateway: Gateway) -> None:
    """Raises PermissionDenied unless all objects of the calls, or of the job, are in the gateway's access scope; RequestAltered,
    Undecryptable; CloudError if the scope cannot be checked."""
    if request.covers_job:
        job_requests.check_scope(request, gateway)
        return
    for call in request.planned_calls:
        gateway.require(call.operation)
        if gateway.scope is not None:
            try:
                gateway.scope.check(operation(call.operation), call.params)
            except NotInScope as error:
                raise PermissionDenied(error.text) from error


def _check_may_decide(request: ApprovalRequest, gateway: Gateway) -> None:
    reason = find_obstacle(request, gateway)
    if reason:
        raise PermissionDenied(reason)
    check_scope(request, gateway)


def approve(request: ApprovalRequest, gateway: Gateway, *, seen: str, reason: str = "") -> Job:
    """Approve, as the gateway's actor, and start the job that makes the calls. `seen`: the digest of what was shown.

    Raises PermissionDenied, NotPending, RequestAltered if the stored calls differ from those that were requested, and
    OtherRequestShown.
    """
    with record_user_action("approval.approve", request, gateway, reason=reason):
        _check_may_decide(request, gateway)
        if seen != request.digest:
            raise OtherRequestShown
        with transaction.atomic():
            _decide(request, gateway, State.APPROVED, reason)
            return job_requests.start_job(request) if request.covers_job else _start_job(request)


def reject(request: ApprovalRequest, gateway: Gateway, *, reason: str) -> None:
    """Reject, as the gateway's actor. Raises PermissionDenied, NotPending."""
    with record_user_action("approval.refuse", request, gateway, reason=reason):
        _check_may_decide(request, gateway)
        with transaction.atomic():
            _decide(request, gateway, State.REFUSED, reason)
            job_requests.release_job(request)


def _decide(request: ApprovalRequest, gateway: Gateway, state: ApprovalRequest.State, reason: str) -> None:
    """Change the state of a pending request. Raises NotPending."""
    waiting = ApprovalRequest.objects.filter(pk=request.pk, state=State.WAITING, expires_at__gt=Now())
    updated = waiting.update(
        state=state,
        decided_by=gateway.actor,
        decider_label=gateway.actor.label,
        decided_at=Now(),
        decision=clean_text(reason, 500),
        finished_at=None if state is State.APPROVED else Now(),
    )
    if not updated:
        raise NotPending
    request.refresh_from_db()


def _start_job(request: ApprovalRequest) -> Job:
    """Start the job that makes the calls of an approved request, with the permissions of the requester."""
    calls = request.planned_calls
    ApprovalCall.objects.bulk_create(
        ApprovalCall(approval=request, number=number) for number in range(len(calls))
    )
    products = {str(call.params.get("ProductKey") or "") for call in calls} - {""}
    params = ApprovalParams(
        approval=request.pk,
        operation=calls[0].operation,
        target=request.target,
        product_key=products.pop() if len(products) == 1 else "",
    )
    new_job = job_actions.build_job(
        KIND,
        params,
        connection=request.connection,
        user=request.requested_by,
        token=request.token,
        subject=f"approval {request.pk}",
        total=len(calls),
        started_by=request.requested_by,
        started_at=timezone.now(),
    )
    job = job_actions.start_or_find(new_job, "send", 1)
    ApprovalRequest.objects.filter(pk=request.pk).update(job=job)
    return job


# -- closing ---------------------------------------------------------------------------------------------------------


def close_request(request: ApprovalRequest, failure: dict[str, Any] | None) -> None:
    """Close an approved request whose job has ended, by the outcomes of its calls. Runs in the transaction that ends the job.
    `failure`: why the job failed, as `jobs.models.make_sentence` returns it."""
    calls = request.outcomes.all()
    calls.filter(state=ApprovalCall.State.PENDING).update(state=ApprovalCall.State.CANCELED)
    # The worker that was sending these calls stopped before it stored the outcome.
    calls.filter(state=ApprovalCall.State.SENDING).update(state=ApprovalCall.State.UNKNOWN)
    states = set(calls.values_list("state", flat=True))
    if ApprovalCall.State.UNKNOWN in states:
        state = State.UNKNOWN
    elif states == {ApprovalCall.State.DONE}:
        state = State.DONE
    else:
        state = State.FAILED
    finish_request(request, state, failure)


def close_altered_request(request: ApprovalRequest) -> None:
    """Close a request whose stored calls are not the requested ones. Nobody can decide on it."""
    failure = make_sentence(gettext_noop("The stored request was modified. Nothing was sent."))
    waiting = ApprovalRequest.objects.filter(pk=request.pk, state__in=[State.DRAFT, State.WAITING])
    with transaction.atomic():
        closed = waiting.update(state=State.FAILED, failure=failure, finished_at=Now())
        if closed:
            job_requests.release_job(request, failure)
    if closed:
        write_event(request, "approval.altered", AuditRecord.Outcome.REFUSED, None)


def expire(requests: Any) -> int:
    """Close the pending requests among `requests` that have expired. Returns their number."""
    overdue = requests.filter(state=State.WAITING, expires_at__lte=Now())
    closed = 0
    for request in overdue.select_related("team", "connection"):
        waiting = ApprovalRequest.objects.filter(pk=request.pk, state=State.WAITING, expires_at__lte=Now())
        with transaction.atomic():
            has_expired = waiting.update(state=State.EXPIRED, finished_at=F("expires_at"))
            if has_expired:
                job_requests.release_job(request)
        if has_expired:
            write_event(request, "approval.expire", AuditRecord.Outcome.DONE, None)
            closed += 1
    return closed
