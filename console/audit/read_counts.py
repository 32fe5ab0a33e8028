"""Counts the reads of the cloud: in Redis as they happen, moved to the database once a minute.

A read counts if the actor may see the result, whether the cloud or the cache responds. While Redis is unavailable, each
process counts in its own memory and submits the counts when Redis is back. If a process ends before that, or crashes between
Redis and the database, its counts are lost. No read is ever counted twice.
"""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, cast

import redis
from django.conf import settings
from django.db import connection as database
from django.utils import timezone
from redis.backoff import NoBackoff
from redis.retry import Retry

from console.accounts.models import Team
from console.audit.masking import clean_text
from console.audit.models import ReadCount
from console.cache import is_redis_paused, pause_redis

_REDIS_KEY = "fleetdesk:read-counts"
_MAX_PENDING = 10_000  # different counts that a process keeps while Redis is unavailable
_BATCH_SIZE = 500

_lock = threading.Lock()
_pending: Counter[str] = Counter()


@lru_cache(maxsize=1)
def _redis(url: str) -> redis.Redis:
    return redis.Redis.from_url(
        url,
        socket_timeout=settings.REDIS_TIMEOUT_SECONDS,
        socket_connect_timeout=settings.REDIS_TIMEOUT_SECONDS,
        decode_responses=True,
        retry=Retry(NoBackoff(), 0),
    )


def count_read(team: int, email: str, token: str, connection: str, operation: str) -> None:
    """Count one read of a user, or of a program; its token is then named beside the user.

    Never raises if Redis is unavailable, and then tries Redis only once every few seconds (console/cache.py).
    """
    actor = clean_text(f"{email} · {token}" if token else email, 255)
    key = json.dumps([team, timezone.now().date().isoformat(), actor, connection, operation])
    with _lock:
        if key in _pending or len(_pending) < _MAX_PENDING:
            _pending[key] += 1
        if is_redis_paused():
            return
        counts = dict(_pending)
        _pending.clear()
    if not _submit_counts(counts):
        with _lock:
            _pending.update(counts)


def _submit_counts(counts: Mapping[str, int]) -> bool:
    """Add the counts to those in Redis, all or none. Returns whether Redis accepted them."""
    try:
        client = _redis(settings.REDIS_URL)
        if len(counts) == 1:  # the usual case, with less to send
            client.hincrby(_REDIS_KEY, *next(iter(counts.items())))
            return True
        with client.pipeline(transaction=True) as pipe:
            for key, reads in counts.items():
                pipe.hincrby(_REDIS_KEY, key, reads)
            pipe.execute()
    except (redis.RedisError, OSError) as error:
        pause_redis(error)
        return False
    return True


def flush_counts() -> int:
    """Move the counts from Redis to the database. Returns the number of rows. Raises RedisError.

    Two calls at the same time take different counts.
    """
    with _redis(settings.REDIS_URL).pipeline(transaction=True) as pipe:
        pipe.hgetall(_REDIS_KEY)
        pipe.delete(_REDIS_KEY)
        counts, _deleted = cast("tuple[dict[str, str], int]", tuple(pipe.execute()))
    try:
        return _save_counts(counts)
    except Exception:
        # The database did not accept them: they stay in Redis until the next attempt.
        _submit_counts({key: int(reads) for key, reads in counts.items()})
        raise


def _save_counts(counts: Mapping[str, str]) -> int:
    """Add the counts to those in the database, 500 per statement. Returns the number of rows."""
    teams = set(Team.objects.values_list("pk", flat=True))
    rows: list[list[Any]] = []
    for key, reads in counts.items():
        columns = json.loads(key)
        if columns[0] in teams:  # a team may have been deleted, and its counts with it
            rows.append([*columns, int(reads)])
    table, column = (database.ops.quote_name(name) for name in (ReadCount._meta.db_table, "count"))
    with database.cursor() as cursor:
        for start in range(0, len(rows), _BATCH_SIZE):
            batch = rows[start : start + _BATCH_SIZE]
            values = ", ".join(["(%s, %s, %s, %s, %s, %s)"] * len(batch))
            cursor.execute(
                f"INSERT INTO {table} (team_id, day, actor_label, connection, operation, {column}) VALUES {values} "  # noqa: S608
                "ON CONFLICT (team_id, day, actor_label, connection, operation) "
                f"DO UPDATE SET {column} = {table}.{column} + excluded.{column}",
                [value for row in batch for value in row],
            )
    return len(rows)
