"""Fixtures for over-the-air updates: the IDs of a sample fleet, and a product with devices."""

from __future__ import annotations

import pytest

from console.areas.ota import api


@pytest.fixture
def sample(fleet, org):
    """IDs in the sample fleet: a ready package, an unverified one, a batch with each status, a dynamic and a
    verification batch."""
    gateway = org.gateway()
    ids: dict[str, str] = {}
    for package in api.list_packages(gateway, size=100).packages:
        if package.is_ready and not package.delta:
            ids.setdefault("package", package.id)
            ids.setdefault("product", package.product_key)
        if package.is_verifiable:
            ids.setdefault("unverified", package.id)
        for batch in api.list_batches(gateway, package.id, size=100).batches:
            ids.setdefault(
                "dynamic" if batch.is_dynamic else "verification" if batch.is_verification else batch.status,
                batch.id,
            )
    return ids


@pytest.fixture
def product(lamp_product: str) -> str:
    """The key of a product with five devices, the only one on the platform."""
    return lamp_product


@pytest.fixture
def lamps(emulator, product):
    """The product of the lamps, which have reported version 1.0.0."""
    with emulator.store.write() as db:
        db.execute("DELETE FROM device_modules")
        db.execute(
            "INSERT INTO device_modules (account, instance, iot_id, module, version, reported)"
            " SELECT account, instance, iot_id, 'default', '1.0.0', 0 FROM devices"
        )
    return product
