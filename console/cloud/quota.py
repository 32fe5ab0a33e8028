"""Keeping all processes together under the calls a second that the platform allows an account for each operation.

The platform counts in windows of one second whose beginning nobody knows, and a call arrives some milliseconds after it
was allowed here. So in *any* stretch of `WINDOW` seconds (a second and a margin for the unevenness of the way) at most
`qps` calls are let go, whatever the phase; a burst up to `qps` needs no waiting.

People reserve: each call is given the earliest free moment and sleeps until then, in order of arrival. Background work
never reserves the future: it is let go only when there is room now, within its own share, and so comes after every
person who waits. Both are decided by one script inside Redis, on Redis's clock: a library of counters (`limits`) answers
only yes or no, cannot look at two lanes at once, and leaves the order of those who wait to chance.

With Redis unreachable each process goes on alone with a quarter of the allowance: a console has to stay readable then,
and what still is too much the platform throttles and the client tries again.
"""

from __future__ import annotations

import itertools
import logging
import os
import random
import socket
import threading
import time
from bisect import bisect_right, insort
from collections.abc import Callable
from enum import StrEnum
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from console.cloud.errors import Throttled

log = logging.getLogger(__name__)

WINDOW = 1.1
"""Seconds in which at most `qps` calls are let go."""
LOCAL_SHARE = 0.25
"""Of the allowance, for one process that cannot see the others."""
_HOST = socket.gethostname()
REST_AFTER_FAILURE = 5.0
"""Seconds without asking Redis after it failed: each question would cost a timeout."""


class Lane(StrEnum):
    """Who a call is for."""

    PEOPLE = "people"
    BACKGROUND = "background"


class QuotaTimeout(Throttled):
    """No free moment within the timeout. The call was not sent. `retry_after`: seconds until there may be one."""


# KEYS: all calls, background calls (sorted sets of moments). ARGV: limit, limit of the background, window in µs,
# longest wait in µs, lane, a name for this call. Answers the wait in µs, and 1 when the moment is taken.
_SCRIPT = """
local limit, share, window, longest = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local function free(key, most)
  redis.call('ZREMRANGEBYSCORE', key, '-inf', now - window)
  local last = redis.call('ZRANGE', key, -most, -most, 'WITHSCORES')
  if last[2] then return math.max(now, tonumber(last[2]) + window) end
  return now
end
local moment = free(KEYS[1], limit)
local background = ARGV[5] == 'background'
if background then moment = math.max(moment, free(KEYS[2], share)) end
local wait = moment - now
if wait > longest or (background and wait > 0) then return {wait, 0} end
local keep = math.ceil((wait + window) / 1000) + 1000
for i = 1, background and 2 or 1 do
  redis.call('ZADD', KEYS[i], moment, ARGV[6])
  if redis.call('PTTL', KEYS[i]) < keep then redis.call('PEXPIRE', KEYS[i], keep) end
end
return {wait, 1}
"""

# KEYS: all calls. ARGV: window in µs. Answers how many were let go within it, those that wait for their moment included.
_USED = """
local clock = redis.call('TIME')
return redis.call('ZCOUNT', KEYS[1], '(' .. (clock[1] * 1000000 + clock[2] - ARGV[1]), '+inf')
"""


