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
    """The network to the emulator. `calls` has the operations of all calls, in order.

    A test can change calls with functions `before` and `after` an operation. A function in `after` may return another response.
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
def network(emulator: Any, monkeypatch: pytest.MonkeyPatch) -> RecordedNetwork:
    """The network to the emulator, which records its calls and which a test can change."""
    network = RecordedNetwork(emulator)
    monkeypatch.setattr(clients, "transport_for", lambda connection: network)
    clients.drop_clients()
    return network
