"""A console in real processes (web, worker, beat, Redis, emulator), parts of which tests can kill."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import redis
from celery import Celery

from console import embedded
from iot_client.client import Client, Credentials

CHECKOUT = Path(__file__).resolve().parents[2]
PASSWORD = "password of the processes"
KEYS = {"LTAIprocesses1": "secret-one", "LTAIprocesses2": "secret-two"}
_PROVIDE_SAMPLE = (
    "from pathlib import Path; from console.quickstart import sample;"
    "sample.create_sample(Path({folder!r}), {endpoint!r}, {keys!r}, {password!r})"
)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class ConsoleProcesses:
    """The running processes, and what the owner of the team does in a browser."""

    def __init__(self, home: Path, database_url: str = "") -> None:
        self.home = home
        excluded = {"DATABASE_URL", "REDIS_URL", "CELERY_BROKER_URL", "DJANGO_SETTINGS_MODULE"}
        self.environment = {
            **{name: value for name, value in os.environ.items() if name not in excluded},
            "FLEETDESK_HOME": str(home),
            "DJANGO_SETTINGS_MODULE": "console.settings",
            "INSECURE_HTTP": "true",
            "SECRET_KEY": "only-for-tests-" + "x" * 50,
            "FIELD_ENCRYPTION_KEYS": "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
            "EMULATOR_KEYS": ",".join(f"{key}:{secret}" for key, secret in KEYS.items()),
            "JOBS_REVIVE_SECONDS": "1",
            "JOBS_LEASE_SECONDS": "2",
            **({"DATABASE_URL": database_url} if database_url else {}),
        }
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        self.port, self.emulator_port = free_port(), free_port()
        self.environment["CLOUD_ENDPOINTS"] = f"http://127.0.0.1:{self.emulator_port}"
        self.redis = redis.Redis.from_url(embedded.redis_url(home))
        self.log = (home / "log").open("ab")

    # -- processes ---------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start everything except the workers."""
        self._spawn("redis", embedded.redis_command(self.home))
        emulator = [
            "-m",
            "iot_emulator",
            "--port",
            str(self.emulator_port),
            "--database",
            str(self.home / "emulator"),
        ]
        self._spawn("emulator", [sys.executable, *emulator, "--devices", "0"])
        self._manage("migrate", "--verbosity", "0")
        self._manage("collectstatic", "--verbosity", "0", "--noinput")
        endpoint = f"http://127.0.0.1:{self.emulator_port}"
        provide = _PROVIDE_SAMPLE.format(
            folder=str(self.home), endpoint=endpoint, keys=KEYS, password=PASSWORD
        )
        self._manage("shell", "-c", provide)
        bind = f"127.0.0.1:{self.port}"
        web = [
            sys.executable,
            "-m",
            "gunicorn",
            "console.wsgi",
            "--bind",
            bind,
            "--threads",
            "4",
            "--log-level",
            "warning",
        ]
        self._spawn("web", web)
        self._spawn("beat", [*self._celery("beat"), "--schedule", str(self.home / "beat")])
        for address in (f"http://{bind}/healthz", f"{endpoint}/_emulator/health"):
            self._wait_for_response(address)

    def start_worker(self, **environment: str) -> None:
        """Start one worker with two processes."""
        command = [
            *self._celery("worker"),
            "--concurrency",
            "2",
            "--without-gossip",
            "--without-mingle",
        ]
        self._spawn("worker", command, environment)

    def kill_worker(self) -> None:
        """Send SIGKILL to the worker and its children at the same time, so that none of them can react."""
        worker = self.running.pop("worker")
        os.killpg(worker.pid, signal.SIGKILL)
        worker.wait(10)

    def stop(self) -> None:
        """Stop all processes."""
        for process in reversed(self.running.values()):
            os.killpg(process.pid, signal.SIGTERM)
        for process in self.running.values():
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait(10)
        self.redis.close()
        self.log.close()

    def _celery(self, part: str) -> list[str]:
        return [
            sys.executable,
            "-m",
            "celery",
            "--skip-checks",
            "-A",
            "console.celery",
            part,
            "--loglevel",
            "warning",
        ]

    @contextmanager
    def hanging_platform(self) -> Iterator[None]:
        """Stop the emulator for a block: it accepts calls and does not respond."""
        os.killpg(self.running["emulator"].pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.killpg(self.running["emulator"].pid, signal.SIGCONT)

    def _spawn(self, name: str, command: list[str], environment: Mapping[str, str] | None = None) -> None:
        self.running[name] = subprocess.Popen(
            command,
            cwd=CHECKOUT,
            env={**self.environment, **(environment or {})},
            stdout=self.log,
            stderr=self.log,
            start_new_session=True,
        )

    def _manage(self, *arguments: str) -> None:
        command = [sys.executable, "manage.py", *arguments]
        subprocess.run(
            command, cwd=CHECKOUT, env=self.environment, stdout=self.log, stderr=self.log, check=True
        )

    def _wait_for_response(self, address: str) -> None:
        for _ in range(300):
            try:
                if httpx.get(address, trust_env=False).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.1)
        raise TimeoutError(f"{address} does not respond: {(self.home / 'log').read_text()[-3000:]}")

    # -- users -------------------------------------------------------------------------------------------------------

    def browser(self) -> httpx.Client:
        """Return a browser in which the owner is signed in."""
        browser = httpx.Client(
            base_url=f"http://127.0.0.1:{self.port}", follow_redirects=True, trust_env=False, timeout=60
        )
        browser.get("/accounts/login/")
        token = browser.cookies["fleetdesk_csrf"]
        browser.post(
            "/accounts/login/",
            data={"login": "admin@demo.example", "password": PASSWORD, "csrfmiddlewaretoken": token},
        )
        return browser

    def start_job(self, browser: httpx.Client, product: str, names: list[str]) -> int:
        """Upload names and start the job. Returns its ID."""
        response = browser.post(
            "/demo/sandbox/devices/registrations/new/",
            data={"csrfmiddlewaretoken": browser.cookies["fleetdesk_csrf"], "product": product},
            files={"file": ("names.csv", "\n".join(["DeviceName", *names]).encode())},
        )
        found = re.search(r"/jobs/(\d+)/", str(response.url))
        assert found is not None, response.text[:2000]
        job = int(found[1])
        browser.post(
            f"/demo/sandbox/devices/registrations/{job}/start/",
            data={"csrfmiddlewaretoken": browser.cookies["fleetdesk_csrf"]},
        )
        return job

    def is_finished(self, browser: httpx.Client, job: int) -> bool:
        """Return whether the job has ended: its page no longer refreshes."""
        response = browser.get(f"/demo/sandbox/jobs/{job}/")
        live = re.search(r'<div id="job-live"([^>]*)>', response.text)
        assert response.status_code == 200, response.text[:2000]
        assert live is not None, "the job was not started"
        return "hx-get" not in live[1]

    def outcomes(self, browser: httpx.Client, job: int) -> list[str]:
        """Return the outcome of every row from the downloaded results."""
        lines = browser.get(f"/demo/sandbox/jobs/{job}/result.csv").text.splitlines()[1:]
        return [line.split(",")[3] for line in lines]

    # -- the platform -------------------------------------------------------------------------------------------------

    def platform_client(self) -> Client:
        """Return a client of the platform that does not use the console."""
        key, secret = next(iter(KEYS.items()))
        return Client(Credentials(key, secret), endpoint=f"http://127.0.0.1:{self.emulator_port}")

    def broker_app(self) -> Celery:
        """Return the broker's Celery app, to send wake messages again."""
        url = f"redis+socket://{embedded.redis_socket(self.home)}?virtual_host=0"
        app = Celery("wake", broker=url)
        app.conf.broker_transport_options = {"global_keyprefix": "fleetdesk:"}
        return app


@contextmanager
def database(name: str) -> Iterator[str]:
    """Create a database on the server of DATABASE_URL; yields "" (the embedded database) without such a server."""
    url = os.environ.get("DATABASE_URL", "")
    if not url.startswith("postgres"):
        yield ""
        return
    import psycopg

    with psycopg.connect(url, autocommit=True) as server:
        server.execute(f'DROP DATABASE IF EXISTS "{name}"')
        server.execute(f'CREATE DATABASE "{name}"')
        yield urlsplit(url)._replace(path=f"/{name}").geturl()
        server.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
