"""Jobs that run without workers, and a product to register devices in."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _no_wake_messages(no_wake_messages: None) -> None:
    """The tests run the steps themselves."""


@pytest.fixture
def product(meter_product: str) -> str:
    """The ProductKey of a product without devices."""
    return meter_product
