"""An emulator of the IoT Platform API. With it, the console runs without a cloud account.

    app = create_app("var/emulator.sqlite3", keys={"id": "secret"})
    httpx.Client(transport=httpx.WSGITransport(app=app))

Modules:

    app.py           the WSGI application
    wire.py          reads parameters from HTTP, writes responses as JSON or XML
    auth.py          both signature schemes, the clock window and the nonces
    quotas.py        calls per second for each account and operation
    validation.py    checks parameters by the catalogue's rules, with the platform's error codes
    operations.py    the table of all handlers, schemas, deferred work and routes
    call.py          the type of a handler and of its argument (`Call`)
    errors.py        the two kinds of errors a handler raises, and the error of a command
    store.py         the SQLite database
    clock.py         the time, and the speed of slow work
    faults.py        injected faults
    control.py       the control API under /_emulator/
    lookups.py       finds the product, device or group that a request names
    paging.py        page numbers and page tokens
    command_line.py  `python -m iot_emulator`: server.py runs the server, control_commands.py controls a running one
    welcome/         the page for browsers, with examples for the SDKs
    products.py, devices*.py, batch_registration.py, groups.py, …   the operations, by subject
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from iot_emulator.app import Emulator
from iot_emulator.clock import Clock, ManualClock

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
    """Create the emulator as a WSGI application.

    database          path of the SQLite file; created if it does not exist
    keys              AccessKey ID -> AccessKey secret
    accounts          AccessKey ID -> account, for keys that share an account; by default each key is its own account
    instances         IDs of the instances besides the public instance, which has no ID
    pace              real, fast or instant: how long slow work takes
    clock             the emulated time; a ManualClock does not move until a test advances it
    wall              the time for signatures, nonces and quotas; by default the real time
    quotas            whether the limit of calls per second of each operation is enforced
    base_url          the base URL in responses (uploads, downloads); by default the address that the client used
    signature_window  allowed difference in seconds between a request's timestamp and the wall clock
    control_token     enables the control API under /_emulator/ for clients that send this token
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
