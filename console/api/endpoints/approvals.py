"""Requests for a second person: what a program asked for, and a rule of the team held back."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from ninja import Router, Schema
from pydantic import Field

from console.api.http import ApiRequest, gateway_of
from console.api.problems import handle
from console.api.schemas import Moment
from console.approvals import actions, inbox
from console.approvals.models import ApprovalRequest
from console.approvals.notifications import notify_deciders
from console.connections.approval import ApprovalNeeded

router = Router(tags=["Approvals"])
REASON = "Approval-Reason"


class Approval(Schema):
    """What waits for a second person, and what became of it. It is done exactly as it was asked for, once."""

    id: int
    state: str = Field(
        description="waiting; approved (being done), done, failed or unknown; refused, expired or withdrawn."
    )
    operation: str
    target: str
    device_count: int | None = Field(description="How many devices it is about; null when nobody can say.")
    reason: str
    requested_by: str
    decided_by: str
    decision: str = Field(description="What the second person said.")
    why: str = Field(description="Why it could not be done.")
    made: list[str] = Field(description="The update batches that were made.")
    asked_at: Moment
    expires_at: Moment | None
    url: str = Field(description="Where to ask how it stands.")
    page: str = Field(description="Its page in the console, for the second person.")

    @classmethod
    def of(cls, request: HttpRequest, found: ApprovalRequest) -> Approval:
        place = found.team.slug, found.connection.slug, found.pk
        address = reverse("api:get_approval", args=[found.connection.slug, found.pk])
        return cls(
            id=found.pk,
            state=found.shown_state,
            operation=found.operation,
            target=found.target,
            device_count=found.devices,
            reason=found.reason,
            requested_by=found.requester_label,
            decided_by=found.decider_label,
            decision=found.decision,
            why=found.failure_text,
            made=[made for made in found.outcomes.values_list("batch_id", flat=True) if made],
            asked_at=found.asked_or_created_at,
            expires_at=found.expires_at,
            url=request.build_absolute_uri(address),
            page=request.build_absolute_uri(reverse("approvals:detail", args=place)),
        )


@router.get("/{slug:connection}/approvals/{int:approval_id}", response=Approval)
def get_approval(request: ApiRequest, connection: str, approval_id: int) -> Approval:
    """Tell how a request for a second person stands."""
    gateway = gateway_of(request, connection)
    found = (
        inbox.visible_requests(request.membership)
        .filter(pk=approval_id, connection=gateway.connection)
        .select_related("team", "connection")
        .first()
    )
    if found is None:
        raise Http404
    return Approval.of(request, found)


def answer_needed(request: HttpRequest, needed: ApprovalNeeded | type[ApprovalNeeded]) -> HttpResponse:
    """Ask a second person for what a rule held back: 202, and where to ask how it stands."""
    assert isinstance(needed, ApprovalNeeded)  # noqa: S101 - ninja's handlers may be given classes by their type only
    try:
        found = actions.prepare_request(needed)
        if found.state == ApprovalRequest.State.DRAFT:
            said = request.headers.get(REASON, "").strip()
            found = actions.request_approval(
                found, needed.gateway, said or _("Asked for by a program, without a reason.")
            )
            notify_deciders(found, request)
    except Exception as error:  # told as any other
        return handle(request, error)
    told = Approval.of(request, found)
    return HttpResponse(
        told.model_dump_json(), status=202, content_type="application/json", headers={"Location": told.url}
    )
