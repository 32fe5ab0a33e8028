"""What the tests of all areas share: the calls that the console made."""

from __future__ import annotations

import pytest

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
