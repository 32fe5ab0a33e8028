"""Records the calls that reach the platform, in order. Tests can also change them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest

from console.connections import clients
from console.connections.sending import Sender


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The operations of all calls to the platform, in order."""
    operations: list[str] = []
    send = Sender.send

    def record(self, described, params):
        operations.append(described.name)
        return send(self, described, params)

    monkeypatch.setattr(Sender, "send", record)
    return operations


class RecordedNetwork(httpx.BaseTransport):
    """The network to the emulator. Tests record and change calls with functions `before` and `after` an operation.

    A function in `after` may return another response.
    """

    def __init__(self, emulator: Any) -> None:
        self._under = httpx.WSGITransport(app=emulator)
        self.calls: list[str] = []
        self.before: dict[str, Callable[[], None]] = {}
        self.after: dict[str, Callable[[dict[str, Any]], dict[str, Any] | None]] = {}

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        fields = parse_qs(request.url.query.decode()) | parse_qs(request.content.decode())
        name = fields["Action"][0]
        self.calls.append(name)
        if name in self.before:
            self.before[name]()
        response = self._under.handle_request(request)
        if name not in self.after:
            return response
        content = json.loads(b"".join(response.stream))
        return httpx.Response(response.status_code, json=self.after[name](content) or content)


@pytest.fixture
def network(emulator, monkeypatch):
    """The network to the emulator, which a test can change."""
    network = RecordedNetwork(emulator)
    monkeypatch.setattr(clients, "transport_for", lambda connection: network)
    clients.drop_clients()
    return network


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
