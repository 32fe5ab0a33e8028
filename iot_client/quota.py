"""Keeps all processes together within the calls per second that the platform allows an account for each operation.

The platform counts in windows of one second. The start of a window is unknown, and a call arrives some milliseconds after
it was released here. So in *any* period of `WINDOW` seconds (one second and a margin for network jitter), at most `qps`
calls are released. A burst of up to `qps` calls does not wait.

A call for a person makes a reservation: it gets the earliest free time and sleeps until then, in order of arrival.
Background work makes no reservation: it is released only if there is room now, within its own share, so it comes after
every person who waits. One script inside Redis decides both, on Redis's clock. A library of counters (`limits`) returns
only yes or no, cannot check two lanes at once, and does not keep the order of waiting calls.

If Redis is unreachable, each process continues alone with a quarter of the quota, because the console must stay usable.
If this is still too much, the platform throttles the calls and the client retries them.
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

from iot_client.errors import Throttled

log = logging.getLogger(__name__)

WINDOW = 1.1
"""Seconds. In any period of this length, at most `qps` calls are released."""
LOCAL_SHARE = 0.25
"""The part of the quota for one process that cannot see the others."""
_HOST = socket.gethostname()
REDIS_PAUSE_SECONDS = 5.0
"""Redis is not asked for this time after a failure: each attempt would cost a timeout."""


class Lane(StrEnum):
    """The purpose of a call: for a person who waits, or for background work."""

    PEOPLE = "people"
    BACKGROUND = "background"


class QuotaTimeout(Throttled):
    """The quota has no free time within the timeout. The call was not sent. `retry_after`: seconds until the next free time."""


# KEYS: all calls, background calls (sorted sets of times). ARGV: limit, limit of background work, window in µs,
# maximum wait in µs, lane, a name for this call. Returns the wait in µs, and 1 if the time is reserved.
_SCRIPT = """
local limit, share, window, longest = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local function free(key, most)
  redis.call('ZREMRANGEBYSCORE', key, '-inf', now - window)
  -- Nobody reserves a time so late: the clock was set back since.
  redis.call('ZREMRANGEBYSCORE', key, now + window + math.max(longest, 120000000), '+inf')
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

# KEYS: all calls. ARGV: window in µs. Returns the number of calls within it, including calls that wait for their time.
_USED = """
local clock = redis.call('TIME')
return redis.call('ZCOUNT', KEYS[1], '(' .. (clock[1] * 1000000 + clock[2] - ARGV[1]), '+inf')
"""


class Quota:
    """The shared limiter. Threads and processes share one Redis. Calls are counted by account and operation.

    `connection`: used only by this limiter from now on.
    `share_background`: the part of the quota that background work can use (at least one call).
    """

    def __init__(
        self,
        connection: redis.Redis,
        share_background: float = 0.8,
        *,
        sleep: Callable[[float], None] = time.sleep,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        # A person is waiting: retry once, in case the connection was stale, and then fail.
        connection.set_retry(Retry(NoBackoff(), 1))
        self._script: Any = connection.register_script(_SCRIPT)
        self._used: Any = connection.register_script(_USED)
        self._share = share_background
        self._sleep = sleep
        self._now = now
        self._local = _Local(now)
        self._redis_paused_until = 0.0
        self._numbers = itertools.count()

    def acquire(self, account: str, operation: str, qps: int, lane: Lane, timeout: float) -> float:
        """Wait until the quota allows the call. Returns the seconds waited.

        Raises QuotaTimeout if the quota does not allow the call within `timeout` seconds. If this is known from the start, it
        raises without waiting.
        """
        started = self._now()
        while True:
            remaining = timeout - (self._now() - started)
            wait, reserved = self._reserve(account, operation, max(1, qps), lane, max(0.0, remaining))
            if not reserved and wait > remaining:
                raise QuotaTimeout(
                    "Client.QuotaTimeout",
                    f"the quota of {qps} calls per second has no free time within {timeout:g} seconds",
                    operation=operation,
                    retry_after=wait,
                )
            if wait > 0:
                # Background calls that wait for the same time must not all try again in the same millisecond.
                self._sleep(wait if reserved else wait + random.uniform(0.0, 0.02))  # noqa: S311
            if reserved:
                return max(0.0, self._now() - started) if wait > 0 else 0.0

    def count_remaining(self, account: str, operation: str, qps: int) -> int:
        """The number of calls that would be released immediately: `qps` minus the calls of the last second."""
        if self._now() >= self._redis_paused_until:
            keys, args = [f"quota:{{{account}:{operation}}}:all"], [int(WINDOW * 1e6)]
            try:
                return max(0, qps - int(self._used(keys=keys, args=args)))
            except redis.RedisError as error:
                log.warning("The shared quota is unavailable: %s", error)
        alone = max(1, int(qps * LOCAL_SHARE))
        return max(0, alone - self._local.count_used((account, operation)))

    def _reserve(
        self, account: str, operation: str, qps: int, lane: Lane, max_wait: float
    ) -> tuple[float, bool]:
        share = max(1, int(qps * self._share))
        if self._now() >= self._redis_paused_until:
            name = f"{account}:{operation}"
            try:
                reply = self._script(
                    keys=[f"quota:{{{name}}}:all", f"quota:{{{name}}}:background"],
                    args=[
                        qps,
                        share,
                        int(WINDOW * 1e6),
                        int(max_wait * 1e6),
                        lane.value,
                        self._next_call_name(),
                    ],
                )
                return int(reply[0]) / 1e6, bool(int(reply[1]))
            except redis.RedisError as error:
                log.warning(
                    "The shared quota is unavailable. This process counts alone for 5 seconds. Cause: %s",
                    error,
                )
                self._redis_paused_until = self._now() + REDIS_PAUSE_SECONDS
        alone = max(1, int(qps * LOCAL_SHARE))
        return self._local.reserve(
            (account, operation), alone, max(1, int(alone * self._share)), lane, max_wait
        )

    def _next_call_name(self) -> str:
        # A forked process continues with the same number. The process ID and the host name keep the names unique.
        return f"{_HOST}:{os.getpid()}:{id(self)}:{next(self._numbers)}"


class _Local:
    """The same rule within one process, while Redis is unavailable."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._all: dict[tuple[str, str], list[float]] = {}
        self._background: dict[tuple[str, str], list[float]] = {}

    def reserve(
        self, key: tuple[str, str], limit: int, share: int, lane: Lane, max_wait: float
    ) -> tuple[float, bool]:
        with self._lock:
            now = self._now()
            all_calls = self._all.setdefault(key, [])
            background = self._background.setdefault(key, [])
            moment = self._next_free(all_calls, limit, now)
            if lane is Lane.BACKGROUND:
                moment = max(moment, self._next_free(background, share, now))
            wait = moment - now
            if wait > max_wait or (lane is Lane.BACKGROUND and wait > 0):
                return wait, False
            insort(all_calls, moment)
            if lane is Lane.BACKGROUND:
                insort(background, moment)
            return wait, True

    def count_used(self, key: tuple[str, str]) -> int:
        """The number of calls within the window, including calls that wait for their time."""
        with self._lock:
            moments = self._all.get(key, [])
            return len(moments) - bisect_right(moments, self._now() - WINDOW)

    @staticmethod
    def _next_free(moments: list[float], limit: int, now: float) -> float:
        del moments[: bisect_right(moments, now - WINDOW)]
        return max(now, moments[-limit] + WINDOW) if len(moments) >= limit else now
