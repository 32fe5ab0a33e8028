"""The pages of products as declarations: the list, the pages of one product, its tags."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from urllib.parse import urlencode

from django.http import HttpRequest
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from console.areas.products import actions, api, forms
from console.areas.products.api import Product, ProductDetail
from console.areas.products.tables import PRODUCTS
from console.connections.gateway import Gateway
from console.pages.detail import Detail, TabPage
from console.pages.lists import CreateLink, ListPage, Position, Slice
from console.pages.tags import Tag, TagPages
from console.ui.format import join_sentences, number
from console.ui.links import connection_url
from console.ui.pieces import DetailItem
from console.ui.tables import Empty


def _read_list(gateway: Gateway, filters: forms.ProductFilters, position: Position) -> Slice[Product]:
    """Return a page of products. The console searches, filters and sorts them, because the platform cannot."""
    product_filter = filters.product_filter()
    page = api.list_products(
        gateway, product_filter, sort=position.sort, page=position.page, size=position.size
    )
    notes = []
    if len(product_filter.tags) > 1:
        notes.append(gettext("These products have at least one of the tags."))
    if page.is_partial:
        text = gettext("Search, tags and sort cover only the newest %(searched)s of %(total)s products.")
        notes.append(text % {"searched": number(page.searched_count), "total": number(page.product_count)})
    return Slice(page.products, page.total, join_sentences(notes))


def build_tag_url(request: HttpRequest, tag: Tag) -> str:
    """Return the URL of the list of products with a tag."""
    return f"{connection_url(request, 'products:list')}?{urlencode({'tags': f'{tag.key}={tag.value}'})}"


LIST: ListPage[Product, forms.ProductFilters] = ListPage(
    title=_("Products"),
    table=replace(PRODUCTS, actions=actions.BULK.buttons()),
    filters=forms.ProductFilters,
    read=_read_list,
    read_all=lambda gateway, query: api.iterate_products(
        gateway, forms.ProductFilters.from_query(query).product_filter()
    ),
    empty=Empty(
        _("No products yet"),
        _("A product defines a type of device: its name, connection and data."),
        "packages",
    ),
    operation="QueryProductList",
    create=CreateLink("products:create", _("Create product"), "CreateProduct"),
)

PRODUCT: Detail[ProductDetail] = Detail(
    tabs=(
        TabPage("overview", _("Overview"), "products:detail"),
        TabPage("tags", _("Tags"), "products:tags"),
    ),
    read=api.get_product,
    ids=lambda detail: (detail.product.key,),
    title=lambda detail: detail.product.name,
    list_name="products:list",
    list_label=_("Products"),
    missing=_("The product no longer exists."),
    operation="QueryProduct",
    parameters=("ProductKey",),
    tabs_label=_("Product pages"),
    actions=(actions.EDIT, actions.PUBLISH, actions.UNPUBLISH, actions.DEDUPLICATE, actions.DELETE),
    summary=lambda request, detail: [
        DetailItem(_("Status"), detail.status, kind="status", status="product"),
        DetailItem(_("ProductKey"), detail.product.key, kind="code", copy=True),
    ],
)

TAGS: TagPages[ProductDetail] = TagPages(
    detail=PRODUCT,
    read=api.get_product_with_tags,
    list_tags=partial(api.list_tags, fresh=True),
    save=lambda gateway, detail, tag: api.set_tag(gateway, detail.product.key, tag),
    remove=lambda gateway, detail, key: api.remove_tag(gateway, detail.product.key, key),
    save_operation="CreateProductTags",
    remove_operation="DeleteProductTags",
    form=forms.TagForm,
    limit=api.MAX_TAGS,
    hint=_("Use tags to describe a product, for example its product line."),
    link=build_tag_url,
    fields={"ProductTag.N.TagKey": "tag_key", "ProductTag.N.TagValue": "tag_value"},
)
