"""Products."""

from __future__ import annotations

from typing import Annotated, Literal

from django.utils.translation import gettext_noop
from ninja import Query, Router, Schema, Status
from pydantic import Field

from console.api.endpoints.approvals import Approval
from console.api.http import ApiRequest, open_gateway
from console.api.problems import validation_problem
from console.api.schemas import Page, PagePosition, PageQuery, RequestBody, Timestamp
from console.areas.products import api
from console.pages.tags import Tag
from iot_client.errors import CloudError

router = Router(tags=[gettext_noop("Products")])
NodeType = Literal["device", "gateway"]
_FORMATS = {"alink": 1, "custom": 0}  # DataFormat of CreateProduct


class Product(Schema):
    """A product in a list."""

    product_key: str
    name: str
    description: str
    node_type: NodeType
    authentication: str = Field(description="secret, id2 or x509.")
    device_count: int
    created_at: Timestamp | None

    @classmethod
    def from_product(cls, product: api.Product) -> Product:
        return cls(
            product_key=product.key,
            name=product.name,
            description=product.description,
            node_type="gateway" if product.gateway else "device",
            authentication=product.auth_type,
            device_count=product.devices,
            created_at=product.created,
        )


class ProductDetail(Product):
    """A product. The API never returns its secret. Counts and tags are null if the platform did not return them."""

    published: bool
    thing_model: bool
    category_key: str
    activated_count: int | None
    online_count: int | None
    tags: dict[str, str] | None


class NewProduct(RequestBody):
    """A product to create. Leave out fields that do not apply to the product."""

    name: str = Field(
        min_length=1,
        max_length=30,
        description=gettext_noop("4 to 30 characters: letters, digits, underscores. Unique in the account."),
    )
    description: str = Field("", max_length=100)
    node_type: NodeType = "device"
    thing_model: bool = Field(True, description=gettext_noop("Whether the product uses a thing model."))
    network: Literal["WIFI", "CELLULAR", "ETHERNET", "OTHER"] | None = Field(
        None,
        description=gettext_noop("How devices connect. Only for products with a thing model. Default: WIFI."),
    )
    gateway_protocol: Literal["modbus", "opc-ua", "ble", "zigbee", "customize"] | None = Field(
        None,
        description=gettext_noop("For devices that connect through a gateway. Use it instead of `network`."),
    )
    data_format: Literal["alink", "custom"] | None = Field(
        None, description=gettext_noop("Only for products with a thing model. Default: alink.")
    )
    authentication: Literal["secret", "id2", "x509"] = "secret"
    category_key: str | None = Field(None, max_length=64)


class ProductChange(RequestBody):
    """New values of a product. Both fields are written."""

    name: str = Field(min_length=1, max_length=30)
    description: str = Field("", max_length=100)


class CreatedProduct(Schema):
    """The new product."""

    product_key: str


class ProductTagValue(RequestBody):
    """Value of a product tag."""

    value: str = Field(min_length=1, max_length=128)


class ProductDeduplication(RequestBody):
    """Which property reports are not forwarded. With both, a report must repeat the timestamp and the value."""

    same_timestamp: bool = Field(
        description=gettext_noop("Do not forward a report with the timestamp of an earlier report.")
    )
    same_value: bool = Field(
        description=gettext_noop("Do not forward a report with the value of an earlier report.")
    )


TagFilter = Annotated[str, Field(max_length=160)]  # key=value


class ProductListQuery(PageQuery):
    """Selects products."""

    search: str = Field("", max_length=64, description=gettext_noop("Part of a product name or ProductKey."))
    node_type: NodeType | None = None
    thing_model: bool | None = None
    tag: list[TagFilter] = Field(
        default_factory=list,
        max_length=api.MAX_FILTER_TAGS,
        description=gettext_noop(
            "`key` or `key=value`; can be repeated. Only products with at least one of the tags."
        ),
    )


@router.get(
    "/{slug:connection}/products",
    response=Page[Product],
    description=gettext_noop(
        "List products, newest first. `search`, `node_type` and `tag` cover the newest 800 products."
    ),
)
def list_products(request: ApiRequest, connection: str, query: Query[ProductListQuery]) -> Page[Product]:
    position = PagePosition.from_query(query)
    tags = tuple(map(api.parse_tag, query.tag))
    problems = api.check_tags(tags)
    if problems:
        raise validation_problem(("tag", message) for _name, message in problems)
    gateway = {"gateway": True, "device": False}.get(query.node_type or "")
    filters = api.ProductFilter(query.search, gateway, query.thing_model, tags)
    page = api.list_products(
        open_gateway(request, connection), filters, page=position.number, size=position.size
    )
    return position.build_page(map(Product.from_product, page.products), page.total)


