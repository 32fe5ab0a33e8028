"""The products that a job can be about. Only here does this room name operations and fields."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from console.cloud.answers import dig, name_in
from console.connections.gateway import Gateway


@dataclass(frozen=True)
class Product:
    """A product that devices can be registered in."""

    key: str
    name: str
    devices: int


def products(gateway: Gateway, most_calls: int = 3) -> Iterator[Product]:
    """The products to choose from, newest first. QueryProductList, 200 a call; of more than 600 the first."""
    for number, page in enumerate(gateway.read_pages("QueryProductList", PageSize=200), start=1):
        for item in dig(page, "Data.List.ProductInfo[]"):
            yield Product(
                name_in(item, "ProductKey"),
                str(item.get("ProductName", "")),
                int(item.get("DeviceCount") or 0),
            )
        if number >= most_calls:
            return


def product(gateway: Gateway, key: str) -> Product:
    """One product. QueryProduct. Raises CloudError."""
    data = gateway.call("QueryProduct", ProductKey=key)["Data"]
    return Product(
        name_in(data, "ProductKey"), str(data.get("ProductName", "")), int(data.get("DeviceCount") or 0)
    )
