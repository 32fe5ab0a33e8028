"""A small tree of groups and the devices to put into it."""

from __future__ import annotations

import pytest

from console.connections.gateway import Gateway
from console.groups import api


@pytest.fixture
def tree(emulator, org):
    """Three levels: {"top", "middle", "leaf"} by id."""
    gateway = org.gateway()
    top = api.create_group(gateway, name="Region_North", description="All sites of the north")
    middle = api.create_group(gateway, name="Site_Harbour", parent=top.id)
    leaf = api.create_group(gateway, name="Hall_1", parent=middle.id)
    return {"top": top.id, "middle": middle.id, "leaf": leaf.id}


@pytest.fixture
def product(emulator, org):
    """A product of five lamps, lamp-1 to lamp-5: its key."""
    gateway = org.gateway()
    key = gateway.call("CreateProduct", ProductName="Lamp", NodeType=0)["Data"]["ProductKey"]
    for number in range(1, 6):
        gateway.call("RegisterDevice", ProductKey=key, DeviceName=f"lamp-{number}")
    return str(key)


@pytest.fixture
def calls(monkeypatch):
    """Every upstream call made."""
    made: list[str] = []
    send = Gateway._send

    def counted(self, described, params):
        made.append(described.name)
        return send(self, described, params)

    monkeypatch.setattr(Gateway, "_send", counted)
    return made
