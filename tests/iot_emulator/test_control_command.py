"""The commands of `python -m iot_emulator` with a running emulator, and the example programs of the documentation."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from iot_client.client import Client, Credentials
from iot_client.errors import CloudError, Throttled
from iot_client.retry import RetryPolicy
from iot_emulator.command_line import main
from iot_emulator.welcome.sdks import SDKS
from tests.iot_emulator.clients import KEY_ID, KEY_SECRET, OTHER_ID, OTHER_SECRET
from tests.iot_emulator.served import ROOT, start_emulator, stop_emulator

pytestmark = pytest.mark.processes
TOKEN = "control-token"


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    process, url, _ = start_emulator(
        tmp_path_factory.mktemp("controlled"),
        "--no-quotas",
        EMULATOR_KEYS=f"{KEY_ID}:{KEY_SECRET},{OTHER_ID}:{OTHER_SECRET}",
        EMULATOR_CONTROL_TOKEN=TOKEN,
    )
    yield url
    stop_emulator(process)


@pytest.fixture
def run_command(address: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """A function that runs a command and returns its output. A failed command returns its error after `1: `."""
    monkeypatch.setenv("EMULATOR_CONTROL_TOKEN", TOKEN)

    def run(name: str, *arguments: str, url: str = address) -> str:
        code = main([name, "--url", url, *arguments])
        output, errors = capsys.readouterr()
        assert not (output and errors)
        return f"{code}: {errors}" if code else output

    run("reset")
    return run


@pytest.fixture
def client(address: str) -> Iterator[Client]:
    with Client(Credentials(KEY_ID, KEY_SECRET), endpoint=address, retry=RetryPolicy(attempts=1)) as client:
        yield client


def count_products(client: Client) -> int:
    return client.call("QueryProductList", CurrentPage=1)["Data"]["Total"]


def test_seed_and_reset_change_the_fleet(run_command: Any, client: Client) -> None:
    assert count_products(client) == 0
    assert run_command("seed", "--devices", "60") == "Sample fleet added. Devices in all accounts: 60.\n"
    assert count_products(client) == 6
    assert "Nothing added" in run_command("seed", "--devices", "60")
    assert "Devices in all accounts: 120." in run_command("seed", "--devices", "60", "--account", OTHER_ID)
    state = json.loads(run_command("state", "--json"))
    assert (state["pace"], state["quotas"], state["rows"]["devices"]) == ("real", False, 120)
    assert re.search(r"120  devices\n", run_command("state"))
    assert run_command("reset") == "Emulator reset. Devices: 0.\n"
    assert count_products(client) == 0
    assert run_command("reset", "--devices", "30") == "Emulator reset. Devices: 30.\n"


def test_faults_fail_the_requested_number_of_calls(run_command: Any, client: Client) -> None:
    assert run_command("faults") == "No faults.\n"
    output = run_command("fault", "QueryProductList", "throttle", "--times", "2", "--delay", "3")
    assert output == "QueryProductList: throttle, remaining calls: 2\n"
    for _ in range(2):
        with pytest.raises(Throttled):
            count_products(client)
    assert count_products(client) == 0
    run_command("fault", "*", "error", "--code", "iot.prod.QueryProductListActionError", "--status", "200")
    with pytest.raises(CloudError) as error:
        count_products(client)
    assert error.value.code == "iot.prod.QueryProductListActionError"
    run_command("fault", "CreateProduct", "drop", "--after")
    with pytest.raises(CloudError):
        client.call("CreateProduct", ProductName="Meters", NodeType=0)
    assert count_products(client) == 1  # only the response was lost
    run_command("fault", "*", "hang", "--times", "9")
    run_command("faults", "--clear")
    assert count_products(client) == 1


def test_the_clock_is_advanced_and_continues_from_there(run_command: Any, client: Client) -> None:
    client.call("CreateProduct", ProductName="Meters", NodeType=0)
    key = client.call("QueryProductList", CurrentPage=1)["Data"]["List"]["ProductInfo"][0]["ProductKey"]
    apply_id = client.call("BatchRegisterDevice", ProductKey=key, Count=20)["Data"]["ApplyId"]
    before = run_command("clock").strip()
    after = run_command("clock", "--advance", str(7 * 86_400)).strip()
    assert before[:10] < after[:10]
    status = client.call("QueryBatchRegisterDeviceStatus", ProductKey=key, ApplyId=apply_id)["Data"]["Status"]
    assert status == "CREATE_SUCCESS"
    assert client.call("QueryDeviceStatistics", ProductKey=key)["Data"]["activeCount"] > 0


def test_invalid_commands_are_refused(run_command: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert re.match(r"1: .*advance must be 0 to", run_command("clock", "--advance", "-1"))
    assert re.match(r"1: .*no account", run_command("seed", "--account", "nobody"))
    assert re.match(r"1: .*at least 1", run_command("fault", "Pub", "error", "--times", "0"))
    assert re.match(r"1: No emulator responds", run_command("state", url="http://127.0.0.1:9"))
    monkeypatch.setenv("EMULATOR_CONTROL_TOKEN", "wrong")
    assert re.match(r"1: .*wrong control token", run_command("state"))
    monkeypatch.delenv("EMULATOR_CONTROL_TOKEN")
    assert re.match(r"1: .*Set EMULATOR_CONTROL_TOKEN", run_command("state"))


def test_options_of_the_server_are_not_ignored_before_a_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit:
        main(["--port", "8700", "state"])
    assert exit.value.code == 2
    assert "Write the command first" in capsys.readouterr().err


def run_manage(home: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `manage.py emulator` without the secrets of a deployment."""
    bare = {name: value for name, value in os.environ.items() if name in ("PATH", "LANG", "HOME")}
    return subprocess.run(
        [sys.executable, "manage.py", "emulator", *arguments],
        cwd=ROOT,
        env={**bare, "FLEETDESK_HOME": str(home), **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_the_console_offers_the_same_command_line(address: str, tmp_path: Path) -> None:
    process = run_manage(tmp_path, "state", EMULATOR_URL=address, EMULATOR_CONTROL_TOKEN=TOKEN)
    assert (process.returncode, process.stderr) == (0, "")
    assert "Pace    real" in process.stdout
    process = run_manage(tmp_path, "state", EMULATOR_URL=address, EMULATOR_CONTROL_TOKEN="wrong")
    assert (process.returncode, process.stdout) == (1, "")
    assert "wrong control token" in process.stderr


def test_the_console_keeps_the_database_in_its_home_folder(tmp_path: Path) -> None:
    process = run_manage(tmp_path, "--help", COLUMNS="200")
    assert process.returncode == 0
    assert str(tmp_path / "emulator.sqlite3") in process.stdout


@pytest.mark.parametrize("sdk", [sdk for sdk in SDKS if sdk.language == "python"], ids=lambda sdk: sdk.anchor)
def test_the_example_programs_run(run_command: Any, address: str, tmp_path: Path, sdk: Any) -> None:
    run_command("seed", "--devices", "60")
    program = tmp_path / "program.py"
    program.write_text(sdk.code(address), encoding="utf-8")
    environ = {"ALIBABA_CLOUD_ACCESS_KEY_ID": KEY_ID, "ALIBABA_CLOUD_ACCESS_KEY_SECRET": KEY_SECRET}
    process = subprocess.run(
        [sys.executable, str(program)],
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert process.returncode == 0, process.stderr
    assert len(process.stdout.splitlines()) == 6
    assert "Smart_Meter_DDS720" in process.stdout
