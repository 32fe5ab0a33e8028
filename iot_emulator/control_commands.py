"""The commands that control a running emulator through its control API (`control.py`)."""

from __future__ import annotations

import json
import os
from argparse import Namespace
from collections.abc import Callable
from typing import Any

import httpx

from iot_emulator.errors import CommandError

_TIMEOUT = 1800.0  # seconds, enough for a fleet of a million devices


def _show_state(options: Namespace) -> None:
    state = _request(options, "GET", "state")
    if options.json:
        print(json.dumps(state, indent=1))
        return
    print(f"Time    {state['now']}")
    print(f"Pace    {state['pace']}")
    print(f"Quotas  {'on' if state['quotas'] else 'off'}")
    print(f"Faults  {len(state['faults'])}")
    for table, rows in state["rows"].items():
        if rows:
            print(f"{rows:>10,}  {table}")


def _add_fault(options: Namespace) -> None:
    fault: dict[str, Any] = {name: getattr(options, name) for name in ("operation", "kind", "times")}
    for name in ("code", "message", "status", "delay", "body"):
        value = getattr(options, name)
        if value is not None:
            fault[name] = value
    if options.after:
        fault["after"] = True
    _print_faults(_request(options, "POST", "faults", fault))


def _show_faults(options: Namespace) -> None:
    if options.clear:
        _request(options, "POST", "faults/clear", {})
        print("All faults removed.")
    else:
        _print_faults(_request(options, "GET", "faults"))


def _print_faults(response: dict[str, Any]) -> None:
    for fault in response["faults"]:
        after = " (after the work is done)" if fault["after"] else ""
        print(f"{fault['operation']}: {fault['kind']}, remaining calls: {fault['times']}{after}")
    if not response["faults"]:
        print("No faults.")


def _reset(options: Namespace) -> None:
    state = _request(options, "POST", "reset", {"devices": options.devices})
    print(f"Emulator reset. Devices: {state['rows'].get('devices', 0):,}.")


def _add_sample_fleet(options: Namespace) -> None:
    body = {"devices": options.devices}
    if options.account:
        body["account"] = options.account
    response = _request(options, "POST", "seed", body)
    result = "Sample fleet added." if response["seeded"] else "Nothing added: the account has products."
    print(f"{result} Devices in all accounts: {response['rows'].get('devices', 0):,}.")


def _advance_clock(options: Namespace) -> None:
    if options.advance is None:
        state = _request(options, "GET", "state")
    else:
        state = _request(options, "POST", "clock", {"advance": options.advance})
    print(state["now"])


COMMANDS: dict[str, Callable[[Namespace], None]] = {
    "state": _show_state,
    "fault": _add_fault,
    "faults": _show_faults,
    "reset": _reset,
    "seed": _add_sample_fleet,
    "clock": _advance_clock,
}
"""By the name of the command. Each raises CommandError if the emulator does not respond or refuses the request."""


def _request(
    options: Namespace, method: str, path: str, body: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Return the response of the control API. Raises CommandError for no response and for an error."""
    token = options.token or os.environ.get("EMULATOR_CONTROL_TOKEN")
    if not token:
        raise CommandError(
            "No control token. Set EMULATOR_CONTROL_TOKEN to the control token with which the emulator was started."
        )
    url = f"{options.url.rstrip('/')}/_emulator/{path}"
    try:
        response = httpx.request(
            method,
            url,
            json=body,
            headers={"Authorization": f"Bearer {token}"},
            timeout=httpx.Timeout(_TIMEOUT, connect=10),
            trust_env=False,
        )
    except (httpx.TransportError, httpx.InvalidURL) as error:
        raise CommandError(f"No emulator responds at {options.url}: {error}") from None
    try:
        data = response.json()
    except ValueError:
        data = None
    if not isinstance(data, dict):
        raise CommandError(f"The server at {options.url} is not an emulator. Check the URL.")
    if response.status_code == httpx.codes.NOT_FOUND:
        raise CommandError("This emulator has no control API. Start it with a control token.")
    if response.status_code != httpx.codes.OK:
        raise CommandError(f"The emulator refused the request: {data.get('error', response.status_code)}.")
    return data
