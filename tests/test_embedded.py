"""The folders of the embedded state: other users of the machine can neither read nor change what is in them."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from console import embedded
from tests.console_process import CHECKOUT

LONG = "x" * 120


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_home_that_others_could_read_becomes_private_with_its_files(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o755)
    (home / "console.sqlite3").touch(mode=0o644)
    (home / "redis.log").touch(mode=0o644)
    assert embedded.home({"FLEETDESK_HOME": str(home)}) == home
    assert [mode(path) for path in (home, home / "console.sqlite3", home / "redis.log")] == [
        0o700,
        0o600,
        0o600,
    ]


@pytest.mark.parametrize("bits", [0o777, 0o770, 0o1777])
def test_a_home_that_others_can_write_to_is_refused_and_not_changed(tmp_path: Path, bits: int) -> None:
    home = tmp_path / "home"
    home.mkdir()
    home.chmod(bits)
    with pytest.raises(embedded.UnsafeFolder, match="chmod 700"):
        embedded.home({"FLEETDESK_HOME": str(home)})
    assert mode(home) == bits


def test_a_home_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    user = os.getuid()
    monkeypatch.setattr(os, "getuid", lambda: user + 1)
    with pytest.raises(embedded.UnsafeFolder, match="another user"):
        embedded.home({"FLEETDESK_HOME": str(tmp_path)})


def test_a_planted_folder_for_the_socket_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    planted = tmp_path / f"fleetdesk-{os.getuid()}"
    planted.mkdir()
    planted.chmod(0o777)
    with pytest.raises(embedded.UnsafeFolder):
        embedded.redis_socket(tmp_path / LONG)
    planted.rmdir()
    planted.symlink_to(tmp_path)
    with pytest.raises(embedded.UnsafeFolder):
        embedded.redis_socket(tmp_path / LONG)
    planted.unlink()
    assert mode(embedded.redis_socket(tmp_path / LONG).parent) == 0o700


@pytest.mark.parametrize("command", ["quickstart", "check"])
def test_commands_name_a_folder_that_they_refuse(tmp_path: Path, command: str) -> None:
    tmp_path.chmod(0o777)
    result = subprocess.run(
        [sys.executable, "manage.py", command],
        cwd=CHECKOUT,
        env={**os.environ, "FLEETDESK_HOME": str(tmp_path), "DJANGO_SETTINGS_MODULE": "console.settings"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode != 0
    assert f"chmod 700 {tmp_path}" in result.stderr
