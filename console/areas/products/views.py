"""The pages of all products: list, export, creation, and actions on several products."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from console.areas.products import api, forms
from console.areas.products.tables import PRODUCTS
from console.connections.errors import cloud_errors_to_form, http_status
from console.connections.http import CloudRequest
from console.ui.links import connection_url
from console.ui.paging import Page, page_number, page_size
from console.ui.tables import Empty, Selection
from iot_client.errors import CloudError

MAX_SELECTED = 50
"""Maximum number of products in one bulk action."""


# -- the list ----------------------------------------------------------------------------------------------------------


@require_GET
def product_list(request: CloudRequest) -> HttpResponseBase:
    """Show all products. The console searches, filters and sorts them, because the platform cannot."""
    filters = forms.ProductFilters(request)
    product_filter = filters.build_filter()
    if request.GET.get("format") == "csv":
        return PRODUCTS.csv_response(api.iterate_products(request.gateway, product_filter), "products.csv")
    page, size = page_number(request), page_size(request)
    sort = PRODUCTS.sort(request)
    product_page, error = api.ProductPage([], 0, 0, 0), None
    try:
        product_page = api.list_products(request.gateway, product_filter, sort=sort, page=page, size=size)
    except CloudError as raised:
        error = raised
    may_create = request.gateway.allows("CreateProduct")
    empty = Empty(
        title=gettext_lazy("No products yet"),
        text=gettext_lazy("A product defines a type of device: its name, connection and data."),
        icon="packages",
        url=connection_url(request, "products:create") if may_create else "",
        action=gettext_lazy("Create product"),
    )
    table = PRODUCTS.bind(
        request, product_page.products, page=Page(page, size, product_page.total), empty=empty
    )
    context = {
        "table": table,
        "filters": filters,
        "product_page": product_page,
        "error": error,
        "may_create": may_create,
    }
    status = 200 if error is None or request.htmx else http_status(error)
    return render(
        request,
        "areas/products/_list.html" if request.htmx else "areas/products/list.html",
        context,
        status=status,
    )


# -- creation -----------------------------------------------------------------------------------------------------------


@require_http_methods(["GET", "POST"])
def create(request: CloudRequest) -> HttpResponse:
    """Create a product. `?refresh=1` returns the form with the fields that apply to the values so far."""
    request.gateway.require("CreateProduct")
    error = None
    if request.method == "GET":
        form = forms.ProductForm(draft=request.GET if "refresh" in request.GET else None)
        return render(request, "areas/products/create.html", {"form": form})
    form = forms.ProductForm(request.POST)
    if form.is_valid():
        try:
            key = api.create_product(request.gateway, form.params())
        except CloudError as raised:
            error = cloud_errors_to_form(form, raised)
        else:
            messages.success(
                request, _("Product %(name)s created.") % {"name": form.cleaned_data["product_name"]}
            )
            return redirect(connection_url(request, "products:detail", key))
    return render(request, "areas/products/create.html", {"form": form, "error": error}, status=422)


# -- several products --------------------------------------------------------------------------------------------------


@require_POST
def publish_products(request: CloudRequest) -> HttpResponse:
    """Publish the selected products."""
    return _publish_selected(request, "ReleaseProduct", unpublish=False)


@require_POST
def unpublish_products(request: CloudRequest) -> HttpResponse:
    """Unpublish the selected products."""
    return _publish_selected(request, "CancelReleaseProduct", unpublish=True)


def _publish_selected(request: CloudRequest, name: str, *, unpublish: bool) -> HttpResponse:
    """Show the question, or with `confirmed` make the change and show the result for each product."""
    request.gateway.require(name)
    selection = Selection.from_request(request)
    keys = selection.keys
    context: dict[str, Any] = {
        "title": _("Unpublish products") if unpublish else _("Publish products"),
        "submit": _("Unpublish") if unpublish else _("Publish"),
        "url": connection_url(request, "products:unpublish-many" if unpublish else "products:publish-many"),
        "keys": keys,
    }
    if selection.all_matching or not 0 < len(keys) <= MAX_SELECTED:
        context["refusal"] = _("Select 1 to %(limit)d products on one page.") % {"limit": MAX_SELECTED}
        return render(request, "areas/products/publish_many.html", context, status=422)
    if request.POST.get("confirmed") != "1":
        context["text"] = ngettext(
            "%(count)d product selected.", "%(count)d products selected.", len(keys)
        ) % {"count": len(keys)}
        return render(request, "areas/products/publish_many.html", context)
    errors = api.publish_products(request.gateway, keys, unpublish=unpublish)
    context |= {
        "results": list(zip(keys, errors, strict=True)),
        "failed_count": sum(error is not None for error in errors),
    }
    return render(request, "areas/products/publish_many.html", context)
