"""Products that the tests of several parts use. A folder with other needs has its own `product`."""

from __future__ import annotations

import pytest


@pytest.fixture
def meter_product(org, emulator):
    """The ProductKey of a product without devices."""
    response = org.gateway().call("CreateProduct", ProductName="Meters", NodeType=0)
    return response["Data"]["ProductKey"]


@pytest.fixture
def lamp_product(emulator, org):
    """The ProductKey of a product with five devices, lamp-1 to lamp-5."""
    gateway = org.gateway()
    key = gateway.call("CreateProduct", ProductName="Lamp", NodeType=0)["Data"]["ProductKey"]
    for number in range(1, 6):
        gateway.call("RegisterDevice", ProductKey=key, DeviceName=f"lamp-{number}")
    return str(key)
