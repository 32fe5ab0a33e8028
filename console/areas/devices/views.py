"""The pages of devices: the list, its export, search, and registering one device."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase, QueryDict
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from console.areas.devices import api, forms, lists, sql
from console.areas.devices.records import Device, DeviceCredentials, DeviceFilter, DevicePage
from console.areas.devices.tables import device_table, product_table
from console.areas.products import api as products_api
from console.connections.errors import cloud_errors_to_form, http_status
from console.connections.gateway import OutOfScope
from console.connections.http import CloudRequest
from console.connections.submissions import AlreadySubmitted, is_outcome_unknown, new_token, submit_once
from console.pages.detail import find_detail
from console.pages.keys import join_key, split_key
from console.ui.format import number
from console.ui.forms import FORM_REFUSED
from console.ui.links import connection_url, query_url
from console.ui.paging import Page, TokenPage, page_number, page_size, page_token
from console.ui.tables import Empty, Table
from iot_client.errors import CloudError

# -- the list ----------------------------------------------------------------------------------------------------------


@require_safe
def device_list(request: CloudRequest) -> HttpResponseBase:
    """List the devices of a product or of a search; without filters, list the products to choose from."""
    products: list[products_api.Product] = []
    error: CloudError | None = None
    try:
        products = products_api.list_newest_products(request.gateway)
    except CloudError as raised:
        error = raised
    filters = forms.DeviceFilters(request, products)
    device_filter = filters.device_filter()
    products_by_key = {product.key: product for product in products}
    product = products_by_key.get(device_filter.product_key)
    table = device_table(
        {key: product.name for key, product in products_by_key.items()},
        one_product=bool(device_filter.product_key),
    )
    has_filters = not device_filter.is_empty
    context: dict[str, Any] = {
        "filters": filters,
        "products": products,
        "product": product,
        "product_key": device_filter.product_key,
        "has_filters": has_filters,
        "renews_tools": bool(request.htmx) and _had_filters(request) != has_filters,
        "may_register": request.gateway.allows("RegisterDevice"),
        "bad_text": filters.problem,
    }
    guard = request.gateway.limited_scope
    if guard is not None and has_filters and not device_filter.product_key and not context["bad_text"]:
        context["bad_text"] = _(
            "Your access scope is limited to %(limits)s. Select a product to search in."
        ) % {"limits": guard.summary}
    if not has_filters and not context["bad_text"] and error is None:
        context["table"] = product_table().bind(request, products)
        return render(
            request, "areas/devices/_choose.html" if request.htmx else "areas/devices/choose.html", context
        )
    total = product.devices if product else None
    if request.GET.get("format") == "csv" and not context["bad_text"]:
        return _export(request, table, device_filter, total)
    listed = _list_devices(
        request, table, device_filter, total, skip=error is not None or bool(context["bad_text"])
    )
    context |= listed
    error = context["error"] = error or listed["error"]
    template = "areas/devices/_list.html" if request.htmx else "areas/devices/list.html"
    status = 200 if error is None or request.htmx else http_status(error)
    return render(request, template, context, status=status)


@require_safe
def product_devices(request: CloudRequest, product_key: str) -> HttpResponseBase:
    """List the devices of a product, as a tab of its page, with the filters and actions of the list of devices."""
    detail = products_api.get_product(request.gateway, product_key)
    product = detail.product
    # What is made of the query (filters, "all that match", other pages) names the product.
    query = request.GET.copy()
    query["product"] = product_key
    request.GET = query  # type: ignore[assignment]
    filters = forms.ProductDeviceFilters(request, [product])
    table = device_table({product_key: product.name}, one_product=True)
    device_filter, problem = filters.device_filter(), filters.problem
    if request.GET.get("format") == "csv" and not problem:
        return _export(request, table, device_filter, product.devices)
    context = _list_devices(request, table, device_filter, product.devices, skip=bool(problem))
    return find_detail("products:detail").render(
        request,
        detail,
        "devices",
        "areas/devices/of_product.html",
        filters=filters,
        bad_text=problem,
        **context,
    )


def _list_devices(
    request: CloudRequest,
    table: Table[Device],
    device_filter: DeviceFilter,
    total: int | None,
    *,
    skip: bool,
) -> dict[str, Any]:
    """Return the context of a list of devices. `total`: the devices of the product; `skip`: show none, because of an error."""
    result = DevicePage([], 0)
    page: Page | TokenPage = Page(1, page_size(request), 0)
    error: CloudError | None = None
    if not skip:
        try:
            result, page = _find_page(request, device_filter, total)
        except CloudError as raised:
            error = raised
    if not device_filter.text and not device_filter.status:
        table = replace(table, order=gettext_lazy("Newest first"))  # the reference of QueryDevice says so
    return {
        "table": table.bind(request, result.devices, page=page, empty=_empty_text(request, device_filter)),
        "error": error,
        "result": result,
        "scanned": lists.NEWEST_SCAN_LIMIT,
        "existing": total,
    }


def _had_filters(request: CloudRequest) -> bool:
    """Return whether the page that htmx changes lists devices, not products."""
    query = QueryDict((request.htmx.current_url or "").partition("?")[2].partition("#")[0])
    return not forms.DeviceFilters.from_query(query).device_filter().is_empty


def _find_page(
    request: CloudRequest, device_filter: DeviceFilter, total: int | None
) -> tuple[DevicePage, Page | TokenPage]:
    """Return the devices of the requested page and its position: a page number, or a token beyond the limit of numbers."""
    size = page_size(request)
    token, first_row = page_token(request)
    number = min(page_number(request), lists.PAGING_LIMIT // size)
    if token:
        number = (first_row - 1) // size + 1
    result = lists.list_devices(
        request.gateway,
        device_filter,
        page=number,
        size=size,
        token=token,
        known_total=total,
    )
    last = result.paging_limit // size if result.paging_limit else None
    needs_token = result.next_token and last is not None and number >= last
    if not token and not needs_token:
        return result, Page(number, size, result.total, last=last)
    if not token:
        first_row = (number - 1) * size + 1
    return result, TokenPage(size, len(result.devices), first_row, result.next_token or None, result.total)


def _empty_text(request: CloudRequest, device_filter: DeviceFilter) -> Empty:
    may = request.gateway.allows("RegisterDevice")
    return Empty(
        title=gettext_lazy("No devices yet"),
        text=gettext_lazy("Register one device, or many devices from a CSV file."),
        icon="cpu",
        url=f"{connection_url(request, 'devices:create')}?{_query(product=device_filter.product_key)}"
        if may
        else "",
        action=gettext_lazy("Register device"),
    )


def _query(**values: str) -> str:
    query = QueryDict(mutable=True)
    query.update({name: value for name, value in values.items() if value})
    return query.urlencode()


# -- the export --------------------------------------------------------------------------------------------------------


def _export(
    request: CloudRequest, table: Table[Device], device_filter: DeviceFilter, total: int | None
) -> HttpResponseBase:
    """Return all devices that match as CSV, read page by page in the background lane, behind interactive calls."""
    gateway = request.gateway.in_background()
    name = f"devices-{device_filter.product_key}.csv" if device_filter.product_key else "devices.csv"
    try:
        return table.csv_response(lists.iter_devices(gateway, device_filter, known_total=total), name)
    except lists.TooManyDevices as error:
        messages.warning(
            request,
            _("%(count)s devices match. The platform returns at most %(most)s. Narrow the search.")
            % {"count": number(error.count), "most": number(sql.MAX_ROWS)},
        )
        return redirect(query_url(request, format=None))


# -- search ------------------------------------------------------------------------------------------------------------


@require_safe
def search(request: CloudRequest) -> HttpResponse:
    """Handle the search box: open the device with exactly this name or IotId, else list devices whose name starts with it."""
    text = request.GET.get("q", "").strip()[:128]
    context: dict[str, Any] = {
        "q": text,
        "is_searchable": sql.is_searchable(text),
        "is_prefix": sql.is_prefix(text),
    }
    if not text:
        return render(request, "areas/devices/search.html", context)
    products = products_api.list_newest_products(request.gateway)
    named = products_api.ProductFilter(text=text)
    context["products"] = product_table(linked_to_devices=False).bind(
        request, filter(named.matches, products)
    )
    if context["is_searchable"]:
        try:
            result = lists.search(request.gateway, text)
        except OutOfScope as error:
            context["refused"] = str(error)
            return render(request, "areas/devices/search.html", context)
        if len(result.exact_matches) == 1:
            device = result.exact_matches[0]
            return redirect(connection_url(request, "devices:detail", device.product_key, device.name))
        table = device_table({product.key: product.name for product in products}, one_product=False)
        context["table"] = table.bind(request, [*result.exact_matches, *result.prefix_matches])
        context["more"] = len(result.prefix_matches) >= lists.PAGE_SIZE
    return render(request, "areas/devices/search.html", context)


# -- registering one ---------------------------------------------------------------------------------------------------


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def create(request: CloudRequest) -> HttpResponse:
    """Register one device. Only this response shows its credentials, once, to users who may see them."""
    request.gateway.require("RegisterDevice")
    chosen = request.POST.get("product_key", "") or request.GET.get("product", "")
    chosen = chosen if sql.is_searchable(chosen) else ""
    products = products_api.list_newest_products(request.gateway)
    error = None
    if request.method != "POST":
        initial = {"product_key": chosen, "token": new_token()}
        form = forms.RegisterForm(products, chosen=chosen, initial=initial)
        return render(request, "areas/devices/create.html", {"form": form})
    form = forms.RegisterForm(products, request.POST, chosen=chosen)
    if form.is_valid():
        values = form.cleaned_data
        credentials: DeviceCredentials | None = None

        def register() -> str:
            nonlocal credentials
            credentials = api.register_device(
                request.gateway,
                values["product_key"],
                name=values["device_name"],
                nickname=values["nickname"],
            )
            return join_key(credentials.product_key, credentials.name)

        try:
            submit_once(request, values["token"] or new_token(), register)
        except AlreadySubmitted as earlier:
            return _redirect_to_registered(request, earlier.result)
        except CloudError as raised:
            error = cloud_errors_to_form(form, raised)
            if is_outcome_unknown(raised):
                form.data = request.POST.copy()
                form.data["token"] = new_token()
        else:
            return render(
                request,
                "areas/devices/create.html",
                {"credentials": credentials, "reveals": bool(credentials and credentials.secret)},
            )
    return render(request, "areas/devices/create.html", {"form": form, "error": error}, status=FORM_REFUSED)


def _redirect_to_registered(request: CloudRequest, device_key: str) -> HttpResponse:
    if device_key:
        messages.info(request, _("This form was already submitted. This is the device that it registered."))
        return redirect(connection_url(request, "devices:detail", *split_key(device_key)))
    messages.warning(
        request,
        _(
            "You already submitted this form, and no response was received yet. Check for the device here in a moment."
        ),
    )
    return redirect(connection_url(request, "devices:list"))
