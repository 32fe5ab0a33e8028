"""The pages of one device as declarations: tabs, actions, tags."""

from __future__ import annotations

from functools import partial

from django.utils.translation import gettext_lazy as _

from console.areas.devices import actions, api
from console.areas.devices.forms import TagForm
from console.areas.devices.records import ONLINE, DeviceDetail
from console.connections.http import CloudRequest
from console.pages.detail import Crumb, Detail, TabPage
from console.pages.tags import TagPages
from console.ui.links import connection_url
from console.ui.pieces import DetailItem


def _list_parents(request: CloudRequest, detail: DeviceDetail) -> list[Crumb]:
    key = detail.device.product_key
    return [(detail.product_name or key, f"{connection_url(request, 'devices:list')}?product={key}")]


def _build_summary(request: CloudRequest, detail: DeviceDetail) -> list[DetailItem]:
    """Return what QueryDeviceDetail says about the present state of the device."""
    device = detail.device
    product_url = connection_url(request, "products:detail", device.product_key)
    items = [
        DetailItem(_("Status"), device.status, kind="status", status="device"),
        DetailItem(
            _("Online since") if device.status == ONLINE else _("Last online"),
            detail.online,
            kind="relative_time",
        ),
        DetailItem(_("Nickname"), device.nickname),
        DetailItem(_("Product"), detail.product_name or device.product_key, url=product_url),
        DetailItem(_("Firmware"), detail.firmware),
        DetailItem(_("IP address"), detail.ip, kind="code"),
    ]
    return [item for item in items if item.value]


DEVICE: Detail[DeviceDetail] = Detail(
    tabs=(
        TabPage("overview", _("Overview"), "devices:detail"),
        TabPage("groups", _("Groups"), "devices:groups"),
        TabPage("tags", _("Tags"), "devices:tags"),
        TabPage(
            "updates",
            _("Updates"),
            "devices:updates",
            operations=("ListOTAModuleVersionsByDevice", "ListOTAUnfinishedTaskByDevice"),
        ),
    ),
    read=api.get_device,
    ids=lambda detail: (detail.device.product_key, detail.device.name),
    title=lambda detail: detail.device.name,
    list_name="devices:list",
    list_label=_("Devices"),
    missing=_("The device no longer exists."),
    operation="QueryDeviceDetail",
    parameters=("ProductKey", "DeviceName"),
    tabs_label=_("Device pages"),
    actions=(actions.RENAME, actions.ENABLE, actions.DISABLE, actions.DELETE),
    target=lambda detail: detail.device.key,
    parents=_list_parents,
    summary=_build_summary,
)

TAGS: TagPages[DeviceDetail] = TagPages(
    detail=DEVICE,
    read=api.get_device_with_tags,
    list_tags=partial(api.list_tags, fresh=True),
    save=lambda gateway, detail, tag: api.set_tag(
        gateway, detail.device.product_key, detail.device.name, tag
    ),
    remove=lambda gateway, detail, key: api.remove_tag(
        gateway, detail.device.product_key, detail.device.name, key
    ),
    save_operation="SaveDeviceProp",
    remove_operation="DeleteDeviceProp",
    form=TagForm,
    limit=api.MAX_TAGS,
    hint=_("Use tags to describe a device, for example its location."),
    fields={"Props": "tag_value"},
)
