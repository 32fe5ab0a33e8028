"""The job that makes the calls of an approved request: one call per step, in order, each at most once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db.models.functions import Now
from django.utils.translation import gettext, gettext_noop
from django.utils.translation import gettext_lazy as _

from console.accounts.encryption import Undecryptable
from console.approvals import actions
from console.approvals.job_requests import SEND_WITHIN
from console.approvals.models import ApprovalCall, ApprovalRequest, RequestAltered
from console.approvals.params import ApprovalParams
from console.connections.approval import Approval, PlannedCall
from console.connections.approval_rules import ApprovalRule
from console.jobs import delays
from console.jobs.kinds import Kind, Pages, Step, StepResult
from console.jobs.models import Job, make_sentence
from console.jobs.work import Work
from iot_client.errors import CloudError, Throttled, Unavailable, read_request_id, to_line

_State = ApprovalCall.State


def send(work: Work) -> StepResult:
    """Make the next call that was not sent yet, with the requester's present permissions. Its rule may prepare it by another call,
    which uploads a list of names."""
    request = _find_request(work.job)
    calls = request.outcomes.all() if request else ApprovalCall.objects.none()
    # A worker stopped while it sent these calls. The platform may have carried them out, so they are not sent again.
    calls.filter(state=_State.SENDING).update(state=_State.UNKNOWN)
    next_call = calls.filter(state=_State.PENDING).first()
    if request is None or next_call is None:
        return StepResult(done=True, counts=_count_states(request))
    try:
        planned = request.planned_calls[next_call.number]
    except RequestAltered as error:
        return delays.stop_job(
            work, False, make_sentence(gettext_noop("Stopped: %(reason)s"), reason=str(error))
        )
    if not ApprovalRequest.objects.filter(pk=request.pk, decided_at__gt=Now() - SEND_WITHIN).exists():
        text = gettext_noop("Stopped: the calls could not be sent within one hour of the approval.")
        return delays.stop_job(work, False, make_sentence(text))
    rule = request.declared_rule
    if rule is None:
        text = gettext_noop("Stopped: the approval rule of this request no longer exists.")
        return delays.stop_job(work, False, make_sentence(text))
    params = dict(planned.params)
    if rule.creation is not None:
        params = rule.creation.prepare(work.gateway, planned, request.target)
    work.renew_lease()
    if calls.filter(pk=next_call.pk, state=_State.PENDING).update(state=_State.SENDING):
        _send(work, request, rule, next_call, planned, params)
    has_more = calls.filter(state=_State.PENDING).exists()
    return StepResult(done=not has_more, counts=_count_states(request))


def _send(
    work: Work,
    request: ApprovalRequest,
    rule: ApprovalRule,
    call: ApprovalCall,
    planned: PlannedCall,
    params: Mapping[str, Any],
) -> None:
    """Send a claimed call and store its outcome. Raises the errors at which the engine waits or stops: then the call was not
    sent and can be claimed again."""
    base = work.gateway
    gateway = base.with_approval(Approval(request.pk, request.decider_label, [planned]))
    claimed = ApprovalCall.objects.filter(pk=call.pk, state__in=[_State.SENDING, _State.UNKNOWN])
    try:
        # With several calls, the parameters name the target of each.
        target = request.audit_target if work.job.total == 1 else ""
        response = gateway.call(planned.operation, target=target, listed_names=planned.listed_names, **params)
        batch_id = rule.creation.finish(base, planned, response) if rule.creation is not None else ""
    except (PermissionDenied, Undecryptable):
        claimed.update(state=_State.PENDING)
        raise
    except CloudError as error:
        if isinstance(error, Throttled | Unavailable) and not error.is_outcome_unknown:
            claimed.update(state=_State.PENDING)
            raise
        claimed.update(
            state=_State.UNKNOWN if error.is_outcome_unknown else _State.FAILED,
            code=error.code,
            message=error.message[:1000],
            request_id=error.request_id,
        )
        return
    claimed.update(state=_State.DONE, request_id=read_request_id(response), batch_id=to_line(batch_id, 64))


def _find_request(job: Job) -> ApprovalRequest | None:
    return (
        ApprovalRequest.objects.select_related("team", "connection", "requested_by")
        .filter(pk=ApprovalParams.read(job).approval, team=job.team_id, connection=job.connection_id)
        .first()
    )


def _count_states(request: ApprovalRequest | None) -> dict[str, int]:
    if request is None:
        return {}
    return dict(Counter(request.outcomes.values_list("state", flat=True)))


def _tally(job: Job) -> None:
    if not job.counts:  # no call was made yet
        return
    job.total = sum(job.counts.values())
    job.succeeded = job.counts.get(_State.DONE, 0)
    job.failed = sum(job.counts.get(state, 0) for state in (_State.FAILED, _State.UNKNOWN, _State.CANCELED))


def _finish_request(job: Job) -> None:
    request = _find_request(job)
    if request is not None:
        actions.close_request(request, job.error)
        job.counts = _count_states(request)
        _tally(job)


def _title(job: Job) -> str:
    params = ApprovalParams.read(job)
    return gettext("Approved: %(operation)s %(target)s") % {
        "operation": params.operation,
        "target": params.target,
    }


EXECUTE = Kind(
    slug=actions.KIND,
    label=_("Approved request"),
    icon="clipboard-check",
    params=ApprovalParams,
    title=_title,
    job_operations=lambda job: (ApprovalParams.read(job).operation,),
    scope_key=lambda params: params.product_key,
    operation_param="operation",
    cancel_text=_("Calls that were not sent yet are skipped. Calls that were already sent are carried out."),
    on_end=_finish_request,
    tally=_tally,
    steps={"send": Step(send, _("Sending approved calls"))},
    pages=Pages(details="approvals/job_about.html"),
)
