"""Typed calls for products. Every function takes the gateway of the acting user. Only this module names operations and fields.

Every function raises PermissionRefused and the CloudError family. Times are aware.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from console.connections.gateway import Call, Gateway
from console.pages.tags import Tag
from iot_client.errors import CloudError
from iot_client.fields import read_count, read_text, read_time
from iot_client.responses import read_name

MAX_PAGE_SIZE = 200
"""Maximum number of products in one response (QueryProductList)."""
MAX_SEARCH_PAGES = 4
"""Maximum number of pages read to search or sort; the platform can do neither."""
MAX_TAGS = 100
"""Maximum number of tags of a product (CreateProductTags)."""
DEVELOPING, PUBLISHED = "DEVELOPMENT_STATUS", "RELEASE_STATUS"


class Sort(StrEnum):
    """The columns by which a product list can be sorted."""

    NAME = "name"
    DEVICES = "devices"
    CREATED = "created"


@dataclass(frozen=True, slots=True)
class Product:
    """A product in a list. `data_format` is None for a product without a thing model."""

    key: str
    name: str
    gateway: bool
    data_format: int | None
    auth_type: str
    description: str
    devices: int
    created: datetime | None

    @property
    def node_type(self) -> str:
        """The node type: "gateway" or "device"."""
        return "gateway" if self.gateway else "device"


@dataclass(frozen=True, slots=True)
class ProductDetail:
    """A product as QueryProduct returns it. `net_type` and `validate_type` are the platform's numbers, as strings."""

    product: Product
    status: str
    thing_model: bool
    category_key: str
    category_name: str
    net_type: str
    protocol: str
    validate_type: str
    id2: bool
    owned: bool
    has_secret: bool

    @property
    def is_published(self) -> bool:
        """Whether it is published. The thing model of a published product is fixed, and the product cannot be deleted."""
        return self.status == PUBLISHED


@dataclass(frozen=True, slots=True)
class DeviceCounts:
    """The numbers of devices: all, activated (ever connected), and online now."""

    total: int
    activated: int
    online: int

    @property
    def never_connected(self) -> int:
        """The number of devices that never connected."""
        return max(0, self.total - self.activated)


@dataclass(frozen=True, slots=True)
class ProductFilter:
    """The filter of a product list. `text` is part of a name or key. `thing_model` and `gateway`: None means any."""

    text: str = ""
    gateway: bool | None = None
    thing_model: bool | None = None

    @property
    def needs_search(self) -> bool:
        """Whether the console must read the products and filter them: the platform has no such filter."""
        return bool(self.text) or self.gateway is not None

    def matches(self, product: Product) -> bool:
        """Whether a product matches `text` and `gateway`. The platform filters by thing model."""
        if self.gateway is not None and product.gateway != self.gateway:
            return False
        text = self.text.casefold()
        return text in product.name.casefold() or text in product.key.casefold()


@dataclass(frozen=True, slots=True)
class NewProduct:
    """The properties of a product to create. "" and None are not sent. `net_type` and `protocol` exclude each other."""

    name: str
    description: str = ""
    gateway: bool = False
    thing_model: bool = True
    net_type: str = ""
    protocol: str = ""
    join_permission_id: str = ""
    data_format: int | None = None
    validate_type: int | None = None
    category_key: str = ""
    publish_auto: bool | None = None
    auth_type: str = "secret"
    resource_group_id: str = ""

    def params(self) -> dict[str, Any]:
        """Return the parameters of CreateProduct."""
        return {
            "ProductName": self.name,
            "Description": self.description or None,
            "NodeType": int(self.gateway),
            "AliyunCommodityCode": "iothub_senior" if self.thing_model else None,
            "DataFormat": self.data_format,
            "ValidateType": self.validate_type,
            "ProtocolType": self.protocol or None,
            "NetType": self.net_type or None,
            "JoinPermissionId": self.join_permission_id or None,
            "CategoryKey": self.category_key or None,
            "PublishAuto": self.publish_auto,
            "AuthType": self.auth_type,
            "Id2": True if self.auth_type == "id2" else None,
            "ResourceGroupId": self.resource_group_id or None,
        }


@dataclass(frozen=True, slots=True)
class ProductPage:
    """A page of products. `total`: number of matches. A search reads `searched_count` of all `product_count` products."""

    products: Sequence[Product]
    total: int
    searched_count: int
    product_count: int

    @property
    def is_partial(self) -> bool:
        """Whether there are more products than a search reads."""
        return self.searched_count < self.product_count


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

    The platform cannot search or sort. To do so, the console reads up to 800 products (1 call per 200 products, at most
    4 calls) and ignores the rest; `is_partial` of the result is then true.
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
        return ProductPage(_products(response), total, total, total)
    products, product_count = _read_newest(gateway, product_filter, fresh)
    matches = [product for product in products if product_filter.matches(product)]
    if sort:
        matches.sort(key=_ORDERS[Sort(sort.removeprefix("-"))], reverse=sort.startswith("-"))
    return ProductPage(matches[(page - 1) * size : page * size], len(matches), len(products), product_count)


