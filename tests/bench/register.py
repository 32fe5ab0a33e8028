"""Registering devices from a CSV through the console, quotas enforced: devices per second, and the peak memory of the worker."""

from __future__ import annotations

import re
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

from tests.console_process import Quickstart, sign_in

SIZES = (10_000, 100_000)
_TIMEOUT = 600.0  # seconds for one job
_JOBS = "/demo/sandbox/jobs"
_REGISTRATIONS = "/demo/sandbox/devices/registrations"


@dataclass
class Measurements:
    """Measurements of one run, in seconds and bytes. `checked`: from the upload until the findings are shown."""

    rows: int
    checked: float
    registered: float
    worker: int
    web: int
    outcome: str

    @property
    def total_seconds(self) -> float:
        """Seconds from the upload to the last device."""
        return self.checked + self.registered


def run() -> list[str]:
    """The lines of the table. Each size runs in a separate console, so that peaks do not mix."""
    found = [_measure(rows) for rows in SIZES]
    lines = [
        f"{'rows':>9}{'check s':>10}{'register s':>12}{'total s':>10}{'devices/s':>12}{'worker peak MB':>17}{'web peak MB':>14}  outcome"
    ]
    lines += [
        f"{f.rows:>9,}{f.checked:>10.1f}{f.registered:>12.1f}{f.total_seconds:>10.1f}{f.rows / f.total_seconds:>12,.0f}"
        f"{f.worker / 2**20:>17.0f}{f.web / 2**20:>14.0f}  {f.outcome}"
        for f in found
    ]
    lines.append(
        f"worker memory, {found[-1].rows:,} rows against {found[0].rows:,}: {found[-1].worker / found[0].worker:.2f} times"
    )
    return lines


def _measure(rows: int) -> Measurements:
    with (
        tempfile.TemporaryDirectory() as folder,
        Quickstart(Path(folder) / "home", "--devices", "100") as console,
    ):
        browser = sign_in(*console.start())
        product = re.findall(r"products/(a1\w+)/", browser.get("/demo/sandbox/products/").text)[0]
        started = time.monotonic()
        job = _upload(browser, product, rows)
        checked = time.monotonic() - started
        started = time.monotonic()
        browser.post(
            f"{_REGISTRATIONS}/{job}/start/", data={"csrfmiddlewaretoken": browser.cookies["fleetdesk_csrf"]}
        )
        state = _wait(browser, job, ("succeeded", "partial", "failed", "canceled"))
        registered = time.monotonic() - started
        worker, web = (
            _read_peak_memory(console, "celery", "worker"),
            _read_peak_memory(console, "gunicorn", "console.wsgi"),
        )
    return Measurements(rows, checked, registered, worker, web, state)


def _upload(browser: httpx.Client, product: str, rows: int) -> int:
    """Uploads a list, waits for its findings and returns the job id."""
    lines = [
        "DeviceName,Nickname,tag:site",
        *(f"BENCH-{n:08d},Meter_{n:08d},Hangzhou-{n % 9}" for n in range(rows)),
    ]
    response = browser.post(
        f"{_REGISTRATIONS}/new/",
        data={"csrfmiddlewaretoken": browser.cookies["fleetdesk_csrf"], "product": product},
        files={"file": ("bench.csv", "\n".join(lines).encode())},
    )
    found = re.search(r"/jobs/(\d+)/", str(response.url))
    assert found is not None, f"no draft: {response.status_code} {response.url}"
    _wait(browser, int(found[1]), ("ready", "rejected"))
    return int(found[1])


def _wait(browser: httpx.Client, job: int, states: tuple[str, ...]) -> str:
    """Polls the page of the job until the job has one of the `states`."""
    deadline = time.monotonic() + _TIMEOUT
    labels = {
        "ready": "Ready to start", "rejected": "Cannot be started", "succeeded": "Succeeded",
        "partial": "Partly failed", "failed": "Failed", "canceled": "Canceled",
    }  # fmt: skip
    while time.monotonic() < deadline:
        page = browser.get(f"{_JOBS}/{job}/").text
        badge = re.search(r'id="job-state"[^>]*>(.*?)</span>\s*</span>', page, re.S)
        shown = re.sub(r"<[^>]+>", "", badge[1]).strip() if badge else ""
        for state in states:
            if shown == labels[state]:
                return state
        time.sleep(0.25)
    raise TimeoutError(f"job {job} is {shown!r} after {_TIMEOUT:.0f} s")


def _read_peak_memory(console: Quickstart, *words: str) -> int:
    """The peak resident memory in bytes of the processes with this command line (Linux: VmHWM)."""
    peaks = [0]
    for process in psutil.Process(console.process.pid).children(recursive=True):
        try:
            if all(any(word in part for part in process.cmdline()) for word in words):
                peaks.append(_high_water_mark(process))
        except psutil.NoSuchProcess:
            continue
    return max(peaks)


def _high_water_mark(process: psutil.Process) -> int:
    try:
        with open(f"/proc/{process.pid}/status") as status:
            return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM:"))
    except (OSError, StopIteration):
        return int(process.memory_info().rss)
