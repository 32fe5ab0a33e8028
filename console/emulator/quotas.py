"""Calls a second: each account may call an operation so many times a second, all its clients together."""

from __future__ import annotations

import threading

from console.emulator.clock import Clock
from console.emulator.errors import GatewayError


class Quotas:
    """Fixed windows of the wall clock, a second long unless told, kept in memory."""

    def __init__(self, clock: Clock, enabled: bool = True) -> None:
        self.enabled = enabled
        self._clock = clock
        self._lock = threading.Lock()
        self._windows: dict[tuple[str, str], tuple[int, int]] = {}

    def take(self, account: str, operation: str, most: int, seconds: int = 1) -> None:
        """Count one call; raises GatewayError `Throttling.User` once more than `most` came in this window."""
        if not self.enabled:
            return
        now = self._clock.now()
        current = now // (1000 * seconds)
        key = (account, operation)
        with self._lock:
            window, used = self._windows.get(key, (current, 0))
            if window != current:
                used = 0
            if used < most:
                self._windows[key] = (current, used + 1)
                return
        raise GatewayError(
            "Throttling.User",
            "Request was denied due to user flow control.",
            400,
            1000 * seconds - now % (1000 * seconds),
        )

    def clear(self) -> None:
        """Forget all counts."""
        with self._lock:
            self._windows.clear()
