"""A transport that records every call that reaches the platform."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest

from console.connections import clients


class RecordingTransport(httpx.BaseTransport):
    """Forwards calls and records the names of their operations."""

    def __init__(self, inner: httpx.BaseTransport) -> None:
        self.inner = inner
        self.operations: list[str] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        fields = parse_qs(request.url.query.decode()) | parse_qs(request.content.decode())
        self.operations.append(fields["Action"][0])
        return self.inner.handle_request(request)

    def count(self, operation: str) -> int:
        """The number of calls of the operation."""
        return self.operations.count(operation)


@pytest.fixture
def upstream(emulator: Any, monkeypatch: pytest.MonkeyPatch) -> RecordingTransport:
    """The platform, behind a transport that records its calls."""
    transport = RecordingTransport(httpx.WSGITransport(app=emulator))
    monkeypatch.setattr(clients, "transport_for", lambda connection: transport)
    return transport
