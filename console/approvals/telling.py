"""Telling those who can decide that something waits for them."""

from __future__ import annotations

import logging

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse

from console.approvals.models import ApprovalRequest
from console.celery import app

log = logging.getLogger(__name__)


def announce(approval: ApprovalRequest, request: HttpRequest) -> None:
    """Have those who can decide told by mail, where the console sends mail. Somebody else sends it: nobody waits for it."""
    if not settings.SENDS_MAIL:
        return
    page = reverse("approvals:detail", args=[approval.team.slug, approval.connection.slug, approval.pk])
    try:
        app.send_task("approvals.tell", (approval.pk, request.build_absolute_uri(page)), retry=False)
    except Exception:  # whatever the broker's client raises; the request waits on its page all the same
        log.warning("nobody is told of request %s: the broker cannot be reached", approval.pk)