@router.post(
    "/{slug:connection}/products",
    response={201: CreatedProduct},
    description=gettext_noop("Create a product."),
)
def create_product(request: ApiRequest, connection: str, body: NewProduct) -> Status[CreatedProduct]:
    has_model, gateway_protocol = body.thing_model, body.gateway_protocol
    new_product = api.NewProduct(
        name=body.name,
        description=body.description,
        gateway=body.node_type == "gateway",
        thing_model=has_model,
        net_type=body.network or ("WIFI" if has_model and not gateway_protocol else ""),
        protocol=gateway_protocol or "",
        data_format=_FORMATS[body.data_format or "alink"] if has_model else None,
        validate_type=1 if has_model else None,
        auth_type=body.authentication,
        category_key=body.category_key or "",
    )
    key = api.create_product(open_gateway(request, connection), new_product)
    return Status(201, CreatedProduct(product_key=key))


@router.get(
    "/{slug:connection}/products/{product_key}",
    response=ProductDetail,
    description=gettext_noop("Get a product."),
)
def get_product(request: ApiRequest, connection: str, product_key: str) -> ProductDetail:
    overview = api.get_overview(open_gateway(request, connection), product_key)
    counts = None if isinstance(overview.counts, CloudError) else overview.counts
    tags = None if isinstance(overview.tags, CloudError) else overview.tags
    return ProductDetail(
        **Product.from_product(overview.detail.product).model_dump(),
        published=overview.detail.is_published,
        thing_model=overview.detail.thing_model,
        category_key=overview.detail.category_key,
        activated_count=counts.activated if counts else None,
        online_count=counts.online if counts else None,
        tags=None if tags is None else {tag.key: tag.value for tag in tags},
    )


@router.patch(
    "/{slug:connection}/products/{product_key}",
    response={204: None},
    description=gettext_noop("Edit the name and description of a product."),
)
def edit_product(request: ApiRequest, connection: str, product_key: str, body: ProductChange) -> Status[None]:
    gateway = open_gateway(request, connection)
    api.update_product(gateway, product_key, name=body.name, description=body.description)
    return Status(204, None)


@router.delete(
    "/{slug:connection}/products/{product_key}",
    response={204: None, 202: Approval},
    description=gettext_noop(
        "Permanently delete a product. Not possible while it has devices or is published."
    ),
)
def delete_product(request: ApiRequest, connection: str, product_key: str) -> Status[None]:
    api.delete_product(open_gateway(request, connection), product_key)
    return Status(204, None)


@router.post(
    "/{slug:connection}/products/{product_key}/publish",
    response={204: None},
    description=gettext_noop("Publish a product. The thing model of a published product cannot be edited."),
)
def publish_product(request: ApiRequest, connection: str, product_key: str) -> Status[None]:
    api.publish_product(open_gateway(request, connection), product_key)
    return Status(204, None)


@router.post(
    "/{slug:connection}/products/{product_key}/unpublish",
    response={204: None},
    description=gettext_noop("Unpublish a product."),
)
def unpublish_product(request: ApiRequest, connection: str, product_key: str) -> Status[None]:
    api.unpublish_product(open_gateway(request, connection), product_key)
    return Status(204, None)


@router.put(
    "/{slug:connection}/products/{product_key}/deduplication",
    response={204: None},
    description=gettext_noop(
        "Set which property reports of the devices of a product are not forwarded. The platform does not return the rules."
    ),
)
def set_product_deduplication(
    request: ApiRequest, connection: str, product_key: str, body: ProductDeduplication
) -> Status[None]:
    rules = api.Deduplication(body.same_timestamp, body.same_value)
    api.set_deduplication(open_gateway(request, connection), product_key, rules)
    return Status(204, None)


@router.put(
    "/{slug:connection}/products/{product_key}/tags/{tag}",
    response={204: None},
    description=gettext_noop("Add a product tag, or change its value."),
)
def set_product_tag(
    request: ApiRequest, connection: str, product_key: str, tag: str, body: ProductTagValue
) -> Status[None]:
    api.set_tag(open_gateway(request, connection), product_key, Tag(tag, body.value))
    return Status(204, None)


@router.delete(
    "/{slug:connection}/products/{product_key}/tags/{tag}",
    response={204: None},
    description=gettext_noop("Remove a product tag."),
)
def remove_product_tag(request: ApiRequest, connection: str, product_key: str, tag: str) -> Status[None]:
    api.remove_tag(open_gateway(request, connection), product_key, tag)
    return Status(204, None)
