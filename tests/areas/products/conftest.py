"""Fixtures for products: a product, and the API calls made."""

from __future__ import annotations

import pytest

from console.areas.products import api
from console.connections.sending import Sender


@pytest.fixture
def product(emulator, org) -> str:
    """The key of an unpublished product without devices."""
    return api.create_product(org.gateway(), api.NewProduct("Harbor_Lamp", data_format=1))


@pytest.fixture
def calls(monkeypatch) -> list[str]:
    """The operations of all calls to the platform."""
    operations: list[str] = []
    send = Sender.send

    def record(self, described, params):
        operations.append(described.name)
        return send(self, described, params)

    monkeypatch.setattr(Sender, "send", record)
    return operations
