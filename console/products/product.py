"""Pages of one product: its tabs, its tags, and what can be done to it."""

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
from console.cloud.errors import CloudError, NotFound
from console.connections.approval import needs_approval
from console.connections.errors import cloud_errors_to_form
from console.connections.http import CloudRequest
from console.products import api, forms
from console.products.tables import EDITABLE_TAGS, TAGS
from console.ui.format import number
from console.ui.forms import ConfirmForm
from console.ui.links import curl
from console.ui.pieces import DetailItem, MenuItem, Tab, explorer_item
from console.ui.tables import Empty

# -- its tabs -------------------------------------------------------------------------------------------------------


def _render(
    request: CloudRequest,
    template: str,
    detail: api.ProductDetail,
    tab: str,
    status: int = 200,
    **context: Any,
) -> HttpResponse:
    """A page of a product: its heading, what can be done, its tabs."""
    key = detail.product.key
    named = [
        ("overview", _("Overview"), "products:detail", None),
        ("devices", _("Devices"), "products:devices", detail.product.devices),
        ("tags", _("Tags"), "products:tags", None),
    ]
    tabs = [Tab(label, curl(request, url, key), name == tab, count) for name, label, url, count in named]
    may = {
        name: request.gateway.allows(name)
        for name in ("UpdateProduct", "ReleaseProduct", "CancelReleaseProduct")
    }
    menu = [explorer_item(request, "QueryProduct", ProductKey=key), *audit_menu_items(request, target=key)]
    if detail.published and may["CancelReleaseProduct"]:
        menu.append(MenuItem(_("Unpublish…"), curl(request, "products:unpublish", key), "tool", dialog=True))
    if request.gateway.allows("DeleteProduct"):
        menu.append(
            MenuItem(_("Delete…"), curl(request, "products:delete", key), "trash", danger=True, dialog=True)
        )
    context |= {"detail": detail, "product": detail.product, "tabs": tabs, "menu": menu, "may": may}
    return render(request, template, context, status=status)


@require_GET
def detail(request: CloudRequest, key: str) -> HttpResponse:
    """What a product is, how many devices it has, its tags."""
    overview = api.overview(request.gateway, key)
    counts, tags = overview.counts, overview.tags
    return _render(
        request,
        "products/overview.html",
        overview.detail,
        "overview",
        facts=_facts(overview.detail),
        counts=None if isinstance(counts, CloudError) else counts,
        tag_facts=None if isinstance(tags, CloudError) else [DetailItem(tag.key, tag.value) for tag in tags],
        missing=next((part for part in (counts, tags) if isinstance(part, CloudError)), None),
        reveals=request.gateway.reveals("QueryProduct"),
    )


def _facts(detail: api.ProductDetail) -> list[DetailItem]:
    product = detail.product
    nodes, auth, formats = dict(forms.NODE_TYPES), dict(forms.AUTH_TYPES), dict(forms.DATA_FORMATS)
    facts = [
        DetailItem(_("Product key"), product.key, kind="code", copy=True),
        DetailItem(_("Node type"), nodes["1" if product.gateway else "0"]),
        DetailItem(_("Authentication"), auth.get(product.auth_type, product.auth_type)),
        DetailItem(_("Thing model"), _("Yes") if detail.thing_model else _("No")),
    ]
    if detail.thing_model:
        category = detail.category_name or detail.category_key
        facts += [DetailItem(_("Category"), category)] if category else []
        facts += [
            DetailItem(_("Data format"), formats.get(str(product.data_format), "")),
            DetailItem(
                _("Data validation"),
                dict(forms.VALIDATE_TYPES).get(detail.validate_type, detail.validate_type),
            ),
        ]
    if detail.protocol:
        facts.append(
            DetailItem(_("Gateway protocol"), dict(forms.PROTOCOLS).get(detail.protocol, detail.protocol))
        )
    elif detail.net_type:
        facts.append(
            DetailItem(_("Network"), forms.NET_TYPES_BY_NUMBER.get(detail.net_type, detail.net_type))
        )
    return [
        *facts,
        DetailItem(_("Created"), product.created, kind="when"),
        DetailItem(_("Description"), product.description),
    ]


