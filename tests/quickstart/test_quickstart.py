"""`manage.py quickstart` with real processes and a real sign-in; it leaves no processes behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from tests.console_process import CHECKOUT, Quickstart, sign_in

pytestmark = pytest.mark.processes


DEVICES = ("--devices", "60")


@pytest.fixture
def run(tmp_path: Path):
    started: list[Quickstart] = []

    def make(admin_password: str = "") -> Quickstart:
        started.append(Quickstart(tmp_path / "home", *DEVICES, FLEETDESK_ADMIN_PASSWORD=admin_password))
        return started[-1]

    yield make
    for quickstart in started:
        quickstart.__exit__()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home folder of the running console."""
    return tmp_path_factory.mktemp("running") / "home"


@pytest.fixture(scope="module")
def console(home: Path) -> Iterator[tuple[str, str, str]]:
    """Address, email address and password of a console that runs for all tests of this file, which leave it running."""
    with Quickstart(home, *DEVICES) as running:
        yield running.start()


def test_the_printed_account_signs_in_and_sees_the_sample_fleet(console):
    address, email, password = console
    page = sign_in(address, email, password).get("/demo/sandbox/products/")
    assert page.status_code == 200
    assert "6" in page.text
    assert page.text.count("/demo/sandbox/products/") >= 6


def test_stopping_ends_every_process_and_the_next_start_keeps_password_and_data(run):
    first = run()
    _, email, password = first.start()
    status, alive = first.stop()
    assert (status, alive) == (0, [])
    second = run()
    address, again_email, again_password = second.start()
    assert (again_email, again_password) == (email, password)
    assert sign_in(address, email, password).get("/demo/sandbox/products/").status_code == 200
    status, alive = second.stop(signal.SIGINT)
    assert (status, alive) == (0, [])


def test_the_files_of_a_running_console_are_for_its_user_only(home, console):
    files = [path for path in home.iterdir() if path.is_file()]
    assert {"console.sqlite3", "redis.log", "emulator.sqlite3"} <= {path.name for path in files}
    assert [path.name for path in (home, *files) if path.stat().st_mode & 0o077] == []


def test_a_second_quickstart_on_the_same_home_is_refused_and_leaves_the_first_alone(home, console):
    address, _, _ = console
    with Quickstart(home, *DEVICES) as second:
        second.process.wait(60)
    assert second.process.returncode != 0
    assert "already running" in second.output
    assert httpx.get(f"{address}/healthz", trust_env=False).status_code == 200


def test_a_given_administrator_password_is_set_and_is_in_no_command_line(run):
    running = run(admin_password="a password of my own")
    address, email, password = running.start()
    parent = psutil.Process(running.process.pid)
    commands = [str(process.cmdline()) for process in (parent, *parent.children(recursive=True))]
    assert len(commands) > 4
    assert "my own" not in "".join(commands)
    assert password == "a password of my own"
    assert sign_in(address, email, password).get("/demo/sandbox/").status_code == 200


def test_without_a_secret_key_other_commands_name_the_missing_setting(tmp_path: Path):
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in {"SECRET_KEY", "FIELD_ENCRYPTION_KEYS", "DJANGO_SETTINGS_MODULE"}
    }
    result = subprocess.run(
        [sys.executable, "manage.py", "migrate"],
        cwd=CHECKOUT,
        env={**environment, "FLEETDESK_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode != 0
    assert "SECRET_KEY is not set" in result.stderr
