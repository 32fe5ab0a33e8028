"""The devices of a group: listing, adding, taking out."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from console.cloud.errors import CloudError
from console.connections.errors import cloud_errors_to_form
from console.connections.http import CloudRequest
from console.devices import api as devices_api
from console.groups import api
from console.groups.forms import AddDevicesForm, search_text
from console.groups.pages import group_context
from console.groups.views import FORM_REFUSED
from console.products import api as products_api
from console.ui.links import curl
from console.ui.paging import Page, page_number, page_size
from console.ui.tables import BulkAction, Column, Empty, Selection, Table

FOUND = 20  # devices that a search offers to tick


def _table(group_id: str) -> Table[api.GroupDevice]:
    return Table(
        id="group-devices",
        caption=_("Devices of the group"),
        key=lambda device: device.key,
        columns=(
            Column(
                "name",
                _("Device"),
                primary=True,
                link=lambda request, device: curl(request, "devices:detail", device.product_key, device.name),
            ),
            Column("product_name", _("Product")),
            Column("product_key", _("ProductKey"), kind="code", copy=True),
            Column("iot_id", _("IotId"), kind="code", copy=True, hidden=True),
        ),
        actions=(
            BulkAction(
                _("Take out of the group"),
                "circle-minus",
                url=lambda request: curl(request, "groups:remove-devices", group_id),
                allowed=lambda request: request.gateway.allows(api.REMOVE),  # type: ignore[attr-defined]
            ),
        ),
    )


@require_safe
def device_list(request: CloudRequest, group_id: str) -> HttpResponse:
    """A page of a group's devices. Up to 4 calls."""
    number, size = page_number(request), page_size(request)
    group, found = api.get_group_with_devices(request.gateway, group_id, page=number, size=size)
    context = group_context(request, group, "devices")
    empty = Empty(
        _("No devices in this group"),
        _("Add devices of any product. A device can be in up to ten groups."),
        icon="cpu",
        url=curl(request, "groups:add-devices", group_id) if context["rights"].add else "",
        action=_("Add devices"),
    )
    page = Page(number, size, found.total)
    context["table"] = _table(group_id).bind(request, found.devices, page=page, empty=empty)
    return render(request, "groups/devices.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
def add(request: CloudRequest, group_id: str) -> HttpResponseBase:
    """Add devices of one product, by name. Shows for each name what became of it. Up to 4 calls."""
    request.gateway.require(api.ADD)
    if request.method == "POST":
        return _add(request, group_id)
    group = api.get_group(request.gateway, group_id)
    form = AddDevicesForm(_products(request))
    return render(
        request, "groups/add_devices.html", {"group_id": group_id, "group_name": group.name, "form": form}
    )


def _add(request: CloudRequest, group_id: str) -> HttpResponse:
    product_key = request.POST.get("product", "")
    form = AddDevicesForm((), request.POST)
    # What can be chosen is asked for only when the form is shown again: with the lookups it would be a call too many.
    form.offer([(product_key, product_key)])
    error: CloudError | None = None
    if form.is_valid():
        try:
            result = api.add_devices(request.gateway, group_id, product_key, form.cleaned_data["names"])
        except CloudError as raised:
            error = cloud_errors_to_form(form, raised, {"ProductKey": "product", "Device": "pasted"})
        else:
            context = {"group_name": _told_name(request), "result": result, "product_key": product_key}
            return render(request, "groups/added.html", {"group_id": group_id, **context})
    form.offer((product.key, f"{product.name} · {product.key}") for product in _products(request))
    context = {"group_name": _told_name(request), "form": form, "error": error}
    return render(request, "groups/add_devices.html", {"group_id": group_id, **context}, status=FORM_REFUSED)


def _products(request: CloudRequest) -> list[products_api.Product]:
    return list(products_api.list_products(request.gateway, size=products_api.LIST_PAGE).products)


def _told_name(request: CloudRequest) -> str:
    """The group's name as the form carried it: shown only, never used for anything else."""
    return request.POST.get("group_name", "")[:30]


@require_POST
def find(request: CloudRequest, group_id: str) -> HttpResponse:
    """Devices of the form's product to tick in it, a part of its page; those ticked before stay. Up to 4 calls.

    Posted, though it changes nothing: 200 ticked names make an address longer than servers take.
    """
    request.gateway.require(api.ADD)
    product_key, text = request.POST.get("product", "")[:64], search_text(request)
    ticked = list(dict.fromkeys(request.POST.getlist("picked")))[: api.MAX_DEVICES_A_CALL]
    found: devices_api.DevicePage | None = None
    refused = False
    if product_key:
        products = {product.key: product.devices for product in _products(request)}
        try:
            found = devices_api.list_devices(
                request.gateway,
                devices_api.DeviceFilter(product_key, text),
                size=FOUND,
                known_total=products.get(product_key),
            )
        except ValueError:  # no device can be called so
            refused = True
    devices = [device for device in found.devices if device.name not in ticked] if found else []
    return render(
        request,
        "groups/found.html",
        {
            "product_key": product_key,
            "text": text,
            "found": found,
            "devices": devices,
            "ticked": ticked,
            "refused": refused,
        },
    )


@require_POST
def remove(request: CloudRequest, group_id: str) -> HttpResponseBase:
    """Take the ticked devices out of the group: asks first, then (`confirmed`) does it. Up to 2 calls."""
    request.gateway.require(api.REMOVE)
    selection = Selection.of(request)
    error: CloudError | None = None
    keys, total = list(selection.keys), len(selection.keys)
    if selection.all_matching:
        found = api.list_devices(request.gateway, group_id, size=api.MAX_DEVICES_A_CALL)
        keys, total = [device.key for device in found.devices], found.total
    keys = [key for key in keys if key.count("/") == 1]
    if request.POST.get("confirmed") == "1" and keys:
        pairs = [(key.partition("/")[0], key.partition("/")[2]) for key in keys[: api.MAX_DEVICES_A_CALL]]
        try:
            count = api.remove_devices(request.gateway, group_id, pairs)
        except CloudError as raised:
            error = raised
        else:
            text = ngettext("%(count)d device was taken out.", "%(count)d devices were taken out.", count)
            messages.success(request, text % {"count": count})
            return redirect(curl(request, "groups:devices", group_id))
    context = {
        "group_id": group_id,
        "keys": keys[: api.MAX_DEVICES_A_CALL],
        "shown": [key.partition("/")[2] for key in keys[:5]],
        "more": max(0, min(len(keys), api.MAX_DEVICES_A_CALL) - 5),
        "most": api.MAX_DEVICES_A_CALL,
        "cut": total > api.MAX_DEVICES_A_CALL,
        "total": total,
        "error": error,
    }
    return render(request, "groups/remove_devices.html", context, status=FORM_REFUSED if error else 200)
