"""The dependency audit of `make lint`: it fails for a known vulnerability, and passes with a message if it cannot check."""

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
HOLE_PIP = {"dependencies": [{"name": "django", "version": "5", "vulns": [{"id": "PYSEC-1"}]}]}
HOLE_NPM = {**CLEAN_NPM, "vulnerabilities": {"htmx.org": {"severity": "high"}}}
SKIPPED = {"dependencies": [{"name": "django", "skip_reason": "not found"}]}


def audit(folder: Path, pip: object, npm: object) -> subprocess.CompletedProcess[str]:
    """The script, with tools that answer so."""
    (folder / "pip_audit.py").write_text(f"print({json.dumps(pip)!r})")
    tool = folder / "npm"
    tool.write_text(f"#!{sys.executable}\nprint({json.dumps(npm)!r})\n")
    tool.chmod(0o755)
    environment = {**os.environ, "PYTHONPATH": str(folder), "PATH": f"{folder}:{os.environ['PATH']}"}
    command = [sys.executable, "-m", "scripts.audit_dependencies"]
    return subprocess.run(command, cwd=CHECKOUT, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("pip", "npm", "named"), [(HOLE_PIP, CLEAN_NPM, "PYSEC-1"), (CLEAN_PIP, HOLE_NPM, "htmx")]
)
def test_a_known_vulnerability_fails(tmp_path: Path, pip: object, npm: object, named: str) -> None:
    ended = audit(tmp_path, pip, npm)
    assert ended.returncode == 1
    assert named in ended.stdout


@pytest.mark.parametrize("pip", [SKIPPED, "no answer", {}])
def test_unreachable_advisories_are_reported_and_pass(tmp_path: Path, pip: object) -> None:
    ended = audit(tmp_path, pip, {"message": "unreachable"})
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.count("nothing was checked") == 2


def test_without_vulnerabilities_it_passes(tmp_path: Path) -> None:
    ended = audit(tmp_path, CLEAN_PIP, CLEAN_NPM)
    assert (ended.returncode, ended.stdout.count("0 known")) == (0, 2)
