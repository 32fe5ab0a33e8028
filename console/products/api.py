"""Products as the pages see them. Every function takes the gateway it acts through; only here are operations and fields named.

All raise PermissionRefused and the CloudError family.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from console.cloud.answers import name_in
from console.cloud.errors import CloudError
from console.connections.gateway import Call, Gateway
from console.ui.format import instant

LIST_PAGE = 200
"""Products in one answer at most (QueryProductList)."""
SEARCHED_PAGES = 4
"""Pages read to search or sort: the platform itself can do neither."""
MAX_TAGS = 100
"""Tags of one product at most (CreateProductTags)."""
DEVELOPING, PUBLISHED = "DEVELOPMENT_STATUS", "RELEASE_STATUS"


class Sort(StrEnum):
    """What a product list can be ordered by."""

    NAME = "name"
    DEVICES = "devices"
    CREATED = "created"


@dataclass(frozen=True, slots=True)
class Product:
    """A product as lists know it. `data_format` is None for a product without a thing model."""

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
        """ "gateway" or "device"."""
        return "gateway" if self.gateway else "device"


@dataclass(frozen=True, slots=True)
class ProductDetail:
    """A product as QueryProduct knows it. `net_type` and `validate_type` are the platform's numbers, as text."""

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
    def published(self) -> bool:
        """Whether it is published: then its thing model is fixed, and it cannot be deleted."""
        return self.status == PUBLISHED


@dataclass(frozen=True, slots=True)
class Tag:
    """A tag of a product."""

    key: str
    value: str


@dataclass(frozen=True, slots=True)
class DeviceCounts:
    """How many devices there are, have ever connected, and are connected now."""

    total: int
    activated: int
    online: int

    @property
    def waiting(self) -> int:
        """Those that never connected."""
        return max(0, self.total - self.activated)


@dataclass(frozen=True, slots=True)
class ProductFilter:
    """What is looked for. `text` is part of a name or key; `thing_model` and `gateway` None means either."""

    text: str = ""
    gateway: bool | None = None
    thing_model: bool | None = None

    @property
    def local(self) -> bool:
        """Whether the console has to look through the products itself."""
        return bool(self.text) or self.gateway is not None

    def matches(self, product: Product) -> bool:
        """Whether a product is one that is looked for (thing models are the platform's part of the filter)."""
        if self.gateway is not None and product.gateway != self.gateway:
            return False
        wanted = self.text.casefold()
        return wanted in product.name.casefold() or wanted in product.key.casefold()


@dataclass(frozen=True, slots=True)
class NewProduct:
    """What a product is to be; "" and None leave a thing out. `net_type` and `protocol` exclude each other."""

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
        """The parameters of CreateProduct."""
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
    """Part of a list. `total` counts what matches; `looked_at` of `existing` products were looked through."""

    products: Sequence[Product]
    total: int
    looked_at: int
    existing: int

    @property
    def partial(self) -> bool:
        """Whether there are more products than a search looks through."""
        return self.looked_at < self.existing


# -- reading -----------------------------------------------------------------------------------------------------------


def list_products(
    gateway: Gateway,
    wanted: ProductFilter | None = None,
    *,
    sort: str = "",
    page: int = 1,
    size: int = 25,
    fresh: bool = False,
) -> ProductPage:
    """A page of the products, newest first unless `sort` ("name", "-devices", "created").

    The platform pages but neither searches nor sorts. When that is asked for, up to 800 products are read (1 call for
    200 products, 4 at most) and the rest is left out, which the answer says.
    """
    wanted = wanted or ProductFilter()
    if not wanted.local and not sort:
        answer = gateway.call(
            "QueryProductList", fresh=fresh, CurrentPage=page, PageSize=size, **_asked(wanted)
        )
        data = answer.get("Data") or {}
        total = _int(data.get("Total"))
        return ProductPage(_products(answer), total, total, total)
    products, existing = _look_through(gateway, wanted, fresh)
    found = [product for product in products if wanted.matches(product)]
    if sort:
        found.sort(key=_ORDERS[Sort(sort.removeprefix("-"))], reverse=sort.startswith("-"))
    return ProductPage(found[(page - 1) * size : page * size], len(found), len(products), existing)


