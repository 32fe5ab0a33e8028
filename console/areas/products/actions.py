"""What can be done with products: create one, change one, publish several."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext, gettext_noop, ngettext
from django.utils.translation import gettext_lazy as _

from console.areas.products import api, forms
from console.areas.products.api import Product, ProductDetail
from console.areas.products.approval import list_deletion_effects
from console.connections.http import CloudRequest
from console.pages.actions import Action, Done, Question
from console.pages.bulk import Bulk, BulkPages
from console.pages.creation import Creation
from console.ui.format import number
from console.ui.links import connection_url
from console.ui.pieces import MenuItem

# -- creation ----------------------------------------------------------------------------------------------------------


def _build_form(request: CloudRequest) -> forms.ProductForm:
    """Return the form. `?refresh=1` returns it with the fields that apply to the values so far."""
    find_url = connection_url(request, "products:find-category")
    if request.method == "POST":
        return forms.ProductForm(request.POST, find_category_url=find_url)
    return forms.ProductForm(
        draft=request.GET if "refresh" in request.GET else None, find_category_url=find_url
    )


def _create(request: CloudRequest, values: Mapping[str, Any]) -> Done:
    key = api.create_product(request.gateway, forms.build_product(values))
    message = gettext("Product %(name)s created.") % {"name": values["product_name"]}
    return Done(message, connection_url(request, "products:detail", key))


CREATE = Creation(
    _("Create product"),
    "CreateProduct",
    form=_build_form,
    run=_create,
    crumbs=[(_("Products"), "products:list")],
)

# -- editing -----------------------------------------------------------------------------------------------------------


def _build_edit_form(request: CloudRequest, detail: ProductDetail) -> forms.ProductEditForm:
    return forms.ProductEditForm.for_product(detail, request.POST if request.method == "POST" else None)


def _save(request: CloudRequest, detail: ProductDetail, values: Mapping[str, Any]) -> Done:
    api.update_product(
        request.gateway,
        detail.product.key,
        name=values["product_name"],
        description=values["description"],
        current=detail,
    )
    return Done(gettext("Changes saved."))


EDIT: Action[ProductDetail] = Action(
    "edit",
    "UpdateProduct",
    _("Edit product"),
    run=_save,
    ask=lambda request, detail: Question(gettext("Edit product"), submit=gettext("Save")),
    form=_build_edit_form,
    icon="pencil",
    button="plain",
    fresh=True,
)

# -- publication -------------------------------------------------------------------------------------------------------


def _publish(request: CloudRequest, detail: ProductDetail, values: Mapping[str, Any]) -> Done:
    api.publish_product(request.gateway, detail.product.key)
    return Done(gettext("Product published."))


def _unpublish(request: CloudRequest, detail: ProductDetail, values: Mapping[str, Any]) -> Done:
    api.unpublish_product(request.gateway, detail.product.key)
    return Done(gettext("Product unpublished."))


PUBLISH: Action[ProductDetail] = Action(
    "publish",
    "ReleaseProduct",
    _("Publish"),
    run=_publish,
    ask=lambda request, detail: Question(
        gettext("Publish this product?"),
        gettext("You cannot edit the thing model of a published product. You can unpublish it later."),
        gettext("Publish product"),
    ),
    is_available=lambda detail: not detail.is_published,
    icon="circle-check",
    button="primary",
)
UNPUBLISH: Action[ProductDetail] = Action(
    "unpublish",
    "CancelReleaseProduct",
    _("Unpublish"),
    run=_unpublish,
    ask=lambda request, detail: Question(
        gettext("Unpublish this product?"),
        gettext("After that, you can edit the thing model again. The devices are not affected."),
        gettext("Unpublish product"),
    ),
    is_available=lambda detail: detail.is_published,
    icon="world-off",
    menu=_("Unpublish…"),
)


# -- deduplication -----------------------------------------------------------------------------------------------------


def _set_deduplication(request: CloudRequest, detail: ProductDetail, values: Mapping[str, Any]) -> Done:
    api.set_deduplication(request.gateway, detail.product.key, values["rules"])
    return Done(gettext("Deduplication rules saved."))


def _ask_for_deduplication(request: CloudRequest, detail: ProductDetail) -> Question:
    return Question(
        gettext("Set deduplication rules"),
        gettext(
            "Rules and server-side subscriptions do not forward repeated property reports. "
            "Choose which reports count as repeated."
        ),
        gettext("Save"),
    )


DEDUPLICATE: Action[ProductDetail] = Action(
    "deduplication",
    "UpdateProductFilterConfig",
    _("Set rules"),
    run=_set_deduplication,
    ask=_ask_for_deduplication,
    form=lambda request, detail: forms.DeduplicationForm(request.POST if request.method == "POST" else None),
    is_available=lambda detail: detail.thing_model,
    fields={"PropertyTimestampFilter": "rules", "PropertyValueFilter": "rules"},
)

# -- deletion ----------------------------------------------------------------------------------------------------------


def _ask_to_delete(request: CloudRequest, detail: ProductDetail) -> Question:
    product = detail.product
    obstacles = _find_obstacles(detail)
    if obstacles:
        return Question(
            gettext("You cannot delete this product yet"),
            obstacles=obstacles,
            remedies=_list_remedies(request, detail),
        )
    return Question(
        gettext("Delete %(name)s?") % {"name": product.name},
        gettext("This permanently deletes the product and:"),
        gettext("Delete product"),
        effects=list_deletion_effects(product.key),
        expected=product.name,
        expected_label=gettext("Product name"),
        planned={"ProductKey": product.key},
    )


def _find_obstacles(detail: ProductDetail) -> list[str]:
    """Return the reasons why the platform would refuse to delete the product, each with advice."""
    reasons = []
    if detail.product.devices:
        reasons.append(
            ngettext(
                "The product has 1 device. Delete the device first.",
                "The product has %(count)s devices. Delete them first.",
                detail.product.devices,
            )
            % {"count": number(detail.product.devices)}
        )
    if detail.is_published:
        reasons.append(gettext("The product is published. Unpublish it first."))
    return reasons


def _list_remedies(request: CloudRequest, detail: ProductDetail) -> list[MenuItem]:
    key = detail.product.key
    remedies = []
    if detail.product.devices:
        devices = f"{connection_url(request, 'devices:list')}?product={key}"
        remedies.append(MenuItem(gettext("View devices"), devices))
    if detail.is_published and request.gateway.allows(UNPUBLISH.operation):
        unpublish = connection_url(request, "products:unpublish", key)
        remedies.append(MenuItem(gettext("Unpublish…"), unpublish, dialog=True))
    return remedies


def _delete(request: CloudRequest, detail: ProductDetail, values: Mapping[str, Any]) -> Done:
    api.delete_product(request.gateway, detail.product.key)
    return Done(gettext("Product %(name)s deleted.") % {"name": detail.product.name})


DELETE: Action[ProductDetail] = Action(
    "delete",
    "DeleteProduct",
    _("Delete product"),
    run=_delete,
    ask=_ask_to_delete,
    icon="trash",
    menu=_("Delete…"),
    danger=True,
    deletes=True,
)

# -- several products --------------------------------------------------------------------------------------------------


def _ask_to_publish_products(count: int) -> Question:
    title = ngettext("Publish %(count)s product?", "Publish %(count)s products?", count)
    return Question(title % {"count": number(count)})


BULK_PUBLISH = Bulk(
    "publish",
    "ReleaseProduct",
    _("Publish"),
    "circle-check",
    gettext_noop("Publish several products. The thing model of a published product cannot be edited."),
    ask=_ask_to_publish_products,
    run=lambda gateway, keys, ids: api.publish_products(gateway, keys),
    is_repeatable=True,
)


def _ask_to_unpublish_products(count: int) -> Question:
    title = ngettext("Unpublish %(count)s product?", "Unpublish %(count)s products?", count)
    return Question(title % {"count": number(count)})


BULK_UNPUBLISH = Bulk(
    "unpublish",
    "CancelReleaseProduct",
    _("Unpublish"),
    "world-off",
    gettext_noop("Unpublish several products."),
    ask=_ask_to_unpublish_products,
    run=lambda gateway, keys, ids: api.publish_products(gateway, keys, unpublish=True),
    is_repeatable=True,
)


BULK: BulkPages[Product] = BulkPages(
    name="products:bulk",
    address="",
    list_name="products:list",
    list_label=_("Products"),
    actions=(BULK_PUBLISH, BULK_UNPUBLISH),
    key=lambda product: product.key,
    keys_help=gettext_noop("The ProductKey of each product."),
    read_matching=lambda gateway, filters, ids, start: api.read_product_pages(
        gateway, filters.product_filter(), start
    ),
    filters=forms.ProductFilters,
    filter_names={"q": "search", "node": "node_type", "model": "thing_model"},
    filter_help={
        "search": gettext_noop("Part of a product name or ProductKey."),
        "tags": gettext_noop(
            "Up to 10 tags, separated by commas, each `key` or `key=value`. Only products with at least one of the tags."
        ),
    },
)
