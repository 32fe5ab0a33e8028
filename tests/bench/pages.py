"""Bytes, CPU and queries of pages beside Django's own admin, and the lists with 20 concurrent users, quotas enforced.

The yardstick is the change list of Django's admin with its own middleware: 25 rows with the values and the columns of our
device list, in the same process and server, requested alternately.
"""

from __future__ import annotations

import gzip
import os
import random
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from console import embedded
from tests.console_process import CHECKOUT, Quickstart, sign_in

USERS = 20
SECONDS = 15.0
THINK_SECONDS = 0.5  # pause of a fast user between two clicks
ROUNDS = 60  # requests of each page in the comparison
WARM_UP = 5
ROWS = 25
YARDSTICK = "admin change list"


@dataclass
class Measurements:
    """Measurements of one page: seconds and upstream calls of each response, and the number of responses other than 200."""

    seconds: list[float] = field(default_factory=list)
    calls: list[int] = field(default_factory=list)
    failed: int = 0


def run() -> list[str]:
    """The lines of the tables: pages beside the yardstick, then users who request random pages with and without a pause."""
    with tempfile.TemporaryDirectory() as folder, Quickstart(Path(folder) / "home") as console:
        address, email, password = console.start()
        client = sign_in(address, email, password)
        products = sorted(set(re.findall(r"products/(a1\w+)/", client.get("/demo/sandbox/products/").text)))
        lines = _compare_pages(Path(folder) / "home", client, products)
        sessions = [client, *(sign_in(address, email, password) for _ in range(USERS - 1))]
        for think in (THINK_SECONDS, 0.0):
            lines += _load_lines(*_measure(sessions, products, think), think)
    return lines


def _compare_pages(home: Path, client: httpx.Client, products: list[str]) -> list[str]:
    """The lines of the comparison. `home`: of the running console, whose database, Redis and emulator the server uses."""
    lists = [f"/demo/sandbox/devices/?product={product}" for product in products]
    devices = next(url for url in lists if client.get(url).text.count('name="selected"') == ROWS)
    rows = client.get(f"{devices}&format=csv").text.splitlines(keepends=True)
    (home / "devices.csv").write_text("".join(rows[: ROWS + 1]))
    pages = {
        YARDSTICK: "/yardstick/yardstick/device/",
        f"device list, {ROWS} rows": devices,
        "groups": "/demo/sandbox/groups/",
        "product list": "/demo/sandbox/products/",
    }
    cpu: dict[str, list[float]] = defaultdict(list)
    last: dict[str, httpx.Response] = {}
    # Without compression, which the admin does not have.
    headers = {"Accept-Encoding": "identity"}
    options = {"cookies": dict(client.cookies), "headers": headers, "trust_env": False, "timeout": 60}
    with _yardstick_server(home) as (address, process), httpx.Client(base_url=address, **options) as visitor:
        _wait_for(address, process)
        for round_number in range(WARM_UP + ROUNDS):
            for page, url in pages.items():
                last[page] = visitor.get(url)
                last[page].raise_for_status()
                if round_number >= WARM_UP:
                    cpu[page].append(float(last[page].headers["X-CPU"]))
    medians = {page: statistics.median(values) for page, values in cpu.items()}
    lines = [
        f"{ROUNDS} requests of each page, one process, one thread, cached reads; ratios to Django's {YARDSTICK}",
        f"  {'page':<22}{'HTML KB':>10}{'gzip KB':>10}{'ratio':>8}{'CPU ms':>10}{'ratio':>8}{'queries':>10}",
    ]
    for page, response in last.items():
        size = len(response.content)
        lines.append(
            f"  {page:<22}{size / 1000:>10.1f}"
            f"{len(gzip.compress(response.content, 6)) / 1000:>10.1f}{size / len(last[YARDSTICK].content):>8.2f}"
            f"{medians[page]:>10.1f}{medians[page] / medians[YARDSTICK]:>8.2f}{response.headers['X-Queries']:>10}"
        )
    return lines


