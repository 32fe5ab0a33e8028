"""What the pages of updates share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from console.connections.http import CloudRequest
from console.ota import api
from console.products import api as products_api
from console.ui.forms import FilterForm

FORM_REFUSED = 422  # htmx shows the answer in the form's place


@dataclass(frozen=True)
class Rights:
    """What the person's role lets them do to updates; pages hide the rest, the gateway refuses it."""

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
    def of(cls, request: CloudRequest) -> Rights:
        """The rights of the person who asks."""
        allows = request.gateway.allows
        return cls(
            create=allows(api.UPLOAD) and allows(api.CREATE_PACKAGE),
            delete=allows(api.DELETE_PACKAGE),
            batch=allows(api.CREATE_STATIC),
            dynamic=allows(api.CREATE_DYNAMIC),
            verify=allows(api.CREATE_VERIFY),
            cancel=allows(api.CANCEL_JOB),
            cancel_devices=allows(api.CANCEL_DEVICE),
            stop=allows(api.STOP_DYNAMIC),
            confirm=allows(api.CONFIRM),
        )


def product_choices(request: CloudRequest) -> list[tuple[str, str]]:
    """The products to choose from, as (key, label). 1 call."""
    found = products_api.list_products(request.gateway, size=products_api.LIST_PAGE)
    return [(product.key, f"{product.name} · {product.key}") for product in found.products]


def status_of(form: Any) -> int:
    """The status of a page that shows `form`."""
    return FORM_REFUSED if form.errors and not isinstance(form, FilterForm) else 200
