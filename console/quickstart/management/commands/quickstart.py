"""`manage.py quickstart`: the whole console on this machine, stopping with all its processes on Ctrl-C or SIGTERM."""

from __future__ import annotations

import fcntl
import os
import secrets
import shlex
import socket
import sys
import threading
import time
from argparse import ArgumentParser
from pathlib import Path
from typing import IO, Any

import httpx
from django.conf import settings
from django.core.management import CommandError, call_command
from django.core.management.base import BaseCommand
from honcho.manager import Manager

from console import embedded
from console.quickstart import sample

_START_SECONDS = 120.0


class Command(BaseCommand):
    help = "Run everything on this machine: web, worker, beat, and, where none is set, Redis and the IoT Platform emulator."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--port", type=int, default=8600, help="where the console listens, on 127.0.0.1 (8600)"
        )
        parser.add_argument("--admin-password", help="set the sample administrator's password to this")
        parser.add_argument(
            "--devices", type=int, default=5000, help="how many devices the sample fleet has (5000)"
        )
        parser.add_argument(
            "--pace", choices=["real", "fast", "instant"], default="real", help="how slow slow things are"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        folder = Path(settings.HOME)
        lock = _only_one(folder)
        try:
            manager = self._prepare(folder, options)
            manager.loop()
        finally:
            lock.close()
        # Stopped by a person or a supervisor is a clean end; a part that died by itself is not.
        sys.exit(0 if manager.returncode in (0, 130, 143) else 1)

    def _prepare(self, folder: Path, options: dict[str, Any]) -> Manager:
        port = _free_port(options["port"])
        emulator_port = _emulator_port(folder)
        if port != options["port"]:
            self.stdout.write(f"Port {options['port']} is taken; the console uses {port}.")
        self.stdout.write("Preparing the database and the static files …")
        call_command("migrate", verbosity=0, interactive=False)
        call_command("collectstatic", verbosity=0, interactive=False)
        keys = _emulator_keys(folder)
        emulator = f"http://127.0.0.1:{emulator_port}"
        sign_in = sample.provide(folder, emulator, keys, options["admin_password"])
        address = f"http://localhost:{port}/"
        environment = {
            **os.environ,
            "INSECURE_HTTP": "true",
            "CLOUD_ENDPOINTS": ",".join([*settings.CLOUD_ENDPOINTS, emulator]),
            "EMULATOR_KEYS": ",".join(f"{key_id}:{secret}" for key_id, secret in keys.items()),
            "PYTHONUNBUFFERED": "1",
            "DJANGO_SETTINGS_MODULE": "console.settings",
        }
        manager = Manager()
        for name, command in _commands(folder, port, emulator_port, options).items():
            manager.add_process(name, shlex.join(command), env=environment, cwd=str(settings.BASE_DIR))
        announce = threading.Thread(target=self._announce, args=(address, emulator, sign_in), daemon=True)
        announce.start()
        return manager

    def _announce(self, address: str, emulator: str, sign_in: sample.SignIn) -> None:
        """Print the address once everything answers."""
        deadline = time.monotonic() + _START_SECONDS
        for url in (f"{address}healthz", f"{emulator}/_emulator/health"):
            while not _answers(url):
                if time.monotonic() > deadline:
                    self.stdout.write(f"Not up after {_START_SECONDS:.0f} s: {url}. The lines above say why.")
                    return
                time.sleep(0.2)
        password = sign_in.password or "(the one you set)"
        lines = [
            "",
            f"  Fleetdesk is running:  {address}",
            f"  Sign in as             {sign_in.email}",
            f"  Password               {password}",
            f"  HTTP API               {address}account/api/",
            "",
            "  The same password works for operator@, release@ and viewer@demo.example and for stranger@other.example,",
            "  a member of another team. Ctrl-C stops everything; what you did is kept in",
            f"  {settings.HOME}",
            "",
        ]
        self.stdout.write("\n".join(lines))
        self.stdout.flush()


def _commands(folder: Path, port: int, emulator_port: int, options: dict[str, Any]) -> dict[str, list[str]]:
    python = sys.executable
    celery = [python, "-m", "celery", "--quiet", "-A", "console.celery"]
    commands = {
        "emulator": [
            *(python, "manage.py", "emulator", "--port", str(emulator_port)),
            *("--database", str(folder / "emulator.sqlite3"), "--devices", str(options["devices"])),
            *("--pace", options["pace"]),
        ],
        "web": [
            *(python, "-m", "gunicorn", "console.wsgi", "--bind", f"127.0.0.1:{port}"),
            *("--workers", "2", "--threads", "8", "--timeout", "60", "--log-level", "warning"),
        ],
        "worker": [
            *(*celery, "worker", "--concurrency", "2", "--loglevel", "warning"),
            *("--without-gossip", "--without-mingle", "--without-heartbeat"),
        ],
        "beat": [*celery, "beat", "--loglevel", "warning"],
    }
    if not os.environ.get("REDIS_URL"):
        commands = {"redis": embedded.redis_command(folder), **commands}
    return commands


def _only_one(folder: Path) -> IO[str]:
    """Hold the home folder: two quickstarts on one database would each start an emulator and a Redis."""
    lock = (folder / "quickstart.lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise CommandError(
            f"A quickstart is running already with {folder}. Stop it first, or set FLEETDESK_HOME."
        ) from error
    return lock


def _free_port(wanted: int) -> int:
    """`wanted` when nothing listens there, else one that the system picks."""
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise CommandError("No free port on 127.0.0.1.")


def _emulator_port(folder: Path) -> int:
    """The sandbox's port: that of the last run where it is free, else one that the system picks.

    No well-known one: two checkouts started at once would both find it free.
    """
    kept = folder / "emulator_port"
    port = _free_port(int(kept.read_text()) if kept.exists() else 0)
    kept.write_text(str(port))
    return port


def _emulator_keys(folder: Path) -> dict[str, str]:
    """The key pairs of the sandbox, one a sample team, made once and kept for their owner only."""
    kept = folder / "emulator_keys"
    if not kept.exists():
        kept.touch(mode=0o600)
        kept.write_text(
            "\n".join(f"LTAI{secrets.token_hex(8)}:{secrets.token_urlsafe(24)}" for _ in sample.TEAMS)
        )
    pairs = (line.partition(":") for line in kept.read_text().split())
    return {key_id: secret for key_id, _, secret in pairs}


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2.0, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False
