"""The control desk under `/_emulator/`: what a test against a running emulator needs, in JSON.

    GET  /_emulator/health                   that it answers; open to all, says nothing else
    GET  /_emulator/state                    time, pace, faults left, rows a table
    GET  /_emulator/faults                   orders left
    POST /_emulator/faults  {"operation": "QueryDevice", "kind": "throttle", "times": 3, …}
    POST /_emulator/faults/clear
    POST /_emulator/reset   {"devices": 5000}     forget everything; with devices, fill the sample fleet again
    POST /_emulator/seed    {"devices": 5000, "account": "…"}   fill an account that has no products; the first one unless told
    POST /_emulator/clock   {"advance": 60}       seconds

Every other request carries `Authorization: Bearer <control token>`. Without a token in the options there is no desk: 404.
"""

from __future__ import annotations

import hmac
import json
from typing import TYPE_CHECKING, Any

from console.emulator.clock import ManualClock
from console.emulator.formats import utc
from console.emulator.wire import Answer, Environ, read_body

_LONGEST_STEP = 10 * 366 * 86_400

if TYPE_CHECKING:
    from console.emulator.app import Emulator


def answer(emulator: Emulator, environ: Environ) -> Answer:
    """Answer one request to the desk."""
    if environ.get("PATH_INFO") == "/_emulator/health":
        return _json(200, {"status": "ok"})
    if not emulator.control_token:
        return _json(404, {"error": "not found"})
    given = environ.get("HTTP_AUTHORIZATION", "").removeprefix("Bearer ").strip()
    if not hmac.compare_digest(given.encode(), emulator.control_token.encode()):
        return _json(401, {"error": "the control token is wrong"})
    request = (environ.get("REQUEST_METHOD", "GET"), environ.get("PATH_INFO", "").removeprefix("/_emulator/"))
    try:
        if request == ("GET", "state"):
            return _json(200, _state(emulator))
        if request == ("GET", "faults"):
            return _json(200, {"faults": emulator.faults.as_list()})
        if request == ("POST", "faults"):
            emulator.faults.add(**_body(environ))
            return _json(200, {"faults": emulator.faults.as_list()})
        if request == ("POST", "faults/clear"):
            emulator.faults.clear()
            return _json(200, {"faults": []})
        if request == ("POST", "reset"):
            devices = int(_body(environ).get("devices", 0))
            emulator.reset()
            if devices > 0:
                emulator.seed(devices)
            return _json(200, _state(emulator))
        if request == ("POST", "seed"):
            return _seed(emulator, **_body(environ))
        if request == ("POST", "clock"):
            return _advance(emulator, **_body(environ))
    except (ValueError, TypeError) as error:
        return _json(400, {"error": str(error)})
    return _json(404, {"error": "not found"})


def _body(environ: Environ) -> dict[str, Any]:
    raw = read_body(environ)
    data = json.loads(raw) if raw else {}
    if not isinstance(data, dict):
        raise ValueError("the body must be a JSON object")  # noqa: TRY004 - the sender's value
    return data


def _seed(emulator: Emulator, devices: int = 5000, account: str | None = None) -> Answer:
    owner = emulator.first_account if account is None else emulator.accounts.get(account, account)
    if owner not in emulator.accounts.values():
        raise ValueError(f"there is no account {owner}")
    if int(devices) < 1:
        raise ValueError("devices must be at least 1")
    seeded = emulator.seed_if_empty(int(devices), owner)
    return _json(200, {"seeded": seeded, **_state(emulator)})


def _advance(emulator: Emulator, advance: float = 0) -> Answer:
    seconds = float(advance)
    if not 0 <= seconds <= _LONGEST_STEP:
        raise ValueError(f"time goes forward only, by at most {_LONGEST_STEP} seconds at once")
    emulator.clock.advance(seconds)
    return _json(200, _state(emulator))


def _state(emulator: Emulator) -> dict[str, Any]:
    with emulator.store.read() as db:
        names = [
            row["name"]
            for row in db.execute(
                "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name"
            )
        ]
        rows = {name: db.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0] for name in names}
    return {
        "now": utc(emulator.clock.now()),
        "manual_clock": isinstance(emulator.clock, ManualClock),
        "pace": emulator.pace.name,
        "quotas": emulator.quotas.enabled,
        "faults": emulator.faults.as_list(),
        "rows": rows,
    }


def _json(status: int, data: dict[str, Any]) -> Answer:
    return Answer(status, "application/json", json.dumps(data).encode())
