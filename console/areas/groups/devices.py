"""The pages of the devices of a group: list, add, remove."""

from __future__ import annotations

from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods, require_safe

from console.areas.groups import actions, api
from console.areas.groups.forms import AddDevicesForm
from console.areas.groups.pages import GROUP
from console.areas.groups.views import group_rights
from console.areas.products import api as products_api
from console.connections.errors import cloud_errors_to_form
from console.connections.http import CloudRequest
from console.pages.jobs import JobOutOfScope, create_draft
from console.pages.keys import join_key
from console.ui.forms import FORM_REFUSED
from console.ui.links import connection_url
from console.ui.paging import Page, page_number, page_size
from console.ui.tables import Column, Empty, Table
from iot_client.errors import CloudError


def _build_table(group_id: str, *, has_status: bool) -> Table[api.GroupDevice]:
    """Return the table of devices. `has_status`: with a column for their status."""
    status: tuple[Column[api.GroupDevice], ...] = (
        Column("status", _("Status"), kind="status", status="device"),
    )
    return Table(
        id="group-devices",
        caption=_("Devices in the group"),
        key=lambda device: device.key,
        columns=(
            Column(
                "name",
                _("Device"),
                primary=True,
                link=lambda request, device: connection_url(
                    request, "devices:detail", device.product_key, device.name
                ),
            ),
            *(status if has_status else ()),
            Column("product_name", _("Product")),
            Column("product_key", _("ProductKey"), kind="code", copy=True),
            Column("iot_id", _("IotId"), kind="code", copy=True, hidden=True),
        ),
        actions=actions.BULK.buttons((actions.BULK_REMOVE,), group_id=group_id),
        menu=lambda request, device: connection_url(request, "devices:menu", device.product_key, device.name),
        unit=_("devices"),
    )


@require_safe
def list_devices(request: CloudRequest, group_id: str) -> HttpResponse:
    """Show a page of the devices of a group. Up to 5 calls."""
    number, size = page_number(request), page_size(request)
    group, device_list = api.get_group_with_devices(request.gateway, group_id, page=number, size=size)
    rights = group_rights(request, group)
    empty = Empty(
        _("No devices in this group"),
        _("Add devices of any product. A device can be in up to 10 groups."),
        icon="cpu",
        url=connection_url(request, "groups:add-devices", group_id) if rights["may_add_devices"] else "",
        action=_("Add devices"),
    )
    page = Page(number, size, device_list.total)
    table = _build_table(group_id, has_status=request.gateway.allows(api.STATES))
    bound = table.bind(request, device_list.devices, page=page, empty=empty)
    return GROUP.render(request, group, "devices", "areas/groups/devices.html", table=bound, **rights)


@require_http_methods(["GET", "HEAD", "POST"])
def add_devices(request: CloudRequest, group_id: str) -> HttpResponseBase:
    """Add devices of one product by name, and show the result for each name: up to 4 calls. Many devices become a job."""
    request.gateway.require(api.ADD)
    if request.method == "POST":
        return _add_devices(request, group_id)
    group = api.get_group(request.gateway, group_id)
    form = AddDevicesForm(_list_products(request))
    return render(
        request,
        "areas/groups/add_devices.html",
        {"group_id": group_id, "group_name": group.name, "form": form},
    )


def _add_devices(request: CloudRequest, group_id: str) -> HttpResponse:
    product_key = request.POST.get("product", "")
    form = AddDevicesForm((), request.POST)
    # The products are read only when the form is shown again, to stay within 4 calls.
    form.set_product_choices([(product_key, product_key)])
    error: CloudError | None = None
    if form.is_valid() and len(form.cleaned_data["names"]) > api.MAX_DEVICES_PER_CALL:
        keys = [join_key(product_key, name) for name in form.cleaned_data["names"]]
        try:
            job = create_draft(
                request.gateway, actions.BULK, actions.BULK_ADD, {"group_id": group_id}, keys=keys
            )
        except JobOutOfScope as refusal:
            form.add_error("pasted", str(refusal))
        else:
            return redirect(connection_url(request, "jobs:detail", job.pk))
    elif form.is_valid():
        try:
            result = api.add_devices(request.gateway, group_id, product_key, form.cleaned_data["names"])
        except CloudError as raised:
            error = cloud_errors_to_form(form, raised, {"ProductKey": "product", "Device": "pasted"})
        else:
            context = {
                "group_name": _submitted_group_name(request),
                "result": result,
                "product_key": product_key,
            }
            return render(request, "areas/groups/add_result.html", {"group_id": group_id, **context})
    form.set_product_choices(
        (product.key, f"{product.name} · {product.key}") for product in _list_products(request)
    )
    context = {"group_name": _submitted_group_name(request), "form": form, "error": error}
    return render(
        request, "areas/groups/add_devices.html", {"group_id": group_id, **context}, status=FORM_REFUSED
    )


def _list_products(request: CloudRequest) -> list[products_api.Product]:
    return list(products_api.list_products(request.gateway, size=products_api.MAX_PAGE_SIZE).products)


def _submitted_group_name(request: CloudRequest) -> str:
    """Return the group name that the form submitted. It is only displayed."""
    return request.POST.get("group_name", "")[:30]
