"""Limits how many requests of a web process wait for the platform at the same time.

A web process has few threads. Without a limit, one connection whose platform hangs would occupy all of them, and no team could
open a page. gunicorn.conf.py sets the number of threads. Other processes, such as workers, have no limit.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from iot_client.errors import Throttled

PATIENCE_SECONDS = 1.0
"""A request waits for its turn only if the requests before it may be fast: if one of them began to wait less than this ago."""
_web_threads = 0
_changed = threading.Condition()
_waiting: dict[int, list[float]] = {}


class PlatformBusy(Throttled):
    """Too many requests wait for the platform already. The call was not sent."""


class Waiter:
    """The calls of one request on one connection. They count as one, also if several threads make them.

    After a refusal, the request sends nothing more on this connection.
    """

    def __init__(self, connection_id: int | None) -> None:
        self._connection = connection_id or 0  # those that are not saved yet count as one connection
        self._lock = threading.Lock()
        self._calls = 0
        self._since = 0.0
        self._is_refused = False

    @contextmanager
    def wait(self, operation: str) -> Iterator[None]:
        """A context in which a call waits for the platform, or for the quota. Raises PlatformBusy before it begins."""
        if not _web_threads:
            yield
            return
        with self._lock:
            if not self._calls:
                self._begin(operation)
            self._calls += 1
        try:
            yield
        finally:
            with self._lock:
                self._calls -= 1
                if not self._calls:
                    _end(self._connection, self._since)

    def _begin(self, operation: str) -> None:
        since = None if self._is_refused else _begin(self._connection)
        if since is None:
            self._is_refused = True
            message = "too many requests wait for the platform"
            raise PlatformBusy("Client.PlatformBusy", message, operation=operation, retry_after=5.0)
        self._since = since


def limit_waiting(threads: int) -> None:
    """Limit the requests that wait in this process, which has this number of threads for requests; 0: no limit.

    Half of the threads may wait for one connection, three quarters for all connections together.
    """
    global _web_threads
    _web_threads = threads


def _begin(connection: int) -> float | None:
    """Count a request that begins to wait for the platform. Returns the time; None if too many wait and do not get on."""
    with _changed:
        if obstacles := _find_obstacles(connection):
            patience = PATIENCE_SECONDS - (time.monotonic() - max(obstacles))
            if not _changed.wait_for(lambda: not _find_obstacles(connection), patience):
                return None
        since = time.monotonic()
        _waiting.setdefault(connection, []).append(since)
        return since


def _end(connection: int, since: float) -> None:
    with _changed:
        _waiting[connection].remove(since)
        if not _waiting[connection]:
            del _waiting[connection]
        _changed.notify_all()


def _find_obstacles(connection: int) -> list[float]:
    """Since when those requests wait that leave no room for another one; empty if there is room."""
    same = _waiting.get(connection, [])
    if len(same) >= max(1, _web_threads // 2):
        return same
    everyone = [since for each in _waiting.values() for since in each]
    return everyone if len(everyone) >= max(1, _web_threads * 3 // 4) else []


def _reset_after_fork() -> None:
    """Gives a forked worker a new lock: the copied one may have been held during the fork."""
    global _changed
    _changed = threading.Condition()
    _waiting.clear()


os.register_at_fork(after_in_child=_reset_after_fork)
