"""QueryDevice on the emulator with 1,000, 100,000 and 1,000,000 devices: calls per second, in process and over HTTP."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from iot_client.client import Client, Credentials
from iot_emulator import create_app
from tests.console_process import CHECKOUT

SIZES = (1_000, 100_000, 1_000_000)
ROUNDS = 7
SECONDS = 1.0  # of each size in each round
KEY = Credentials("LTAIbench", "secret-of-no-worth")


@dataclass
class Fleet:
    """A seeded emulator: its file, the seeding time, and its largest product with a page token for the middle of its list."""

    devices: int
    path: Path
    seconds: float
    product_key: str = ""
    middle_token: str = ""
    rates: dict[str, list[float]] = field(default_factory=dict)


def run() -> list[str]:
    """The lines of the table. The sizes take turns, so that other load on the machine affects all of them."""
    with tempfile.TemporaryDirectory() as folder:
        fleets = [_seed(devices, Path(folder)) for devices in SIZES]
        lines = [
            f"{fleet.devices:>11,} devices seeded in {fleet.seconds:,.1f} s ({fleet.devices / fleet.seconds:,.0f} per second),"
            f" {fleet.path.stat().st_size / 2**20:,.0f} MB"
            for fleet in fleets
        ]
        for place, connect in (("in process", _in_process), ("over HTTP", _over_http)):
            lines += _measure(fleets, place, connect)
    return lines


def _seed(devices: int, folder: Path) -> Fleet:
    path = folder / f"{devices}.sqlite3"
    emulator = create_app(path, keys={KEY.key_id: KEY.secret})
    started = time.perf_counter()
    emulator.seed(devices=devices)
    seconds = time.perf_counter() - started
    with emulator.store.read() as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    emulator.close()
    return Fleet(devices, path, seconds)


@contextmanager
def _in_process(fleet: Fleet) -> Iterator[Client]:
    emulator = create_app(fleet.path, keys={KEY.key_id: KEY.secret}, quotas=False)
    yield Client(KEY, endpoint="http://emulator.test", transport=httpx.WSGITransport(app=emulator))
    emulator.close()


@contextmanager
def _over_http(fleet: Fleet) -> Iterator[Client]:
    """Runs `python -m iot_emulator` in a separate process."""
    command = [
        sys.executable,
        "-m",
        "iot_emulator",
        "--port",
        "0",
        "--no-quotas",
        "--database",
        str(fleet.path),
    ]
    environment = os.environ | {"EMULATOR_KEYS": f"{KEY.key_id}:{KEY.secret}", "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        command, cwd=CHECKOUT, env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            address = next(line.split()[-1] for line in process.stdout if "listening on" in line)
            with Client(KEY, endpoint=address) as client:
                yield client
        finally:
            process.terminate()


def _measure(
    fleets: list[Fleet], place: str, connect: Callable[[Fleet], contextmanager[Client]]
) -> list[str]:
    contexts = [connect(fleet) for fleet in fleets]
    clients = [context.__enter__() for context in contexts]
    try:
        for fleet, client in zip(fleets, clients, strict=True):
            _prepare(fleet, client)
            fleet.rates = {"first page": [], "a page in the middle": []}
        for _ in range(ROUNDS):
            for fleet, client in zip(fleets, clients, strict=True):
                fleet.rates["first page"].append(_measure_rate(client, fleet, {}))
                fleet.rates["a page in the middle"].append(
                    _measure_rate(client, fleet, {"NextToken": fleet.middle_token})
                )
    finally:
        for context in contexts:
            context.__exit__(None, None, None)
    lines = [
        f"{place}, 50 devices per page{'':<8}"
        + "".join(f"{fleet.devices:>12,}" for fleet in fleets)
        + f"{'slowest':>10}"
    ]
    for what in fleets[0].rates:
        middles = [statistics.median(fleet.rates[what]) for fleet in fleets]
        slowest = max(
            statistics.median(a / b for a, b in zip(fleets[0].rates[what], fleet.rates[what], strict=True))
            for fleet in fleets
        )
        lines.append(
            f"  {what:<32}" + "".join(f"{middle:>10,.0f}/s" for middle in middles) + f"{slowest:>9.2f}x"
        )
    return lines


def _prepare(fleet: Fleet, client: Client) -> None:
    """Find the largest product and the token of its middle page. This also does the deferred work."""
    products = client.call("QueryProductList", CurrentPage=1, PageSize=200)["Data"]["List"]["ProductInfo"]
    largest = max(products, key=lambda product: product["DeviceCount"])
    fleet.product_key = largest["ProductKey"]
    page, size = 1, 50
    pages = min(largest["DeviceCount"] // 2, 9_950) // size
    response = client.call(
        "QueryDevice", ProductKey=fleet.product_key, CurrentPage=max(page, pages), PageSize=size
    )
    fleet.middle_token = response["NextToken"]


def _measure_rate(client: Client, fleet: Fleet, more: dict[str, str]) -> float:
    """Calls per second."""
    calls, started = 0, time.perf_counter()
    end = started + SECONDS / 2
    while (now := time.perf_counter()) < end:
        response = client.call(
            "QueryDevice", ProductKey=fleet.product_key, CurrentPage=1, PageSize=50, **more
        )
        assert len(response["Data"]["DeviceInfo"]) == 50
        calls += 1
    return calls / (now - started)
