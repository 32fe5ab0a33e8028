"""Keeps small what signing in leaves behind: anybody can write into it by trying."""

from __future__ import annotations

from datetime import timedelta

from allauth.usersessions.models import UserSession
from axes.models import AccessAttempt, AccessFailureLog, AccessLog
from django.conf import settings
from django.contrib.sessions.models import Session
from django.utils import timezone

# Where a person signed in from so lately they are known, and so long their own page can show it.
KEPT_DAYS = 30


def tidy() -> None:
    """Delete sessions that are over, with what people see of them, and notes of sign-ins and failures past their time."""
    now = timezone.now()
    Session.objects.filter(expire_date__lt=now).delete()
    longest = timedelta(hours=settings.SESSION_ABSOLUTE_HOURS)
    UserSession.objects.filter(created_at__lt=now - longest).exclude(
        session_key__in=Session.objects.values("session_key")
    ).delete()
    AccessAttempt.objects.filter(attempt_time__lt=now - settings.AXES_COOLOFF_TIME).delete()
    for log in (AccessLog, AccessFailureLog):
        log.objects.filter(attempt_time__lt=now - timedelta(days=KEPT_DAYS)).delete()
