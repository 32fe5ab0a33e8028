"""`manage.py emulator`: runs the emulator as a server until it is stopped."""

from __future__ import annotations

import os
import secrets
import socket
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from gunicorn.app.base import BaseApplication  # type: ignore[import-untyped]

from iot_emulator import create_app
from iot_emulator.app import Emulator
from iot_emulator.clock import Pace

_THREADS = 16


class Command(BaseCommand):
    help = "Run the IoT Platform emulator as a server."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="address to listen on; default: 127.0.0.1")
        parser.add_argument("--port", type=int, default=8601, help="default: 8601; 0 selects a free port")
        parser.add_argument(
            "--database", type=Path, help="SQLite file; default: emulator.sqlite3 in the home folder"
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
            "--control-token",
            help="token for the control API under /_emulator/; also EMULATOR_CONTROL_TOKEN",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        keys = _parse_keys([*(options["key"] or []), *os.environ.get("EMULATOR_KEYS", "").split(",")])
        is_generated = not keys
        if is_generated:
            keys = {f"LTAI{secrets.token_hex(8)}": secrets.token_urlsafe(24)}
        emulator = create_app(
            options["database"] or Path(settings.HOME) / "emulator.sqlite3",
            keys=keys,
            pace=options["pace"],
            quotas=not options["no_quotas"],
            base_url=options["base_url"],
            control_token=options["control_token"] or os.environ.get("EMULATOR_CONTROL_TOKEN") or None,
        )
        listener = _listen(options["host"], options["port"])
        if is_generated:
            for key_id, secret in keys.items():
                self.stdout.write(f"AccessKey ID {key_id}, AccessKey secret {secret}")
        if options["devices"] > 0:
            for account in dict.fromkeys(emulator.accounts.values()):
                emulator.seed_if_empty(options["devices"], account)
        host, port = listener.getsockname()[:2]
        self.stdout.write(f"Emulator listening on http://{f'[{host}]' if ':' in host else host}:{port}")
        self.stdout.flush()
        emulator.close()  # SQLite connections must not be used after a fork; the server process opens its own
        _Server(emulator, listener).run()


class _Server(BaseApplication):  # type: ignore[misc]
    """gunicorn with many threads in one process, because quotas and nonces are in memory."""

    def __init__(self, emulator: Emulator, listener: socket.socket) -> None:
        self._emulator = emulator
        self._listener = listener
        super().__init__()

    def load_config(self) -> None:
        for name, value in {
            "bind": f"fd://{self._listener.fileno()}",
            "workers": 1,
            "threads": _THREADS,
            "worker_class": "gthread",
            "worker_connections": 1000,
            "keepalive": 75,
            "timeout": 120,
            "graceful_timeout": 5,
            "loglevel": "warning",
            # A query can contain a whole thing model.
            "limit_request_line": 0,
            "limit_request_fields": 200,
            "proc_name": "fleetdesk-emulator",
            "control_socket_disable": True,
        }.items():
            self.cfg.set(name, value)

    def load(self) -> Emulator:
        return self._emulator


def _parse_keys(pairs: list[str]) -> dict[str, str]:
    keys: dict[str, str] = {}
    for pair in pairs:
        key_id, colon, secret = pair.strip().partition(":")
        if not key_id and not colon:
            continue
        if not key_id or not secret:
            raise CommandError("Invalid key. Write it as ID:SECRET.")
        keys[key_id] = secret
    return keys


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        raise CommandError(f"Cannot listen on {host} port {port}: {error.strerror}.") from None
    listener.listen(1024)
    listener.set_inheritable(True)
    return listener
