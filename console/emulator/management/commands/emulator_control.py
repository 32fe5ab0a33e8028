"""`manage.py emulator_control`: what can be told to an emulator that runs, through its control desk."""

from __future__ import annotations

import json
import os
from typing import Any

import httpx
from django.core.management.base import BaseCommand, CommandError, CommandParser

from console.emulator.faults import KINDS
from console.emulator.welcome.sdks import DEFAULT_URL

_PATIENCE = 1800.0  # seconds: a fleet of a million devices takes its time


class Command(BaseCommand):
    help = "Order faults, reset, seed and turn the clock of a running emulator. EMULATOR_CONTROL_TOKEN opens its desk."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--url",
            default=os.environ.get("EMULATOR_URL") or DEFAULT_URL,
            help=f"the emulator's address; also EMULATOR_URL; default {DEFAULT_URL}",
        )
        parser.add_argument(
            "--token",
            help="its control token. Better in EMULATOR_CONTROL_TOKEN, which other users of this machine cannot read",
        )
        commands = parser.add_subparsers(dest="order", required=True, metavar="ORDER")
        state = commands.add_parser(
            "state", help="time, pace, faults left, and how much there is of everything"
        )
        state.add_argument("--json", action="store_true", help="all of it, for programs")
        fault = commands.add_parser("fault", help="let the next calls of an operation fail")
        _describe_fault(fault)
        faults = commands.add_parser("faults", help="the faults not yet used up")
        faults.add_argument("--clear", action="store_true", help="forget them all")
        reset = commands.add_parser("reset", help="forget everything but the keys")
        reset.add_argument("--devices", type=int, default=0, help="and fill the first account again")
        seed = commands.add_parser("seed", help="fill an empty account with the sample fleet")
        seed.add_argument("--devices", type=int, default=5000)
        seed.add_argument("--account", help="the account, or a key of it; the first one unless told")
        clock = commands.add_parser("clock", help="the emulator's time")
        clock.add_argument("--advance", type=float, metavar="SECONDS", help="move it on")

    def handle(self, *args: Any, **options: Any) -> None:
        orders = {
            "state": self._state,
            "fault": self._fault,
            "faults": self._faults,
            "reset": self._reset,
            "seed": self._seed,
            "clock": self._clock,
        }
        orders[options["order"]](options)

    def _state(self, options: dict[str, Any]) -> None:
        state = _ask(options, "GET", "state")
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

    def _fault(self, options: dict[str, Any]) -> None:
        order = {name: options[name] for name in ("operation", "kind", "times")}
        for name in ("code", "message", "status", "delay", "body"):
            if options[name] is not None:
                order[name] = options[name]
        if options["after"]:
            order["after"] = True
        self._tell_faults(_ask(options, "POST", "faults", order))

    def _faults(self, options: dict[str, Any]) -> None:
        if options["clear"]:
            _ask(options, "POST", "faults/clear", {})
            self.stdout.write("No faults are ordered any more.")
        else:
            self._tell_faults(_ask(options, "GET", "faults"))

    def _tell_faults(self, answer: dict[str, Any]) -> None:
        for fault in answer["faults"]:
            after = ", after the work is done" if fault["after"] else ""
            self.stdout.write(f"{fault['operation']}: {fault['kind']}, {fault['times']} times more{after}")
        if not answer["faults"]:
            self.stdout.write("No faults are ordered.")

    def _reset(self, options: dict[str, Any]) -> None:
        state = _ask(options, "POST", "reset", {"devices": options["devices"]})
        self.stdout.write(f"Reset. {state['rows'].get('devices', 0):,} devices.")

    def _seed(self, options: dict[str, Any]) -> None:
        order = {"devices": options["devices"]}
        if options["account"]:
            order["account"] = options["account"]
        answer = _ask(options, "POST", "seed", order)
        done = "Seeded." if answer["seeded"] else "The account has products already; nothing was done."
        self.stdout.write(f"{done} {answer['rows'].get('devices', 0):,} devices in all accounts.")

    def _clock(self, options: dict[str, Any]) -> None:
        if options["advance"] is None:
            state = _ask(options, "GET", "state")
        else:
            state = _ask(options, "POST", "clock", {"advance": options["advance"]})
        self.stdout.write(state["now"])


def _describe_fault(parser: Any) -> None:
    parser.add_argument("operation", help="an operation's name, or * for any")
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("--times", type=int, default=1, help="how many calls; 1 unless told")
    parser.add_argument("--code", help="the code of an error or throttle")
    parser.add_argument("--message", help="its message")
    parser.add_argument("--status", type=int, help="its HTTP status; 200 makes it an error of the service")
    parser.add_argument(
        "--delay", type=float, help="seconds of a latency or hang, or until a retry is allowed"
    )
    parser.add_argument("--body", help="what a malformed answer says")
    parser.add_argument(
        "--after", action="store_true", help="strike once the work is done, so that only the answer is lost"
    )


def _ask(
    options: dict[str, Any], method: str, path: str, body: dict[str, Any] | None = None
) -> dict[str, Any]:
    """The desk's answer; raises CommandError when there is none or it refuses."""
    token = options["token"] or os.environ.get("EMULATOR_CONTROL_TOKEN")
    if not token:
        raise CommandError(
            "Set EMULATOR_CONTROL_TOKEN to the token that the emulator was started with (it has the same variable)."
        )
    url = f"{options['url'].rstrip('/')}/_emulator/{path}"
    try:
        answer = httpx.request(
            method,
            url,
            json=body,
            headers={"Authorization": f"Bearer {token}"},
            timeout=httpx.Timeout(_PATIENCE, connect=10),
            trust_env=False,
        )
    except (httpx.TransportError, httpx.InvalidURL) as error:
        raise CommandError(f"No emulator answers at {options['url']}: {error}") from None
    try:
        data = answer.json()
    except ValueError:
        data = None
    if not isinstance(data, dict):
        raise CommandError(f"What answers at {options['url']} is no emulator.")
    if answer.status_code == httpx.codes.NOT_FOUND:
        raise CommandError("The emulator was started without a control token, so that its desk is closed.")
    if answer.status_code != httpx.codes.OK:
        raise CommandError(f"Refused: {data.get('error', answer.status_code)}.")
    return data
