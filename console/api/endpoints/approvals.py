"""Approval requests: operations of a program that a rule of the team holds until a second person approves them."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop
from ninja import Router, Schema
from pydantic import Field

from console.api.http import ApiRequest, open_gateway
from console.api.pipeline import REASON_HEADER
from console.api.problems import handle_error
from console.api.schemas import Timestamp
from console.approvals import actions, inbox
from console.approvals.models import ApprovalRequest
from console.approvals.notifications import notify_deciders
from console.connections.approval import ApprovalNeeded

router = Router(tags=[gettext_noop("Approvals")])


class Approval(Schema):
    """A request for approval and its result. After the approval, the operation runs once, exactly as requested."""

    id: int
    status: str = Field(
        description="waiting; approved (running), done, failed or unknown; refused, expired or withdrawn."
    )
    operation: str
    target: str
    device_count: int | None = Field(description="Number of affected devices; null if unknown.")
    reason: str = Field(description="Why the operation was requested.")
    requested_by: str
    decided_by: str
    decision_comment: str = Field(description="Comment of the person who decided.")
    failure_reason: str = Field(description="Why the operation failed; empty if it did not.")
    job_id: int | None = Field(
        description="The job that needs the approval, or after it the job that runs the operation."
    )
    created_batches: list[str] = Field(description="IDs of the update batches that the operation created.")
    requested_at: Timestamp
    expires_at: Timestamp | None
    url: str = Field(description="API address of this request. Query it for the current status.")
    console_url: str = Field(description="Console page on which a second person decides.")

    @classmethod
    def from_request(cls, request: HttpRequest, approval: ApprovalRequest) -> Approval:
        page_args = approval.team.slug, approval.connection.slug, approval.pk
        address = reverse("api:get_approval", args=[approval.connection.slug, approval.pk])
        return cls(
            id=approval.pk,
            status=approval.shown_state,
            operation=approval.operation,
            target=approval.target,
            device_count=approval.devices,
            reason=approval.reason,
            requested_by=approval.requester_label,
            decided_by=approval.decider_label,
            decision_comment=approval.decision,
            failure_reason=approval.failure_text,
            job_id=approval.job_id,
            created_batches=[
                batch_id for batch_id in approval.outcomes.values_list("batch_id", flat=True) if batch_id
            ],
            requested_at=approval.requested_at,
            expires_at=approval.expires_at,
            url=request.build_absolute_uri(address),
            console_url=request.build_absolute_uri(reverse("approvals:detail", args=page_args)),
        )


@router.get(
    "/{slug:connection}/approvals/{int:approval_id}",
    response=Approval,
    description=gettext_noop("Get the status of an approval request."),
)
def get_approval(request: ApiRequest, connection: str, approval_id: int) -> Approval:
    gateway = open_gateway(request, connection)
    approval = (
        inbox.visible_requests(request.membership)
        .filter(pk=approval_id, connection=gateway.connection)
        .select_related("team", "connection")
        .first()
    )
    if approval is None:
        raise Http404
    return Approval.from_request(request, approval)


def request_approval(request: HttpRequest, needed: ApprovalNeeded | type[ApprovalNeeded]) -> HttpResponse:
    """Request approval for an operation that a rule holds: 202 and the address of the approval request."""
    assert isinstance(needed, ApprovalNeeded)  # noqa: S101 - ninja's handlers may be given classes by their type only
    try:
        approval = actions.prepare_request(needed)
        if approval.state == ApprovalRequest.State.DRAFT:
            reason = request.headers.get(REASON_HEADER, "").strip()
            approval = actions.request_approval(
                approval, needed.gateway, reason or _("Submitted by a program without a reason.")
            )
            notify_deciders(approval, request)
    except Exception as error:  # handled like any other error
        return handle_error(request, error)
    body = Approval.from_request(request, approval)
    return HttpResponse(
        body.model_dump_json(), status=202, content_type="application/json", headers={"Location": body.url}
    )
