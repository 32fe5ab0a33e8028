"""What can be done to one device, and to several devices of a list."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django.http import QueryDict
from django.utils.translation import gettext, gettext_noop, ngettext
from django.utils.translation import gettext_lazy as _

from console.areas.devices import api, lists
from console.areas.devices.forms import DeviceFilters, RenameForm
from console.areas.devices.records import Device, DeviceDetail, SearchMatch
from console.areas.products import api as products_api
from console.connections.gateway import Gateway
from console.connections.http import CloudRequest
from console.pages.actions import Action, Done, Question
from console.pages.bulk import Bulk, BulkPages
from console.pages.keys import is_key, second_value, shared_first_value, split_key
from console.ui.format import number
from console.ui.links import connection_url
from iot_client.errors import CloudError
from iot_client.paging import Page, Position

# -- nickname ----------------------------------------------------------------------------------------------------------


def _build_rename_form(request: CloudRequest, detail: DeviceDetail) -> RenameForm:
    if request.method == "POST":
        return RenameForm(request.POST)
    return RenameForm(initial={"nickname": detail.device.nickname})


def _rename(request: CloudRequest, detail: DeviceDetail, values: Mapping[str, Any]) -> Done:
    device = detail.device
    api.rename_device(request.gateway, device.product_key, device.name, values["nickname"])
    return Done(gettext("Nickname saved."))


RENAME: Action[DeviceDetail] = Action(
    "rename",
    "BatchUpdateDeviceNickname",
    _("Edit nickname"),
    run=_rename,
    ask=lambda request, detail: Question(
        gettext("Nickname of %(name)s") % {"name": detail.device.name}, submit=gettext("Save")
    ),
    form=_build_rename_form,
    icon="pencil",
    button="plain",
    fresh=True,
    fields={"DeviceNicknameInfo.N.Nickname": "nickname"},
)

# -- enabling and disabling --------------------------------------------------------------------------------------------


def _enable(request: CloudRequest, detail: DeviceDetail, values: Mapping[str, Any]) -> Done:
    api.enable_device(request.gateway, detail.device.product_key, detail.device.name)
    return Done(gettext("%(name)s is enabled.") % {"name": detail.device.name})


ENABLE: Action[DeviceDetail] = Action(
    "enable",
    "EnableThing",
    _("Enable device"),
    run=_enable,
    is_available=lambda detail: detail.is_disabled,
    icon="player-play",
    button="primary",
)


def _disable(request: CloudRequest, detail: DeviceDetail, values: Mapping[str, Any]) -> Done:
    api.disable_device(request.gateway, detail.device.product_key, detail.device.name)
    return Done(gettext("%(name)s is disabled.") % {"name": detail.device.name})


DISABLE: Action[DeviceDetail] = Action(
    "disable",
    "DisableThing",
    _("Disable device"),
    run=_disable,
    ask=lambda request, detail: Question(
        gettext("Disable %(name)s?") % {"name": detail.device.name},
        gettext(
            "The device is disconnected immediately and cannot connect until you enable it. Its data and settings are kept."
        ),
    ),
    is_available=lambda detail: not detail.is_disabled,
    icon="ban",
    button="plain",
    danger=True,
)

# -- deletion ----------------------------------------------------------------------------------------------------------


def _ask_to_delete(request: CloudRequest, detail: DeviceDetail) -> Question:
    device = detail.device
    return Question(
        gettext("Delete %(name)s?") % {"name": device.name},
        gettext("This permanently deletes the device, including:"),
        effects=[
            gettext("its secret: the device can no longer connect"),
            gettext("its tags, group memberships and gateway topology"),
            gettext("its stored data and pending updates"),
        ],
        expected=device.name,
        expected_label=gettext("Device name"),
        planned=api.device_params(device.product_key, device.name),
    )


def _delete(request: CloudRequest, detail: DeviceDetail, values: Mapping[str, Any]) -> Done:
    device = detail.device
    api.delete_device(request.gateway, device.product_key, device.name)
    others = f"{connection_url(request, 'devices:list')}?product={device.product_key}"
    return Done(gettext("%(name)s is deleted.") % {"name": device.name}, others)


DELETE: Action[DeviceDetail] = Action(
    "delete",
    "DeleteDevice",
    _("Delete device"),
    run=_delete,
    ask=_ask_to_delete,
    icon="trash",
    menu=_("Delete…"),
    danger=True,
    deletes=True,
)

# -- several devices ---------------------------------------------------------------------------------------------------


def _apply_to_each(gateway: Gateway, action: str, keys: Sequence[str]) -> list[CloudError | None]:
    return api.apply_action(gateway, action, list(map(split_key, keys)))


def _plan(keys: Sequence[str]) -> list[dict[str, Any]]:
    return [api.device_params(*split_key(key)) for key in keys]


def _ask_to_enable_devices(count: int) -> Question:
    return Question(
        ngettext("Enable one device?", "Enable %(count)s devices?", count) % {"count": number(count)}
    )


def _ask_to_disable_devices(count: int) -> Question:
    title = ngettext("Disable one device?", "Disable %(count)s devices?", count)
    text = gettext("The devices are disconnected immediately and cannot connect until you enable them.")
    return Question(title % {"count": number(count)}, text)


def _ask_to_delete_devices(count: int) -> Question:
    title = ngettext("Delete one device?", "Delete %(count)s devices?", count)
    text = gettext("This permanently deletes the devices and their secrets, tags and data.")
    return Question(title % {"count": number(count)}, text)


BULK_ENABLE = Bulk(
    "enable",
    api.ACTIONS["enable"],
    _("Enable"),
    "player-play",
    gettext_noop("Enable several devices. They can connect again."),
    ask=_ask_to_enable_devices,
    run=lambda gateway, keys, ids: _apply_to_each(gateway, "enable", keys),
    is_repeatable=True,
)
BULK_DISABLE = Bulk(
    "disable",
    api.ACTIONS["disable"],
    _("Disable"),
    "ban",
    gettext_noop(
        "Disable several devices. They are disconnected immediately and cannot connect until you enable them."
    ),
    ask=_ask_to_disable_devices,
    run=lambda gateway, keys, ids: _apply_to_each(gateway, "disable", keys),
    danger=True,
    is_repeatable=True,
)
BULK_DELETE = Bulk(
    "delete",
    api.ACTIONS["delete"],
    _("Delete"),
    "trash",
    gettext_noop("Permanently delete several devices."),
    ask=_ask_to_delete_devices,
    run=lambda gateway, keys, ids: _apply_to_each(gateway, "delete", keys),
    danger=True,
    plan=_plan,
    typed=(
        _("Device name"),
        lambda count: (
            ngettext("delete %(count)d device", "delete %(count)d devices", count) % {"count": count}
        ),
    ),
)


def _read_matching(
    gateway: Gateway, filters: DeviceFilters, ids: Mapping[str, str], start: Position | None
) -> Iterator[Page[Sequence[Device]]]:
    """Yield the devices that the list shows for these filters; none without filters."""
    device_filter = filters.device_filter()
    if device_filter.is_empty:
        return
    products = products_api.list_newest_products(gateway)
    total = next((product.devices for product in products if product.key == device_filter.product_key), None)
    if device_filter.text and start is None:
        first = lists.list_devices(
            gateway, device_filter, size=lists.PAGE_SIZE, known_total=total, fresh=True
        )
        if first.match == SearchMatch.NEWEST:
            rest = [
                lists.list_devices(gateway, device_filter, page=page, size=lists.PAGE_SIZE, known_total=total)
                for page in range(2, -(-first.total // lists.PAGE_SIZE) + 1)
            ]
            yield Page([device for part in (first, *rest) for device in part.devices])
            return
    yield from lists.read_device_pages(gateway, device_filter, known_total=total, start=start)


def _find_product(query: QueryDict, keys: Sequence[str], ids: Mapping[str, str]) -> str:
    """Return the key of the product that all devices belong to; "" if there is none."""
    return str(query["product"]) if query.get("product") else shared_first_value(keys)


BULK: BulkPages[Device] = BulkPages(
    name="devices:bulk",
    address="",
    list_name="devices:list",
    list_label=_("Devices"),
    actions=(BULK_ENABLE, BULK_DISABLE, BULK_DELETE),
    key=lambda device: device.key,
    keys_help=gettext_noop("`product_key/name` of each device."),
    read_matching=_read_matching,
    filters=DeviceFilters,
    filter_names={"product": "product_key", "q": "search", "field": "search_in"},
    filter_help={"search": gettext_noop("Start of a device name or nickname.")},
    is_key=is_key,
    name_of=second_value,
    scope_key=_find_product,
)
