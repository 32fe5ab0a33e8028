"""The cache in which sign-in counts failed attempts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.core.cache.backends.locmem import LocMemCache
from django.core.cache.backends.redis import RedisCache
from redis import RedisError

from console.cache import is_redis_paused, pause_redis


class FallbackRedisCache(RedisCache):
    """A Redis cache that uses the memory of this process while Redis does not respond, so that users can still sign in.

    After a failure Redis is not tried again for a few seconds (console/cache.py).
    """

    def __init__(self, server: str, params: dict[str, Any]) -> None:
        super().__init__(server, params)
        self._memory = LocMemCache("redis-fallback", {"MAX_ENTRIES": 10_000})

    def _run(self, redis: Callable[[], Any], memory: Callable[[], Any]) -> Any:
        if is_redis_paused():
            return memory()
        try:
            return redis()
        except (RedisError, OSError) as error:
            pause_redis(error)
            return memory()

    def add(self, *args: Any, **kwargs: Any) -> Any:
        return self._run(
            lambda: RedisCache.add(self, *args, **kwargs), lambda: self._memory.add(*args, **kwargs)
        )

    def get(self, *args: Any, **kwargs: Any) -> Any:
        return self._run(
            lambda: RedisCache.get(self, *args, **kwargs), lambda: self._memory.get(*args, **kwargs)
        )

    def set(self, *args: Any, **kwargs: Any) -> Any:
        return self._run(
            lambda: RedisCache.set(self, *args, **kwargs), lambda: self._memory.set(*args, **kwargs)
        )

    def touch(self, *args: Any, **kwargs: Any) -> Any:
        return self._run(
            lambda: RedisCache.touch(self, *args, **kwargs), lambda: self._memory.touch(*args, **kwargs)
        )

    def delete(self, *args: Any, **kwargs: Any) -> Any:
        return self._run(
            lambda: RedisCache.delete(self, *args, **kwargs), lambda: self._memory.delete(*args, **kwargs)
        )

    def get_many(self, *args: Any, **kwargs: Any) -> Any:
        return self._run(
            lambda: RedisCache.get_many(self, *args, **kwargs), lambda: self._memory.get_many(*args, **kwargs)
        )

    def has_key(self, *args: Any, **kwargs: Any) -> Any:
        return self._run(
            lambda: RedisCache.has_key(self, *args, **kwargs), lambda: self._memory.has_key(*args, **kwargs)
        )

    def incr(self, *args: Any, **kwargs: Any) -> Any:
        return self._run(
            lambda: RedisCache.incr(self, *args, **kwargs), lambda: self._memory.incr(*args, **kwargs)
        )
