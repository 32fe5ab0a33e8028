"""The HMACs of a hash chain: what each entry covers, and how an entry is bound to the one before it.

    hmac(n)  = HMAC-SHA256(key, "link", n, state(n - 1), content(n))
    state(n) = HMAC-SHA256(key, "state", n, hmac(n))
    state(0) = HMAC-SHA256(key, "state", 0, name of the chain)
    row      = HMAC-SHA256(key, "row", name, number, chain count, base, head)

Records and exports contain HMACs; the head and the base of a chain contain states. A state cannot be computed from an HMAC
without the key. So nobody can compute a new head for a shortened chain, or a new base for a later beginning, from the records
alone. The HMAC of the row binds base and head together: without the key nobody can give a chain the head of another length,
not even the base as the head of an empty chain. What remains is a row that was valid before, with the records of that time:
anchors reveal it (console/audit/anchors.py).
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

from console.accounts.encryption import Undecryptable

# Every key starts with this. Text that users type is encrypted with the same FIELD_ENCRYPTION_KEYS, but no form accepts a
# NUL. So somebody with access to the database cannot replace a chain's key by a secret that they know.
_KEY_PREFIX = "audit\x00"

# The fields that are known when a record is opened, and those that are added when it is closed. Foreign keys are not covered:
# the rows that they refer to may be deleted, and the record keeps their names.
OPENING_FIELDS = (
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
CLOSING_FIELDS = ("opened_number", "closed_at", "outcome", "code", "message", "request_id")
# The columns of a chain that the HMAC of its row covers. Not the team: it may be deleted, and the name contains its id.
ROW_FIELDS = ("name", "number", "chain_count", "base_length", "base_state", "length", "state")


class InvalidChainKey(Undecryptable):
    """The value stored as a chain's key was not created as one."""

    def __str__(self) -> str:
        return "The stored key of this chain was not created for a chain: it was replaced."


def new_key() -> str:
    """Return a key for a new chain."""
    return _KEY_PREFIX + secrets.token_hex(32)


def check_key(key: str) -> str:
    """Return the key of a chain. Raises InvalidChainKey if it was not created by `new_key`."""
    if not key.startswith(_KEY_PREFIX):
        raise InvalidChainKey
    return key


def opening_content(values: Mapping[str, Any]) -> str:
    """Return the text that the opening entry of a record covers; `values` are its columns."""
    return _canonical_json("opening", {name: values[name] for name in OPENING_FIELDS})


def closing_content(values: Mapping[str, Any]) -> str:
    """Return the text that the closing entry of a record covers; `values` are its columns."""
    return _canonical_json("closing", {name: values[name] for name in CLOSING_FIELDS})


def entry_hmac(key: str, number: int, state: str, content: str) -> str:
    """Return the HMAC of the entry with this number and content that follows `state`."""
    return _compute(key, "link", number, state, content)


def state_after(key: str, number: int, last_hmac: str) -> str:
    """Return the state of a chain whose last entry has this number and HMAC."""
    return _compute(key, "state", number, last_hmac)


def start_state(key: str, name: str) -> str:
    """Return the state of a chain with this name before its first entry."""
    return state_after(key, 0, name)


def row_hmac(key: str, values: Mapping[str, Any]) -> str:
    """Return the HMAC of the row of a chain; `values` are its columns."""
    return _compute(key, "row", *(values[name] for name in ROW_FIELDS))


def _compute(key: str, *parts: Any) -> str:
    return hmac.new(check_key(key).encode(), json.dumps(parts).encode(), hashlib.sha256).hexdigest()


def _canonical_json(kind: str, values: Mapping[str, Any]) -> str:
    return json.dumps([kind, _normalize(values)], sort_keys=True, separators=(",", ":"))


def _normalize(value: Any) -> Any:
    """Return the value as every database gives it back: PostgreSQL turns 1e2 into 100 and rewrites IP addresses."""
    if isinstance(value, Mapping):
        return {
            str(name): _normalize_address(inner) if name == "ip" and inner else _normalize(inner)
            for name, inner in value.items()
        }
    if isinstance(value, list | tuple):
        return [_normalize(inner) for inner in value]
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def _normalize_address(text: Any) -> str:
    try:
        return str(ipaddress.ip_address(str(text)))
    except ValueError:
        return str(text)
