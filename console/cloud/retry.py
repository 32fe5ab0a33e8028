"""When a failed call is made again, and after how long."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from console.cloud.errors import CloudError, Throttled, Unavailable

T = TypeVar("T")
log = logging.getLogger(__name__)


def may_retry(error: CloudError, *, idempotent: bool) -> bool:
    """Whether making the call again can do no harm.

    A throttled call was refused and an unsent one never arrived: both always may. After a timeout, a dropped
    connection or a 5xx nobody knows whether it was carried out, so only an idempotent operation may.
    """
    if isinstance(error, Throttled):
        return True
    if isinstance(error, Unavailable):
        return idempotent or not error.sent
    return False


@dataclass(frozen=True)
class RetryPolicy:
    """At most `attempts` tries within `budget` seconds; waits double from `first` to `longest` seconds, with jitter.

    What the platform asks for (`retry_after`) is waited in full. `sleep`, `now` and `chance` are there for tests.
    """

    attempts: int = 4
    first: float = 0.2
    longest: float = 4.0
    budget: float = 20.0
    sleep: Callable[[float], None] = time.sleep
    now: Callable[[], float] = time.monotonic
    chance: Callable[[], float] = random.random

    def run(self, attempt: Callable[[], T], *, idempotent: bool) -> T:
        """The result of `attempt`, tried again where that is safe; raises the last CloudError otherwise."""
        started = self.now()
        tries = 0
        while True:
            tries += 1
            try:
                return attempt()
            except CloudError as error:
                if tries >= self.attempts or not may_retry(error, idempotent=idempotent):
                    raise
                wait = self.wait(tries, error.retry_after)
                if self.now() - started + wait > self.budget:
                    raise
                log.info("%s: %s, trying again in %.2f s", error.operation, error.code, wait)
                self.sleep(wait)

    def wait(self, tries: int, retry_after: float | None) -> float:
        """Seconds to wait after the given number of tries."""
        ceiling = min(self.longest, self.first * 2.0 ** (tries - 1))
        if retry_after is not None:
            # Everyone who was throttled together would come back together, were it not for the jitter.
            return retry_after + self.first * self.chance()
        return ceiling * (0.5 + 0.5 * self.chance())


NO_RETRY = RetryPolicy(attempts=1)