def _look_through(gateway: Gateway, wanted: ProductFilter, fresh: bool) -> tuple[list[Product], int]:
    """The newest products, as many as a search may read, and how many exist."""
    asked = {"PageSize": LIST_PAGE, **_asked(wanted)}
    first = gateway.call("QueryProductList", fresh=fresh, CurrentPage=1, **asked)
    existing = _int((first.get("Data") or {}).get("Total"))
    products = _products(first)
    pages = min(SEARCHED_PAGES, -(-existing // LIST_PAGE))
    if pages > 1:
        calls = [Call("QueryProductList", {"CurrentPage": page, **asked}) for page in range(2, pages + 1)]
        for answer in gateway.gather(calls, fresh=fresh):
            if isinstance(answer, CloudError):
                raise answer
            products += _products(answer)
    return products, existing


def every_product(gateway: Gateway, wanted: ProductFilter | None = None) -> Iterator[Product]:
    """All products that match, newest first, read page by page as they are taken."""
    wanted = wanted or ProductFilter()
    for answer in gateway.read_pages("QueryProductList", PageSize=LIST_PAGE, **_asked(wanted)):
        yield from filter(wanted.matches, _products(answer))


def choices(gateway: Gateway) -> list[Product]:
    """The newest 200 products, for pickers: one call."""
    return _products(gateway.call("QueryProductList", CurrentPage=1, PageSize=LIST_PAGE))


def product_detail(gateway: Gateway, key: str, *, fresh: bool = False) -> ProductDetail:
    """One product. Raises NotFound when there is none of that key."""
    return _detail(gateway.call("QueryProduct", fresh=fresh, ProductKey=key))


@dataclass(frozen=True, slots=True)
class Overview:
    """What the overview shows: two of its parts may be missing, then the error says why."""

    detail: ProductDetail
    counts: DeviceCounts | CloudError
    tags: Sequence[Tag] | CloudError


def overview(gateway: Gateway, key: str) -> Overview:
    """A product with its counts and tags, read at once. Raises what reading the product itself raises."""
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


def product_with_tags(gateway: Gateway, key: str, *, fresh: bool = False) -> tuple[ProductDetail, list[Tag]]:
    """A product and its tags, read at once."""
    product, tags = _both(gateway, "ListProductTags", key, fresh)
    return _detail(product), _tags(tags)


def product_with_counts(gateway: Gateway, key: str) -> tuple[ProductDetail, DeviceCounts]:
    """A product and the counts of its devices, read at once."""
    product, counts = _both(gateway, "QueryDeviceStatistics", key, False)
    return _detail(product), _counts(counts)


def _both(gateway: Gateway, other: str, key: str, fresh: bool) -> tuple[dict[str, Any], dict[str, Any]]:
    answers = gateway.gather(
        [Call("QueryProduct", {"ProductKey": key}), Call(other, {"ProductKey": key})], fresh=fresh
    )
    first, second = answers
    if isinstance(first, CloudError):
        raise first
    if isinstance(second, CloudError):
        raise second
    return first, second


def list_tags(gateway: Gateway, key: str, *, fresh: bool = False) -> list[Tag]:
    """The product's tags, by key."""
    return _tags(gateway.call("ListProductTags", fresh=fresh, ProductKey=key))


def reveal_secret(gateway: Gateway, key: str) -> str:
    """The ProductSecret. Recorded in the audit trail; refused below the level "secret"."""
    answer = gateway.call("QueryProduct", target=key, reveal=True, fresh=True, ProductKey=key)
    return str((answer.get("Data") or {}).get("ProductSecret") or "")


# -- changing ----------------------------------------------------------------------------------------------------------


def create_product(gateway: Gateway, params: Mapping[str, Any]) -> str:
    """Make a product from CreateProduct's parameters (`ProductForm.params`) and return its key."""
    answer = gateway.call("CreateProduct", target=str(params["ProductName"]), **params)
    return str(answer.get("ProductKey") or (answer.get("Data") or {}).get("ProductKey") or "")


def update_product(
    gateway: Gateway, key: str, params: Mapping[str, Any], *, found: ProductDetail | None = None
) -> None:
    """Give a product another name and description (UpdateProduct changes nothing else).

    `found` is the product as it is now, for the audit trail; read where it is not given.
    """
    now = (found or product_detail(gateway, key, fresh=True)).product
    before = {"ProductName": now.name, "Description": now.description}
    gateway.call("UpdateProduct", target=key, before=before, ProductKey=key, **params)


def publish(gateway: Gateway, key: str) -> None:
    """Publish: from then on the thing model cannot be edited."""
    gateway.call("ReleaseProduct", target=key, ProductKey=key)


def unpublish(gateway: Gateway, key: str) -> None:
    """Take publishing back."""
    gateway.call("CancelReleaseProduct", target=key, ProductKey=key)


def publish_many(
    gateway: Gateway, keys: Sequence[str], *, take_back: bool = False
) -> list[CloudError | None]:
    """Publish several products, or take that back; an error in the place of each that failed."""
    name = "CancelReleaseProduct" if take_back else "ReleaseProduct"
    answers = gateway.call_each(name, [{"ProductKey": key} for key in keys])
    return [answer if isinstance(answer, CloudError) else None for answer in answers]


def delete_product(gateway: Gateway, key: str) -> None:
    """Delete a product for good; the platform refuses while it has devices or is published."""
    gateway.call("DeleteProduct", target=key, ProductKey=key)


def set_tag(gateway: Gateway, key: str, tag: Tag) -> bool:
    """Add a tag, or give the one of that key another value. True when it was added.

    The platform has an operation for each; which one it is, is looked up just before.
    """
    before = [_sent(other) for other in list_tags(gateway, key, fresh=True) if other.key == tag.key]
    operation = "UpdateProductTags" if before else "CreateProductTags"
    gateway.call(
        operation, target=key, before={"ProductTag": before}, ProductKey=key, ProductTag=[_sent(tag)]
    )
    return not before


def remove_tag(gateway: Gateway, key: str, tag_key: str) -> None:
    """Take a tag off a product."""
    before = [_sent(tag) for tag in list_tags(gateway, key, fresh=True) if tag.key == tag_key]
    gateway.call(
        "DeleteProductTags",
        target=key,
        before={"ProductTag": before},
        ProductKey=key,
        ProductTagKey=[tag_key],
    )


def _sent(tag: Tag) -> dict[str, str]:
    return {"TagKey": tag.key, "TagValue": tag.value}


# -- the platform's answers --------------------------------------------------------------------------------------------


_ORDERS: Mapping[Sort, Callable[[Product], Any]] = {
    Sort.NAME: lambda product: product.name.casefold(),
    Sort.DEVICES: lambda product: product.devices,
    Sort.CREATED: lambda product: product.created or datetime.min.replace(tzinfo=UTC),
}


def _asked(wanted: ProductFilter) -> dict[str, Any]:
    """The part of the filter that the platform itself knows."""
    if wanted.thing_model is None:
        return {}
    return {"AliyunCommodityCode": "iothub_senior" if wanted.thing_model else "iothub"}


def _products(answer: Mapping[str, Any]) -> list[Product]:
    listed = ((answer.get("Data") or {}).get("List") or {}).get("ProductInfo") or []
    return [_product(item) for item in listed]


def _product(item: Mapping[str, Any]) -> Product:
    data_format = item.get("DataFormat")
    return Product(
        key=name_in(item, "ProductKey"),
        name=str(item.get("ProductName") or ""),
        gateway=_int(item.get("NodeType")) == 1,
        data_format=None if data_format in (None, "") else _int(data_format),
        auth_type=str(item.get("AuthType") or ""),
        description=str(item.get("Description") or ""),
        devices=_int(item.get("DeviceCount")),
        created=_moment(item.get("GmtCreate")),
    )


def _detail(answer: Mapping[str, Any]) -> ProductDetail:
    data = answer.get("Data") or {}
    return ProductDetail(
        product=_product(data),
        status=str(data.get("ProductStatus") or DEVELOPING),
        thing_model=data.get("AliyunCommodityCode") == "iothub_senior",
        category_key=str(data.get("CategoryKey") or ""),
        category_name=str(data.get("CategoryName") or ""),
        net_type=str(data.get("NetType") or ""),
        protocol=str(data.get("ProtocolType") or ""),
        validate_type=str(data.get("ValidateType") or ""),
        id2=data.get("Id2") in (True, "true"),
        owned=data.get("Owner") not in (False, "false"),
        has_secret=bool(data.get("ProductSecret")),
    )


def _tags(answer: Mapping[str, Any]) -> list[Tag]:
    listed = (answer.get("Data") or {}).get("ProductTag") or []
    tags = [Tag(str(item.get("TagKey") or ""), str(item.get("TagValue") or "")) for item in listed]
    return sorted(tags, key=lambda tag: tag.key)


def _counts(answer: Mapping[str, Any]) -> DeviceCounts:
    data = answer.get("Data") or {}
    return DeviceCounts(
        _int(data.get("deviceCount")), _int(data.get("activeCount")), _int(data.get("onlineCount"))
    )


def _int(value: object) -> int:
    try:
        return int(str(value))
    except ValueError:
        return 0


def _moment(value: object) -> datetime | None:
    """An aware moment from milliseconds since 1970, as a number or as text."""
    return instant(_int(value) or None)
