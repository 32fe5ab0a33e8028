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
    return _left(name, limit, seconds, 1)


def look(name: str, limit: int, seconds: int) -> Left:
    """What is left, without counting."""
    return _left(name, limit, seconds, 0)


def _left(name: str, limit: int, seconds: int, counted: int) -> Left:
    now = time.time()
    window = int(now // seconds)
    key = f"api:{name}:{window}"
    used = cache.get(key, 0)
    if counted:
        cache.add(key, 0, 2 * seconds)
        try:
            used = cache.incr(key)
        except ValueError:  # Redis went away or came back between the two
            used = 1
    return Left(limit, limit - used, max(1, round((window + 1) * seconds - now)))
