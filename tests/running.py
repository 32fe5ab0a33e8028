"""A whole console for tests and benchmarks: `manage.py quickstart`, as a newcomer runs it, in a home folder of its own."""

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
_OF_THE_TESTS = {
    "DATABASE_URL",
    "REDIS_URL",
    "SECRET_KEY",
    "FIELD_ENCRYPTION_KEYS",
    "EMAIL_URL",
    "DJANGO_SETTINGS_MODULE",
}


class Quickstart:
    """One run with its state in `home`. Its terminal is the file `home`.log. Use it as a context, or call `stop`."""

    def __init__(self, home: Path, *arguments: str) -> None:
        environment = {name: value for name, value in os.environ.items() if name not in _OF_THE_TESTS}
        self._terminal = home.with_suffix(".log")
        self._seen = self._terminal.stat().st_size if self._terminal.exists() else 0
        with self._terminal.open("a") as terminal:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "quickstart", "--port", str(_free_port()), *arguments],
                cwd=CHECKOUT,
                env={**environment, "FLEETDESK_HOME": str(home), "PYTHONUNBUFFERED": "1"},
                stdout=terminal,
                stderr=subprocess.STDOUT,
            )

    @property
    def output(self) -> str:
        """What it has printed so far."""
        return self._terminal.read_bytes()[self._seen :].decode(errors="replace")

    def wait_for(self, pattern: str, seconds: float = 90) -> str:
        """The first group of the first match in what is printed. Raises RuntimeError when it ends or time runs out before."""
        deadline = time.monotonic() + seconds
        while not (match := re.search(pattern, self.output)):
            if time.monotonic() > deadline or self.process.poll() is not None:
                raise RuntimeError(f"never printed {pattern}, status {self.process.poll()}:\n{self.output}")
            time.sleep(0.1)
        return match[1]

    def start(self) -> tuple[str, str, str]:
        """Address, e-mail and password, as printed once all answers."""
        address = self.wait_for(r"running:\s+(\S+)/\n")
        return address, self.wait_for(r"Sign in as\s+(\S+)"), self.wait_for(r"Password\s+(\S.*)")

    def stop(self, sign: signal.Signals = signal.SIGTERM) -> tuple[int, list[psutil.Process]]:
        """The exit status, and those of its processes that outlived it."""
        family = psutil.Process(self.process.pid).children(recursive=True)
        self.process.send_signal(sign)
        self.process.wait(30)
        _, alive = psutil.wait_procs(family, timeout=3)
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
    """A browser, without its window, of that person."""
    browser = httpx.Client(base_url=address, follow_redirects=True, trust_env=False, timeout=60)
    browser.get("/accounts/login/")
    token = browser.cookies["fleetdesk_csrf"]
    answer = browser.post(
        "/accounts/login/", data={"login": email, "password": password, "csrfmiddlewaretoken": token}
    )
    if "/accounts/login" in str(answer.url):
        raise RuntimeError(f"{email} was not let in: {answer.status_code}")
    return browser
