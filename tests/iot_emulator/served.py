"""An emulator that is a process."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def start_emulator(
    folder: Path, *arguments: str, **environment: str
) -> tuple[subprocess.Popen[str], str, list[str]]:
    """Start an emulator; return its process, its URL, and the lines that it printed."""
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "iot_emulator",
            "--port",
            "0",
            "--database",
            str(folder / "e.sqlite3"),
            *arguments,
        ],
        cwd=ROOT,
        env={**os.environ, "PYTHONUNBUFFERED": "1", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line.strip())
        match = re.fullmatch(r"Emulator listening on (http://\S+)", line.strip())
        if match:
            return process, match[1], lines
    raise AssertionError("\n".join(lines))


def stop_emulator(process: subprocess.Popen[str], how: int = signal.SIGTERM) -> int:
    process.send_signal(how)
    try:
        return process.wait(timeout=15)
    finally:
        process.kill()
