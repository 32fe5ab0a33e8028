"""The control API under `/_emulator/`, in JSON: for tests against a running emulator.

    GET  /_emulator/health                   health check; needs no token
    GET  /_emulator/state                    time, pace, remaining faults, number of rows in each table
    GET  /_emulator/faults                   remaining faults
    POST /_emulator/faults  {"operation": "QueryDevice", "kind": "throttle", "times": 3, …}
    POST /_emulator/faults/clear
    POST /_emulator/reset   {"devices": 5000}     delete all state; with devices, add the sample fleet again
    POST /_emulator/seed    {"devices": 5000, "account": "…"}   add the sample fleet to an account without products;
                                                                by default to the first account
    POST /_emulator/clock   {"advance": 60}       seconds

All requests except the health check need `Authorization: Bearer <control token>`. Without a control token in the
options, the control API does not exist (404).
"""

from __future__ import annotations

import hmac
import json
from typing import TYPE_CHECKING, Any

from iot_emulator.clock import ManualClock
from iot_emulator.formats import format_utc
from iot_emulator.wire import Environ, Response, read_body

_MAX_ADVANCE = 10 * 366 * 86_400  # seconds

if TYPE_CHECKING:
    from iot_emulator.app import Emulator


def handle_request(emulator: Emulator, environ: Environ) -> Response:
    """Handle one request to the control API."""
    if environ.get("PATH_INFO") == "/_emulator/health":
        return _json(200, {"status": "ok"})
    if not emulator.control_token:
        return _json(404, {"error": "not found"})
    token = environ.get("HTTP_AUTHORIZATION", "").removeprefix("Bearer ").strip()
    if not hmac.compare_digest(token.encode(), emulator.control_token.encode()):
        return _json(401, {"error": "wrong control token"})
    request = (environ.get("REQUEST_METHOD", "GET"), environ.get("PATH_INFO", "").removeprefix("/_emulator/"))
    try:
        if request == ("GET", "state"):
            return _json(200, _read_state(emulator))
        if request == ("GET", "faults"):
            return _json(200, {"faults": emulator.faults.as_list()})
        if request == ("POST", "faults"):
            emulator.faults.add(**_read_json(environ))
            return _json(200, {"faults": emulator.faults.as_list()})
        if request == ("POST", "faults/clear"):
            emulator.faults.clear()
            return _json(200, {"faults": []})
        if request == ("POST", "reset"):
            devices = int(_read_json(environ).get("devices", 0))
            emulator.reset()
            if devices > 0:
                emulator.seed(devices)
            return _json(200, _read_state(emulator))
        if request == ("POST", "seed"):
            return _seed(emulator, **_read_json(environ))
        if request == ("POST", "clock"):
            return _advance(emulator, **_read_json(environ))
    except (ValueError, TypeError) as error:
        return _json(400, {"error": str(error)})
    return _json(404, {"error": "not found"})


def _read_json(environ: Environ) -> dict[str, Any]:
    raw = read_body(environ)
    data = json.loads(raw) if raw else {}
    if not isinstance(data, dict):
        raise ValueError("the body must be a JSON object")  # noqa: TRY004 - a value that the client sent
    return data


def _seed(emulator: Emulator, devices: int = 5000, account: str | None = None) -> Response:
    owner = emulator.first_account if account is None else emulator.accounts.get(account, account)
    if owner not in emulator.accounts.values():
        raise ValueError(f"no account has the name {owner}")
    if int(devices) < 1:
        raise ValueError("devices must be at least 1")
    seeded = emulator.seed_if_empty(int(devices), owner)
    return _json(200, {"seeded": seeded, **_read_state(emulator)})


def _advance(emulator: Emulator, advance: float = 0) -> Response:
    seconds = float(advance)
    if not 0 <= seconds <= _MAX_ADVANCE:
        raise ValueError(f"advance must be 0 to {_MAX_ADVANCE} seconds")
    emulator.clock.advance(seconds)
    return _json(200, _read_state(emulator))


def _read_state(emulator: Emulator) -> dict[str, Any]:
    with emulator.store.read() as db:
        names = [
            row["name"]
            for row in db.execute(
                "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name"
            )
        ]
        rows = {name: db.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0] for name in names}
    return {
        "now": format_utc(emulator.clock.now()),
        "manual_clock": isinstance(emulator.clock, ManualClock),
        "pace": emulator.pace.name,
        "quotas": emulator.quotas.enabled,
        "faults": emulator.faults.as_list(),
        "rows": rows,
    }


def _json(status: int, data: dict[str, Any]) -> Response:
    return Response(status, "application/json", json.dumps(data).encode())
