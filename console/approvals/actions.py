"""What people do with requests: prepare, ask, approve, refuse, withdraw. Each is safe to repeat and leaves a record.

Whoever changes the state of the row by a conditional update has done it; everybody else comes too late. Time is told by the
database's clock.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction
from django.db.models import F
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from console.access.audit import Origin, clean_text, record_action, write_record
from console.access.models import AuditRecord, User
from console.approvals.models import Altered, ApprovalCall, ApprovalRequest, digest_of
from console.cloud.catalogue import operation
from console.cloud.errors import CloudError
from console.connections.approval import ApprovalNeeded, Rule
from console.connections.gateway import Gateway
from console.connections.scope import NotInScope
from console.jobs import actions as job_actions
from console.jobs.models import Job, in_seconds, said
from console.products import api as products_api

KIND = "approvals.execute"
State = ApprovalRequest.State
_IDS = ("DeviceName", "IotId", "FirmwareId", "ProductKey")  # of the parameters, the first that is given


class TooLate(PermissionDenied):
    """The request does not wait any more: it was decided, withdrawn, or its time was over."""

    def __init__(self) -> None:
        super().__init__(_("This request does not wait any more."))


# -- asking ----------------------------------------------------------------------------------------------------------


def prepare(needed: ApprovalNeeded) -> ApprovalRequest:
    """The request that waits for the same calls already, or a draft of one that its person has still to ask for."""
    gateway, calls = needed.gateway, list(needed.calls)
    digest = digest_of(gateway.connection.pk, calls)
    expire(ApprovalRequest.objects.filter(connection=gateway.connection, digest=digest))
    same = ApprovalRequest.objects.filter(connection=gateway.connection, digest=digest)
    waiting = same.filter(state=State.WAITING).first()
    if waiting is not None:
        return waiting
    own = same.filter(state=State.DRAFT, requested_by=gateway.actor, token=gateway.membership.token).first()
    if own is not None:
        return own
    return ApprovalRequest.objects.create(
        team=gateway.membership.team,
        connection=gateway.connection,
        rule=needed.rule,
        requested_by=gateway.actor,
        requester_label=gateway.actor.label,
        token=gateway.membership.token,
        calls=json.dumps([call.kept for call in calls]),
        digest=digest,
        operation=calls[0].operation,
        target=clean_text(_target(needed), 255),
        about=clean_text(_about(needed), 255),
        products=sorted({str(call.params.get("ProductKey") or "") for call in calls}),
        devices=needed.devices,
    )


def _target(needed: ApprovalNeeded) -> str:
    """What a request is about, as lists and the audit trail name it."""
    if needed.rule is Rule.PRODUCT and len(needed.calls) == 1:
        return _product(needed.gateway, _named(needed.calls[0].params))
    first = needed.target or _named(needed.calls[0].params)
    return f"{first} (+{len(needed.calls) - 1})" if len(needed.calls) > 1 else first


def _product(gateway: Gateway, key: str) -> str:
    """A product's name and key: who decides knows it by its name. The key alone where the name cannot be read."""
    try:
        return f"{products_api.product_detail(gateway, key).product.name} ({key})"
    except (CloudError, PermissionDenied):
        return key


def _named(params: Mapping[str, Any]) -> str:
    return next((str(params[name]) for name in _IDS if params.get(name)), "")


def _about(needed: ApprovalNeeded) -> str:
    """The id by which a page knows that a request is about what it shows; "" for several devices."""
    params = needed.calls[0].params
    if needed.rule is not Rule.DELETION:
        return _named(params)
    return f"{params.get('ProductKey')}/{params.get('DeviceName')}" if len(needed.calls) == 1 else ""


def ask(request: ApprovalRequest, gateway: Gateway, reason: str) -> ApprovalRequest:
    """Let a draft of the actor's wait for a second person. Answers the request that waits now: this one, or somebody
    else's for the very same, who came first. Raises PermissionDenied, Altered, and TooLate for what is no draft any more."""
    _check_asker(request, gateway)
    expire(ApprovalRequest.objects.filter(connection=request.connection, digest=request.digest))
    mine = ApprovalRequest.objects.filter(pk=request.pk, state=State.DRAFT)
    with _noted("approval.request", request, gateway, reason=reason):
        try:
            with transaction.atomic():
                asked = mine.update(
                    state=State.WAITING,
                    reason=clean_text(reason, 500),
                    asked_at=Now(),
                    expires_at=in_seconds(timedelta(hours=request.team.approval_hours).total_seconds()),
                )
        except IntegrityError:  # the very same waits already
            ApprovalRequest.objects.filter(pk=request.pk, state=State.DRAFT).delete()
            first = ApprovalRequest.objects.filter(
                connection=request.connection, digest=request.digest, state=State.WAITING
            ).first()
            if first is None:
                raise TooLate from None
            return first
        if not asked:
            raise TooLate
    request.refresh_from_db()
    return request


