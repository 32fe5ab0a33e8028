"""Typed calls for products. Every function takes the gateway of the acting user. Only this module makes calls; `records`
reads the objects in their responses.

Every function raises PermissionRefused and the CloudError family. Times are aware.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from django.utils.translation import gettext

from console.areas.products.records import (
    DEVELOPING,
    PUBLISHED,
    Category,
    Deduplication,
    DeduplicationChange,
    NewProduct,
    Overview,
    Product,
    ProductDetail,
    ProductFilter,
    ProductPage,
    parse_tag,
    to_categories,
    to_counts,
    to_detail,
    to_keys,
    to_products,
    to_tags,
)
from console.audit.models import AuditRecord
from console.audit.search import find_last_record
from console.connections.gateway import Call, Gateway
from console.device_counts.counts import DeviceCounts
from console.pages.tags import Tag
from iot_client.errors import CloudError, NotFound
from iot_client.fields import read_count, read_integer, read_items
from iot_client.paging import Page, Position

__all__ = [
    "DEVELOPING",
    "PUBLISHED",
    "Category",
    "Deduplication",
    "DeduplicationChange",
    "NewProduct",
    "Overview",
    "Product",
    "ProductDetail",
    "ProductFilter",
    "ProductPage",
    "parse_tag",
]

MAX_PAGE_SIZE = 200
"""Maximum number of products in one response (QueryProductList)."""
MAX_TAGGED_PAGE_SIZE = 50
"""Maximum number of products in one response of ListProductByTags."""
MAX_SEARCH_PAGES = 4
"""Maximum number of pages read to search or sort; the platform can do neither."""
MAX_TAGS = 100
"""Maximum number of tags of a product (CreateProductTags)."""
MAX_FILTER_TAGS = 10
"""Maximum number of tags in a filter. The platform states none for ListProductByTags, but 10 for a call with tags elsewhere."""
MAX_DETAILS = 100
"""Maximum number of names in one call of BatchQueryDeviceDetail, which allows 5 calls per second."""
_TAG_KEY = re.compile(r"[A-Za-z0-9.]{1,30}")
_TAG_VALUE = re.compile(r"[\w-]{0,128}")


Problem = tuple[str, str]
"""The name of a value, and what is wrong with it."""


class Sort(StrEnum):
    """The columns by which a product list can be sorted."""

    NAME = "name"
    DEVICES = "devices"
    CREATED = "created"


# -- reading -----------------------------------------------------------------------------------------------------------


def list_products(
    gateway: Gateway,
    product_filter: ProductFilter | None = None,
    *,
    sort: str = "",
    page: int = 1,
    size: int = 25,
    fresh: bool = False,
) -> ProductPage:
    """Return a page of products, newest first, or sorted by `sort` ("name", "-devices", "created").

    QueryProductList cannot search, sort or filter by tags. To do so, the console reads up to 800 products (1 call per 200
    products, at most 4 calls) and ignores the rest; `is_partial` of the result is then true. Tags take further calls: 1 per
    50 products that have one of them.
    """
    product_filter = product_filter or ProductFilter()
    if not product_filter.needs_search and not sort:
        response = gateway.call(
            "QueryProductList",
            fresh=fresh,
            CurrentPage=page,
            PageSize=size,
            **_platform_filter(product_filter),
        )
        data = response.get("Data") or {}
        total = read_count(data.get("Total"))
        return ProductPage(to_products(response), total, total, total)
    products, product_count = _read_newest(gateway, product_filter, fresh)
    matches = list(filter(_build_match(gateway, product_filter), products))
    if sort:
        matches.sort(key=_ORDERS[Sort(sort.removeprefix("-"))], reverse=sort.startswith("-"))
    return ProductPage(matches[(page - 1) * size : page * size], len(matches), len(products), product_count)


def _read_newest(gateway: Gateway, product_filter: ProductFilter, fresh: bool) -> tuple[list[Product], int]:
    """Return the newest products, up to the limit of a search, and the number of all products."""
    params = {"PageSize": MAX_PAGE_SIZE, **_platform_filter(product_filter)}
    first = gateway.call("QueryProductList", fresh=fresh, CurrentPage=1, **params)
    product_count = read_count((first.get("Data") or {}).get("Total"))
    products = to_products(first)
    pages = min(MAX_SEARCH_PAGES, -(-product_count // MAX_PAGE_SIZE))
    if pages > 1:
        calls = [Call("QueryProductList", {"CurrentPage": page, **params}) for page in range(2, pages + 1)]
        for response in gateway.gather(calls, fresh=fresh):
            if isinstance(response, CloudError):
                raise response
            products += to_products(response)
    return products, product_count


def iterate_products(gateway: Gateway, product_filter: ProductFilter | None = None) -> Iterator[Product]:
    """Yield all products that match, newest first. Pages are read as needed."""
    for page in read_product_pages(gateway, product_filter or ProductFilter()):
        yield from page.content


def read_product_pages(
    gateway: Gateway, product_filter: ProductFilter, start: Position | None = None
) -> Iterator[Page[Sequence[Product]]]:
    """Yield the products that match, newest first, for each page of the platform, from `start` on."""
    matches = _build_match(gateway, product_filter)
    for page in gateway.read_pages(
        "QueryProductList", start=start, PageSize=MAX_PAGE_SIZE, **_platform_filter(product_filter)
    ):
        yield Page(list(filter(matches, to_products(page.content))), page.following)


def _build_match(gateway: Gateway, product_filter: ProductFilter) -> Callable[[Product], bool]:
    """Return whether a product matches the filter, as a function. Reads which products have the tags of the filter."""
    if not product_filter.tags:
        return product_filter.matches
    pages = gateway.read_pages(
        "ListProductByTags",
        PageSize=MAX_TAGGED_PAGE_SIZE,
        ProductTag=[_filter_parameter(tag) for tag in product_filter.tags],
    )
    tagged = frozenset(key for page in pages for key in to_keys(page.content))
    return lambda product: product.key in tagged and product_filter.matches(product)


def check_tags(tags: Sequence[Tag]) -> list[Problem]:
    """Check the tags of a filter. A tag without a value is complete. The name is `tags`."""
    if len(tags) > MAX_FILTER_TAGS:
        return [("tags", gettext("Enter up to 10 tags."))]
    for tag in tags:
        if not _TAG_KEY.fullmatch(tag.key) or not _TAG_VALUE.fullmatch(tag.value):
            text = gettext(
                "“%(tag)s” cannot be a tag. Enter a key (letters, digits, periods), or key=value (value: letters, digits, - _)."
            )
            return [("tags", text % {"tag": f"{tag.key}={tag.value}" if tag.value else tag.key})]
    return []


def list_newest_products(gateway: Gateway) -> list[Product]:
    """Return the newest 200 products, for selection lists. 1 call."""
    return to_products(gateway.call("QueryProductList", CurrentPage=1, PageSize=MAX_PAGE_SIZE))


def get_product(gateway: Gateway, key: str, *, fresh: bool = False) -> ProductDetail:
    """Return a product. Raises NotFound."""
    return to_detail(gateway.call("QueryProduct", fresh=fresh, ProductKey=key))


def get_overview(gateway: Gateway, key: str) -> Overview:
    """Return a product with its counts and tags. 3 calls in parallel. Raises only the errors of QueryProduct."""
    product, counts, tags = gateway.gather(
        [
            Call("QueryProduct", {"ProductKey": key}),
            Call("QueryDeviceStatistics", {"ProductKey": key}),
            Call("ListProductTags", {"ProductKey": key}),
        ]
    )
    if isinstance(product, CloudError):
        raise product
    return Overview(
        to_detail(product),
        counts if isinstance(counts, CloudError) else to_counts(counts),
        tags if isinstance(tags, CloudError) else to_tags(tags),
    )


def count_devices(gateway: Gateway, limit: int) -> dict[str, DeviceCounts]:
    """Return the device counts of products by ProductKey: of those with the most devices, up to `limit`.

    Up to 4 calls for the list (see `list_products`), and 1 for each product with devices. Products that could not be counted are
    left out.
    """
    products, _product_count = _read_newest(gateway, ProductFilter(), fresh=True)
    largest = sorted(products, key=lambda product: product.devices, reverse=True)[:limit]
    counts = {product.key: DeviceCounts(0, 0, 0) for product in largest if not product.devices}
    keys = [product.key for product in largest if product.devices]
    responses = gateway.gather([Call("QueryDeviceStatistics", {"ProductKey": key}) for key in keys])
    for key, response in zip(keys, responses, strict=True):
        if not isinstance(response, CloudError):
            counts[key] = to_counts(response)
    return counts


def find_devices(gateway: Gateway, key: str, names: Sequence[str]) -> set[str]:
    """Return which of these names are devices of a product. 1 call for each MAX_DETAILS names. Raises NotFound for an unknown product."""
    parts = [list(names[start : start + MAX_DETAILS]) for start in range(0, len(names), MAX_DETAILS)]
    calls = [Call("BatchQueryDeviceDetail", {"ProductKey": key, "DeviceName": part}) for part in parts]
    existing: set[str] = set()
    for response in gateway.gather(calls, fresh=True):
        if isinstance(response, NotFound) and not response.code.startswith("iot.prod."):
            continue  # the response of some accounts when none of the names exists
        if isinstance(response, CloudError):
            raise response
        existing |= {str(item.get("DeviceName")) for item in read_items(response.get("Data"), "Data")}
    return existing


def find_device_count(gateway: Gateway, key: Any, instance_id: Any = None) -> int | None:
    """Return the present number of devices of a product; None if the role cannot read it, or the response has none.

    `instance_id`: the instance of a call, if it is not that of the connection.
    """
    if not gateway.allows("QueryDeviceStatistics"):
        return None
    query: dict[str, Any] = {"ProductKey": key, "IotInstanceId": instance_id}
    response = gateway.call("QueryDeviceStatistics", fresh=True, **query)
    return read_integer((response.get("Data") or {}).get("deviceCount"))


def get_product_with_tags(
    gateway: Gateway, key: str, *, fresh: bool = False
) -> tuple[ProductDetail, list[Tag]]:
    """Return a product and its tags. 2 calls in parallel."""
    product, tags = _read_with_product(gateway, "ListProductTags", key, fresh)
    return to_detail(product), to_tags(tags)


def _read_with_product(
    gateway: Gateway, other: str, key: str, fresh: bool
) -> tuple[dict[str, Any], dict[str, Any]]:
    responses = gateway.gather(
        [Call("QueryProduct", {"ProductKey": key}), Call(other, {"ProductKey": key})], fresh=fresh
    )
    first, second = responses
    if isinstance(first, CloudError):
        raise first
    if isinstance(second, CloudError):
        raise second
    return first, second


def list_tags(gateway: Gateway, key: str, *, fresh: bool = False) -> list[Tag]:
    """Return the tags of a product, sorted by key."""
    return to_tags(gateway.call("ListProductTags", fresh=fresh, ProductKey=key))


def find_last_deduplication(gateway: Gateway, key: str) -> DeduplicationChange | None:
    """Return the last change of the deduplication rules in the team's audit trail; None if it has none. Makes no call.

    No operation returns the rules. Changes with other tools are not in the audit trail.
    """
    record = find_last_record(gateway.membership.team, "UpdateProductFilterConfig", key)
    if record is None:
        return None
    is_done = record.outcome == AuditRecord.Outcome.DONE
    return DeduplicationChange(Deduplication.from_params(record.parameters) if is_done else None, record.at)


def reveal_secret(gateway: Gateway, key: str) -> str:
    """Return the ProductSecret. The audit trail records this; it requires the level "secret"."""
    response = gateway.call("QueryProduct", target=key, reveal=True, fresh=True, ProductKey=key)
    return str((response.get("Data") or {}).get("ProductSecret") or "")


# -- changing ----------------------------------------------------------------------------------------------------------


def find_categories(gateway: Gateway, text: str) -> list[Category]:
    """Return the standard categories whose name or key contains `text`, by name."""
    wanted = text.casefold()
    categories = to_categories(gateway.call("ListThingTemplates"))
    found = [each for each in categories if wanted in each.name.casefold() or wanted in each.key.casefold()]
    return sorted(found, key=lambda each: each.name.casefold())


def create_product(gateway: Gateway, product: NewProduct) -> str:
    """Create a product. Returns its ProductKey."""
    response = gateway.call("CreateProduct", target=product.name, **product.params())
    return str(response.get("ProductKey") or (response.get("Data") or {}).get("ProductKey") or "")


def update_product(
    gateway: Gateway, key: str, *, name: str, description: str, current: ProductDetail | None = None
) -> None:
    """Change name and description of a product (UpdateProduct changes nothing else). An empty description removes the old one.

    `current` is the product before the change, for the audit trail. Without it, the product is read first.
    """
    now = (current or get_product(gateway, key, fresh=True)).product
    before = {"ProductName": now.name, "Description": now.description}
    gateway.call(
        "UpdateProduct", target=key, before=before, ProductKey=key, ProductName=name, Description=description
    )


def publish_product(gateway: Gateway, key: str) -> None:
    """Publish a product. The thing model of a published product cannot be edited."""
    gateway.call("ReleaseProduct", target=key, ProductKey=key)


def unpublish_product(gateway: Gateway, key: str) -> None:
    gateway.call("CancelReleaseProduct", target=key, ProductKey=key)


def publish_products(
    gateway: Gateway, keys: Sequence[str], *, unpublish: bool = False
) -> list[CloudError | None]:
    """Publish or unpublish several products. Returns one entry per product: None, or the error."""
    name = "CancelReleaseProduct" if unpublish else "ReleaseProduct"
    responses = gateway.call_each(name, [{"ProductKey": key} for key in keys])
    return [response if isinstance(response, CloudError) else None for response in responses]


def delete_product(gateway: Gateway, key: str) -> None:
    """Permanently delete a product. The platform refuses while it has devices or is published."""
    gateway.call("DeleteProduct", target=key, ProductKey=key)


def set_tag(gateway: Gateway, key: str, tag: Tag) -> bool:
    """Add a tag, or change its value if the key exists. Returns whether it was added.

    The platform has one operation for each case, so the tags are read first.
    """
    before = [_tag_parameter(other) for other in list_tags(gateway, key, fresh=True) if other.key == tag.key]
    operation = "UpdateProductTags" if before else "CreateProductTags"
    gateway.call(
        operation, target=key, before={"ProductTag": before}, ProductKey=key, ProductTag=[_tag_parameter(tag)]
    )
    return not before


def remove_tag(gateway: Gateway, key: str, tag_key: str) -> None:
    """Remove a tag from a product."""
    before = [_tag_parameter(tag) for tag in list_tags(gateway, key, fresh=True) if tag.key == tag_key]
    gateway.call(
        "DeleteProductTags",
        target=key,
        before={"ProductTag": before},
        ProductKey=key,
        ProductTagKey=[tag_key],
    )


def set_deduplication(gateway: Gateway, key: str, rules: Deduplication) -> None:
    """Set which property reports of the devices of a product are not forwarded."""
    gateway.call("UpdateProductFilterConfig", target=key, ProductKey=key, **rules.params())


def _tag_parameter(tag: Tag) -> dict[str, str]:
    return {"TagKey": tag.key, "TagValue": tag.value}


def _filter_parameter(tag: Tag) -> dict[str, str]:
    return _tag_parameter(tag) if tag.value else {"TagKey": tag.key}


# -- requests and responses --------------------------------------------------------------------------------------------


_ORDERS: Mapping[Sort, Callable[[Product], Any]] = {
    Sort.NAME: lambda product: product.name.casefold(),
    Sort.DEVICES: lambda product: product.devices,
    Sort.CREATED: lambda product: product.created or datetime.min.replace(tzinfo=UTC),
}


def _platform_filter(product_filter: ProductFilter) -> dict[str, Any]:
    """Return the part of the filter that the platform supports, as parameters."""
    if product_filter.thing_model is None:
        return {}
    return {"AliyunCommodityCode": "iothub_senior" if product_filter.thing_model else "iothub"}
