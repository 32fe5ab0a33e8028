"""The HTTP server, and the summary that is printed at the end."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.conformance.platform import Server


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """One HTTP server for all platforms of this process."""
    server = Server()
    yield server
    server.close()


@pytest.fixture(autouse=True)
def _clean_redis() -> None:
    """These tests do not use Redis."""


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print the summary of all passed rows, including those of the workers."""
    operations: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for report in terminalreporter.stats.get("passed", []):
        for name, row in report.user_properties:
            if name == "conformance":
                operations.setdefault((row["group"], row["operation"]), []).append(row)
    if not operations:
        return
    terminalreporter.section("conformance: the official SDK against the emulator")
    terminalreporter.write_line(f"{'operation':<40} {'schemes':<8} results; error codes of refused calls")
    refusals = complete = 0
    for (_, operation), rows in sorted(operations.items()):
        schemes = sorted({row["scheme"] for row in rows})
        results = dict.fromkeys(row["result"] for row in rows)
        terminalreporter.write_line(f"{operation:<40} {'+'.join(schemes):<8} {'; '.join(results)}")
        for kind in ("missing", "invalid", "not_found"):
            if codes := sorted({code for row in rows for code in row[kind]}):
                terminalreporter.write_line(f"{'':<50}{kind}: {', '.join(codes)}")
            refusals += sum(len(row[kind]) for row in rows)
        complete += len(schemes) == 2
    terminalreporter.write_line(
        f"{len(operations)} operations, {complete} with both schemes; {refusals} refused calls"
    )
