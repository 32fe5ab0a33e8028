"""Sessions end when nobody uses them, and in any case after some hours; people see their own and end them."""

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

from console.access.audit import Origin
from console.access.models import User
from console.access.reauthentication import authenticated_at
from console.access.sign_in.trail import note

# Sent by requests that a page makes by itself while it is open: they keep nobody signed in.
POLL_HEADER = "X-Poll"
# How far behind "last seen" may be: so often at most a session in use is written.
_SEEN_EVERY_SECONDS = 60
_BEGAN, _SEEN = "session_began", "session_seen"


class SessionMiddleware:
    """Signs out whose session is over, notes that one is used, and renames one whose person has just proved who they are.

    Must stand after AuthenticationMiddleware, and before whatever asks who is signed in.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self._answered(request)
        for task in getattr(request, "after_answer", ()):
            response._resource_closers.append(task)  # type: ignore[attr-defined]  # what Django calls when it is sent
        return response

    def _answered(self, request: HttpRequest) -> HttpResponse:
        now = time.time()
        if request.user.is_authenticated and _is_over(request, now):
            _expire(request)
        if not request.user.is_authenticated:
            response = self.get_response(request)
            if request.user.is_authenticated:
                request.session[_BEGAN] = request.session[_SEEN] = now
            return response
        if POLL_HEADER not in request.headers and now - request.session.get(_SEEN, 0) >= _SEEN_EVERY_SECONDS:
            _seen(request, now)
        proved, key = authenticated_at(request), request.session.session_key
        response = self.get_response(request)
        if request.session.session_key == key and authenticated_at(request) > proved:
            # What the session may do has grown: a name of it that somebody knew before is worth nothing now.
            request.session.cycle_key()
            UserSession.objects.filter(session_key=key).update(session_key=request.session.session_key)
        return response


def after_answer(request: HttpRequest, task: Callable[[], None]) -> None:
    """Have `task` done when the answer to the request is sent, so that nobody can tell from its time that it was."""
    request.after_answer = [*getattr(request, "after_answer", ()), task]  # type: ignore[attr-defined]


def _is_over(request: HttpRequest, now: float) -> bool:
    session = request.session
    idle: float = now - session.get(_SEEN, now)
    age: float = now - session.get(_BEGAN, now)
    longest_idle: int = settings.SESSION_IDLE_MINUTES * 60
    longest: int = settings.SESSION_ABSOLUTE_HOURS * 3600
    return idle > longest_idle or age > longest


def _expire(request: HttpRequest) -> None:
    user, key = request.user, request.session.session_key
    logout(request)
    UserSession.objects.filter(session_key=key).delete()
    if isinstance(user, User):
        note(request, user, "session.expire")


def _seen(request: HttpRequest, now: float) -> None:
    """Saved at once, not at the end of a request that may be slow: what another one writes meanwhile is not undone.

    A note is not worth a page: when the database is busy, or the session was ended just now, the next request tries again.
    """
    session: Any = request.session
    session[_SEEN] = now
    session.setdefault(_BEGAN, now)
    try:
        session.save()
    except (DatabaseError, UpdateError):
        return
    finally:
        session.modified = False
    origin = Origin.of(request)
    known = UserSession.objects.filter(session_key=session.session_key, user=request.user)
    if not known.update(last_seen_at=timezone.now(), ip=origin.ip or "0.0.0.0", user_agent=origin.user_agent):  # noqa: S104
        UserSession.objects.create_from_request(request)


def sessions_of(user: User) -> list[UserSession]:
    """The person's sessions that are still good, the one used last first."""
    found: list[UserSession] = UserSession.objects.purge_and_list(user)
    return sorted(found, key=lambda session: session.last_seen_at, reverse=True)


def end(sessions: list[UserSession]) -> int:
    """Sign out where these sessions are; how many there were."""
    keys = [session.session_key for session in sessions]
    Session.objects.filter(session_key__in=keys).delete()
    UserSession.objects.filter(session_key__in=keys).delete()
    return len(keys)
