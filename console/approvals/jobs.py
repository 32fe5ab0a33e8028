"""Making the calls of an approved request: one a step, in order, each at most once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db.models.functions import Now
from django.utils.translation import gettext, gettext_noop
from django.utils.translation import gettext_lazy as _

from console.access.encryption import Undecryptable
from console.approvals import actions
from console.approvals.models import Altered, ApprovalCall, ApprovalRequest
from console.cloud.errors import BadAnswer, CloudError, Throttled, Unavailable
from console.connections.approval import Approval, Planned, Rule
from console.connections.gateway import Gateway
from console.jobs import trouble
from console.jobs.kinds import Kind, Next, Step
from console.jobs.models import Job, said
from console.jobs.work import Work
from console.ota import api as ota_api
from console.ota import jobs as ota_jobs

_State = ApprovalCall.State
# What was approved is not done at some later time when nobody thinks of it any more.
SENT_WITHIN = timedelta(hours=1)


def send(work: Work) -> Next:
    """Make the next call that was not sent yet, with the rights that who asked for it has now. One call, or two for a batch
    over a list of names."""
    request = _request(work.job)
    calls = request.outcomes.all() if request else ApprovalCall.objects.none()
    # Begun by a worker that did not come back: the platform may have done it, so nobody sends it again.
    calls.filter(state=_State.SENDING).update(state=_State.UNKNOWN)
    following = calls.filter(state=_State.PENDING).first()
    if request is None or following is None:
        return Next(done=True, counts=_counts(request))
    try:
        planned = request.planned[following.number]
    except Altered as error:
        return trouble.stopped(work, False, said(gettext_noop("Stopped: %(reason)s"), reason=str(error)))
    if not ApprovalRequest.objects.filter(pk=request.pk, decided_at__gt=Now() - SENT_WITHIN).exists():
        text = gettext_noop("Stopped: it could not be sent within an hour of the approval.")
        return trouble.stopped(work, False, said(text))
    params = dict(planned.params)
    if planned.listed:
        params["DnListFileUrl"] = ota_api.upload_names(work.gateway, planned.listed, target=request.target)
    work.hold()
    if calls.filter(pk=following.pk, state=_State.PENDING).update(state=_State.SENDING):
        _send(work, request, following, planned, params)
    left = calls.filter(state=_State.PENDING).exists()
    return Next(done=not left, counts=_counts(request))


def _send(
    work: Work, request: ApprovalRequest, call: ApprovalCall, planned: Planned, params: Mapping[str, Any]
) -> None:
    """Send the call that was claimed, and write what became of it. Raises what the engine waits for, or stops at; then the
    call was not sent and can be claimed again."""
    own = work.gateway
    gateway = Gateway(
        actor=own.actor,
        membership=own.membership,
        connection=own.connection,
        lane=own.lane,
        origin=own.origin,
        approval=Approval(request.pk, request.decider_label, [planned]),
    )
    mine = ApprovalCall.objects.filter(pk=call.pk, state__in=[_State.SENDING, _State.UNKNOWN])
    try:
        target = request.traced if work.job.total == 1 else ""  # of several each is named by its parameters
        answer = gateway.call(planned.operation, target=target, listed=planned.listed, **params)
    except (PermissionDenied, Undecryptable):
        mine.update(state=_State.PENDING)
        raise
    except CloudError as error:
        if isinstance(error, Throttled) or (isinstance(error, Unavailable) and not error.sent):
            mine.update(state=_State.PENDING)
            raise
        lost = isinstance(error, Unavailable | BadAnswer)
        mine.update(
            state=_State.UNKNOWN if lost else _State.FAILED,
            code=error.code[:128],
            message=error.message[:1000],
            request_id=error.request_id[:64],
        )
        return
    made = ota_api.made_by(answer) if request.rule == Rule.BATCH else ""
    mine.update(state=_State.DONE, request_id=str(answer.get("RequestId", ""))[:64], made=made[:64])
    if made:
        ota_jobs.watch(own, made, product_key=str(planned.params.get("ProductKey") or ""))


def _request(job: Job) -> ApprovalRequest | None:
    return (
        ApprovalRequest.objects.select_related("team", "connection", "requested_by")
        .filter(pk=job.params["approval"], team=job.team_id, connection=job.connection_id)
        .first()
    )


def _counts(request: ApprovalRequest | None) -> dict[str, int]:
    if request is None:
        return {}
    return dict(Counter(request.outcomes.values_list("state", flat=True)))


def _tally(job: Job, counts: Mapping[str, int]) -> None:
    if not counts:  # nothing is known yet
        return
    job.counts = {state: n for state, n in counts.items() if n}
    job.total = sum(counts.values())
    job.succeeded = counts.get(_State.DONE, 0)
    job.failed = sum(counts.get(state, 0) for state in (_State.FAILED, _State.UNKNOWN, _State.CANCELED))


def _ended(job: Job) -> None:
    request = _request(job)
    if request is not None:
        actions.settle(request, job.error)
        _tally(job, _counts(request))


def _title(job: Job) -> str:
    return gettext("Approved: %(operation)s %(target)s") % {
        "operation": job.params["operation"],
        "target": job.params["target"],
    }


EXECUTE = Kind(
    slug=actions.KIND,
    label=_("Approved request"),
    icon="checks",
    title=_title,
    making=lambda job: (job.params["operation"],),
    product="product_key",
    operation="operation",
    stopping=_("What was not sent yet stays unsent. What was sent already is done."),
    ended=_ended,
    rows=False,
    tally=_tally,
    steps={"send": Step(send, _("Making the approved calls"))},
    about="approvals/job_about.html",
)
