"""Closing what nobody decided on in time, and telling those who can decide."""

from __future__ import annotations

import logging
from collections import defaultdict
from datetime import timedelta
from smtplib import SMTPException

from celery import shared_task
from django.conf import settings
from django.core.mail import send_mail
from django.template.loader import render_to_string
from django.utils import timezone, translation

from console.approvals import actions, inbox
from console.approvals.models import ApprovalRequest

log = logging.getLogger(__name__)

_DRAFTS_KEPT = timedelta(days=1)


@shared_task(name="approvals.tidy")
def tidy() -> None:
    """Let requests expire whose time is over; delete drafts nobody asked for, and requests that ended JOBS_KEEP_DAYS ago."""
    now = timezone.now()
    actions.expire(ApprovalRequest.objects.all())
    ApprovalRequest.objects.filter(
        state=ApprovalRequest.State.DRAFT, created_at__lt=now - _DRAFTS_KEPT
    ).delete()
    if settings.JOBS_KEEP_DAYS:
        before = now - timedelta(days=settings.JOBS_KEEP_DAYS)
        ApprovalRequest.objects.filter(state__in=ApprovalRequest.OVER, finished_at__lt=before).delete()


@shared_task(name="approvals.tell")
def tell(pk: int, address: str) -> None:
    """Mail those who can decide on a request that waits; `address` is its page. Each reads it in their language."""
    request = ApprovalRequest.objects.select_related("team", "connection").filter(pk=pk).first()
    if request is None or not request.waits:
        return
    by_language: dict[str, list[str]] = defaultdict(list)
    for person in inbox.deciders(request):
        by_language[person.language or settings.LANGUAGE_CODE].append(person.email)
    for language, addresses in by_language.items():
        with translation.override(language):
            context = {"approval": request, "address": address}
            subject = render_to_string("approvals/mail_subject.txt", context)
            body = render_to_string("approvals/mail.txt", context)
        for one in addresses:
            try:
                send_mail(" ".join(subject.split()), body, None, [one])
            except (SMTPException, OSError):
                log.warning("no mail about request %s: the mail server does not take it", pk, exc_info=True)
