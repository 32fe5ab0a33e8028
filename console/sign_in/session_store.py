"""The engine of sessions: Django's, in the database, which reads a session with SQL that is built once."""

from __future__ import annotations

from django.contrib.sessions.backends import db
from django.contrib.sessions.models import Session
from django.utils import timezone

from console.accounts.lookup import Lookup

_SESSIONS = Lookup(Session, "pk")


class SessionStore(db.SessionStore):
    """A session in the database. An expired one does not exist."""

    def _validate_session_key(self, key: str | None) -> bool:
        """Whether the key can be one of Django's. The database gets no other: PostgreSQL refuses texts with NUL characters."""
        return bool(super()._validate_session_key(key)) and str(key).isascii() and str(key).isalnum()  # type: ignore[misc]

    def _get_session_from_db(self) -> Session | None:
        session = _SESSIONS.find(self.session_key)
        if session is not None and session.expire_date > timezone.now():
            return session
        self._session_key = None
        return None
