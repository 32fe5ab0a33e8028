"""Requests for a whole job: one request names the job and the number of its items, however many calls the job makes.

A job is decided once, when a user starts it. It waits as a draft, with its list of items frozen, until the request is decided. After
the approval it starts with the rights of the user who asked for it, and its gateway allows exactly the calls for its items.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.core.exceptions import PermissionDenied
from django.utils.translation import gettext as _

from console.approvals.models import ApprovalRequest, NotPending, RequestAltered, compute_job_digest
from console.approvals.records import finish_request
from console.connections.approval import Approval, NotApproved, PlannedCall
from console.connections.gateway import Gateway
from console.jobs import actions as job_actions
from console.jobs.models import Item, Job
from console.jobs.visibility import visible_jobs

SEND_WITHIN = timedelta(hours=1)
"""An approval expires if nothing was sent in this time."""
State = ApprovalRequest.State


# -- before the decision -------------------------------------------------------------------------------------------------


def find_job(request: ApprovalRequest) -> Job:
    """The job that needs the approval. Raises RequestAltered if it was deleted."""
    if request.job is None:
        raise RequestAltered
    return request.job


def name_target(job: Job) -> str:
    """The target of a request, as lists and the audit trail name it: the first item and the number of the others."""
    first = Item.objects.filter(job=job).order_by("number").first()
    name = (first.label or first.key) if first else ""
    return f"{name} (+{job.total - 1})" if job.total > 1 else name


def check_scope(request: ApprovalRequest, gateway: Gateway) -> None:
    """Raises PermissionDenied unless the gateway's actor may start the job and its access scope includes it; RequestAltered if
    its items or parameters are not those of the request."""
    job = find_job(request)
    gateway.require(request.operation)
    if not (job_actions.may_control(job, gateway) and visible_jobs(gateway).filter(pk=job.pk).exists()):
        raise PermissionDenied(_("Your role or your access scope does not include this job."))
    if compute_job_digest(job) != request.digest:
        raise RequestAltered


def hold_job(request: ApprovalRequest) -> None:
    """Let the job wait for the decision. Raises NotPending if it was started or discarded in the meantime."""
    if request.job_id is None or not job_actions.await_approval(request.job_id):
        raise NotPending


def find_request(job: Job) -> int | None:
    """The ID of the last request for a job that was submitted; None if there is none."""
    requests = ApprovalRequest.objects.without_drafts().filter(job=job, covers_job=True)
    return requests.values_list("pk", flat=True).first()


# -- after the decision --------------------------------------------------------------------------------------------------


def release_job(request: ApprovalRequest, error: dict[str, Any] | None = None) -> None:
    """Make the job of a request ready again that was not approved; with an `error`, a sentence, nobody can start it. Does nothing
    for a request of calls."""
    if request.covers_job and request.job_id is not None:
        job_actions.end_waiting(request.job_id, error)


def start_job(request: ApprovalRequest) -> Job:
    """Start the job of an approved request with the permissions of the requester. Raises PermissionDenied, NotPending."""
    job, requester = find_job(request), request.requested_by
    if requester is None:
        raise PermissionDenied(_("The user who made this request no longer exists."))
    if not job_actions.start_approved(job, requester, request.token):
        raise NotPending
    return job


def allow_calls(job: Job, calls: Sequence[PlannedCall]) -> Approval:
    """The approval for calls of a started job. It was decided when the job started, by a request if a rule covered the job.

    Raises NotApproved if the job began too late after the approval.
    """
    requests = ApprovalRequest.objects.filter(job=job, covers_job=True, state=State.APPROVED)
    request = requests.select_related("job").first()
    if request is None:
        return Approval(0, "", calls)
    began = find_job(request).started_at
    if began is None or request.decided_at is None or began - request.decided_at > SEND_WITHIN:
        raise NotApproved(_("The calls could not be sent within one hour of the approval."))
    return Approval(request.pk, request.decider_label, calls)


def close_job_request(job: Job) -> None:
    """Close the approved request of a job that has ended, if there is one. Runs in the transaction that ends the job."""
    requests = ApprovalRequest.objects.filter(job=job, covers_job=True, state=State.APPROVED)
    for request in requests.select_related("team", "connection", "requested_by"):
        if job.counts.get(Item.Outcome.UNKNOWN):
            state = State.UNKNOWN
        else:
            state = State.DONE if job.state == Job.State.SUCCEEDED else State.FAILED
        finish_request(request, state, job.error)
