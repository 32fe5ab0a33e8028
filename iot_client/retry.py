"""Decides whether a failed call is retried, and after how long."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from iot_client.errors import CloudError, Throttled, Unavailable

T = TypeVar("T")
log = logging.getLogger(__name__)


def may_retry(error: CloudError, *, idempotent: bool) -> bool:
    """Whether it is safe to make the call again.

    A throttled call was rejected and an unsent call did not arrive: both can always be retried. After a timeout, a dropped
    connection or a 5xx, it is unknown whether the call was carried out, so only an idempotent operation can be retried.
    """
    if isinstance(error, Throttled):
        return True
    if isinstance(error, Unavailable):
        return idempotent or not error.sent
    return False


@dataclass(frozen=True)
class RetryPolicy:
    """At most `attempts` attempts within `budget` seconds. The wait doubles from `first_wait` to `max_wait` seconds, with jitter.

    A wait that the platform asks for (`retry_after`) is kept in full. `sleep`, `now` and `random` can be replaced in tests.
    """

    attempts: int = 4
    first_wait: float = 0.2
    max_wait: float = 4.0
    budget: float = 20.0
    sleep: Callable[[float], None] = time.sleep
    now: Callable[[], float] = time.monotonic
    random: Callable[[], float] = random.random

    def run(self, attempt: Callable[[], T], *, idempotent: bool) -> T:
        """The result of `attempt`, which is retried where that is safe. Otherwise raises the last CloudError."""
        started = self.now()
        attempts = 0
        is_response_lost = False
        while True:
            attempts += 1
            try:
                return attempt()
            except CloudError as error:
                error.follows_lost_response = is_response_lost
                is_response_lost = error.is_outcome_unknown
                if attempts >= self.attempts or not may_retry(error, idempotent=idempotent):
                    raise
                wait = self.compute_wait(attempts, error.retry_after)
                if self.now() - started + wait > self.budget:
                    raise
                log.debug("%s failed with %s. Retrying in %.2f seconds.", error.operation, error.code, wait)
                self.sleep(wait)

    def compute_wait(self, attempts: int, retry_after: float | None) -> float:
        """Seconds to wait after this number of attempts."""
        ceiling = min(self.max_wait, self.first_wait * 2.0 ** (attempts - 1))
        if retry_after is not None:
            # Without jitter, all callers throttled at the same time would also retry at the same time.
            return retry_after + self.first_wait * self.random()
        return ceiling * (0.5 + 0.5 * self.random())


NO_RETRY = RetryPolicy(attempts=1)
