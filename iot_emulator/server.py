"""The emulator as a server: gunicorn with many threads in one process."""

from __future__ import annotations

import os
import secrets
import socket
from argparse import Namespace

from gunicorn.app.base import BaseApplication

from iot_emulator import create_app
from iot_emulator.app import Emulator
from iot_emulator.errors import CommandError

_THREADS = 16


def run_server(options: Namespace) -> None:
    """Run the server until it is stopped. Raises CommandError for an invalid key or an address that is in use."""
    keys = _parse_keys([*(options.key or []), *os.environ.get("EMULATOR_KEYS", "").split(",")])
    is_generated = not keys
    if is_generated:
        keys = {f"LTAI{secrets.token_hex(8)}": secrets.token_urlsafe(24)}
    emulator = create_app(
        options.database,
        keys=keys,
        pace=options.pace,
        quotas=not options.no_quotas,
        base_url=options.base_url,
        control_token=options.control_token or os.environ.get("EMULATOR_CONTROL_TOKEN") or None,
    )
    listener = _listen(options.host, options.port)
    if is_generated:
        for key_id, secret in keys.items():
            print(f"AccessKey ID {key_id}, AccessKey secret {secret}")
    if options.devices > 0:
        for account in dict.fromkeys(emulator.accounts.values()):
            emulator.seed_if_empty(options.devices, account)
    host, port = listener.getsockname()[:2]
    print(f"Emulator listening on http://{f'[{host}]' if ':' in host else host}:{port}", flush=True)
    emulator.close()  # SQLite connections must not be used after a fork; the server process opens its own
    _Server(emulator, listener).run()


class _Server(BaseApplication):  # type: ignore[misc]
    """One process, because quotas and nonces are in memory."""

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
