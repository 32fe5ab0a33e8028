"""The platform's ways to write a time and to make an id."""

from __future__ import annotations

import os
import secrets
import string
import time
from functools import lru_cache

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_ALPHABET = (string.ascii_letters + string.digits).encode()
# Every byte to a letter or digit, so that ten thousand ids take milliseconds.
_TO_TEXT = bytes(_ALPHABET[i % len(_ALPHABET)] for i in range(256))
_BEIJING = 8 * 3600


@lru_cache(maxsize=8192)  # devices registered together share their times
def utc(ms: int | None) -> str:
    """`2019-02-20T02:16:09.000Z`; "" for None."""
    if ms is None:
        return ""
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(ms // 1000))}.{ms % 1000:03d}Z"


@lru_cache(maxsize=8192)
def gmt(ms: int | None) -> str:
    """`Wed, 20-Feb-2019 02:16:09 GMT`; "" for None. Names are English whatever the machine's locale."""
    if ms is None:
        return ""
    t = time.gmtime(ms // 1000)
    day, month = _DAYS[t.tm_wday], _MONTHS[t.tm_mon - 1]
    clock = f"{t.tm_hour:02d}:{t.tm_min:02d}:{t.tm_sec:02d}"
    return f"{day}, {t.tm_mday:02d}-{month}-{t.tm_year} {clock} GMT"


@lru_cache(maxsize=8192)
def local(ms: int | None) -> str:
    """`2019-02-20 10:16:09`, the time in the platform's home region (UTC+8); "" for None."""
    if ms is None:
        return ""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(ms // 1000 + _BEIJING))


def random_text(length: int) -> str:
    """Letters and digits, unguessable."""
    return os.urandom(length).translate(_TO_TEXT).decode()


def new_product_key() -> str:
    """11 characters, such as `a1BwAGVxk2Q`."""
    return "a1" + random_text(9)


def new_iot_id() -> str:
    """26 characters, ending in `00` as the platform's do."""
    return random_text(20) + "000000"


def new_device_secret() -> str:
    """32 hexadecimal characters."""
    return secrets.token_hex(16)
