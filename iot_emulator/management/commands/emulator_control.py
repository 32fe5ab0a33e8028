"""`manage.py emulator_control`: controls a running emulator through its control API."""

from __future__ import annotations

import json
import os
from typing import Any

import httpx
from django.core.management.base import BaseCommand, CommandError, CommandParser

from iot_emulator.faults import KINDS
from iot_emulator.welcome.sdks import DEFAULT_URL

_TIMEOUT = 1800.0  # seconds, enough for a fleet of a million devices


class Command(BaseCommand):
    help = (
        "Control a running emulator: inject faults, reset it, add the sample fleet, advance its clock."
        " Needs the emulator's control token, preferably in EMULATOR_CONTROL_TOKEN."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--url",
            default=os.environ.get("EMULATOR_URL") or DEFAULT_URL,
            help=f"URL of the emulator; also EMULATOR_URL; default: {DEFAULT_URL}",
        )
        parser.add_argument(
            "--token",
            help="control token of the emulator. Other users of this machine can read it: use the variable"
            " EMULATOR_CONTROL_TOKEN instead",
        )
        commands = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
        state = commands.add_parser(
            "state", help="show time, pace, number of remaining faults and number of rows in each table"
        )
        state.add_argument("--json", action="store_true", help="show all data as JSON")
        fault = commands.add_parser("fault", help="make the next calls of an operation fail")
        _add_fault_arguments(fault)
        faults = commands.add_parser("faults", help="show the remaining faults")
        faults.add_argument("--clear", action="store_true", help="remove all faults")
        reset = commands.add_parser("reset", help="delete everything except the keys")
        reset.add_argument(
            "--devices",
            type=int,
            default=0,
            help="then add a sample fleet with this number of devices to the first account",
        )
        seed = commands.add_parser("seed", help="add the sample fleet to an account without products")
        seed.add_argument("--devices", type=int, default=5000, help="number of devices; default: 5000")
        seed.add_argument(
            "--account", help="name of the account, or one of its keys; default: the first account"
        )
        clock = commands.add_parser("clock", help="show or advance the emulator's clock")
        clock.add_argument("--advance", type=float, metavar="SECONDS", help="advance the clock by SECONDS")

    def handle(self, *args: Any, **options: Any) -> None:
        actions = {
            "state": self._show_state,
            "fault": self._add_fault,
            "faults": self._show_faults,
            "reset": self._reset,
            "seed": self._seed,
            "clock": self._advance_clock,
        }
        actions[options["action"]](options)

    def _show_state(self, options: dict[str, Any]) -> None:
        state = _request(options, "GET", "state")
        if options["json"]:
            self.stdout.write(json.dumps(state, indent=1))
            return
        self.stdout.write(f"Time    {state['now']}")
        self.stdout.write(f"Pace    {state['pace']}")
        self.stdout.write(f"Quotas  {'on' if state['quotas'] else 'off'}")
        self.stdout.write(f"Faults  {len(state['faults'])}")
        for table, rows in state["rows"].items():
            if rows:
                self.stdout.write(f"{rows:>10,}  {table}")

    def _add_fault(self, options: dict[str, Any]) -> None:
        fault = {name: options[name] for name in ("operation", "kind", "times")}
        for name in ("code", "message", "status", "delay", "body"):
            if options[name] is not None:
                fault[name] = options[name]
        if options["after"]:
            fault["after"] = True
        self._print_faults(_request(options, "POST", "faults", fault))

    def _show_faults(self, options: dict[str, Any]) -> None:
        if options["clear"]:
            _request(options, "POST", "faults/clear", {})
            self.stdout.write("All faults removed.")
        else:
            self._print_faults(_request(options, "GET", "faults"))

    def _print_faults(self, response: dict[str, Any]) -> None:
        for fault in response["faults"]:
            after = " (after the work is done)" if fault["after"] else ""
            self.stdout.write(
                f"{fault['operation']}: {fault['kind']}, remaining calls: {fault['times']}{after}"
            )
        if not response["faults"]:
            self.stdout.write("No faults.")

    def _reset(self, options: dict[str, Any]) -> None:
        state = _request(options, "POST", "reset", {"devices": options["devices"]})
        self.stdout.write(f"Emulator reset. Devices: {state['rows'].get('devices', 0):,}.")

    def _seed(self, options: dict[str, Any]) -> None:
        body = {"devices": options["devices"]}
        if options["account"]:
            body["account"] = options["account"]
        response = _request(options, "POST", "seed", body)
        result = "Sample fleet added." if response["seeded"] else "Nothing added: the account has products."
        self.stdout.write(f"{result} Devices in all accounts: {response['rows'].get('devices', 0):,}.")

    def _advance_clock(self, options: dict[str, Any]) -> None:
        if options["advance"] is None:
            state = _request(options, "GET", "state")
        else:
            state = _request(options, "POST", "clock", {"advance": options["advance"]})
        self.stdout.write(state["now"])


def _add_fault_arguments(parser: Any) -> None:
    parser.add_argument("operation", help="name of an operation, or * for any")
    parser.add_argument("kind", choices=KINDS, help="what happens to the calls")
    parser.add_argument("--times", type=int, default=1, help="number of calls that fail; default: 1")
    parser.add_argument("--code", help="error code (error, throttle)")
    parser.add_argument("--message", help="error message (error, throttle)")
    parser.add_argument(
        "--status",
        type=int,
        help="HTTP status (error, throttle, malformed); with 200, an error becomes an error of the service",
    )
    parser.add_argument(
        "--delay", type=float, help="seconds to wait (latency, hang) or until a retry is allowed (throttle)"
    )
    parser.add_argument("--body", help="body of the response (malformed)")
    parser.add_argument(
        "--after", action="store_true", help="fail after the work is done, so that only the response is lost"
    )


def _request(
    options: dict[str, Any], method: str, path: str, body: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Return the response of the control API. Raises CommandError for no response and for an error."""
    token = options["token"] or os.environ.get("EMULATOR_CONTROL_TOKEN")
    if not token:
        raise CommandError(
            "No control token. Set EMULATOR_CONTROL_TOKEN to the control token with which the emulator was started."
        )
    url = f"{options['url'].rstrip('/')}/_emulator/{path}"
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
        raise CommandError(f"No emulator responds at {options['url']}: {error}") from None
    try:
        data = response.json()
    except ValueError:
        data = None
    if not isinstance(data, dict):
        raise CommandError(f"The server at {options['url']} is not an emulator. Check the URL.")
    if response.status_code == httpx.codes.NOT_FOUND:
        raise CommandError("This emulator has no control API. Start it with a control token.")
    if response.status_code != httpx.codes.OK:
        raise CommandError(f"The emulator refused the request: {data.get('error', response.status_code)}.")
    return data
