"""Checks the locked Python and npm packages for known vulnerabilities, and fails if there are any.

If the advisories cannot be reached, the script says so on the standard error and passes, so that it does not block work on an
offline machine. With `--strict` it fails: use that where a release is checked.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from argparse import ArgumentParser
from enum import IntEnum
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
_SECONDS = 120
# npm is on the PATH, or where `make assets` installed it.
_PATH = {"PATH": os.pathsep.join([os.environ.get("PATH", ""), str(Path(sys.executable).parent)])}


class Result(IntEnum):
    CLEAN, UNCHECKED, VULNERABLE = range(3)


def audit_pip() -> Result:
    """Check the production lock against PyPI's advisories."""
    # The hashes pin every package, so nothing is resolved or downloaded. Only the advisories are requested.
    command = ["-m", "pip_audit", "--disable-pip", "--require-hashes", "-r", "requirements/base.txt"]
    process = _run(
        [sys.executable, *command, "--format", "json", "--progress-spinner", "off", "--timeout", "5"]
    )
    report = _json(process.stdout)
    if not report:
        return _report_unavailable("pip-audit", process.stderr)
    # A mirror of PyPI may have packages but no advisories: then each package is skipped.
    checked = [package for package in report["dependencies"] if "skip_reason" not in package]
    if not checked:
        return _report_unavailable("pip-audit", "the index has no advisories")
    findings = [
        f"{package['name']}: {vulnerability['id']}"
        for package in checked
        for vulnerability in package["vulns"]
    ]
    result = _report("pip-audit", len(checked), findings)
    skipped = [package["name"] for package in report["dependencies"] if "skip_reason" in package]
    if skipped:
        result = max(result, _report_unavailable("pip-audit", "no advisories for " + ", ".join(skipped)))
    return result


def audit_npm() -> Result:
    """Check the npm lock against npm's advisories."""
    result = _run(["npm", "audit", "--json", "--fetch-retries", "0", "--fetch-timeout", "5000"])
    report = _json(result.stdout)
    if "metadata" not in report:
        return _report_unavailable("npm audit", str(report.get("message") or result.stderr))
    findings = [
        f"{name}: {vulnerability['severity']}" for name, vulnerability in report["vulnerabilities"].items()
    ]
    return _report("npm audit", report["metadata"]["dependencies"]["total"], findings)


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
        value = json.loads(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _report_unavailable(tool: str, why: str) -> Result:
    lines = [line.strip() for line in why.splitlines() if line.strip()]
    reason = (lines or ["no response"])[-1][:160]
    print(
        "*" * 100,
        f"{tool}: NOT CHECKED. The advisories cannot be reached: {reason}",
        "The packages may have known vulnerabilities. Run `make lint STRICT=1` on a machine with access before a release.",
        "*" * 100,
        sep="\n",
        file=sys.stderr,
    )
    return Result.UNCHECKED


def _report(tool: str, count: int, findings: list[str]) -> Result:
    for line in findings:
        print(f"{tool}: {line}")
    print(f"{tool}: {len(findings)} known vulnerabilities in {count} packages")
    return Result.VULNERABLE if findings else Result.CLEAN


def main() -> int:
    parser = ArgumentParser(description="Checks the locked packages for known vulnerabilities.")
    parser.add_argument(
        "--strict",
        action="store_true",
        help="fail if a package cannot be checked, not only if it is vulnerable",
    )
    options = parser.parse_args()
    result = max(audit_pip(), audit_npm())
    return int(result > (Result.CLEAN if options.strict else Result.UNCHECKED))


if __name__ == "__main__":
    sys.exit(main())