def _read_newest(gateway: Gateway, product_filter: ProductFilter, fresh: bool) -> tuple[list[Product], int]:
    """Return the newest products, up to the limit of a search, and the number of all products."""
    params = {"PageSize": MAX_PAGE_SIZE, **_platform_filter(product_filter)}
    first = gateway.call("QueryProductList", fresh=fresh, CurrentPage=1, **params)
    product_count = read_count((first.get("Data") or {}).get("Total"))
    products = _products(first)
    pages = min(MAX_SEARCH_PAGES, -(-product_count // MAX_PAGE_SIZE))
    if pages > 1:
        calls = [Call("QueryProductList", {"CurrentPage": page, **params}) for page in range(2, pages + 1)]
        for response in gateway.gather(calls, fresh=fresh):
            if isinstance(response, CloudError):
                raise response
            products += _products(response)
    return products, product_count


def iterate_products(gateway: Gateway, product_filter: ProductFilter | None = None) -> Iterator[Product]:
    """Yield all products that match, newest first. Pages are read as needed."""
    product_filter = product_filter or ProductFilter()
    for response in gateway.read_pages(
        "QueryProductList", PageSize=MAX_PAGE_SIZE, **_platform_filter(product_filter)
    ):
        yield from filter(product_filter.matches, _products(response))


def list_newest_products(gateway: Gateway) -> list[Product]:
    """Return the newest 200 products, for selection lists. 1 call."""
    return _products(gateway.call("QueryProductList", CurrentPage=1, PageSize=MAX_PAGE_SIZE))


def get_product(gateway: Gateway, key: str, *, fresh: bool = False) -> ProductDetail:
    """Return a product. Raises NotFound."""
    return _detail(gateway.call("QueryProduct", fresh=fresh, ProductKey=key))


@dataclass(frozen=True, slots=True)
class Overview:
    """The content of the overview page. `counts` and `tags` are errors when they could not be read."""

    detail: ProductDetail
    counts: DeviceCounts | CloudError
    tags: Sequence[Tag] | CloudError


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
        _detail(product),
        counts if isinstance(counts, CloudError) else _counts(counts),
        tags if isinstance(tags, CloudError) else _tags(tags),
    )


def get_product_with_tags(
    gateway: Gateway, key: str, *, fresh: bool = False
) -> tuple[ProductDetail, list[Tag]]:
    """Return a product and its tags. 2 calls in parallel."""
    product, tags = _read_with_product(gateway, "ListProductTags", key, fresh)
    return _detail(product), _tags(tags)


def get_product_with_counts(gateway: Gateway, key: str) -> tuple[ProductDetail, DeviceCounts]:
    """Return a product and its device counts. 2 calls in parallel."""
    product, counts = _read_with_product(gateway, "QueryDeviceStatistics", key, False)
    return _detail(product), _counts(counts)


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
    return _tags(gateway.call("ListProductTags", fresh=fresh, ProductKey=key))


def reveal_secret(gateway: Gateway, key: str) -> str:
    """Return the ProductSecret. The audit trail records this; it requires the level "secret"."""
    response = gateway.call("QueryProduct", target=key, reveal=True, fresh=True, ProductKey=key)
    return str((response.get("Data") or {}).get("ProductSecret") or "")


# -- changing ----------------------------------------------------------------------------------------------------------


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


def _tag_parameter(tag: Tag) -> dict[str, str]:
    return {"TagKey": tag.key, "TagValue": tag.value}


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


def _products(response: Mapping[str, Any]) -> list[Product]:
    listed = ((response.get("Data") or {}).get("List") or {}).get("ProductInfo") or []
    return [_product(item) for item in listed]


def _product(item: Mapping[str, Any]) -> Product:
    data_format = item.get("DataFormat")
    return Product(
        key=read_name(item, "ProductKey"),
        name=read_text(item, "ProductName"),
        gateway=read_count(item.get("NodeType")) == 1,
        data_format=None if data_format in (None, "") else read_count(data_format),
        auth_type=read_text(item, "AuthType"),
        description=read_text(item, "Description"),
        devices=read_count(item.get("DeviceCount")),
        created=read_time(item.get("GmtCreate")),
    )


def _detail(response: Mapping[str, Any]) -> ProductDetail:
    data = response.get("Data") or {}
    return ProductDetail(
        product=_product(data),
        status=str(data.get("ProductStatus") or DEVELOPING),
        thing_model=data.get("AliyunCommodityCode") == "iothub_senior",
        category_key=read_text(data, "CategoryKey"),
        category_name=read_text(data, "CategoryName"),
        net_type=read_text(data, "NetType"),
        protocol=read_text(data, "ProtocolType"),
        validate_type=read_text(data, "ValidateType"),
        id2=data.get("Id2") in (True, "true"),
        owned=data.get("Owner") not in (False, "false"),
        has_secret=bool(data.get("ProductSecret")),
    )


def _tags(response: Mapping[str, Any]) -> list[Tag]:
    listed = (response.get("Data") or {}).get("ProductTag") or []
    tags = [Tag(read_text(item, "TagKey"), read_text(item, "TagValue")) for item in listed]
    return sorted(tags, key=lambda tag: tag.key)


def _counts(response: Mapping[str, Any]) -> DeviceCounts:
    data = response.get("Data") or {}
    return DeviceCounts(
        read_count(data.get("deviceCount")),
        read_count(data.get("activeCount")),
        read_count(data.get("onlineCount")),
    )
