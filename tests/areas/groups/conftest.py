"""A tree of groups, and a product with devices."""

from __future__ import annotations

import pytest

from console.areas.groups import api


@pytest.fixture
def tree(emulator, org):
    """The IDs of three nested groups: {"top": …, "middle": …, "leaf": …}."""
    gateway = org.gateway()
    top = api.create_group(gateway, name="Region_North", description="All sites of the north")
    middle = api.create_group(gateway, name="Site_Harbor", parent=top.id)
    leaf = api.create_group(gateway, name="Hall_1", parent=middle.id)
    return {"top": top.id, "middle": middle.id, "leaf": leaf.id}


@pytest.fixture
def product(lamp_product: str) -> str:
    """The key of a product with five devices, lamp-1 to lamp-5."""
    return lamp_product
