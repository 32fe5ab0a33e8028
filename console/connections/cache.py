"""Responses of the cloud, cached in Redis. The cache only saves calls: without Redis, every read goes to the cloud."""

from __future__ import annotations

import hashlib
import json
import logging
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import redis
from django.conf import settings
from django.core.cache import caches
from django.core.cache.backends.redis import RedisCache, RedisCacheClient

from console.cache import is_redis_paused, pause_redis
from console.connections.models import Connection
from iot_client.catalogue import Operation

log = logging.getLogger(__name__)
_FACT_SECONDS = 600


class _KeptClient(RedisCacheClient):
    """Keeps the client of redis-py. Django makes one for each command, which takes longer than the command."""

    @cached_property
    def _kept(self) -> redis.Redis:
        return super().get_client()

    def get_client(self, key: Any = None, *, write: bool = False) -> redis.Redis:
        return self._kept


class CloudCache(RedisCache):
    """The cache `cloud` of the settings: Django's cache in one Redis. Django has an instance of it for each thread."""

    def __init__(self, server: str, params: dict[str, Any]) -> None:
        super().__init__(server, params)
        self._class = _KeptClient


@dataclass(frozen=True)
class CachedRead:
    """A read in the cache: its key, the generation when it was looked up, and the cached response if there is one."""

    key: str
    generation: str
    response: dict[str, Any] | None


class ReadCache:
    """Recent responses to reads on a connection. Secrets are masked. All members share the responses: the gateway removes
    objects that a member may not see. Every write on the connection empties the cache."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def find(self, definition: Operation, params: Mapping[str, Any]) -> CachedRead | None:
        """The place of a read in the cache, with its response if there is one; None if caching is off.

        The response is stored with the generation at the time of this call. A write begins a new generation, and a response
        of another one is not used.
        """
        if not settings.CLOUD_CACHE_SECONDS:
            return None
        text = json.dumps(
            [definition.name, self._connection.updated_at.isoformat(), params], sort_keys=True, default=str
        )
        key = f"reads:{self._connection.pk}:{hashlib.sha256(text.encode()).hexdigest()}"
        values = _get_many(self._generation, key)
        generation = values.get(self._generation, "")
        stored_generation, response = values.get(key, (None, None))
        return CachedRead(key, generation, response if stored_generation == generation else None)

    def store(self, read: CachedRead, response: dict[str, Any]) -> None:
        """Cache a response for CLOUD_CACHE_SECONDS. The response must not contain secrets."""
        _set(read.key, (read.generation, response), settings.CLOUD_CACHE_SECONDS)

    def clear(self) -> None:
        """Make all cached responses of the connection invalid, after a write."""
        # Also while Redis is paused: other processes may use it.
        _ask_redis(lambda: caches["cloud"].set(self._generation, secrets.token_hex(8), None))

    @property
    def _generation(self) -> str:
        return f"reads:{self._connection.pk}:generation"


class FactCache:
    """Facts about objects of a connection's account that never change, such as the product of an update package."""

    def __init__(self, connection: Connection) -> None:
        self._prefix = f"facts:{connection.pk}:{connection.updated_at.isoformat()}"

    def get(self, kind: str, value: str) -> Any:
        """The cached fact about the object of that kind with that id; None if it must be read from the cloud."""
        return _get(self._key(kind, value))

    def store(self, kind: str, value: str, fact: Any) -> None:
        """Cache a fact for 10 minutes."""
        _set(self._key(kind, value), fact, _FACT_SECONDS)

    def _key(self, kind: str, value: str) -> str:
        return hashlib.sha256(f"{self._prefix}:{kind}:{value}".encode()).hexdigest()


def _get(key: str) -> Any:
    return None if is_redis_paused() else _ask_redis(lambda: caches["cloud"].get(key))


def _get_many(*keys: str) -> dict[str, Any]:
    return {} if is_redis_paused() else _ask_redis(lambda: caches["cloud"].get_many(keys)) or {}


def _set(key: str, value: Any, seconds: int) -> None:
    if not is_redis_paused():
        _ask_redis(lambda: caches["cloud"].set(key, value, seconds))


def _ask_redis(command: Callable[[], Any]) -> Any:
    """The result of the command; None if it fails: without Redis the console reads from the cloud."""
    try:
        return command()
    except (redis.RedisError, OSError) as error:
        pause_redis(error)
    except Exception:  # somebody else wrote the value
        log.warning("A value in the cache cannot be read", exc_info=True)
    return None
