"""The dependency audit of `make lint`: a known vulnerability fails it; without a network it passes with a notice."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.console_process import CHECKOUT

CLEAN_PIP = {"dependencies": [{"name": "django", "version": "5", "vulns": []}]}
CLEAN_NPM = {"vulnerabilities": {}, "metadata": {"dependencies": {"total": 3}}}
VULNERABLE_PIP = {"dependencies": [{"name": "django", "version": "5", "vulns": [{"id": "PYSEC-1"}]}]}
VULNERABLE_NPM = {**CLEAN_NPM, "vulnerabilities": {"htmx.org": {"severity": "high"}}}
SKIPPED = {"dependencies": [{"name": "django", "skip_reason": "not found"}]}


def run_audit(folder: Path, pip: object, npm: object, *options: str) -> subprocess.CompletedProcess[str]:
    """Run the script with tools that print these results."""
    (folder / "pip_audit.py").write_text(f"print({json.dumps(pip)!r})")
    tool = folder / "npm"
    tool.write_text(f"#!{sys.executable}\nprint({json.dumps(npm)!r})\n")
    tool.chmod(0o755)
    environment = {**os.environ, "PYTHONPATH": str(folder), "PATH": f"{folder}:{os.environ['PATH']}"}
    command = [sys.executable, "-m", "scripts.audit_dependencies", *options]
    return subprocess.run(command, cwd=CHECKOUT, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("pip", "npm", "expected"), [(VULNERABLE_PIP, CLEAN_NPM, "PYSEC-1"), (CLEAN_PIP, VULNERABLE_NPM, "htmx")]
)
def test_a_known_vulnerability_fails_the_audit(
    tmp_path: Path, pip: object, npm: object, expected: str
) -> None:
    result = run_audit(tmp_path, pip, npm)
    assert result.returncode == 1
    assert expected in result.stdout


@pytest.mark.parametrize("pip", [SKIPPED, "no response", {}])
def test_the_audit_passes_with_a_notice_if_no_advisory_service_is_reachable(
    tmp_path: Path, pip: object
) -> None:
    result = run_audit(tmp_path, pip, {"message": "unreachable"})
    assert result.returncode == 0, result.stderr
    assert result.stderr.count("NOT CHECKED") == 2


@pytest.mark.parametrize(
    ("pip", "npm"),
    [
        (CLEAN_PIP, {"message": "unreachable"}),
        (SKIPPED, CLEAN_NPM),
        ({"dependencies": [*CLEAN_PIP["dependencies"], *SKIPPED["dependencies"]]}, CLEAN_NPM),
    ],
)
def test_a_strict_audit_fails_if_a_package_cannot_be_checked(
    tmp_path: Path, pip: object, npm: object
) -> None:
    result = run_audit(tmp_path, pip, npm, "--strict")
    assert result.returncode == 1
    assert "NOT CHECKED" in result.stderr
    assert run_audit(tmp_path, pip, npm).returncode == 0
    assert run_audit(tmp_path, CLEAN_PIP, CLEAN_NPM, "--strict").returncode == 0


def test_the_audit_passes_without_a_vulnerability(tmp_path: Path) -> None:
    result = run_audit(tmp_path, CLEAN_PIP, CLEAN_NPM)
    assert (result.returncode, result.stdout.count("0 known")) == (0, 2)
