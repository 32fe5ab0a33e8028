"""Records of products, how they are read from responses, and the requests of users. Times are aware."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from console.device_counts.counts import DeviceCounts
from console.pages.tags import Tag
from iot_client.errors import CloudError
from iot_client.fields import read_count, read_text, read_time
from iot_client.responses import read_name

DEVELOPING, PUBLISHED = "DEVELOPMENT_STATUS", "RELEASE_STATUS"


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

    @property
    def is_published(self) -> bool:
        """Whether it is published. The thing model of a published product is fixed, and the product cannot be deleted."""
        return self.status == PUBLISHED


@dataclass(frozen=True, slots=True)
class ProductFilter:
    """The filter of a product list. `text` is part of a name or key. `thing_model` and `gateway`: None means any.

    A product matches if it has at least one of the `tags`; a tag without a value matches every value of its key.
    """

    text: str = ""
    gateway: bool | None = None
    thing_model: bool | None = None
    tags: tuple[Tag, ...] = ()

    @property
    def needs_search(self) -> bool:
        """Whether the console must read the products and filter them: QueryProductList has no such filter."""
        return bool(self.text or self.tags) or self.gateway is not None

    def matches(self, product: Product) -> bool:
        """Whether a product matches `text` and `gateway`. The platform filters by thing model and by tags."""
        if self.gateway is not None and product.gateway != self.gateway:
            return False
        text = self.text.casefold()
        return text in product.name.casefold() or text in product.key.casefold()


@dataclass(frozen=True, slots=True)
class Deduplication:
    """Which property reports are not forwarded: those with the timestamp, or the value, of an earlier report.

    With both, only reports with the timestamp and the value of an earlier report. With neither, all reports are forwarded.
    """

    same_timestamp: bool
    same_value: bool

    def params(self) -> dict[str, Any]:
        """Return the parameters of UpdateProductFilterConfig."""
        return {"PropertyTimestampFilter": self.same_timestamp, "PropertyValueFilter": self.same_value}

    @classmethod
    def from_params(cls, params: Mapping[str, Any]) -> Deduplication:
        """Return the rules that a call set."""
        return cls(params.get("PropertyTimestampFilter") is True, params.get("PropertyValueFilter") is True)


@dataclass(frozen=True, slots=True)
class DeduplicationChange:
    """The last change of the rules that the audit trail has. `rules` is None if no response to the call was received."""

    rules: Deduplication | None
    at: datetime


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


@dataclass(frozen=True, slots=True)
class Overview:
    """The content of the overview page. `counts` and `tags` are errors when they could not be read."""

    detail: ProductDetail
    counts: DeviceCounts | CloudError
    tags: Sequence[Tag] | CloudError


def parse_tag(text: str) -> Tag:
    """Return the tag of a filter, written as `key` or `key=value`."""
    key, _sign, value = text.partition("=")
    return Tag(key.strip(), value.strip())


# -- responses ---------------------------------------------------------------------------------------------------------


def to_products(response: Mapping[str, Any]) -> list[Product]:
    listed = ((response.get("Data") or {}).get("List") or {}).get("ProductInfo") or []
    return [to_product(item) for item in listed]


def to_product(item: Mapping[str, Any]) -> Product:
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


def to_keys(response: Mapping[str, Any]) -> list[str]:
    """Return the keys of the products that ListProductByTags lists."""
    listed = (response.get("ProductInfos") or {}).get("ProductInfo") or []
    return [read_name(item, "ProductKey") for item in listed]


def to_detail(response: Mapping[str, Any]) -> ProductDetail:
    data = response.get("Data") or {}
    return ProductDetail(
        product=to_product(data),
        status=str(data.get("ProductStatus") or DEVELOPING),
        thing_model=data.get("AliyunCommodityCode") == "iothub_senior",
        category_key=read_text(data, "CategoryKey"),
        category_name=read_text(data, "CategoryName"),
        net_type=read_text(data, "NetType"),
        protocol=read_text(data, "ProtocolType"),
        validate_type=read_text(data, "ValidateType"),
        id2=data.get("Id2") in (True, "true"),
    )


@dataclass(frozen=True, slots=True)
class Category:
    """A standard category, whose thing model a new product can get."""

    key: str
    name: str


def to_categories(response: Mapping[str, Any]) -> list[Category]:
    """Read the response of ListThingTemplates."""
    return [
        Category(read_text(item, "CategoryKey"), read_text(item, "CategoryName"))
        for item in response.get("Data") or []
    ]


def to_tags(response: Mapping[str, Any]) -> list[Tag]:
    listed = (response.get("Data") or {}).get("ProductTag") or []
    tags = [Tag(read_text(item, "TagKey"), read_text(item, "TagValue")) for item in listed]
    return sorted(tags, key=lambda tag: tag.key)


def to_counts(response: Mapping[str, Any]) -> DeviceCounts:
    data = response.get("Data") or {}
    return DeviceCounts(
        read_count(data.get("deviceCount")),
        read_count(data.get("activeCount")),
        read_count(data.get("onlineCount")),
    )
