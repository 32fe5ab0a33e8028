"""The cache that sign-in counts its attempts in."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any, ClassVar

from django.core.cache.backends.locmem import LocMemCache
from django.core.cache.backends.redis import RedisCache
from redis import RedisError

log = logging.getLogger(__name__)
_AWAY_SECONDS = 5.0


class SteadyRedisCache(RedisCache):
    """Redis, and while it does not answer the memory of this process, so that nobody is kept from signing in.

    After a failure Redis is left alone for some seconds: a page should wait for it once, not at every key. Django makes
    one cache for each thread; what is remembered here is the whole process's.
    """

    _away_until: ClassVar[float] = 0.0

    def __init__(self, server: str, params: dict[str, Any]) -> None:
        super().__init__(server, params)
        self._memory = LocMemCache("steady", {"MAX_ENTRIES": 10_000})

    def _try(self, redis: Callable[[], Any], memory: Callable[[], Any]) -> Any:
        if time.monotonic() < self._away_until:
            return memory()
        try:
            return redis()
        except (RedisError, OSError) as error:
            SteadyRedisCache._away_until = time.monotonic() + _AWAY_SECONDS
            log.warning("Redis is away (%s): using the memory of this process", type(error).__name__)
            return memory()

    def add(self, *args: Any, **kwargs: Any) -> Any:
        return self._try(
            lambda: RedisCache.add(self, *args, **kwargs), lambda: self._memory.add(*args, **kwargs)
        )

    def get(self, *args: Any, **kwargs: Any) -> Any:
        return self._try(
            lambda: RedisCache.get(self, *args, **kwargs), lambda: self._memory.get(*args, **kwargs)
        )

    def set(self, *args: Any, **kwargs: Any) -> Any:
        return self._try(
            lambda: RedisCache.set(self, *args, **kwargs), lambda: self._memory.set(*args, **kwargs)
        )

    def touch(self, *args: Any, **kwargs: Any) -> Any:
        return self._try(
            lambda: RedisCache.touch(self, *args, **kwargs), lambda: self._memory.touch(*args, **kwargs)
        )

    def delete(self, *args: Any, **kwargs: Any) -> Any:
        return self._try(
            lambda: RedisCache.delete(self, *args, **kwargs), lambda: self._memory.delete(*args, **kwargs)
        )

    def get_many(self, *args: Any, **kwargs: Any) -> Any:
        return self._try(
            lambda: RedisCache.get_many(self, *args, **kwargs), lambda: self._memory.get_many(*args, **kwargs)
        )

    def has_key(self, *args: Any, **kwargs: Any) -> Any:
        return self._try(
            lambda: RedisCache.has_key(self, *args, **kwargs), lambda: self._memory.has_key(*args, **kwargs)
        )

    def incr(self, *args: Any, **kwargs: Any) -> Any:
        return self._try(
            lambda: RedisCache.incr(self, *args, **kwargs), lambda: self._memory.incr(*args, **kwargs)
        )
