"""Pages of many products: the list, its export, making one, what is done to several."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from console.cloud.errors import CloudError
from console.connections.errors import cloud_errors_to_form, status_of
from console.connections.http import CloudRequest
from console.products import api, forms
from console.products.tables import PRODUCTS
from console.ui.links import curl
from console.ui.paging import Page, page_number, page_size
from console.ui.tables import Empty, Selection

MANY = 50
"""Products that one bulk action takes."""


# -- the list ----------------------------------------------------------------------------------------------------------


@require_GET
def product_list(request: CloudRequest) -> HttpResponseBase:
    """All products: searched, filtered and sorted here, since the platform only pages."""
    filters = forms.ProductFilters(request)
    wanted = filters.wanted()
    if request.GET.get("format") == "csv":
        return PRODUCTS.csv_response(api.every_product(request.gateway, wanted), "products.csv")
    page, size = page_number(request), page_size(request)
    sort = PRODUCTS.sort(request)
    found, error = api.ProductPage([], 0, 0, 0), None
    try:
        found = api.list_products(request.gateway, wanted, sort=sort, page=page, size=size)
    except CloudError as raised:
        error = raised
    may_create = request.gateway.allows("CreateProduct")
    empty = Empty(
        title=gettext_lazy("No products yet"),
        text=gettext_lazy(
            "A product is a kind of device: what it is called, how it connects, what data it has."
        ),
        icon="packages",
        url=curl(request, "products:create") if may_create else "",
        action=gettext_lazy("Create a product"),
    )
    table = PRODUCTS.bind(request, found.products, page=Page(page, size, found.total), empty=empty)
    context = {"table": table, "filters": filters, "found": found, "error": error, "may_create": may_create}
    status = 200 if error is None or request.htmx else status_of(error)
    return render(
        request, "products/_list.html" if request.htmx else "products/list.html", context, status=status
    )


# -- a new one --------------------------------------------------------------------------------------------------------


@require_http_methods(["GET", "POST"])
def create(request: CloudRequest) -> HttpResponse:
    """A new product. `?shape=1` answers the form as it is with what is chosen so far."""
    request.gateway.require("CreateProduct")
    error = None
    if request.method == "GET":
        form = forms.ProductForm(draft=request.GET if "shape" in request.GET else None)
        return render(request, "products/create.html", {"form": form})
    form = forms.ProductForm(request.POST)
    if form.is_valid():
        try:
            key = api.create_product(request.gateway, form.params())
        except CloudError as raised:
            error = cloud_errors_to_form(form, raised)
        else:
            messages.success(
                request, _("Product “%(name)s” is created.") % {"name": form.cleaned_data["product_name"]}
            )
            return redirect(curl(request, "products:detail", key))
    return render(request, "products/create.html", {"form": form, "error": error}, status=422)


# -- several products --------------------------------------------------------------------------------------------------


@require_POST
def publish_many(request: CloudRequest) -> HttpResponse:
    """Publish the ticked products."""
    return _many(request, "ReleaseProduct", take_back=False)


@require_POST
def unpublish_many(request: CloudRequest) -> HttpResponse:
    """Take publishing of the ticked products back."""
    return _many(request, "CancelReleaseProduct", take_back=True)


def _many(request: CloudRequest, name: str, *, take_back: bool) -> HttpResponse:
    """First the question, then, with `confirmed`, the change of each, and what became of it."""
    request.gateway.require(name)
    selection = Selection.of(request)
    keys = selection.keys
    context: dict[str, Any] = {
        "title": _("Unpublish products") if take_back else _("Publish products"),
        "submit": _("Unpublish") if take_back else _("Publish"),
        "url": curl(request, "products:unpublish-many" if take_back else "products:publish-many"),
        "keys": keys,
    }
    if selection.all_matching or not 0 < len(keys) <= MANY:
        context["refused"] = _("Tick 1 to %(most)d products on the page.") % {"most": MANY}
        return render(request, "products/many.html", context, status=422)
    if request.POST.get("confirmed") != "1":
        context["text"] = ngettext(
            "One product is selected.", "%(count)d products are selected.", len(keys)
        ) % {"count": len(keys)}
        return render(request, "products/many.html", context)
    errors = api.publish_many(request.gateway, keys, take_back=take_back)
    context |= {
        "outcomes": list(zip(keys, errors, strict=True)),
        "failed": sum(error is not None for error in errors),
    }
    return render(request, "products/many.html", context)
