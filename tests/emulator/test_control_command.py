"""`manage.py emulator_control` against an emulator that runs, and the programs of the document against the same."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from console.cloud.client import Client, Credentials
from console.cloud.errors import CloudError, Throttled
from console.cloud.retry import RetryPolicy
from console.emulator.welcome.sdks import SDKS
from tests.emulator.conftest import KEY_ID, KEY_SECRET, OTHER_ID, OTHER_SECRET
from tests.emulator.test_core_served import ROOT, start, stop

pytestmark = pytest.mark.processes
TOKEN = "desk-token"


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    process, url, _ = start(
        tmp_path_factory.mktemp("controlled"),
        "--no-quotas",
        EMULATOR_KEYS=f"{KEY_ID}:{KEY_SECRET},{OTHER_ID}:{OTHER_SECRET}",
        EMULATOR_CONTROL_TOKEN=TOKEN,
    )
    yield url
    stop(process)


@pytest.fixture
def order(address: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Gives an order and returns what the command prints."""
    monkeypatch.setenv("EMULATOR_CONTROL_TOKEN", TOKEN)

    def give(*arguments: str) -> str:
        out = io.StringIO()
        call_command("emulator_control", "--url", address, *arguments, stdout=out)
        return out.getvalue()

    give("reset")
    return give


@pytest.fixture
def client(address: str) -> Iterator[Client]:
    with Client(Credentials(KEY_ID, KEY_SECRET), endpoint=address, retry=RetryPolicy(attempts=1)) as client:
        yield client


def products(client: Client) -> int:
    return client.call("QueryProductList", CurrentPage=1)["Data"]["Total"]


def test_seeded_and_reset(order: Any, client: Client) -> None:
    assert products(client) == 0
    assert order("seed", "--devices", "60") == "Seeded. 60 devices in all accounts.\n"
    assert products(client) == 6
    assert "nothing was done" in order("seed", "--devices", "60")
    assert "120 devices" in order("seed", "--devices", "60", "--account", OTHER_ID)
    state = json.loads(order("state", "--json"))
    assert (state["pace"], state["quotas"], state["rows"]["devices"]) == ("real", False, 120)
    assert re.search(r"120  devices\n", order("state"))
    assert order("reset") == "Reset. 0 devices.\n"
    assert products(client) == 0
    assert order("reset", "--devices", "30") == "Reset. 30 devices.\n"


def test_faults_strike_as_often_as_ordered(order: Any, client: Client) -> None:
    assert order("faults") == "No faults are ordered.\n"
    told = order("fault", "QueryProductList", "throttle", "--times", "2", "--delay", "3")
    assert told == "QueryProductList: throttle, 2 times more\n"
    for _ in range(2):
        with pytest.raises(Throttled):
            products(client)
    assert products(client) == 0
    order("fault", "*", "error", "--code", "iot.prod.QueryProductListActionError", "--status", "200")
    with pytest.raises(CloudError) as refusal:
        products(client)
    assert refusal.value.code == "iot.prod.QueryProductListActionError"
    order("fault", "CreateProduct", "drop", "--after")
    with pytest.raises(CloudError):
        client.call("CreateProduct", ProductName="Meters", NodeType=0)
    assert products(client) == 1  # only the answer was lost
    order("fault", "*", "hang", "--times", "9")
    order("faults", "--clear")
    assert products(client) == 1


def test_the_clock_is_moved_on_and_time_goes_on_from_there(order: Any, client: Client) -> None:
    client.call("CreateProduct", ProductName="Meters", NodeType=0)
    key = client.call("QueryProductList", CurrentPage=1)["Data"]["List"]["ProductInfo"][0]["ProductKey"]
    apply_id = client.call("BatchRegisterDevice", ProductKey=key, Count=20)["Data"]["ApplyId"]
    before = order("clock").strip()
    after = order("clock", "--advance", str(7 * 86_400)).strip()
    assert before[:10] < after[:10]
    status = client.call("QueryBatchRegisterDeviceStatus", ProductKey=key, ApplyId=apply_id)["Data"]["Status"]
    assert status == "CREATE_SUCCESS"
    assert client.call("QueryDeviceStatistics", ProductKey=key)["Data"]["activeCount"] > 0


def test_refused(order: Any, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CommandError, match="forward only"):
        order("clock", "--advance", "-1")
    with pytest.raises(CommandError, match="no account"):
        order("seed", "--account", "nobody")
    with pytest.raises(CommandError, match="at least 1"):
        order("fault", "Pub", "error", "--times", "0")
    with pytest.raises(CommandError, match="No emulator answers"):
        call_command("emulator_control", "--url", "http://127.0.0.1:9", "state")
    monkeypatch.setenv("EMULATOR_CONTROL_TOKEN", "wrong")
    with pytest.raises(CommandError, match="token is wrong"):
        call_command("emulator_control", "--url", address, "state")
    monkeypatch.delenv("EMULATOR_CONTROL_TOKEN")
    with pytest.raises(CommandError, match="Set EMULATOR_CONTROL_TOKEN"):
        call_command("emulator_control", "--url", address, "state")


def test_it_needs_no_secrets_of_a_deployment(address: str, tmp_path: Path) -> None:
    bare = {name: value for name, value in os.environ.items() if name in ("PATH", "LANG", "HOME")}
    told = subprocess.run(
        [sys.executable, "manage.py", "emulator_control", "state"],
        cwd=ROOT,
        env={
            **bare,
            "FLEETDESK_HOME": str(tmp_path),
            "EMULATOR_URL": address,
            "EMULATOR_CONTROL_TOKEN": TOKEN,
        },
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (told.returncode, told.stderr) == (0, "")
    assert "Pace    real" in told.stdout


@pytest.mark.parametrize("sdk", [sdk for sdk in SDKS if sdk.language == "python"], ids=lambda sdk: sdk.anchor)
def test_the_programs_run_as_they_are_shown(order: Any, address: str, tmp_path: Path, sdk: Any) -> None:
    order("seed", "--devices", "60")
    program = tmp_path / "program.py"
    program.write_text(sdk.code(address), encoding="utf-8")
    environ = {"ALIBABA_CLOUD_ACCESS_KEY_ID": KEY_ID, "ALIBABA_CLOUD_ACCESS_KEY_SECRET": KEY_SECRET}
    told = subprocess.run(
        [sys.executable, str(program)],
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert told.returncode == 0, told.stderr
    assert len(told.stdout.splitlines()) == 6
    assert "Smart_Meter_DDS720" in told.stdout
