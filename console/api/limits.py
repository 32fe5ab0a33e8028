"""Request limits for each token and for failed attempts from one address.

They are counted in Redis, or in this process while Redis is unavailable.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from django.core.cache import cache


@dataclass(frozen=True)
class Allowance:
    """The number of requests, of `limit`, that remain in the next `reset` seconds; negative if a request exceeded the limit."""

    limit: int
    remaining: int
    reset: int

    @property
    def headers(self) -> dict[str, str]:
        """The allowance as response headers."""
        return {
            "RateLimit-Limit": str(self.limit),
            "RateLimit-Remaining": str(max(0, self.remaining)),
            "RateLimit-Reset": str(self.reset),
        }


def count_request(name: str, limit: int, seconds: int) -> Allowance:
    """Count one request for `name` in the current window of `seconds` and return the allowance that remains."""
    key, reset = _current_window(name, seconds)
    return Allowance(limit, limit - _increment(key, 2 * seconds), reset)


def _current_window(name: str, seconds: int) -> tuple[str, int]:
    """Return the cache key of the current window and the seconds until it ends."""
    now = time.time()
    window = int(now // seconds)
    return f"api:{name}:{window}", max(1, round((window + 1) * seconds - now))


def _increment(key: str, lifetime: int) -> int:
    """Add one to the counter `key`, which expires after `lifetime` seconds, and return the new value."""
    for _ in range(2):
        try:
            return cache.incr(key)
        except ValueError:  # the first request of the window
            cache.add(key, 0, lifetime)
    return 1  # Redis became unavailable or available between the two calls
