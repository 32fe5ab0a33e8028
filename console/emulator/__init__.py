"""A faithful emulator of the IoT Platform API: the sandbox in which the console runs without a cloud account.

    app = create_app("var/emulator.sqlite3", keys={"id": "secret"})
    httpx.Client(transport=httpx.WSGITransport(app=app))

How it is built:

    wire.py          HTTP to parameters, answers to JSON or XML
    auth.py          both signature schemes, clock window, nonces
    quotas.py        calls a second for each account and operation
    validation.py    the catalogue's rules, refused with the platform's codes
    operations.py    the one table of handlers, schemas, settlers and routes
    call.py          what a handler gets (`Call`) and what it is
    errors.py        how it refuses
    store.py         SQLite
    clock.py         time, and the pace of slow things
    faults.py        ordered trouble
    control.py       the control desk under /_emulator/
    lookups.py       "the product / device this request names"
    welcome/         the page for browsers, and how SDKs are pointed at the emulator
    products.py, devices*.py, batches.py, groups.py, …   the rooms
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from console.emulator.app import Emulator
from console.emulator.clock import Clock, ManualClock

__all__ = ["Clock", "Emulator", "ManualClock", "create_app"]


def create_app(
    database: str | Path,
    *,
    keys: Mapping[str, str],
    accounts: Mapping[str, str] | None = None,
    instances: Iterable[str] = ("iot-sandbox",),
    pace: str = "real",
    clock: Clock | None = None,
    wall: Clock | None = None,
    quotas: bool = True,
    base_url: str | None = None,
    signature_window: int = 15 * 60,
    control_token: str | None = None,
) -> Emulator:
    """The emulator as a WSGI application.

    database          path of its SQLite file, made if absent
    keys              access key id -> secret
    accounts          access key id -> account, for keys that share one; each key is its own account otherwise
    instances         the instance ids that exist besides the public instance, which has none
    pace              real, fast or instant: how long slow things take
    clock             the world's time; a ManualClock stands still until a test turns it
    wall              the time that signatures, nonces and quotas are judged by; the real one unless given
    quotas            enforce the calls a second of each operation
    base_url          the address put into answers (uploads); by default the one the client used
    signature_window  seconds that a request's time may be off
    control_token     opens the control desk under /_emulator/ to who bears it
    """
    return Emulator(
        database,
        keys=keys,
        accounts=accounts,
        instances=instances,
        pace=pace,
        clock=clock,
        wall=wall,
        quotas=quotas,
        base_url=base_url,
        signature_window=signature_window,
        control_token=control_token,
    )
