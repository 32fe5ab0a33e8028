"""The devices of a product as checkboxes, for forms that let the user select devices."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_POST

from console.areas.devices import lists
from console.areas.devices.records import DeviceFilter, DevicePage
from console.areas.products import api as products_api
from console.connections.http import CloudRequest

SEARCH_SIZE = 20  # devices shown for a search
MAX_SELECTED = 200  # no operation takes the names of more devices
_MAX_NAME_LENGTH = 32


@require_POST
def find_devices(request: CloudRequest) -> HttpResponse:
    """Return the devices of a product that match the search, as checkboxes; selected devices are kept. Up to 4 calls.

    A POST, although it changes nothing: an address with 200 selected names is too long for servers.
    """
    request.gateway.require("QueryDevice")
    product_key = request.POST.get("product", "")[:64]
    text = request.POST.get("q", "").strip()[:_MAX_NAME_LENGTH]
    selected = list(dict.fromkeys(request.POST.getlist("device")))[:MAX_SELECTED]
    device_page: DevicePage | None = None
    is_invalid = False
    if product_key:
        listed = products_api.list_products(request.gateway, size=products_api.MAX_PAGE_SIZE).products
        products = {product.key: product.devices for product in listed}
        try:
            device_page = lists.list_devices(
                request.gateway,
                DeviceFilter(product_key, text),
                size=SEARCH_SIZE,
                known_total=products.get(product_key),
            )
        except ValueError:  # not a valid device name
            is_invalid = True
    devices = [device for device in device_page.devices if device.name not in selected] if device_page else []
    return render(
        request,
        "areas/devices/choices.html",
        {
            "product_key": product_key,
            "text": text,
            "device_page": device_page,
            "devices": devices,
            "selected": selected,
            "is_invalid": is_invalid,
        },
    )
