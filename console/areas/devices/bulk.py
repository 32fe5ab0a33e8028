"""What can be done to several devices of a list."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django.http import QueryDict
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from console.areas.devices import api
from console.areas.devices.forms import DeviceFilters
from console.areas.devices.records import Device, SearchMatch
from console.areas.products import api as products_api
from console.connections.gateway import Gateway
from console.pages.actions import Question
from console.pages.bulk import Bulk, BulkPages
from console.pages.keys import is_key, second_value, split_key
from console.ui.format import number
from iot_client.errors import CloudError


def _apply(gateway: Gateway, action: str, keys: Sequence[str]) -> list[CloudError | None]:
    return [outcome.error for outcome in api.apply_action(gateway, action, [split_key(key) for key in keys])]


def _plan(key: str) -> dict[str, Any]:
    return api.device_params(*split_key(key))


def _ask_to_enable(count: int) -> Question:
    return Question(
        ngettext("Enable one device?", "Enable %(count)s devices?", count) % {"count": number(count)}
    )


def _ask_to_disable(count: int) -> Question:
    title = ngettext("Disable one device?", "Disable %(count)s devices?", count)
    text = gettext("The devices are disconnected immediately and cannot connect until you enable them.")
    return Question(title % {"count": number(count)}, text)


def _ask_to_delete(count: int) -> Question:
    title = ngettext("Delete one device?", "Delete %(count)s devices?", count)
    text = gettext("This permanently deletes the devices and their secrets, tags and data.")
    return Question(title % {"count": number(count)}, text)


ENABLE = Bulk(
    "enable",
    api.ACTIONS["enable"],
    _("Enable"),
    "player-play",
    ask=_ask_to_enable,
    run=lambda gateway, keys, ids: _apply(gateway, "enable", keys),
    is_repeatable=True,
)
DISABLE = Bulk(
    "disable",
    api.ACTIONS["disable"],
    _("Disable"),
    "ban",
    ask=_ask_to_disable,
    run=lambda gateway, keys, ids: _apply(gateway, "disable", keys),
    danger=True,
    is_repeatable=True,
)
DELETE = Bulk(
    "delete",
    api.ACTIONS["delete"],
    _("Delete"),
    "trash",
    ask=_ask_to_delete,
    run=lambda gateway, keys, ids: _apply(gateway, "delete", keys),
    danger=True,
    planned=_plan,
    typed=(_("Device name"), _("Number of devices")),
)


def _list_matching(gateway: Gateway, query: QueryDict, ids: Mapping[str, str]) -> Iterator[Device]:
    """Yield the devices that the list shows for this query, page by page; none without filters."""
    products = products_api.list_newest_products(gateway)
    device_filter = DeviceFilters.from_query(query, products=products).device_filter()
    if device_filter.is_empty:
        return
    total = next((product.devices for product in products if product.key == device_filter.product_key), None)
    if device_filter.text:
        found = api.list_devices(gateway, device_filter, size=api.PAGE_SIZE, known_total=total, fresh=True)
        if found.match == SearchMatch.NEWEST:
            yield from found.devices
            for page in range(2, -(-found.total // api.PAGE_SIZE) + 1):
                yield from api.list_devices(
                    gateway, device_filter, page=page, size=api.PAGE_SIZE, known_total=total
                ).devices
            return
    yield from api.iter_devices(gateway, device_filter, known_total=total)


def _find_product(query: QueryDict, keys: Sequence[str], ids: Mapping[str, str]) -> str:
    """Return the key of the product that all devices belong to; "" if there is none."""
    if query.get("product"):
        return str(query["product"])
    products = {split_key(key)[0] for key in keys}
    return products.pop() if len(products) == 1 else ""


BULK: BulkPages[Device] = BulkPages(
    name="devices:many",
    list_name="devices:list",
    list_label=_("Devices"),
    actions=(ENABLE, DISABLE, DELETE),
    key=lambda device: device.key,
    is_key=is_key,
    name_of=second_value,
    list_matching=_list_matching,
    scope_key=_find_product,
)
