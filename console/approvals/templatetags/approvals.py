"""{% approvals_waiting %}        how many requests wait for the person to decide; 0 where the page names no team
{% waiting_request id as r %}  the request that waits about a product (its key), package (its id) or device (product key/name)"""

from __future__ import annotations

from django import template
from django.template.context import RequestContext

from console.access.audit import clean_text
from console.approvals import inbox
from console.approvals.models import ApprovalRequest

register = template.Library()


@register.simple_tag(takes_context=True)
def approvals_waiting(context: RequestContext) -> int:
    """How many requests wait for the person."""
    membership = getattr(context.get("request"), "membership", None)
    return inbox.number_waiting_for(membership) if membership is not None else 0


@register.simple_tag(takes_context=True)
def waiting_request(context: RequestContext, about: str) -> ApprovalRequest | None:
    """The request that waits about that id on the page's connection, if there is one that the person sees."""
    request = context["request"]
    waiting = inbox.visible(request.membership).filter(
        connection=request.connection, about=clean_text(about, 255), state=ApprovalRequest.State.WAITING
    )
    return next((found for found in waiting if found.waits), None)
