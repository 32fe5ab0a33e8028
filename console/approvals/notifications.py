"""Notifies the users who can decide on a request."""

from __future__ import annotations

import logging

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse

from console.approvals.models import ApprovalRequest
from console.celery import app
from console.ui.links import absolute_url

log = logging.getLogger(__name__)


def notify_deciders(approval: ApprovalRequest, request: HttpRequest) -> None:
    """Queue emails to the users who can decide, if the console sends email. A worker sends them, so the request is not delayed."""
    if not settings.SENDS_MAIL:
        return
    page = reverse("approvals:detail", args=[approval.team.slug, approval.connection.slug, approval.pk])
    try:
        app.send_task("approvals.notify", (approval.pk, absolute_url(request, page)), retry=False)
    except Exception:  # any error of the broker's client; the request is pending in any case
        log.warning("No email was queued for approval request %s: the broker cannot be reached", approval.pk)
