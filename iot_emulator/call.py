"""The types of the operations: handlers, the calls they handle, and deferred work.

A handler is a plain function with one argument, a `Call`. It returns the fields of the response without `RequestId` and
`Success`, in the shape of the API reference, or raises `ServiceError` or `GatewayError`. It does not deal with HTTP.
Each module exports its handlers as a dict, and `operations.py` joins them in one table.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from iot_emulator.app import Emulator


@dataclass(slots=True)
class Call:
    """One authenticated, validated request.

    params      typed by the catalogue: int, bool, str, list[str] (`DeviceName.N` is under "DeviceName"),
                list[dict[str, Any]] (`Tag.N.Key` is under "Tag"); a parameter that was not sent is absent, so use `.get`
    db          in a transaction: BEGIN IMMEDIATE for operations that write, a read snapshot for the others; committed
                when the handler returns, rolled back when it raises
    now         milliseconds since the epoch, by the emulator's clock
    account     the owner of the AccessKey; state is separate for each account and instance
    instance    IotInstanceId, "" for the public instance
    base_url    the emulator's address as this client sees it, without a trailing slash
    wait        seconds to delay the response after the work is done, for the response time of a device; set by handlers
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
class DeferredWork:
    """Work of one module that becomes due with time. It is done at the start of a request; there are no threads.

    next_due(db)                the earliest time (ms) at which work is due, or None; called after every write, so it
                                must be an indexed MIN
    run_due(db, now, emulator)  does a bounded part of the work that is due at `now` (a few hundred rows), in a write
                                transaction; the next request continues with the rest
    """

    next_due: Callable[[sqlite3.Connection], int | None]
    run_due: Callable[[sqlite3.Connection, int, Emulator], None]
