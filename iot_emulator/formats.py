"""The platform's formats of times and IDs."""

from __future__ import annotations

import os
import secrets
import string
import time
from functools import lru_cache

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_ALPHABET = (string.ascii_letters + string.digits).encode()
# Maps each byte to a letter or digit; generates ten thousand IDs in milliseconds.
_TO_TEXT = bytes(_ALPHABET[i % len(_ALPHABET)] for i in range(256))
_BEIJING = 8 * 3600


@lru_cache(maxsize=8192)  # devices that were registered together have the same times
def format_utc(ms: int | None) -> str:
    """`2019-02-20T02:16:09.000Z`; "" for None."""
    if ms is None:
        return ""
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(ms // 1000))}.{ms % 1000:03d}Z"


@lru_cache(maxsize=8192)
def format_gmt(ms: int | None) -> str:
    """`Wed, 20-Feb-2019 02:16:09 GMT`; "" for None. Names are in English, independent of the locale."""
    if ms is None:
        return ""
    t = time.gmtime(ms // 1000)
    day, month = _DAYS[t.tm_wday], _MONTHS[t.tm_mon - 1]
    clock = f"{t.tm_hour:02d}:{t.tm_min:02d}:{t.tm_sec:02d}"
    return f"{day}, {t.tm_mday:02d}-{month}-{t.tm_year} {clock} GMT"


@lru_cache(maxsize=8192)
def format_local(ms: int | None) -> str:
    """`2019-02-20 10:16:09`, in the time zone of the platform's main region (UTC+8); "" for None."""
    if ms is None:
        return ""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(ms // 1000 + _BEIJING))


def random_text(length: int) -> str:
    """Return `length` random letters and digits from a secure source."""
    return os.urandom(length).translate(_TO_TEXT).decode()


def new_product_key() -> str:
    """Return 11 characters, such as `a1BwAGVxk2Q`."""
    return "a1" + random_text(9)


def new_iot_id() -> str:
    """Return 26 characters that end in `00`, as on the platform."""
    return random_text(20) + "000000"


def new_device_secret() -> str:
    """Return 32 hexadecimal characters."""
    return secrets.token_hex(16)