class Quota:
    """The shared limiter. Threads and processes may share one Redis; each call is counted by account and operation.

    `connection` is the limiter's own from then on.

    `share_background`: the part of the allowance that background work may use at most (at least one call).
    """

    def __init__(
        self,
        connection: redis.Redis,
        share_background: float = 0.8,
        *,
        sleep: Callable[[float], None] = time.sleep,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        # A person waits meanwhile: one more try for a connection that had gone stale, and no patience beyond that.
        connection.set_retry(Retry(NoBackoff(), 1))
        self._script: Any = connection.register_script(_SCRIPT)
        self._used: Any = connection.register_script(_USED)
        self._share = share_background
        self._sleep = sleep
        self._now = now
        self._local = _Local(now)
        self._resting_until = 0.0
        self._numbers = itertools.count()

    def acquire(self, account: str, operation: str, qps: int, lane: Lane, timeout: float) -> float:
        """Wait for a turn; the seconds waited. Raises QuotaTimeout when there is none within `timeout` seconds.

        It does not wait when it is clear from the start that it would be in vain.
        """
        started = self._now()
        while True:
            left = timeout - (self._now() - started)
            wait, taken = self._take(account, operation, max(1, qps), lane, max(0.0, left))
            if not taken and wait > left:
                raise QuotaTimeout(
                    "Client.QuotaTimeout",
                    f"no turn within {timeout:g} s at {qps} calls a second",
                    operation=operation,
                    retry_after=wait,
                )
            if wait > 0:
                # Those in the background who wait for the same moment should not all ask in the same millisecond.
                self._sleep(wait if taken else wait + random.uniform(0.0, 0.02))  # noqa: S311
            if taken:
                return max(0.0, self._now() - started) if wait > 0 else 0.0

    def left(self, account: str, operation: str, qps: int) -> int:
        """How many calls would be let go at once now: of `qps`, those that the last second did not use."""
        if self._now() >= self._resting_until:
            keys, args = [f"quota:{{{account}:{operation}}}:all"], [int(WINDOW * 1e6)]
            try:
                return max(0, qps - int(self._used(keys=keys, args=args)))
            except redis.RedisError as error:
                log.warning("the shared quota is out of reach: %s", error)
        alone = max(1, int(qps * LOCAL_SHARE))
        return max(0, alone - self._local.used((account, operation)))

    def _take(self, account: str, operation: str, qps: int, lane: Lane, left: float) -> tuple[float, bool]:
        share = max(1, int(qps * self._share))
        if self._now() >= self._resting_until:
            name = f"{account}:{operation}"
            try:
                answer = self._script(
                    keys=[f"quota:{{{name}}}:all", f"quota:{{{name}}}:background"],
                    args=[qps, share, int(WINDOW * 1e6), int(left * 1e6), lane.value, self._name()],
                )
                return int(answer[0]) / 1e6, bool(int(answer[1]))
            except redis.RedisError as error:
                log.warning("the shared quota is out of reach, counting alone for a while: %s", error)
                self._resting_until = self._now() + REST_AFTER_FAILURE
        alone = max(1, int(qps * LOCAL_SHARE))
        return self._local.take((account, operation), alone, max(1, int(alone * self._share)), lane, left)

    def _name(self) -> str:
        # A forked process counts on from the same number: its id tells the two apart, the host's name two hosts.
        return f"{_HOST}:{os.getpid()}:{id(self)}:{next(self._numbers)}"


class _Local:
    """The same rule within one process, for the time without Redis."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._all: dict[tuple[str, str], list[float]] = {}
        self._background: dict[tuple[str, str], list[float]] = {}

    def take(
        self, key: tuple[str, str], limit: int, share: int, lane: Lane, longest: float
    ) -> tuple[float, bool]:
        with self._lock:
            now = self._now()
            everyone = self._all.setdefault(key, [])
            background = self._background.setdefault(key, [])
            moment = self._free(everyone, limit, now)
            if lane is Lane.BACKGROUND:
                moment = max(moment, self._free(background, share, now))
            wait = moment - now
            if wait > longest or (lane is Lane.BACKGROUND and wait > 0):
                return wait, False
            insort(everyone, moment)
            if lane is Lane.BACKGROUND:
                insort(background, moment)
            return wait, True

    def used(self, key: tuple[str, str]) -> int:
        """Calls let go within the window, those that wait for their moment included."""
        with self._lock:
            moments = self._all.get(key, [])
            return len(moments) - bisect_right(moments, self._now() - WINDOW)

    @staticmethod
    def _free(moments: list[float], most: int, now: float) -> float:
        del moments[: bisect_right(moments, now - WINDOW)]
        return max(now, moments[-most] + WINDOW) if len(moments) >= most else now
