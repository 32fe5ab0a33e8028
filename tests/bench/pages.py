"""The product and device lists with 20 concurrent users, on the emulator with quotas enforced."""

from __future__ import annotations

import random
import re
import statistics
import tempfile
import threading
import time
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from tests.console_process import Quickstart, sign_in

USERS = 20
SECONDS = 15.0
THINK_SECONDS = 0.5  # pause of a fast user between two clicks


@dataclass
class Measurements:
    """Measurements of one page: seconds and upstream calls of each response, and the number of responses other than 200."""

    seconds: list[float] = field(default_factory=list)
    calls: list[int] = field(default_factory=list)
    failed: int = 0


def run() -> list[str]:
    """The lines of the table. Each user has a session and requests random pages, with and without a pause between them."""
    lines = []
    with tempfile.TemporaryDirectory() as folder, Quickstart(Path(folder) / "home") as console:
        address, email, password = console.start()
        sessions = [sign_in(address, email, password) for _ in range(USERS)]
        products = re.findall(r"products/(a1\w+)/", sessions[0].get("/demo/sandbox/products/").text)
        for think in (THINK_SECONDS, 0.0):
            measurements, took = _measure(sessions, sorted(set(products)), think)
            lines.append(f"{USERS} users, {think:.1f} s between two clicks, {took:.0f} s")
            lines.append(
                f"  {'page':<22}{'requests/s':>12}{'median ms':>12}{'p95 ms':>10}{'calls (mean, max)':>20}{'failed':>8}"
            )
            for page, measurement in measurements.items():
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