def _check_asker(request: ApprovalRequest, gateway: Gateway) -> None:
    if request.requested_by_id != gateway.actor.pk or request.token_id != _token_id(gateway):
        raise PermissionDenied(_("Only who began this request can ask for it."))
    demand_reach(request, gateway)


def _token_id(gateway: Gateway) -> int | None:
    token = gateway.membership.token
    return None if token is None else token.pk


def withdraw(request: ApprovalRequest, gateway: Gateway) -> None:
    """Take an own request back while nobody has decided. Raises PermissionDenied, TooLate."""
    if request.requested_by_id != gateway.actor.pk:
        raise PermissionDenied(_("Only who asked for it can withdraw it."))
    with _noted("approval.withdraw", request, gateway):
        mine = ApprovalRequest.objects.filter(pk=request.pk, state=State.WAITING)
        if not mine.update(state=State.WITHDRAWN, finished_at=Now()):
            raise TooLate


# -- deciding --------------------------------------------------------------------------------------------------------


def hindrance(request: ApprovalRequest, gateway: Gateway) -> str:
    """Why the gateway's actor may not decide, as a sentence; "" when they may. Raises Altered, Undecryptable."""
    if gateway.actor.pk == request.requested_by_id:
        return _("You asked for this yourself: somebody else of the team has to decide.")
    if gateway.actor.is_service or gateway.membership.token is not None:
        return _("A program cannot decide: a person of the team has to.")
    if request.token is not None and request.token.created_by_id == gateway.actor.pk:
        return _("A token that you made asked for this: somebody else of the team has to decide.")
    if not gateway.allows(request.planned[0].operation):
        return _("Your role may not call %(operation)s itself, so it cannot approve it.") % {
            "operation": request.operation
        }
    return ""


def demand_reach(request: ApprovalRequest, gateway: Gateway) -> None:
    """Raises PermissionDenied unless all that the calls name is within the gateway's reach; and Altered, Undecryptable,
    and CloudError when that cannot be learned."""
    for call in request.planned:
        gateway.require(call.operation)
        if gateway.scope is not None:
            try:
                gateway.scope.check(operation(call.operation), call.params)
            except NotInScope as error:
                raise PermissionDenied(error.text) from error


def _demand(request: ApprovalRequest, gateway: Gateway) -> None:
    reason = hindrance(request, gateway)
    if reason:
        raise PermissionDenied(reason)
    demand_reach(request, gateway)


def approve(request: ApprovalRequest, gateway: Gateway, *, seen: str, reason: str = "") -> Job:
    """Say yes, as the gateway's actor; the job that makes the calls is begun. `seen` is the digest of what they were shown.

    Raises PermissionDenied, TooLate, and Altered when the stored calls are not what was asked for or shown.
    """
    with _noted("approval.approve", request, gateway, reason=reason):
        _demand(request, gateway)
        if seen != request.digest:
            raise Altered
        with transaction.atomic():
            _decide(request, gateway, State.APPROVED, reason)
            return _begin(request)


def refuse(request: ApprovalRequest, gateway: Gateway, *, reason: str) -> None:
    """Say no, as the gateway's actor. Raises PermissionDenied, TooLate."""
    with _noted("approval.refuse", request, gateway, reason=reason):
        _demand(request, gateway)
        _decide(request, gateway, State.REFUSED, reason)


def _decide(request: ApprovalRequest, gateway: Gateway, state: ApprovalRequest.State, reason: str) -> None:
    """Change the state of a request that still waits. Raises TooLate."""
    waiting = ApprovalRequest.objects.filter(pk=request.pk, state=State.WAITING, expires_at__gt=Now())
    decided = waiting.update(
        state=state,
        decided_by=gateway.actor,
        decider_label=gateway.actor.label,
        decided_at=Now(),
        decision=clean_text(reason, 500),
        finished_at=None if state is State.APPROVED else Now(),
    )
    if not decided:
        raise TooLate
    request.refresh_from_db()


