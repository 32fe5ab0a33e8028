"""What the log leaves out: secrets (keys of password reset and invitation links, queries of sign-in pages), requests that need
no attention, and repetitions."""

from __future__ import annotations

import logging
import re
import threading
import time

_LINKS = re.compile(r"(/accounts/password/reset/key/|/invitations/)[^/\s?]+")
_ADDRESS = re.compile(r"\S+")


def mask_secrets(text: str) -> str:
    """The text with the key of each such link, and the query of each sign-in page, replaced by dots."""
    return _ADDRESS.sub(_mask_query, _LINKS.sub(r"\1…", text))


def _mask_query(address: re.Match[str]) -> str:
    before, sign_in, after = address[0].partition("/accounts/")
    path, mark, query = after.partition("?")
    return f"{before}{sign_in}{path}{mark}…" if query else address[0]


class SecretsFilter(logging.Filter):
    """Masks secrets in log messages: Django logs the path of a failed request."""

    def filter(self, record: logging.LogRecord) -> bool:
        message = record.getMessage()
        masked = mask_secrets(message)
        if masked != message:
            record.msg, record.args = masked, None
        return True


class RequestFilter(logging.Filter):
    """Leaves out what Django logs of requests whose form had errors (422), which the user corrects, and of those that failed
    in the cloud (502, 503), whose cause is logged where it occurs. An exception, such as that of a busy database, is logged."""

    def filter(self, record: logging.LogRecord) -> bool:
        return bool(record.exc_info) or getattr(record, "status_code", None) not in {422, 502, 503}


class RepeatFilter(logging.Filter):
    """Passes messages with the same `repeat_key` (in `extra`) once in `seconds`. The next one that passes says how many were
    left out. Each process counts for itself."""

    def __init__(self, name: str = "", seconds: float = 60.0) -> None:
        super().__init__(name)
        self._seconds = seconds
        self._seen: dict[
            object, tuple[float, int]
        ] = {}  # when a message passed, and how many were left out since
        self._lock = threading.Lock()

    def filter(self, record: logging.LogRecord) -> bool:
        key = getattr(record, "repeat_key", None)
        if key is None:
            return True
        now = time.monotonic()
        with self._lock:
            passed_at, left_out = self._seen.get(key, (float("-inf"), 0))
            if now - passed_at < self._seconds:
                self._seen[key] = passed_at, left_out + 1
                return False
            self._seen[key] = now, 0
        if left_out:
            record.msg, record.args = f"{record.getMessage()} ({left_out} more since the last message)", None
        return True
