"""Helpers that the pages of over-the-air updates share: the user's rights, product choices, status codes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from console.areas.ota import api
from console.areas.products import api as products_api
from console.connections.http import CloudRequest
from console.ui.forms import FilterForm

FORM_REFUSED = 422  # htmx replaces the form with the response


@dataclass(frozen=True)
class Rights:
    """The actions that the user's role allows for updates. Pages hide the others; the gateway refuses them."""

    create: bool
    delete: bool
    batch: bool
    dynamic: bool
    verify: bool
    cancel: bool
    cancel_devices: bool
    stop: bool
    confirm: bool

    @classmethod
    def from_request(cls, request: CloudRequest) -> Rights:
        """Return the rights of the user of the request."""
        allows = request.gateway.allows
        return cls(
            create=allows(api.UPLOAD) and allows(api.CREATE_PACKAGE),
            delete=allows(api.DELETE_PACKAGE),
            batch=allows(api.CREATE_STATIC),
            dynamic=allows(api.CREATE_DYNAMIC),
            verify=allows(api.CREATE_VERIFY),
            cancel=allows(api.CANCEL_BATCH),
            cancel_devices=allows(api.CANCEL_DEVICE),
            stop=allows(api.STOP_DYNAMIC),
            confirm=allows(api.CONFIRM),
        )


def product_choices(request: CloudRequest) -> list[tuple[str, str]]:
    """Return the products to choose from, as (key, label). 1 call."""
    page = products_api.list_products(request.gateway, size=products_api.MAX_PAGE_SIZE)
    return [(product.key, f"{product.name} · {product.key}") for product in page.products]


def form_status(form: Any) -> int:
    """Return the HTTP status of a page that shows `form`."""
    return FORM_REFUSED if form.errors and not isinstance(form, FilterForm) else 200
