"""Keys of objects that two values identify, for example product and name of a device. No value can contain a slash."""

from __future__ import annotations

from collections.abc import Iterable


def join_key(first: str, second: str) -> str:
    """Return the key of an object."""
    return f"{first}/{second}"


def split_key(key: str) -> tuple[str, str]:
    """Return the two values of a key. Raises ValueError for a text that is no such key."""
    first, _slash, second = key.partition("/")
    if not (first and second) or "/" in second:
        raise ValueError(f"not a key of two values: {key!r}")
    return first, second


def is_key(text: str) -> bool:
    """Return whether a text is the key of an object that two values identify."""
    try:
        split_key(text)
    except ValueError:
        return False
    return True


def second_value(key: str) -> str:
    """Return the second value of a key, which names the object for users."""
    return split_key(key)[1]


def shared_first_value(keys: Iterable[str]) -> str:
    """Return the first value of all keys, such as the product of some devices; "" if they differ or there is none."""
    values = {split_key(key)[0] for key in keys}
    return values.pop() if len(values) == 1 else ""
