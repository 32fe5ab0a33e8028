"""Counting reads of the cloud: in Redis as they happen, brought to the database once a minute.

Whoever may see what they ask for reads it, whether the cloud or the cache answers. While Redis is away a process
counts by itself and hands over when it is back. A process that ends before, or a crash between Redis and the database,
loses its counts: none is ever counted twice.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections import Counter
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, cast

import redis
from django.conf import settings
from django.db import connection as database
from django.utils import timezone

from console.access.audit.masking import storable
from console.access.models import ReadCount, Team

log = logging.getLogger(__name__)
_KEY = "fleetdesk:read-counts"
_AWAY_SECONDS = 5.0
_MOST_HELD = 10_000  # different counts that a process holds while Redis is away
_AT_ONCE = 500

_lock = threading.Lock()
_held: Counter[str] = Counter()
_away_until = 0.0


@lru_cache(maxsize=1)
def _redis(url: str) -> redis.Redis:
    return redis.Redis.from_url(url, socket_timeout=1.0, socket_connect_timeout=1.0, decode_responses=True)


def count(team: int, email: str, token: str, connection: str, operation: str) -> None:
    """Count one read of a person, or of a program by their token, which then stands beside them.

    Never raises for a Redis that is away, and then waits for it once in some seconds.
    """
    global _away_until
    who = storable(f"{email} · {token}" if token else email, 255)
    what = json.dumps([team, timezone.now().date().isoformat(), who, connection, operation])
    with _lock:
        if what in _held or len(_held) < _MOST_HELD:
            _held[what] += 1
        if time.monotonic() < _away_until:
            return
        counted = dict(_held)
        _held.clear()
    if not _hand_over(counted):
        with _lock:
            _held.update(counted)
            _away_until = time.monotonic() + _AWAY_SECONDS


def _hand_over(counted: Mapping[str, int]) -> bool:
    """Add counts to those in Redis, all or none; whether it took them."""
    try:
        with _redis(settings.REDIS_URL).pipeline(transaction=True) as pipe:
            for what, reads in counted.items():
                pipe.hincrby(_KEY, what, reads)
            pipe.execute()
    except (redis.RedisError, OSError) as error:
        log.warning(
            "Redis is away (%s): reads are counted in the memory of this process", type(error).__name__
        )
        return False
    return True


def flush() -> int:
    """Bring the counts from Redis to the database; how many rows. Two at once take different counts. Raises RedisError."""
    with _redis(settings.REDIS_URL).pipeline(transaction=True) as pipe:
        pipe.hgetall(_KEY)
        pipe.delete(_KEY)
        taken, _deleted = cast("tuple[dict[str, str], int]", tuple(pipe.execute()))
    try:
        return _add(taken)
    except Exception:
        # The database did not take them: they wait in Redis for the next time.
        _hand_over({what: int(reads) for what, reads in taken.items()})
        raise


def _add(taken: Mapping[str, str]) -> int:
    """Add counts to those in the database, in one statement for each 500."""
    teams = set(Team.objects.values_list("pk", flat=True))
    rows: list[list[Any]] = []
    for what, reads in taken.items():
        key = json.loads(what)
        if key[0] in teams:  # a team may be gone, and its counts with it
            rows.append([*key, int(reads)])
    table, column = (database.ops.quote_name(name) for name in (ReadCount._meta.db_table, "count"))
    with database.cursor() as cursor:
        for start in range(0, len(rows), _AT_ONCE):
            some = rows[start : start + _AT_ONCE]
            values = ", ".join(["(%s, %s, %s, %s, %s, %s)"] * len(some))
            cursor.execute(
                f"INSERT INTO {table} (team_id, day, actor_label, connection, operation, {column}) VALUES {values} "  # noqa: S608
                "ON CONFLICT (team_id, day, actor_label, connection, operation) "
                f"DO UPDATE SET {column} = {table}.{column} + excluded.{column}",
                [value for row in some for value in row],
            )
    return len(rows)
