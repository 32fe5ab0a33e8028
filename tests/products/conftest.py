"""A product to work on, and a count of the calls that pages make."""

from __future__ import annotations

import pytest

from console.connections.gateway import Gateway
from console.products import api


@pytest.fixture
def product(emulator, org) -> str:
    """The key of an unpublished product without devices."""
    return api.create_product(
        org.gateway(),
        {
            "ProductName": "Harbour_Lamp",
            "NodeType": 0,
            "AliyunCommodityCode": "iothub_senior",
            "DataFormat": 1,
        },
    )


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
