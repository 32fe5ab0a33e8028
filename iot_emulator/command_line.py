"""The command line: `python -m iot_emulator` runs the server, and its commands control a running one."""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from pathlib import Path

from iot_emulator.clock import Pace
from iot_emulator.control_commands import COMMANDS
from iot_emulator.errors import CommandError
from iot_emulator.faults import KINDS
from iot_emulator.server import run_server
from iot_emulator.welcome.sdks import DEFAULT_URL

_DESCRIPTION = "Run the IoT Platform emulator as a server, or control one that runs."


def main(
    arguments: Sequence[str],
    *,
    program: str = "python -m iot_emulator",
    database: Path = Path("emulator.sqlite3"),
) -> int:
    """Run the command in `arguments`, or the server if they contain no command. Return the exit code.

    `program` is the name in the help, `database` the default path of the server's database.
    Raises SystemExit for the help and for invalid arguments.
    """
    parser = _build_parser(program, database)
    options = parser.parse_args(arguments)
    if options.command and arguments[0] != options.command:
        parser.error("Write the command first, then its options. Options of the server have no effect on it.")
    try:
        if options.command:
            COMMANDS[options.command](options)
        else:
            run_server(options)
    except CommandError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _build_parser(program: str, database: Path) -> ArgumentParser:
    parser = ArgumentParser(prog=program, description=_DESCRIPTION)
    _add_server_options(parser, database)
    commands = parser.add_subparsers(
        dest="command",
        metavar="COMMAND",
        title="commands that control a running emulator",
        description="They need its control token, preferably in EMULATOR_CONTROL_TOKEN. Without a command, the server runs.",
    )
    client = _build_client_parser()
    state = commands.add_parser(
        "state", parents=[client], help="show time, pace, remaining faults and number of rows in each table"
    )
    state.add_argument("--json", action="store_true", help="show all data as JSON")
    fault = commands.add_parser("fault", parents=[client], help="make the next calls of an operation fail")
    _add_fault_arguments(fault)
    faults = commands.add_parser("faults", parents=[client], help="show the remaining faults")
    faults.add_argument("--clear", action="store_true", help="remove all faults")
    reset = commands.add_parser("reset", parents=[client], help="delete everything except the keys")
    reset.add_argument(
        "--devices",
        type=int,
        default=0,
        help="then add a sample fleet with this number of devices to the first account",
    )
    seed = commands.add_parser(
        "seed", parents=[client], help="add the sample fleet to an account without products"
    )
    seed.add_argument("--devices", type=int, default=5000, help="number of devices; default: 5000")
    seed.add_argument("--account", help="name of the account, or one of its keys; default: the first account")
    clock = commands.add_parser("clock", parents=[client], help="show or advance the emulator's clock")
    clock.add_argument("--advance", type=float, metavar="SECONDS", help="advance the clock by SECONDS")
    return parser


def _add_server_options(parser: ArgumentParser, database: Path) -> None:
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on; default: 127.0.0.1")
    parser.add_argument("--port", type=int, default=8601, help="default: 8601; 0 selects a free port")
    parser.add_argument(
        "--database", type=Path, default=database, help=f"SQLite file; default: {database}".replace("%", "%%")
    )
    parser.add_argument(
        "--key",
        action="append",
        metavar="ID:SECRET",
        help="AccessKey that the emulator accepts; each key is a separate account. Repeat the option for more keys."
        " Other users of this machine can read it: use the variable EMULATOR_KEYS instead. Without a key, one is"
        " generated and printed",
    )
    parser.add_argument(
        "--devices",
        type=int,
        default=0,
        help="add a sample fleet with this number of devices to each account without products",
    )
    parser.add_argument(
        "--pace", choices=Pace.NAMES, default="real", help="speed of slow work; default: real"
    )
    parser.add_argument("--no-quotas", action="store_true", help="do not limit the calls per second")
    parser.add_argument(
        "--base-url",
        help="base URL in responses (uploads, downloads); default: the address that the client used",
    )
    parser.add_argument(
        "--control-token", help="token for the control API under /_emulator/; also EMULATOR_CONTROL_TOKEN"
    )


def _build_client_parser() -> ArgumentParser:
    """Return a parser of the options that all commands share."""
    parser = ArgumentParser(add_help=False)
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
    return parser


def _add_fault_arguments(parser: ArgumentParser) -> None:
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
