"""Failures of the server itself that have nothing to do with the request: a database that is busy, a disk that is full."""

from __future__ import annotations

import errno
import sqlite3
from dataclasses import dataclass

from django.db import InterfaceError, OperationalError
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


@dataclass(frozen=True)
class Outage:
    """`kind` is that of a problem of the HTTP API. `title` says what happened, `text` what to do."""

    kind: str
    status: int
    title: str | Promise
    text: str | Promise


BUSY = Outage(
    "database-unavailable",
    503,
    _("The database did not respond in time"),
    _("Try again in a minute. If you were saving something, check first whether it was saved."),
)
FULL = Outage(
    "storage-full",
    507,
    _("The server has no storage space left"),
    _("The data was not stored. Ask the administrator of this console to free disk space, then try again."),
)
_BUSY_CODES = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
_DISK_FULL = "53100"  # the error code of PostgreSQL


def find_outage(error: BaseException | None) -> Outage | None:
    """The outage that an exception tells of; None if it is another error."""
    if isinstance(error, OSError):
        return FULL if error.errno in (errno.ENOSPC, errno.EDQUOT) else None
    if not isinstance(error, OperationalError | InterfaceError):
        return None
    cause = error.__cause__
    if isinstance(cause, sqlite3.Error):
        code = getattr(cause, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF  # the rest is the detail
        return FULL if code == sqlite3.SQLITE_FULL else BUSY if code in _BUSY_CODES else None
    return FULL if getattr(cause, "sqlstate", None) == _DISK_FULL else BUSY
