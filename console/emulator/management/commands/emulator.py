"""`manage.py emulator`: IoT Platform on this machine, served until it is stopped."""

from __future__ import annotations

import os
import secrets
import socket
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from gunicorn.app.base import BaseApplication  # type: ignore[import-untyped]

from console.emulator import create_app
from console.emulator.app import Emulator
from console.emulator.clock import Pace

_THREADS = 16


class Command(BaseCommand):
    help = "Serve the IoT Platform emulator, alone."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--port", type=int, default=8601, help="0 picks a free one")
        parser.add_argument(
            "--database", type=Path, help="SQLite file; default: emulator.sqlite3 in the home folder"
        )
        parser.add_argument(
            "--key",
            action="append",
            metavar="ID:SECRET",
            help="an access key it accepts, an account of its own; again for more. Better in EMULATOR_KEYS, which other"
            " users of this machine cannot read. One is made and printed when there is none",
        )
        parser.add_argument(
            "--devices", type=int, default=0, help="fill an empty account with a fleet of so many devices"
        )
        parser.add_argument("--pace", choices=Pace.NAMES, default="real", help="how long slow things take")
        parser.add_argument("--no-quotas", action="store_true", help="do not limit the calls a second")
        parser.add_argument(
            "--base-url", help="the address under which devices and browsers reach it, for uploads"
        )
        parser.add_argument(
            "--control-token", help="opens /_emulator/ to its bearer; also EMULATOR_CONTROL_TOKEN"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        keys = _keys([*(options["key"] or []), *os.environ.get("EMULATOR_KEYS", "").split(",")])
        made = not keys
        if made:
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
        if made:
            for key_id, secret in keys.items():
                self.stdout.write(f"Access key {key_id} with secret {secret}")
        if options["devices"] > 0:
            for account in dict.fromkeys(emulator.accounts.values()):
                emulator.seed_if_empty(options["devices"], account)
        host, port = listener.getsockname()[:2]
        self.stdout.write(f"Emulator listening on http://{f'[{host}]' if ':' in host else host}:{port}")
        self.stdout.flush()
        emulator.close()  # SQLite's connections must not cross the fork; the serving process opens its own
        _Server(emulator, listener).run()


class _Server(BaseApplication):  # type: ignore[misc]
    """gunicorn with one process, for the quotas and nonces are in its memory, and many threads."""

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
            # A whole thing model can travel in the query.
            "limit_request_line": 0,
            "limit_request_fields": 200,
            "proc_name": "fleetdesk-emulator",
            "control_socket_disable": True,
        }.items():
            self.cfg.set(name, value)

    def load(self) -> Emulator:
        return self._emulator


def _keys(pairs: list[str]) -> dict[str, str]:
    keys: dict[str, str] = {}
    for pair in pairs:
        key_id, colon, secret = pair.strip().partition(":")
        if not key_id and not colon:
            continue
        if not key_id or not secret:
            raise CommandError("A key is written ID:SECRET.")
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
