"""The pages of topics as declarations: the products to choose from, a topic category, bulk actions."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from console.areas.messaging import actions, api
from console.areas.messaging.api import TopicCategory
from console.areas.messaging.forms import ProductFilters
from console.areas.messaging.tables import PRODUCTS
from console.areas.products import api as products_api
from console.areas.products.api import Product
from console.connections.gateway import Gateway
from console.pages.detail import Detail
from console.pages.lists import ListPage, Position, Slice
from console.ui.links import connection_url
from console.ui.tables import Empty


def _read_products(gateway: Gateway, filters: ProductFilters, position: Position) -> Slice[Product]:
    product_filter = products_api.ProductFilter(filters.values.get("q", ""))
    page = products_api.list_products(gateway, product_filter, page=position.page, size=position.size)
    return Slice(page.products, page.total)


LIST: ListPage[Product, ProductFilters] = ListPage(
    title=_("Topic categories"),
    table=PRODUCTS,
    filters=ProductFilters,
    read=_read_products,
    empty=Empty(
        _("No products"),
        _("Each topic belongs to a device of a product. Create a product first."),
        "packages",
    ),
    operation="QueryProductList",
    lead=_("Select a product to see its topic categories."),
)

CATEGORY: Detail[TopicCategory] = Detail(
    tabs=(),
    place=lambda request, category: connection_url(request, "messaging:topics", category.product_key),
    read=api.get_category,
    ids=lambda category: (category.product_key, category.short_name),
    title=lambda category: category.product_key,
    list_name="messaging:list",
    list_label=_("Topic categories"),
    missing=_("The topic category no longer exists."),
    actions=(actions.EDIT, actions.DELETE),
)
