"""How often a token may ask, and an address guess. Counted in Redis; in this process while Redis is away."""

from __future__ import annotations

import time
from dataclasses import dataclass

from django.core.cache import cache


@dataclass(frozen=True)
class Left:
    """What is left of `limit` calls until `reset` seconds from now; below zero when this one is too many."""

    limit: int
    remaining: int
    reset: int

    @property
    def headers(self) -> dict[str, str]:
        """As the answer tells them."""
        return {
            "RateLimit-Limit": str(self.limit),
            "RateLimit-Remaining": str(max(0, self.remaining)),
            "RateLimit-Reset": str(self.reset),
        }


def take(name: str, limit: int, seconds: int) -> Left:
    """Count one for `name` in the present window of so many seconds."""
    key, reset = _window(name, seconds)
    return Left(limit, limit - _counted(key, 2 * seconds), reset)


def look(name: str, limit: int, seconds: int) -> Left:
    """What is left, without counting."""
    key, reset = _window(name, seconds)
    return Left(limit, limit - cache.get(key, 0), reset)


def _window(name: str, seconds: int) -> tuple[str, int]:
    """The key of the present window, and how many seconds are left of it."""
    now = time.time()
    window = int(now // seconds)
    return f"api:{name}:{window}", max(1, round((window + 1) * seconds - now))


def _counted(key: str, kept: int) -> int:
    """One more under the key; how many now."""
    for _ in range(2):
        try:
            return cache.incr(key)
        except ValueError:  # the first of its window
            cache.add(key, 0, kept)
    return 1  # Redis went away or came back between the two
