"""What the tests of the gateway watch: every call that reaches the platform."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest

from console.connections import clients


class Watched(httpx.BaseTransport):
    """Passes calls on and keeps the names of their operations."""

    def __init__(self, under: httpx.BaseTransport) -> None:
        self.under = under
        self.operations: list[str] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        fields = parse_qs(request.url.query.decode()) | parse_qs(request.content.decode())
        self.operations.append(fields["Action"][0])
        return self.under.handle_request(request)

    def count(self, operation: str) -> int:
        """How often the operation was called."""
        return self.operations.count(operation)


@pytest.fixture
def upstream(emulator: Any, monkeypatch: pytest.MonkeyPatch) -> Watched:
    """The platform, watched."""
    watched = Watched(httpx.WSGITransport(app=emulator))
    monkeypatch.setattr(clients, "transport_for", lambda connection: watched)
    return watched
