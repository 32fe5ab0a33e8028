"""Locks that all processes share through Redis, for work that two of them must not do at once."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from functools import lru_cache

import redis
from django.conf import settings

log = logging.getLogger(__name__)


@contextlib.contextmanager
def hold_lock(name: str, *, seconds: float, wait: float = 0.0) -> Iterator[bool]:
    """Hold the lock with this name, which expires after `seconds`. Yields False if another process still holds it after `wait`
    seconds. Without Redis nothing is locked."""
    lock = _connection().lock(f"lock:{name}", timeout=seconds, blocking_timeout=wait)
    try:
        is_held = lock.acquire()
    except redis.RedisError:
        log.warning("Redis cannot be reached: work continues without its lock")
        yield True
        return
    try:
        yield is_held
    finally:
        if is_held:
            with contextlib.suppress(redis.RedisError):  # also the error of a lock that has expired
                lock.release()


@lru_cache(maxsize=1)
def _connection() -> redis.Redis:
    return redis.Redis.from_url(settings.REDIS_URL, socket_timeout=2.0, socket_connect_timeout=2.0)
