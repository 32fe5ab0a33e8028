"""Submits a request for approval from a page, with its reason."""

from __future__ import annotations

from django.contrib import messages
from django.utils.translation import gettext as _

from console.approvals import actions, inbox, notifications
from console.approvals.models import ApprovalRequest, NotPending, RequestAltered
from console.connections.http import CloudRequest


def submit_draft(request: CloudRequest, draft: ApprovalRequest, reason: str) -> ApprovalRequest:
    """Submit a draft and notify those who can decide. Return the request that is now pending, which another user may have made."""
    try:
        approval = actions.request_approval(draft, request.gateway, reason)
    except RequestAltered:
        actions.close_altered_request(draft)
        return draft
    except NotPending:
        return draft  # it was submitted just before: its page shows the status
    notifications.notify_deciders(approval, request)
    messages.success(request, _("Request submitted. Another team member must approve it."))
    if not inbox.find_deciders(approval):
        messages.warning(
            request,
            _(
                "At present no member can decide on this request. Members who got their role from you, or after this "
                "request was made, cannot decide."
            ),
        )
    return approval
