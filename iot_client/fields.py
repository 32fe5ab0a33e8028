"""Reads the fields of a response: texts, integers, times and lists. The platform writes the same value in several forms."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from typing import Any

LOCAL_ZONE = timezone(timedelta(hours=8))
"""The zone of all times that the platform writes without one: each differs by 8 hours from its UTC field."""


def read_text(item: Mapping[str, Any], name: str) -> str:
    """The text of a field; "" if it is missing or null."""
    return str(item.get(name) or "")


def read_integer(value: object) -> int | None:
    """A number, which may come as text; None for anything else."""
    try:
        return int(str(value))
    except ValueError:
        return None


def read_count(value: object) -> int:
    """A number as `read_integer` reads it; 0 for anything else."""
    return read_integer(value) or 0


def read_time(value: object) -> datetime | None:
    """An aware time from any format that the platform writes; None for an empty or invalid value.

    Milliseconds since 1970; `2019-02-20T02:16:09.000Z`; `Wed, 20-Feb-2019 02:16:09 GMT`; `2019-02-20 10:16:09` with or
    without a fraction, which is in LOCAL_ZONE.
    """
    text = str(value or "").strip()
    if not text:
        return None
    try:
        if text.isdigit():
            return datetime.fromtimestamp(int(text) / 1000, UTC)
        if text.endswith("GMT"):
            return parsedate_to_datetime(text).replace(tzinfo=UTC)
        time = datetime.fromisoformat(text)
    except (ValueError, OverflowError, OSError):
        return None
    return time.replace(tzinfo=LOCAL_ZONE) if time.tzinfo is None else time


def read_items(data: Any, name: str) -> list[dict[str, Any]]:
    """The objects of a list, which is `data` itself or has the name `name` in it: operations differ in this.

    The platform may leave out an empty list.
    """
    values = data.get(name) if isinstance(data, Mapping) else data
    return [item for item in values if isinstance(item, dict)] if isinstance(values, list) else []
