"""{% count_waiting_approvals %}    the number of requests that the user may decide on; 0 on pages without a team
{% waiting_request id as r %}    the pending request about a product (its key), package (its id) or device (product key/name)"""

from __future__ import annotations

from django import template
from django.template.context import RequestContext

from console.approvals import inbox
from console.approvals.models import ApprovalRequest
from console.audit.masking import clean_text

register = template.Library()


@register.simple_tag(takes_context=True)
def count_waiting_approvals(context: RequestContext) -> int:
    """The number of pending requests that the user may decide on."""
    membership = getattr(context.get("request"), "membership", None)
    return inbox.count_requests_to_decide(membership) if membership is not None else 0


@register.simple_tag(takes_context=True)
def waiting_request(context: RequestContext, subject_id: str) -> ApprovalRequest | None:
    """The pending request about that id on the page's connection, if there is one that the user can see."""
    request = context["request"]
    waiting = inbox.visible_requests(request.membership).filter(
        connection=request.connection,
        subject_id=clean_text(subject_id, 255),
        state=ApprovalRequest.State.WAITING,
    )
    return next((request for request in waiting if request.is_waiting), None)
