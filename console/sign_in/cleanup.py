"""Deletes old data of sign-ins. Anybody can create such data by attempting to sign in."""

from __future__ import annotations

from datetime import timedelta

from allauth.usersessions.models import UserSession
from axes.models import AccessAttempt, AccessFailureLog, AccessLog
from django.conf import settings
from django.contrib.sessions.models import Session
from django.utils import timezone

# How long sign-ins are kept: for the user's own page, and to recognize the addresses that a user signs in from.
LOG_RETENTION_DAYS = 30


def delete_expired() -> None:
    """Delete expired sessions with their entries on users' pages, and sign-ins and failures past their retention."""
    now = timezone.now()
    Session.objects.filter(expire_date__lt=now).delete()
    longest = timedelta(hours=settings.SESSION_ABSOLUTE_HOURS)
    UserSession.objects.filter(created_at__lt=now - longest).exclude(
        session_key__in=Session.objects.values("session_key")
    ).delete()
    AccessAttempt.objects.filter(attempt_time__lt=now - settings.AXES_COOLOFF_TIME).delete()
    for log in (AccessLog, AccessFailureLog):
        log.objects.filter(attempt_time__lt=now - timedelta(days=LOG_RETENTION_DAYS)).delete()
