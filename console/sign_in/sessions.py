"""Sessions: they end after a time without use and after some hours in any case. Users see and end their own."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib.auth import logout
from django.contrib.sessions.backends.base import UpdateError
from django.contrib.sessions.models import Session
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from console.accounts.models import User
from console.audit.records import Origin
from console.sign_in.audit_records import record_event
from console.sign_in.reauthentication import authenticated_at
from console.sign_in.user_agents import describe_device

# The header of requests that an open page sends by itself: they do not keep the session alive.
POLL_HEADER = "X-Poll"
# How old "last seen" may be: a session in use is written once in this time at most.
_SEEN_INTERVAL_SECONDS = 60
# Keys of the session, both in seconds since 1970.
_STARTED_AT, _SEEN_AT = "session_started_at", "session_seen_at"
# A key of the session after one that expired: its limit, for the sign-in page.
_ENDED_AFTER = "session_ended_after"


class SessionMiddleware:
    """Ends expired sessions, records when one was used last, and changes the id of one whose user confirmed their identity.

    Must come after AuthenticationMiddleware, and before everything that reads `request.user`.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self._respond(request)
        for task in getattr(request, "after_response_tasks", ()):
            # Django calls these after it has sent the response.
            response._resource_closers.append(task)  # type: ignore[attr-defined]
        return response

    def _respond(self, request: HttpRequest) -> HttpResponse:
        now = time.time()
        if request.user.is_authenticated and (limit := _find_passed_limit(request, now)):
            _expire(request, limit)
        if not request.user.is_authenticated:
            response = self.get_response(request)
            if request.user.is_authenticated:
                request.session[_STARTED_AT] = request.session[_SEEN_AT] = now
                request.session.pop(_ENDED_AFTER, None)
            return response
        is_poll = POLL_HEADER in request.headers
        if not is_poll and now - request.session.get(_SEEN_AT, 0) >= _SEEN_INTERVAL_SECONDS:
            _save_last_seen(request, now)
        confirmed_at, key = authenticated_at(request), request.session.session_key
        response = self.get_response(request)
        if request.session.session_key == key and authenticated_at(request) > confirmed_at:
            # The session has more rights now: a session id that somebody learned before must not get them.
            request.session.cycle_key()
            UserSession.objects.filter(session_key=key).update(session_key=request.session.session_key)
        return response


def run_after_response(request: HttpRequest, task: Callable[[], None]) -> None:
    """Run `task` after the response is sent, so that the response time does not reveal whether it ran."""
    tasks = getattr(request, "after_response_tasks", ())
    request.after_response_tasks = [*tasks, task]  # type: ignore[attr-defined]


def _find_passed_limit(request: HttpRequest, now: float) -> dict[str, int] | None:
    """The limit that the session has passed: the minutes without use, or the hours since the sign-in. None if it is valid."""
    session = request.session
    idle: float = now - session.get(_SEEN_AT, now)
    age: float = now - session.get(_STARTED_AT, now)
    max_idle: int = settings.SESSION_IDLE_MINUTES * 60
    max_age: int = settings.SESSION_ABSOLUTE_HOURS * 3600
    if idle > max_idle:
        return {"minutes": settings.SESSION_IDLE_MINUTES}
    return {"hours": settings.SESSION_ABSOLUTE_HOURS} if age > max_age else None


def _expire(request: HttpRequest, limit: dict[str, int]) -> None:
    user, key = request.user, request.session.session_key
    logout(request)
    request.session[_ENDED_AFTER] = limit
    UserSession.objects.filter(session_key=key).delete()
    if isinstance(user, User):
        record_event(request, user, "session.expire")


def _save_last_seen(request: HttpRequest, now: float) -> None:
    """Save when the session was used last.

    This is saved before the request is handled, not at its end: a slow request must not overwrite what another request
    writes in the meantime. An error is ignored, for example when the database is busy or the session was just ended:
    the next request tries again.
    """
    session: Any = request.session
    session[_SEEN_AT] = now
    session.setdefault(_STARTED_AT, now)
    try:
        session.save()
        origin = Origin.from_request(request)
        rows = UserSession.objects.filter(session_key=session.session_key, user=request.user)
        if not rows.update(
            last_seen_at=timezone.now(),
            ip=origin.ip or "0.0.0.0",  # noqa: S104
            user_agent=origin.user_agent,
        ):
            UserSession.objects.create_from_request(request)
    except (DatabaseError, UpdateError):
        return
    finally:
        session.modified = False


def list_sessions(user: User) -> list[UserSession]:
    """Return the user's sessions that have not expired, the last used first."""
    sessions: list[UserSession] = UserSession.objects.purge_and_list(user)
    return sorted(sessions, key=lambda session: session.last_seen_at, reverse=True)


def describe_sessions(request: HttpRequest) -> list[tuple[UserSession, str, bool]]:
    """Return the sessions of the request's user: each with its browser and system, and whether it is the request's own."""
    user: Any = request.user
    return [
        (session, describe_device(session.user_agent), session.session_key == request.session.session_key)
        for session in list_sessions(user)
    ]


def end_sessions(sessions: list[UserSession]) -> int:
    """End these sessions. Return how many there were."""
    keys = [session.session_key for session in sessions]
    Session.objects.filter(session_key__in=keys).delete()
    UserSession.objects.filter(session_key__in=keys).delete()
    return len(keys)
