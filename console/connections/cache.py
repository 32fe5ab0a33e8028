"""What is kept of the cloud's answers in Redis. It only saves calls: while Redis is away, everything is asked for."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.core.cache import caches

from console.cloud.catalogue import Operation
from console.connections.models import Connection

_FACTS_SECONDS = 600


class Reads:
    """Recent answers to reads on a connection, secrets masked, the same for every member: what somebody may not see of them
    is taken out afterwards. Every write on the connection empties it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def key(self, described: Operation, params: Mapping[str, Any]) -> str:
        """The key of a read; "" when it is not to be kept. It holds the generation, which every write moves."""
        if not settings.CLOUD_CACHE_SECONDS:
            return ""
        generation = _get(self._generation) or 0
        text = json.dumps(
            [described.name, self._connection.updated_at.isoformat(), params], sort_keys=True, default=str
        )
        digest = hashlib.sha256(text.encode()).hexdigest()
        return f"reads:{self._connection.pk}:{generation}:{digest}"

    def known(self, key: str) -> dict[str, Any] | None:
        """The answer kept under a key."""
        answer: dict[str, Any] | None = _get(key)
        return answer

    def keep(self, key: str, answer: dict[str, Any]) -> None:
        """Keep an answer for some seconds. It holds no secret."""
        _set(key, answer, settings.CLOUD_CACHE_SECONDS)

    def forget(self) -> None:
        """Something was written."""
        try:
            cache = caches["cloud"]
            cache.add(self._generation, 0, None)
            cache.incr(self._generation)
        except Exception:  # Redis is away: then nothing is cached either
            return

    @property
    def _generation(self) -> str:
        return f"reads:{self._connection.pk}:generation"


class Facts:
    """What a connection's account tells of its things and never changes, such as which product a package is for."""

    def __init__(self, connection: Connection) -> None:
        self._place = f"facts:{connection.pk}:{connection.updated_at.isoformat()}"

    def known(self, sort: str, value: str) -> Any:
        """The fact about a thing of that sort; None when it has to be asked for."""
        return _get(self._key(sort, value))

    def learn(self, sort: str, value: str, fact: Any) -> None:
        """Keep a fact for some minutes."""
        _set(self._key(sort, value), fact, _FACTS_SECONDS)

    def _key(self, sort: str, value: str) -> str:
        return hashlib.sha256(f"{self._place}:{sort}:{value}".encode()).hexdigest()


def _get(key: str) -> Any:
    try:
        return caches["cloud"].get(key)
    except Exception:  # without the cache the console reads from the cloud
        return None


def _set(key: str, value: Any, seconds: int) -> None:
    try:
        caches["cloud"].set(key, value, seconds)
    except Exception:
        return
