"""The arithmetic of a chain: what each link covers, and how one is bound to the next.

    seal(n)  = HMAC-SHA256(key, "link", n, state(n - 1), content(n))
    state(n) = HMAC-SHA256(key, "state", n, seal(n))

Records and exports carry seals; the head and the base of a chain carry states. Nobody gets from a seal to its state without
the key, so a shorter chain cannot be given a head, nor a later beginning a base, from what the records say.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import json
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from console.access.encryption import Undecryptable

START = ""
"""The state before the first link."""

# Every key begins so. What people type is encrypted with the same FIELD_ENCRYPTION_KEYS, but no form takes a NUL: who has
# the database cannot put a secret of their own, which they know, in the place of a chain's key.
_MARK = "audit\x00"

# What was known when a record was opened, and what was added when it was closed. The rows that it refers to are not sealed:
# they may be deleted, and the record keeps their names.
OPENING = (
    "at",
    "actor_label",
    "token",
    "ip",
    "user_agent",
    "connection",
    "job",
    "operation",
    "target",
    "parameters",
    "before",
)
CLOSING = ("opened_number", "closed_at", "outcome", "code", "message", "request_id")


class Planted(Undecryptable):
    """What stands in the place of a chain's key was not made for one."""

    def __str__(self) -> str:
        return "What stands in the place of the chain's key was not made for a chain: somebody put it there."


def new_key() -> str:
    """A key for a new chain."""
    return _MARK + secrets.token_hex(32)


def genuine(key: str) -> str:
    """The key of a chain. Raises Planted for what was not made as one."""
    if not key.startswith(_MARK):
        raise Planted
    return key


def opening(values: Mapping[str, Any]) -> str:
    """What the first link of a record covers, as text; `values` are its columns."""
    return _canonical("opening", {name: values[name] for name in OPENING})


def closing(values: Mapping[str, Any]) -> str:
    """What the second link of a record covers, as text; `values` are its columns."""
    return _canonical("closing", {name: values[name] for name in CLOSING})


def seal(key: str, number: int, state: str, content: str) -> str:
    """The seal of a link of that number after that state."""
    return _mac(key, "link", number, state, content)


def state_after(key: str, number: int, sealed: str) -> str:
    """The state of a chain whose last link has that number and seal."""
    return _mac(key, "state", number, sealed)


def _mac(key: str, *parts: Any) -> str:
    return hmac.new(genuine(key).encode(), json.dumps(parts).encode(), hashlib.sha256).hexdigest()


def _canonical(kind: str, values: Mapping[str, Any]) -> str:
    return json.dumps([kind, _plain(values)], sort_keys=True, separators=(",", ":"))


def _plain(value: Any) -> Any:
    """The value as every database gives it back: PostgreSQL makes 100 of 1e2, and writes addresses in its own way."""
    if isinstance(value, Mapping):
        return {
            str(name): _address(inner) if name == "ip" and inner else _plain(inner)
            for name, inner in value.items()
        }
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def _address(text: Any) -> str:
    try:
        return str(ipaddress.ip_address(str(text)))
    except ValueError:
        return str(text)
