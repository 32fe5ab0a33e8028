"""Fails when a locked package, Python's or npm's, has a known vulnerability; where nobody can be asked, says so and passes.

A machine without the advisories cannot tell good from bad, so it must not stop the work; one that can ask is strict.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
_SECONDS = 120
# npm is where the environment has it, else where `make assets` put it.
_PATH = {"PATH": os.pathsep.join([os.environ.get("PATH", ""), str(Path(sys.executable).parent)])}


def pip() -> int:
    """The lock of what runs in production, against PyPI's advisories."""
    # The hashes pin every package, so nothing is resolved or downloaded; only the advisories are asked for.
    command = ["-m", "pip_audit", "--disable-pip", "--require-hashes", "-r", "requirements/base.txt"]
    answer = _run(
        [sys.executable, *command, "--format", "json", "--progress-spinner", "off", "--timeout", "5"]
    )
    found = _json(answer.stdout)
    if not found:
        return _not_asked("pip-audit", answer.stderr)
    # Where only a mirror of PyPI is reached, which has packages and no advisories, each is skipped.
    asked = [package for package in found["dependencies"] if "skip_reason" not in package]
    if not asked:
        return _not_asked("pip-audit", "the index knows no advisories")
    bad = [f"{package['name']}: {hole['id']}" for package in asked for hole in package["vulns"]]
    return _told("pip-audit", len(asked), bad)


def npm() -> int:
    """The lock of what browsers load, against npm's advisories."""
    answer = _run(["npm", "audit", "--json", "--fetch-retries", "0", "--fetch-timeout", "5000"])
    found = _json(answer.stdout)
    if "metadata" not in found:
        return _not_asked("npm audit", str(found.get("message") or answer.stderr))
    bad = [f"{name}: {hole['severity']}" for name, hole in found["vulnerabilities"].items()]
    return _told("npm audit", found["metadata"]["dependencies"]["total"], bad)


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            command,
            cwd=ROOT,
            env={**os.environ, **_PATH},
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return subprocess.CompletedProcess(command, 1, "", f"{type(error).__name__}: {error}")


def _json(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _not_asked(tool: str, why: str) -> int:
    lines = [line.strip() for line in why.splitlines() if line.strip()]
    print(
        f"{tool}: the advisories cannot be asked here, so nothing was checked ({(lines or ['no answer'])[-1][:160]})"
    )
    return 0


def _told(tool: str, count: int, bad: list[str]) -> int:
    for line in bad:
        print(f"{tool}: {line}")
    print(f"{tool}: {len(bad)} known vulnerabilities in {count} packages")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(max(pip(), npm()))
