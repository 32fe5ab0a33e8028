"""Fixtures for topics: a product with activated devices, and their topics."""

from __future__ import annotations

import pytest

from console.areas.messaging import api
from console.areas.products import api as products_api


@pytest.fixture
def product(emulator, org) -> str:
    """The key of a product with the devices lamp-1 to lamp-3, which were activated, and lamp-4, which was not."""
    return create_product(emulator, org, "Lamp")


@pytest.fixture
def other_product(emulator, org) -> str:
    """The key of another product with the same devices."""
    return create_product(emulator, org, "Meter")


def create_product(emulator, org, name: str) -> str:
    key = products_api.create_product(org.gateway(), products_api.NewProduct(name + "_1", thing_model=False))
    for number in range(1, 5):
        org.gateway().call("RegisterDevice", ProductKey=key, DeviceName=f"lamp-{number}")
    with emulator.store.write() as db:
        db.execute(
            "UPDATE devices SET activated = 1790000000000 WHERE product_key = ? AND name <> 'lamp-4'", (key,)
        )
    return key


@pytest.fixture
def topic(product):
    """A function that returns the topic of a device of the product: `topic(1)`, `topic(2, "get")`."""

    def build(number: int, short_name: str = "update", key: str = "") -> str:
        return f"/{key or product}/lamp-{number}/user/{short_name}"

    return build


@pytest.fixture
def add_categories(emulator, product):
    """A function that gives the product so many further topic categories, t0, t1 and so on. CreateProductTopic would take a second
    for each."""

    def add(count: int) -> None:
        with emulator.store.write() as db:
            db.executemany(
                "INSERT INTO topic_categories (product_key, short_name, operation) VALUES (?, ?, '1')",
                [(product, f"t{number}") for number in range(count)],
            )

    return add


@pytest.fixture
def read_names(org, product):
    """A function that returns the short names of the topic categories of the product, in order."""
    return lambda: [
        category.short_name for category in api.list_categories(org.gateway(), product, fresh=True)
    ]


@pytest.fixture
def read_routes(org):
    """A function that returns the target topics and the source topics of a topic."""

    def read(text: str) -> tuple[list[str], list[str]]:
        targets, sources = api.list_routes(org.gateway(), text)
        return [route.target for route in targets], [route.source for route in sources]

    return read
