"""What a handler gets, and what it is.

A handler is a plain function of one `Call`. It returns the answer's fields besides `RequestId` and `Success`, in the
reference's own wrapped shape, or raises `ServiceError` / `GatewayError`. It knows no HTTP. Each room of the emulator
exports its handlers as a dict, and `operations.py` joins them in one explicit table.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from console.emulator.app import Emulator


@dataclass(slots=True)
class Call:
    """One authenticated, validated request.

    params      typed by the catalogue: int, bool, str, list[str] (`DeviceName.N` is under "DeviceName"),
                list[dict[str, Any]] (`Tag.N.Key` is under "Tag"); what was not sent is absent, so use `.get`
    db          inside a transaction: BEGIN IMMEDIATE for operations that change something, a plain read snapshot
                for the others; committed when the handler returns, rolled back when it raises
    now         milliseconds since the epoch, by the emulator's clock
    account     the owner of the access key; state is kept per account and instance
    instance    IotInstanceId, "" for the public instance
    base_url    the emulator's address as this client sees it, without a trailing slash
    wait        seconds the answer is kept back after the work is done, for what a device takes to answer; a handler
                may set it
    """

    operation: str
    params: dict[str, Any]
    db: sqlite3.Connection
    now: int
    account: str
    instance: str
    emulator: Emulator
    base_url: str
    wait: float = 0


Handler = Callable[[Call], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Settler:
    """Slow things of one room, settled lazily at the start of a request instead of by threads.

    due(db)                   the earliest time (ms) at which something has to happen, or None; asked after every
                              write, so it must be an indexed MIN
    settle(db, now, emulator) does what is due at `now`, a bounded part of it a call (a few hundred rows); called
                              inside a write transaction. What is left is done by the next request.
    """

    due: Callable[[sqlite3.Connection], int | None]
    settle: Callable[[sqlite3.Connection, int, Emulator], None]
