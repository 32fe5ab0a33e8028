"""The server, and the table that is printed at the end."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.conformance.platform import Server


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """One HTTP server for all the worlds of this process."""
    server = Server()
    yield server
    server.close()


@pytest.fixture(autouse=True)
def _clean_redis() -> None:
    """Nothing here touches the console's own parts."""


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """The table of conformance, from what passed here or in the workers."""
    tried: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for report in terminalreporter.stats.get("passed", []):
        for name, row in report.user_properties:
            if name == "conformance":
                tried.setdefault((row["group"], row["operation"]), []).append(row)
    if not tried:
        return
    terminalreporter.section("conformance: the official SDK against the emulator")
    terminalreporter.write_line(
        f"{'operation':<40} {'schemes':<8} success cases; the codes it was refused with"
    )
    refusals = whole = 0
    for (_, operation), rows in sorted(tried.items()):
        schemes = sorted({row["scheme"] for row in rows})
        says = dict.fromkeys(row["says"] for row in rows)
        terminalreporter.write_line(f"{operation:<40} {'+'.join(schemes):<8} {'; '.join(says)}")
        for kind in ("missing", "bad", "absent"):
            if codes := sorted({code for row in rows for code in row[kind]}):
                terminalreporter.write_line(f"{'':<50}{kind}: {', '.join(codes)}")
            refusals += sum(len(row[kind]) for row in rows)
        whole += len(schemes) == 2
    terminalreporter.write_line(f"{len(tried)} operations, {whole} by both schemes; {refusals} refusals")
