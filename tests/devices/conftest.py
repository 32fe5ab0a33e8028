"""A product with a few devices, and a count of the calls that pages make."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from console.connections.gateway import Gateway
from console.devices import api
from console.products import api as products_api


@pytest.fixture
def product(emulator, org) -> str:
    """The key of a product without devices."""
    return products_api.create_product(org.gateway(), {"ProductName": "Harbour_Lamp", "NodeType": 0})


@pytest.fixture
def register(product, org) -> Callable[..., None]:
    """Registers devices of the product by name."""

    def make(*names: str, **options: str) -> None:
        gateway = org.gateway()
        for name in names:
            api.register_device(gateway, product, name=name, **options)

    return make


@pytest.fixture
def calls(monkeypatch) -> list[str]:
    """Every upstream call made, by operation."""
    made: list[str] = []
    send = Gateway._send

    def counted(self, described, params):
        made.append(described.name)
        return send(self, described, params)

    monkeypatch.setattr(Gateway, "_send", counted)
    return made