@contextmanager
def _yardstick_server(home: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """A process with the console and the admin (tests/bench/yardstick). Yields its address and the process."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        bind = f"127.0.0.1:{probe.getsockname()[1]}"
    environment = {
        **os.environ,
        "FLEETDESK_HOME": str(home),
        "STATIC_ROOT": str(home / "yardstick-static"),
        "DEVICES": str(home / "devices.csv"),
        "INSECURE_HTTP": "true",
        "CLOUD_ENDPOINTS": f"http://127.0.0.1:{(home / 'emulator_port').read_text()}",
        "DJANGO_SETTINGS_MODULE": "tests.bench.yardstick.settings",
    }
    embedded.provide_secrets(environment)
    gunicorn = [
        sys.executable,
        "-m",
        "gunicorn",
        "--workers",
        "1",
        "--timeout",
        "120",
        "--log-level",
        "warning",
    ]
    process = subprocess.Popen(
        [*gunicorn, "--bind", bind, "tests.bench.yardstick.wsgi"], cwd=CHECKOUT, env=environment
    )
    try:
        yield f"http://{bind}", process
    finally:
        process.terminate()
        process.wait(20)


def _wait_for(address: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 90
    while process.poll() is None and time.monotonic() < deadline:
        try:
            httpx.get(f"{address}/healthz", trust_env=False, timeout=60)
            return
        except httpx.ConnectError:
            time.sleep(0.2)
    raise RuntimeError(f"the server with the yardstick did not start, status {process.poll()}")


def _load_lines(measurements: dict[str, Measurements], took: float, think: float) -> list[str]:
    lines = [
        f"{USERS} users, {think:.1f} s between two clicks, {took:.0f} s; web, worker, Redis and emulator on the same cores",
        f"  {'page':<22}{'requests/s':>12}{'median ms':>12}{'p95 ms':>10}{'calls (mean, max)':>20}{'failed':>8}",
    ]
    every = Measurements(
        seconds=[second for one in measurements.values() for second in one.seconds],
        calls=[count for one in measurements.values() for count in one.calls],
        failed=sum(one.failed for one in measurements.values()),
    )
    for page, measurement in {**measurements, "both": every}.items():
        ordered = sorted(measurement.seconds)
        lines.append(
            f"  {page:<22}{len(ordered) / took:>12.1f}{statistics.median(ordered) * 1000:>12.0f}"
            f"{ordered[int(len(ordered) * 0.95)] * 1000:>10.0f}"
            f"{statistics.mean(measurement.calls):>14.2f}, {max(measurement.calls)}{measurement.failed:>10}"
        )
    return lines


def _measure(
    sessions: list[httpx.Client], products: list[str], think: float
) -> tuple[dict[str, Measurements], float]:
    measurements: dict[str, Measurements] = defaultdict(Measurements)
    lock = threading.Lock()
    started = time.monotonic()

    def run_user(number: int) -> None:
        chance = random.Random(number)
        time.sleep(chance.uniform(0, 2 * think))  # people do not all click in the same moment
        while time.monotonic() - started < SECONDS:
            page, url = chance.choice(
                [
                    ("product list", "/demo/sandbox/products/"),
                    (
                        "device list",
                        f"/demo/sandbox/devices/?product={chance.choice(products)}&page={chance.randint(1, 5)}",
                    ),
                ]
            )
            before = time.monotonic()
            response = sessions[number].get(url)
            took = time.monotonic() - before
            calls = re.search(r'cloud;desc="(\d+)', response.headers.get("Server-Timing", ""))
            with lock:
                measurement = measurements[page]
                measurement.seconds.append(took)
                measurement.calls.append(int(calls[1]) if calls else 0)
                measurement.failed += response.status_code != 200
            time.sleep(chance.uniform(0, 2 * think))

    threads = [threading.Thread(target=run_user, args=(number,)) for number in range(len(sessions))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return dict(sorted(measurements.items())), time.monotonic() - started
