"""`manage.py quickstart`: runs the whole console on this machine. Ctrl-C or SIGTERM stops all its processes."""

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
from django.db.migrations.exceptions import InconsistentMigrationHistory
from honcho.manager import Manager

from console import embedded
from console.quickstart import sample

_START_SECONDS = 120.0
# Not an option: every user of the machine can read the arguments of a process.
_PASSWORD_VARIABLE = "FLEETDESK_ADMIN_PASSWORD"  # noqa: S105 - the name of the variable


class Command(BaseCommand):
    help = (
        "Run the console on this machine: web, worker, the IoT Platform emulator, and Redis unless REDIS_URL is set."
        f" The environment variable {_PASSWORD_VARIABLE} sets the password of the sample administrator."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--port", type=int, default=8600, help="port of the console on 127.0.0.1 (default: 8600)"
        )
        parser.add_argument(
            "--devices", type=int, default=5000, help="number of devices in the sample fleet (default: 5000)"
        )
        parser.add_argument(
            "--pace",
            choices=["real", "fast", "instant"],
            default="real",
            help="speed of slow operations of the emulator (default: real)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        folder = Path(settings.HOME)
        lock = _lock_home(folder)
        try:
            manager = self._prepare(folder, options)
            manager.loop()
        finally:
            lock.close()
        # Exit code 0 if a user or a supervisor stopped it; 1 if a process failed.
        sys.exit(0 if manager.returncode in (0, 130, 143) else 1)

    def _prepare(self, folder: Path, options: dict[str, Any]) -> Manager:
        port = _free_port(options["port"])
        emulator_port = _emulator_port(folder)
        if port != options["port"]:
            self.stdout.write(f"Port {options['port']} is in use. The console uses port {port}.")
        self.stdout.write("Preparing the database and static files …")
        try:
            call_command("migrate", verbosity=0, interactive=False)
        except InconsistentMigrationHistory as error:
            raise CommandError(
                f"The database in {folder} was created by an earlier development version, which cannot be upgraded."
                " Delete the folder and run the command again."
            ) from error
        call_command("collectstatic", verbosity=0, interactive=False)
        keys = _emulator_keys(folder)
        emulator = f"http://127.0.0.1:{emulator_port}"
        # The processes that are started do not need it.
        password = os.environ.pop(_PASSWORD_VARIABLE, "") or None
        sign_in = sample.create_sample(folder, emulator, keys, password)
        address = f"http://localhost:{port}/"
        environment = {
            **os.environ,
            "INSECURE_HTTP": "true",
            "BASE_URL": settings.BASE_URL or address.rstrip("/"),
            "CLOUD_ENDPOINTS": ",".join([*settings.CLOUD_ENDPOINTS, emulator]),
            "EMULATOR_KEYS": ",".join(f"{key_id}:{secret}" for key_id, secret in keys.items()),
            "PYTHONUNBUFFERED": "1",
            "DJANGO_SETTINGS_MODULE": "console.settings",
        }
        manager = Manager()
        for name, command in _commands(folder, port, emulator_port, options).items():
            manager.add_process(name, shlex.join(command), env=environment, cwd=str(settings.BASE_DIR))
        printer = threading.Thread(target=self._print_address, args=(address, emulator, sign_in), daemon=True)
        printer.start()
        return manager

    def _print_address(self, address: str, emulator: str, sign_in: sample.SignIn) -> None:
        """Print the address when all processes respond."""
        deadline = time.monotonic() + _START_SECONDS
        for url in (f"{address}healthz", f"{emulator}/_emulator/health"):
            while not _is_up(url):
                if time.monotonic() > deadline:
                    self.stdout.write(
                        f"No response from {url} after {_START_SECONDS:.0f} seconds. See the messages above."
                    )
                    return
                time.sleep(0.2)
        password = sign_in.password or "(the one that you set)"
        lines = [
            "",
            f"  Fleetdesk is running:  {address}",
            f"  Sign in as             {sign_in.email}",
            f"  Password               {password}",
            f"  HTTP API               {address}account/api/",
            "",
            "  The same password works for operator@, release@ and viewer@demo.example, and for stranger@other.example,",
            "  a member of another team. Press Ctrl-C to stop. Your data is stored in",
            f"  {settings.HOME}",
            "",
        ]
        self.stdout.write("\n".join(lines))
        self.stdout.flush()


def _commands(folder: Path, port: int, emulator_port: int, options: dict[str, Any]) -> dict[str, list[str]]:
    python = sys.executable
    commands = {
        "emulator": [
            *(python, "-m", "iot_emulator", "--port", str(emulator_port)),
            *("--database", str(folder / "emulator.sqlite3"), "--devices", str(options["devices"])),
            *("--pace", options["pace"]),
        ],
        "web": [
            *(python, "-m", "gunicorn", "console.wsgi", "--bind", f"127.0.0.1:{port}"),
            *("--workers", "2", "--threads", "8", "--timeout", "60", "--log-level", "warning"),
        ],
        "worker": [
            # This command has run Django's checks.
            *(python, "-m", "celery", "--quiet", "--skip-checks", "-A", "console.celery"),
            *("worker", "--beat", "--concurrency", "2", "--loglevel", "warning"),
            *("--without-gossip", "--without-mingle", "--without-heartbeat"),
        ],
    }
    if not os.environ.get("REDIS_URL"):
        commands = {"redis": embedded.redis_command(folder), **commands}
    return commands


def _lock_home(folder: Path) -> IO[str]:
    """Lock the home folder: two quickstarts must not use the same database. Raises CommandError if it is locked."""
    lock = (folder / "quickstart.lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise CommandError(
            f"A quickstart is already running with {folder}. Stop it first, or set FLEETDESK_HOME to another folder."
        ) from error
    return lock


def _free_port(preferred: int) -> int:
    """The preferred port if it is free, else one that the system selects."""
    for port in (preferred, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise CommandError("No port is free on 127.0.0.1.")


def _emulator_port(folder: Path) -> int:
    """The emulator's port: the one of the last run if it is free, else one that the system selects.

    There is no default port: two checkouts that start at the same time would both use it.
    """
    path = folder / "emulator_port"
    port = _free_port(int(path.read_text()) if path.exists() else 0)
    path.write_text(str(port))
    return port


def _emulator_keys(folder: Path) -> dict[str, str]:
    """The key pairs of the emulator, one for each sample team. Generated once and stored with mode 0600."""
    path = folder / "emulator_keys"
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(
            "\n".join(f"LTAI{secrets.token_hex(8)}:{secrets.token_urlsafe(24)}" for _ in sample.TEAMS)
        )
    pairs = (line.partition(":") for line in path.read_text().split())
    return {key_id: secret for key_id, _, secret in pairs}


def _is_up(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2.0, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False
