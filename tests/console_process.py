"""A complete console for tests and benchmarks: a process of `manage.py quickstart` with a separate home folder."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import psutil

CHECKOUT = Path(__file__).resolve().parents[1]
_TEST_VARIABLES = {
    "DATABASE_URL",
    "REDIS_URL",
    "SECRET_KEY",
    "FIELD_ENCRYPTION_KEYS",
    "EMAIL_URL",
    "BASE_URL",
    "DJANGO_SETTINGS_MODULE",
}


class Quickstart:
    """A run with its state in `home` and its output in `home`.log. Use it as a context manager, or call `stop`."""

    def __init__(self, home: Path, *arguments: str, **settings: str) -> None:
        """Start the console. `settings`: environment variables, for example FLEETDESK_ADMIN_PASSWORD."""
        environment = {name: value for name, value in os.environ.items() if name not in _TEST_VARIABLES}
        self._log = home.with_suffix(".log")
        self._log_start = self._log.stat().st_size if self._log.exists() else 0
        with self._log.open("a") as log:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "quickstart", "--port", str(_free_port()), *arguments],
                cwd=CHECKOUT,
                env={
                    **environment,
                    "FLEETDESK_HOME": str(home),
                    "FLEETDESK_ADMIN_PASSWORD": "",
                    "PYTHONUNBUFFERED": "1",
                    **settings,
                },
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    @property
    def output(self) -> str:
        """The output of this run so far."""
        return self._log.read_bytes()[self._log_start :].decode(errors="replace")

    def wait_for(self, pattern: str, seconds: float = 90) -> str:
        """Wait for a match in the output. Returns its first group. Raises RuntimeError if the process ends or on timeout."""
        deadline = time.monotonic() + seconds
        while not (match := re.search(pattern, self.output)):
            if time.monotonic() > deadline or self.process.poll() is not None:
                raise RuntimeError(f"never printed {pattern}, status {self.process.poll()}:\n{self.output}")
            time.sleep(0.1)
        return match[1]

    def start(self) -> tuple[str, str, str]:
        """Wait until the console is ready. Returns its address, and the email address and password to sign in."""
        address = self.wait_for(r"running:\s+(\S+)/\n")
        return address, self.wait_for(r"Sign in as\s+(\S+)"), self.wait_for(r"Password\s+(\S.*)")

    def stop(self, sign: signal.Signals = signal.SIGTERM) -> tuple[int, list[psutil.Process]]:
        """Stop the process. Returns its exit status and those of its child processes that are still alive."""
        children = psutil.Process(self.process.pid).children(recursive=True)
        self.process.send_signal(sign)
        self.process.wait(30)
        _, alive = psutil.wait_procs(children, timeout=3)
        return self.process.returncode, alive

    def __enter__(self) -> Quickstart:
        return self

    def __exit__(self, *error: object) -> None:
        if self.process.poll() is None:
            self.stop()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def sign_in(address: str, email: str, password: str) -> httpx.Client:
    """Return an HTTP client that is signed in as this user."""
    client = httpx.Client(base_url=address, follow_redirects=True, trust_env=False, timeout=60)
    client.get("/accounts/login/")
    token = client.cookies["fleetdesk_csrf"]
    response = client.post(
        "/accounts/login/", data={"login": email, "password": password, "csrfmiddlewaretoken": token}
    )
    if "/accounts/login" in str(response.url):
        raise RuntimeError(f"{email} could not sign in: {response.status_code}")
    return client
