"""Redis as a cache: values are JSON, and after a failure Redis is not asked for a few seconds.

To read a JSON value executes no code, also if somebody else wrote it to Redis.
"""

from __future__ import annotations

import json
import logging
import time
from typing import Any

log = logging.getLogger(__name__)
_PAUSE_SECONDS = 5.0
_paused_until = 0.0


class JSONSerializer:
    """The serializer of Django's Redis cache. Raises TypeError for a value that JSON does not have."""

    def dumps(self, obj: Any) -> str:
        return json.dumps(obj)

    def loads(self, data: bytes) -> Any:
        return json.loads(data)


def is_redis_paused() -> bool:
    """Whether Redis failed in the last seconds. Each attempt costs a timeout: a page waits once, not at every key."""
    return time.monotonic() < _paused_until


def pause_redis(error: Exception) -> None:
    """Let this process do without Redis for a few seconds, after this error."""
    global _paused_until
    _paused_until = time.monotonic() + _PAUSE_SECONDS
    log.warning(
        "Redis is unavailable (%s). This process does without it for 5 seconds.", type(error).__name__
    )


def end_redis_pause() -> None:
    """Let the next test ask Redis again."""
    global _paused_until
    _paused_until = 0.0