@require_GET
def devices(request: CloudRequest, key: str) -> HttpResponse:
    """The product's devices: counts here, and the list of the device room, which loads itself."""
    found, counts = api.product_with_counts(request.gateway, key)
    return _render(request, "products/devices.html", found, "devices", counts=counts)


@require_POST
@never_cache
def secret(request: CloudRequest, key: str) -> HttpResponse:
    """The ProductSecret, on request, once: asked for by POST, recorded, kept nowhere."""
    return render(
        request, "products/secret.html", {"key": key, "secret": api.reveal_secret(request.gateway, key)}
    )


def _dialog(request: CloudRequest, key: str, back: str, **context: Any) -> HttpResponse:
    """A short form about a product, over the page it was opened from."""
    context |= {
        "crumbs": [
            (_("Products"), curl(request, "products:list")),
            (key, curl(request, "products:detail", key)),
        ],
        "cancel": curl(request, back, key),
    }
    return render(request, "ui/form_page.html", context, status=422 if request.method == "POST" else 200)


# -- changing it ------------------------------------------------------------------------------------------------


@require_http_methods(["GET", "POST"])
def edit(request: CloudRequest, key: str) -> HttpResponse:
    """Another name and description."""
    request.gateway.require("UpdateProduct")
    error = None
    if request.method == "GET":
        form = forms.ProductEditForm.of(api.product_detail(request.gateway, key, fresh=True))
    else:
        form = forms.ProductEditForm(request.POST, present={})
        try:
            found = api.product_detail(request.gateway, key, fresh=True)
            form = forms.ProductEditForm.of(found, request.POST)
            if form.is_valid():
                api.update_product(request.gateway, key, form.params(), found=found)
                messages.success(request, _("Changes saved."))
                return redirect(curl(request, "products:detail", key))
        except CloudError as raised:
            error = cloud_errors_to_form(form, raised)
    return _dialog(request, key, "products:detail", form=form, error=error, title=_("Edit product"))


@require_http_methods(["GET", "POST"])
def publish(request: CloudRequest, key: str) -> HttpResponse:
    """Publish the product."""
    return _state(
        request,
        key,
        "ReleaseProduct",
        api.publish,
        title=_("Publish this product?"),
        text=_("Its thing model cannot be edited while it is published. Publishing can be taken back."),
        submit=_("Publish"),
        done=_("The product is published."),
    )


@require_http_methods(["GET", "POST"])
def unpublish(request: CloudRequest, key: str) -> HttpResponse:
    """Take publishing back."""
    return _state(
        request,
        key,
        "CancelReleaseProduct",
        api.unpublish,
        title=_("Unpublish this product?"),
        text=_("Its thing model can be edited again. Its devices go on as before."),
        submit=_("Unpublish"),
        done=_("The product is no longer published."),
    )


def _state(
    request: CloudRequest, key: str, name: str, change: Callable[..., None], *, done: str, **words: str
) -> HttpResponse:
    """A question on GET, the change on POST."""
    request.gateway.require(name)
    error = None
    if request.method == "POST":
        try:
            change(request.gateway, key)
        except CloudError as raised:
            error = raised
        else:
            messages.success(request, done)
            return redirect(curl(request, "products:detail", key))
    return _dialog(request, key, "products:detail", error=error, **words)


