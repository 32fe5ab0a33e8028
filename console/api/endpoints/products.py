"""Products."""

from __future__ import annotations

from typing import Literal

from ninja import Query, Router, Schema, Status
from pydantic import Field

from console.api.endpoints.approvals import Approval
from console.api.http import ApiRequest, gateway_of
from console.api.schemas import Body, Listing, Moment, Page, Place
from console.cloud.errors import CloudError
from console.products import api

router = Router(tags=["Products"])
NODE = Literal["device", "gateway"]
_FORMATS = {"alink": 1, "custom": 0}  # DataFormat of CreateProduct


class Product(Schema):
    """A product as lists tell it."""

    product_key: str
    name: str
    description: str
    node_type: NODE
    authentication: str = Field(description="secret, id2 or x509.")
    device_count: int
    created_at: Moment | None

    @classmethod
    def of(cls, product: api.Product) -> Product:
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
    """A product. Its secret is not told to programs. Counts and tags are null where the platform did not tell them."""

    published: bool
    thing_model: bool
    category_key: str
    activated_count: int | None
    online_count: int | None
    tags: dict[str, str] | None


class NewProduct(Body):
    """What a product is to be. What does not apply to it must be left out."""

    name: str = Field(description="4 to 30 letters, digits and underscores. One of a kind in the account.")
    description: str = Field("", max_length=100)
    node_type: NODE = "device"
    thing_model: bool = Field(True, description="Whether a thing model describes its data.")
    network: Literal["WIFI", "CELLULAR", "ETHERNET", "OTHER"] | None = Field(
        None, description="How its devices connect. Needs a thing model; WIFI when left out with one."
    )
    gateway_protocol: Literal["modbus", "opc-ua", "ble", "zigbee", "customize"] | None = Field(
        None, description="Instead of `network`, for devices that connect through a gateway."
    )
    data_format: Literal["alink", "custom"] | None = Field(
        None, description="Of a product with a thing model; alink when left out."
    )
    authentication: Literal["secret", "id2", "x509"] = "secret"
    category_key: str | None = Field(None, max_length=64)


class ProductChange(Body):
    """Both are written."""

    name: str
    description: str = Field("", max_length=100)


class Key(Schema):
    """What was made."""

    product_key: str


class TagValue(Body):
    """A tag's value."""

    value: str = Field(min_length=1, max_length=128)


class ProductListing(Listing):
    """Which products."""

    search: str = Field("", max_length=64, description="Part of a name or key.")
    node_type: NODE | None = None
    thing_model: bool | None = None


@router.get("/{slug:connection}/products", response=Page[Product])
def list_products(request: ApiRequest, connection: str, listing: Query[ProductListing]) -> Page[Product]:
    """List products, newest first. A search looks through the newest 800."""
    place = Place.of(listing)
    gateway = {"gateway": True, "device": False}.get(listing.node_type or "")
    wanted = api.ProductFilter(listing.search, gateway, listing.thing_model)
    found = api.list_products(gateway_of(request, connection), wanted, page=place.number, size=place.size)
    return place.page(map(Product.of, found.products), found.total)


@router.post("/{slug:connection}/products", response={201: Key})
def create_product(request: ApiRequest, connection: str, body: NewProduct) -> Status[Key]:
    """Make a product."""
    modelled, behind = body.thing_model, body.gateway_protocol
    new = api.NewProduct(
        name=body.name,
        description=body.description,
        gateway=body.node_type == "gateway",
        thing_model=modelled,
        net_type=body.network or ("WIFI" if modelled and not behind else ""),
        protocol=behind or "",
        data_format=_FORMATS[body.data_format or "alink"] if modelled else None,
        validate_type=1 if modelled else None,
        auth_type=body.authentication,
        category_key=body.category_key or "",
    )
    key = api.create_product(gateway_of(request, connection), new.params())
    return Status(201, Key(product_key=key))


@router.get("/{slug:connection}/products/{product_key}", response=ProductDetail)
def get_product(request: ApiRequest, connection: str, product_key: str) -> ProductDetail:
    """Tell of one product."""
    found = api.get_overview(gateway_of(request, connection), product_key)
    counts = None if isinstance(found.counts, CloudError) else found.counts
    tags = None if isinstance(found.tags, CloudError) else found.tags
    return ProductDetail(
        **Product.of(found.detail.product).model_dump(),
        published=found.detail.published,
        thing_model=found.detail.thing_model,
        category_key=found.detail.category_key,
        activated_count=counts.activated if counts else None,
        online_count=counts.online if counts else None,
        tags=None if tags is None else {tag.key: tag.value for tag in tags},
    )


@router.patch("/{slug:connection}/products/{product_key}", response={204: None})
def edit_product(request: ApiRequest, connection: str, product_key: str, body: ProductChange) -> Status[None]:
    """Give a product another name and description."""
    gateway = gateway_of(request, connection)
    params = {"ProductName": body.name, "Description": body.description}
    api.update_product(gateway, product_key, params)
    return Status(204, None)


@router.delete("/{slug:connection}/products/{product_key}", response={204: None, 202: Approval})
def delete_product(request: ApiRequest, connection: str, product_key: str) -> Status[None]:
    """Delete a product for good. Refused while it has devices or is published."""
    api.delete_product(gateway_of(request, connection), product_key)
    return Status(204, None)


@router.post("/{slug:connection}/products/{product_key}/publish", response={204: None})
def publish_product(request: ApiRequest, connection: str, product_key: str) -> Status[None]:
    """Publish a product: from then on its thing model is fixed."""
    api.publish_product(gateway_of(request, connection), product_key)
    return Status(204, None)


@router.post("/{slug:connection}/products/{product_key}/unpublish", response={204: None})
def unpublish_product(request: ApiRequest, connection: str, product_key: str) -> Status[None]:
    """Take publishing back."""
    api.unpublish_product(gateway_of(request, connection), product_key)
    return Status(204, None)


@router.put("/{slug:connection}/products/{product_key}/tags/{tag}", response={204: None})
def set_product_tag(
    request: ApiRequest, connection: str, product_key: str, tag: str, body: TagValue
) -> Status[None]:
    """Add a tag to a product, or give the one of that key another value."""
    api.set_tag(gateway_of(request, connection), product_key, api.Tag(tag, body.value))
    return Status(204, None)


@router.delete("/{slug:connection}/products/{product_key}/tags/{tag}", response={204: None})
def remove_product_tag(request: ApiRequest, connection: str, product_key: str, tag: str) -> Status[None]:
    """Take a tag off a product."""
    api.remove_tag(gateway_of(request, connection), product_key, tag)
    return Status(204, None)
