"""Quotas: the calls per second of an operation that all clients of an account, or an address, may make."""

from __future__ import annotations

import threading

from iot_emulator.clock import Clock
from iot_emulator.errors import GatewayError


class Quotas:
    """Counts calls in memory, in fixed windows of the wall clock (by default one second)."""

    def __init__(self, clock: Clock, enabled: bool = True) -> None:
        self.enabled = enabled
        self._clock = clock
        self._lock = threading.Lock()
        self._windows: dict[tuple[str, str], tuple[int, int]] = {}

    def consume(self, caller: str, operation: str, limit: int, seconds: int = 1) -> None:
        """Count one call of `caller`, an account or an address. Raises GatewayError `Throttling.User` if this window already has `limit` calls."""
        if not self.enabled:
            return
        now = self._clock.now()
        current = now // (1000 * seconds)
        key = (caller, operation)
        with self._lock:
            window, used = self._windows.get(key, (current, 0))
            if window != current:
                used = 0
            if used < limit:
                self._windows[key] = (current, used + 1)
                return
        raise GatewayError(
            "Throttling.User",
            "Too many calls of this operation. Try again later.",
            400,
            1000 * seconds - now % (1000 * seconds),
        )

    def clear(self) -> None:
        """Remove all counts."""
        with self._lock:
            self._windows.clear()
