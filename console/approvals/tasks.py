"""Background tasks: expire and delete old requests, and notify the users who can decide."""

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

_KEEP_DRAFTS = timedelta(days=1)


@shared_task(name="approvals.clean_up")
def clean_up() -> None:
    """Expire overdue requests; delete drafts after a day, and finished requests JOBS_KEEP_DAYS after their end."""
    now = timezone.now()
    actions.expire(ApprovalRequest.objects.all())
    ApprovalRequest.objects.filter(
        state=ApprovalRequest.State.DRAFT, created_at__lt=now - _KEEP_DRAFTS
    ).delete()
    if settings.JOBS_KEEP_DAYS:
        before = now - timedelta(days=settings.JOBS_KEEP_DAYS)
        ApprovalRequest.objects.filter(
            state__in=ApprovalRequest.FINISHED_STATES, finished_at__lt=before
        ).delete()


@shared_task(name="approvals.notify")
def send_notifications(pk: int, address: str) -> None:
    """Email the users who can decide on a pending request, each in their language. `address`: the URL of its page."""
    request = ApprovalRequest.objects.select_related("team", "connection").filter(pk=pk).first()
    if request is None or not request.is_waiting:
        return
    by_language: dict[str, list[str]] = defaultdict(list)
    for user in inbox.find_deciders(request):
        by_language[user.language or settings.LANGUAGE_CODE].append(user.email)
    for language, addresses in by_language.items():
        with translation.override(language):
            context = {
                "approval": request,
                "person": request.requester_label,
                "connection": request.connection.name,
                "address": address,
            }
            subject = render_to_string("approvals/mail_subject.txt", context)
            body = render_to_string("approvals/mail.txt", context)
        for one in addresses:
            try:
                send_mail(" ".join(subject.split()), body, None, [one])
            except (SMTPException, OSError):
                log.warning(
                    "Could not send the email about approval request %s: the mail server refused it",
                    pk,
                    exc_info=True,
                )
