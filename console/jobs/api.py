"""The products of registrations. The only module of this package that uses names of operations and fields."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from console.connections.gateway import Gateway
from iot_client.responses import read_name, read_path


@dataclass(frozen=True)
class Product:
    """A product in which devices can be registered."""

    key: str
    name: str
    devices: int


def list_products(gateway: Gateway, max_calls: int = 3) -> Iterator[Product]:
    """Yield the products to choose from, newest first: the first 600 (QueryProductList, 200 per call). Raises CloudError."""
    for number, page in enumerate(gateway.read_pages("QueryProductList", PageSize=200), start=1):
        for item in read_path(page, "Data.List.ProductInfo[]"):
            yield Product(
                read_name(item, "ProductKey"),
                str(item.get("ProductName", "")),
                int(item.get("DeviceCount") or 0),
            )
        if number >= max_calls:
            return


def get_product(gateway: Gateway, key: str) -> Product:
    """Return one product (QueryProduct). Raises CloudError."""
    data = gateway.call("QueryProduct", ProductKey=key)["Data"]
    return Product(
        read_name(data, "ProductKey"), str(data.get("ProductName", "")), int(data.get("DeviceCount") or 0)
    )
