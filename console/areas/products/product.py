"""The pages of one product: tabs, tags, and changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from console.access.pages.audit import audit_menu_items
from console.areas.products import api, forms
from console.areas.products.approval import list_deletion_effects
from console.areas.products.tables import EDITABLE_TAGS, TAGS
from console.connections.approval import needs_approval
from console.connections.errors import cloud_errors_to_form
from console.connections.http import CloudRequest
from console.ui.format import number
from console.ui.forms import ConfirmForm
from console.ui.links import connection_url
from console.ui.pieces import DetailItem, MenuItem, Tab, explorer_item
from console.ui.tables import Empty
from iot_client.errors import CloudError, NotFound

# -- tabs ---------------------------------------------------------------------------------------------------------------


def _render(
    request: CloudRequest,
    template: str,
    detail: api.ProductDetail,
    tab: str,
    status: int = 200,
    **context: Any,
) -> HttpResponse:
    """Render a page of a product with heading, actions and tabs."""
    key = detail.product.key
    tab_definitions = [
        ("overview", _("Overview"), "products:detail", None),
        ("devices", _("Devices"), "products:devices", detail.product.devices),
        ("tags", _("Tags"), "products:tags", None),
    ]
    tabs = [
        Tab(label, connection_url(request, url, key), name == tab, count)
        for name, label, url, count in tab_definitions
    ]
    may = {
        name: request.gateway.allows(name)
        for name in ("UpdateProduct", "ReleaseProduct", "CancelReleaseProduct")
    }
    menu = [explorer_item(request, "QueryProduct", ProductKey=key), *audit_menu_items(request, target=key)]
    if detail.is_published and may["CancelReleaseProduct"]:
        menu.append(
            MenuItem(_("Unpublish…"), connection_url(request, "products:unpublish", key), "tool", dialog=True)
        )
    if request.gateway.allows("DeleteProduct"):
        menu.append(
            MenuItem(
                _("Delete…"),
                connection_url(request, "products:delete", key),
                "trash",
                danger=True,
                dialog=True,
            )
        )
    context |= {"detail": detail, "product": detail.product, "tabs": tabs, "menu": menu, "may": may}
    return render(request, template, context, status=status)


@require_GET
def detail(request: CloudRequest, key: str) -> HttpResponse:
    """Show the overview: details, device counts and tags."""
    overview = api.get_overview(request.gateway, key)
    counts, tags = overview.counts, overview.tags
    return _render(
        request,
        "areas/products/overview.html",
        overview.detail,
        "overview",
        details=_build_details(overview.detail),
        counts=None if isinstance(counts, CloudError) else counts,
        tag_items=None if isinstance(tags, CloudError) else [DetailItem(tag.key, tag.value) for tag in tags],
        read_error=next((part for part in (counts, tags) if isinstance(part, CloudError)), None),
        may_reveal=request.gateway.reveals("QueryProduct"),
    )


def _build_details(detail: api.ProductDetail) -> list[DetailItem]:
    product = detail.product
    node_types, auth_types, data_formats = (
        dict(forms.NODE_TYPES),
        dict(forms.AUTH_TYPES),
        dict(forms.DATA_FORMATS),
    )
    items = [
        DetailItem(_("ProductKey"), product.key, kind="code", copy=True),
        DetailItem(_("Node type"), node_types["1" if product.gateway else "0"]),
        DetailItem(_("Authentication"), auth_types.get(product.auth_type, product.auth_type)),
        DetailItem(_("Thing model"), _("Yes") if detail.thing_model else _("No")),
    ]
    if detail.thing_model:
        category = detail.category_name or detail.category_key
        items += [DetailItem(_("Category"), category)] if category else []
        items += [
            DetailItem(_("Data format"), data_formats.get(str(product.data_format), "")),
            DetailItem(
                _("Data validation"),
                dict(forms.VALIDATE_TYPES).get(detail.validate_type, detail.validate_type),
            ),
        ]
    if detail.protocol:
        items.append(
            DetailItem(_("Gateway protocol"), dict(forms.PROTOCOLS).get(detail.protocol, detail.protocol))
        )
    elif detail.net_type:
        items.append(
            DetailItem(_("Network"), forms.NET_TYPES_BY_NUMBER.get(detail.net_type, detail.net_type))
        )
    return [
        *items,
        DetailItem(_("Created"), product.created, kind="time"),
        DetailItem(_("Description"), product.description),
    ]


@require_GET
def devices(request: CloudRequest, key: str) -> HttpResponse:
    """Show the device counts of the product. The page loads the device list from the devices area."""
    product, counts = api.get_product_with_counts(request.gateway, key)
    return _render(request, "areas/products/devices.html", product, "devices", counts=counts)


@require_POST
@never_cache
def reveal_secret(request: CloudRequest, key: str) -> HttpResponse:
    """Show the ProductSecret. It is requested by POST, recorded in the audit trail, and not stored."""
    return render(
        request, "areas/products/secret.html", {"key": key, "secret": api.reveal_secret(request.gateway, key)}
    )


def _dialog(request: CloudRequest, key: str, back: str, **context: Any) -> HttpResponse:
    """Render a form about a product as a dialog over the page that opened it."""
    context |= {
        "crumbs": [
            (_("Products"), connection_url(request, "products:list")),
            (key, connection_url(request, "products:detail", key)),
        ],
        "cancel": connection_url(request, back, key),
    }
    return render(request, "ui/form_page.html", context, status=422 if request.method == "POST" else 200)


# -- changes -------------------------------------------------------------------------------------------------------------


@require_http_methods(["GET", "POST"])
def edit(request: CloudRequest, key: str) -> HttpResponse:
    """Change name and description."""
    request.gateway.require("UpdateProduct")
    error = None
    if request.method == "GET":
        form = forms.ProductEditForm.for_product(api.get_product(request.gateway, key, fresh=True))
    else:
        form = forms.ProductEditForm(request.POST, present={})
        try:
            current = api.get_product(request.gateway, key, fresh=True)
            form = forms.ProductEditForm.for_product(current, request.POST)
            if form.is_valid():
                api.update_product(request.gateway, key, form.params(), current=current)
                messages.success(request, _("Changes saved."))
                return redirect(connection_url(request, "products:detail", key))
        except CloudError as raised:
            error = cloud_errors_to_form(form, raised)
    return _dialog(request, key, "products:detail", form=form, error=error, title=_("Edit product"))


@require_http_methods(["GET", "POST"])
def publish(request: CloudRequest, key: str) -> HttpResponse:
    """Publish the product, after a question."""
    return _change_publication(
        request,
        key,
        "ReleaseProduct",
        api.publish_product,
        title=_("Publish this product?"),
        text=_("You cannot edit the thing model of a published product. You can unpublish it later."),
        submit=_("Publish product"),
        done=_("Product published."),
    )


@require_http_methods(["GET", "POST"])
def unpublish(request: CloudRequest, key: str) -> HttpResponse:
    """Unpublish the product, after a question."""
    return _change_publication(
        request,
        key,
        "CancelReleaseProduct",
        api.unpublish_product,
        title=_("Unpublish this product?"),
        text=_("After that, you can edit the thing model again. The devices are not affected."),
        submit=_("Unpublish product"),
        done=_("Product unpublished."),
    )


def _change_publication(
    request: CloudRequest, key: str, name: str, change: Callable[..., None], *, done: str, **words: str
) -> HttpResponse:
    """Show the question on GET, make the change on POST."""
    request.gateway.require(name)
    error = None
    if request.method == "POST":
        try:
            change(request.gateway, key)
        except CloudError as raised:
            error = raised
        else:
            messages.success(request, done)
            return redirect(connection_url(request, "products:detail", key))
    return _dialog(request, key, "products:detail", error=error, **words)


@require_http_methods(["GET", "POST"])
def delete(request: CloudRequest, key: str) -> HttpResponse:
    """Permanently delete the product, after the user enters its name."""
    request.gateway.require("DeleteProduct")
    try:
        detail = api.get_product(request.gateway, key, fresh=True)
    except NotFound:
        messages.warning(request, _("The product no longer exists."))
        return redirect(connection_url(request, "products:list"))
    form = ConfirmForm(
        detail.product.name, request.POST if request.method == "POST" else None, label=_("Product name")
    )
    error = None
    if form.is_bound and form.is_valid():
        try:
            api.delete_product(request.gateway, key)
        except NotFound:
            messages.warning(request, _("The product no longer exists."))
            return redirect(connection_url(request, "products:list"))
        except CloudError as raised:
            error = raised
        else:
            messages.success(request, _("Product %(name)s deleted.") % {"name": detail.product.name})
            return redirect(connection_url(request, "products:list"))
    context = {
        "form": form,
        "error": error,
        "detail": detail,
        "product": detail.product,
        "blockers": _find_deletion_blockers(detail),
        "may_unpublish": request.gateway.allows("CancelReleaseProduct"),
        "consequences": list_deletion_effects(key),
        "needs_approval": needs_approval(request.gateway, "DeleteProduct", {"ProductKey": key}),
    }
    return render(request, "areas/products/delete.html", context, status=422 if form.is_bound else 200)


def _find_deletion_blockers(detail: api.ProductDetail) -> list[str]:
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
        reasons.append(_("The product is published. Unpublish it first."))
    return reasons


# -- tags --------------------------------------------------------------------------------------------------------------


@require_GET
def tags(request: CloudRequest, key: str) -> HttpResponse:
    """Show the tags of the product."""
    detail, tag_list = api.get_product_with_tags(request.gateway, key)
    may_tag = request.gateway.allows("CreateProductTags")
    empty = Empty(
        title=gettext_lazy("No tags"),
        text=gettext_lazy("Use tags, pairs of key and value, to organize products."),
        icon="tags",
    )
    table = (EDITABLE_TAGS if may_tag else TAGS).bind(request, tag_list, empty=empty)
    is_full = len(tag_list) >= api.MAX_TAGS
    return _render(
        request,
        "areas/products/tags.html",
        detail,
        "tags",
        table=table,
        may_tag=may_tag,
        is_full=is_full,
        limit=api.MAX_TAGS,
    )


@require_http_methods(["GET", "POST"])
def set_tag(request: CloudRequest, key: str) -> HttpResponse:
    """Add a tag, or with `?key=` change the value of a tag."""
    request.gateway.require("CreateProductTags")
    error = None
    if request.method == "GET":
        form = forms.TagForm(
            initial={"tag_key": request.GET.get("key", ""), "tag_value": request.GET.get("value", "")}
        )
    else:
        form = forms.TagForm(request.POST)
        if form.is_valid():
            try:
                is_new = api.set_tag(request.gateway, key, form.build_tag())
            except CloudError as raised:
                error = cloud_errors_to_form(form, raised, form.PARAMETERS)
            else:
                messages.success(request, _("Tag added.") if is_new else _("Tag saved."))
                return redirect(connection_url(request, "products:tags", key))
    is_edit = bool(request.GET.get("key"))
    title = _("Edit tag") if is_edit else _("Add tag")
    submit = "" if is_edit else _("Add tag")
    return _dialog(request, key, "products:tags", form=form, error=error, title=title, submit=submit)


@require_http_methods(["GET", "POST"])
def remove_tag(request: CloudRequest, key: str) -> HttpResponse:
    """Remove the tag `?key=` from the product."""
    request.gateway.require("DeleteProductTags")
    tag_key = request.GET.get("key", "")
    error = None
    if request.method == "POST":
        try:
            api.remove_tag(request.gateway, key, tag_key)
        except NotFound:
            messages.warning(request, _("The tag no longer exists."))
            return redirect(connection_url(request, "products:tags", key))
        except CloudError as raised:
            error = raised
        else:
            messages.success(request, _("Tag removed."))
            return redirect(connection_url(request, "products:tags", key))
    title = _("Remove tag %(key)s?") % {"key": tag_key}
    return _dialog(request, key, "products:tags", error=error, title=title, submit=_("Remove"), danger=True)
