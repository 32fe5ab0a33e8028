"""A product, and a function to register devices in it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from console.areas.devices import api
from console.areas.products import api as products_api


@pytest.fixture
def product(emulator, org) -> str:
    """The ProductKey of a product without devices."""
    return products_api.create_product(
        org.gateway(), products_api.NewProduct("Harbor_Lamp", thing_model=False)
    )


@pytest.fixture
def register(product, org) -> Callable[..., None]:
    """Return a function that registers devices of the product by name."""

    def make(*names: str, **options: str) -> None:
        gateway = org.gateway()
        for name in names:
            api.register_device(gateway, product, name=name, **options)

    return make
