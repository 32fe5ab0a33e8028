"""Requests an approval for a call that needs one, with the reason in the form that made the call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _

from console.approvals import actions
from console.approvals.forms import ReasonForm
from console.approvals.models import ApprovalRequest
from console.approvals.submission import submit_draft
from console.connections.approval import ApprovalNeeded
from console.ui.links import connection_url


class ApprovalMiddleware:
    """The only place that turns ApprovalNeeded into a request. Comes after CloudErrorMiddleware, which would respond with 403.

    Redirects to the page of the request. Without a reason (ui/needs_approval.html) it is a draft, and the page asks for one.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: Any, error: Exception) -> HttpResponse | None:
        if not isinstance(error, ApprovalNeeded) or error.gateway is not request.gateway:
            return None
        prepared = actions.prepare_request(error)
        if prepared.state == ApprovalRequest.State.WAITING:
            messages.info(request, _("An identical request is already pending."))
            return redirect(connection_url(request, "approvals:detail", prepared.pk))
        form = ReasonForm({"reason": request.POST.get("approval_reason", "")})
        if form.is_valid():
            prepared = submit_draft(request, prepared, form.cleaned_data["reason"])
        return redirect(connection_url(request, "approvals:detail", prepared.pk))