@require_http_methods(["GET", "POST"])
def delete(request: CloudRequest, key: str) -> HttpResponse:
    """Delete the product for good, once its name is typed."""
    request.gateway.require("DeleteProduct")
    try:
        found = api.product_detail(request.gateway, key, fresh=True)
    except NotFound:
        messages.warning(request, _("That product no longer exists."))
        return redirect(curl(request, "products:list"))
    form = ConfirmForm(
        found.product.name, request.POST if request.method == "POST" else None, label=_("Product name")
    )
    error = None
    if form.is_bound and form.is_valid():
        try:
            api.delete_product(request.gateway, key)
        except NotFound:
            messages.warning(request, _("That product no longer exists."))
            return redirect(curl(request, "products:list"))
        except CloudError as raised:
            error = raised
        else:
            messages.success(request, _("Product “%(name)s” is deleted.") % {"name": found.product.name})
            return redirect(curl(request, "products:list"))
    context = {
        "form": form,
        "error": error,
        "detail": found,
        "product": found.product,
        "blocked": _reasons_against(found),
        "may_unpublish": request.gateway.allows("CancelReleaseProduct"),
        "consequences": consequences(key),
        "needs_approval": needs_approval(request.gateway, "DeleteProduct", {"ProductKey": key}),
    }
    return render(request, "products/delete.html", context, status=422 if form.is_bound else 200)


def consequences(key: str) -> list[str]:
    """What goes with a product that is deleted."""
    return [
        _("its key %(key)s: nothing that uses it works any longer") % {"key": key},
        _("its thing model, topics and tags"),
        _("its place in rules, subscriptions and update packages"),
    ]


def _reasons_against(found: api.ProductDetail) -> list[str]:
    """Why the platform would refuse to delete a product, and the way out of it."""
    reasons = []
    if found.product.devices:
        reasons.append(
            ngettext(
                "It still has one device. Delete the device first.",
                "It still has %(count)s devices. Delete them first.",
                found.product.devices,
            )
            % {"count": number(found.product.devices)}
        )
    if found.published:
        reasons.append(_("It is published. Unpublish it first."))
    return reasons


# -- tags --------------------------------------------------------------------------------------------------------------


@require_GET
def tags(request: CloudRequest, key: str) -> HttpResponse:
    """The product's tags."""
    found, listed = api.product_with_tags(request.gateway, key)
    may_tag = request.gateway.allows("CreateProductTags")
    empty = Empty(
        title=gettext_lazy("No tags"),
        text=gettext_lazy("Tags are keys with values, to sort products by."),
        icon="tags",
    )
    table = (EDITABLE_TAGS if may_tag else TAGS).bind(request, listed, empty=empty)
    full = len(listed) >= api.MAX_TAGS
    return _render(
        request,
        "products/tags.html",
        found,
        "tags",
        table=table,
        may_tag=may_tag,
        full=full,
        limit=api.MAX_TAGS,
    )


@require_http_methods(["GET", "POST"])
def set_tag(request: CloudRequest, key: str) -> HttpResponse:
    """Add a tag, or with `?key=` give one another value."""
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
                added = api.set_tag(request.gateway, key, form.tag())
            except CloudError as raised:
                error = cloud_errors_to_form(form, raised, form.PARAMETERS)
            else:
                messages.success(request, _("Tag added.") if added else _("Tag changed."))
                return redirect(curl(request, "products:tags", key))
    title = _("Change tag") if request.GET.get("key") else _("Add tag")
    return _dialog(request, key, "products:tags", form=form, error=error, title=title)


@require_http_methods(["GET", "POST"])
def remove_tag(request: CloudRequest, key: str) -> HttpResponse:
    """Take the tag of `?key=` off the product."""
    request.gateway.require("DeleteProductTags")
    tag_key = request.GET.get("key", "")
    error = None
    if request.method == "POST":
        try:
            api.remove_tag(request.gateway, key, tag_key)
        except NotFound:
            messages.warning(request, _("That tag is gone already."))
            return redirect(curl(request, "products:tags", key))
        except CloudError as raised:
            error = raised
        else:
            messages.success(request, _("Tag removed."))
            return redirect(curl(request, "products:tags", key))
    title = _("Remove the tag %(key)s?") % {"key": tag_key}
    return _dialog(request, key, "products:tags", error=error, title=title, submit=_("Remove"), danger=True)