def _begin(request: ApprovalRequest) -> Job:
    """The job that makes the calls of a request that was just approved, with the rights of who asked."""
    calls = request.planned
    ApprovalCall.objects.bulk_create(
        ApprovalCall(approval=request, number=number) for number in range(len(calls))
    )
    products = {str(call.params.get("ProductKey") or "") for call in calls} - {""}
    wanted = Job(
        team=request.team,
        connection=request.connection,
        kind=KIND,
        subject=f"approval {request.pk}",
        params={
            "approval": request.pk,
            "operation": calls[0].operation,
            "target": request.target,
            **({"product_key": products.pop()} if len(products) == 1 else {}),
        },
        total=len(calls),
        created_by=request.requested_by,
        started_by=request.requested_by,
        token=request.token,
        started_at=timezone.now(),
    )
    job = job_actions.alone(wanted, "send", 1)
    ApprovalRequest.objects.filter(pk=request.pk).update(job=job)
    return job


# -- the end ---------------------------------------------------------------------------------------------------------


def settle(request: ApprovalRequest, why: dict[str, Any] | None) -> None:
    """Close an approved request whose job is over, by what became of its calls; inside the transaction of the job's end."""
    calls = request.outcomes.all()
    calls.filter(state=ApprovalCall.State.PENDING).update(state=ApprovalCall.State.CANCELED)
    # Whoever was sending it never came back to say what the platform answered.
    calls.filter(state=ApprovalCall.State.SENDING).update(state=ApprovalCall.State.UNKNOWN)
    states = set(calls.values_list("state", flat=True))
    if ApprovalCall.State.UNKNOWN in states:
        state = State.UNKNOWN
    elif states == {ApprovalCall.State.DONE}:
        state = State.DONE
    else:
        state = State.FAILED
    approved = ApprovalRequest.objects.filter(pk=request.pk, state=State.APPROVED)
    if approved.update(state=state, finished_at=Now(), why=why):
        outcome = AuditRecord.Outcome(state.value)
        transaction.on_commit(lambda: note(request, "approval.execute", outcome, request.requested_by))


def found_altered(request: ApprovalRequest) -> None:
    """Close a request whose stored calls are not what was asked for: nobody can decide on it."""
    text = gettext_noop("What is stored is not what was asked for: it was altered. Nothing was sent.")
    waiting = ApprovalRequest.objects.filter(pk=request.pk, state__in=[State.DRAFT, State.WAITING])
    if waiting.update(state=State.FAILED, why=said(text), finished_at=Now()):
        note(request, "approval.altered", AuditRecord.Outcome.REFUSED, None)


def expire(requests: Any) -> int:
    """Close those of `requests` whose time is over; how many."""
    over = requests.filter(state=State.WAITING, expires_at__lte=Now())
    closed = 0
    for request in over.select_related("team", "connection"):
        mine = ApprovalRequest.objects.filter(pk=request.pk, state=State.WAITING, expires_at__lte=Now())
        if mine.update(state=State.EXPIRED, finished_at=F("expires_at")):
            note(request, "approval.expire", AuditRecord.Outcome.DONE, None)
            closed += 1
    return closed


# -- records ---------------------------------------------------------------------------------------------------------


def note(request: ApprovalRequest, operation: str, outcome: AuditRecord.Outcome, actor: User | None) -> None:
    """A record of something that came by itself."""
    write_record(
        outcome,
        operation=operation,
        actor=actor,
        team=request.team,
        origin=Origin(job_id=request.job_id),
        target=request.traced,
        parameters=_facts(request),
        connection=request.connection.slug,
    )


def _noted(operation: str, request: ApprovalRequest, gateway: Gateway, reason: str = "") -> Any:
    """A record around what a person does."""
    return record_action(
        operation=operation,
        actor=gateway.actor,
        team=request.team,
        origin=gateway.origin,
        target=request.traced,
        parameters=_facts(request) | ({"reason": reason} if reason else {}),
        connection=request.connection.slug,
    )


def _facts(request: ApprovalRequest) -> dict[str, Any]:
    return {
        "approval": request.pk,
        "rule": request.rule,
        "requested_by": request.requester_label,
        "devices": request.devices,
        "digest": request.digest,
    }
