"""A product."""

from __future__ import annotations

import pytest

from console.areas.products import api


@pytest.fixture
def product(emulator, org) -> str:
    """The key of an unpublished product without devices."""
    return api.create_product(org.gateway(), api.NewProduct("Harbor_Lamp", data_format=1))
