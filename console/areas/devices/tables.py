"""The tables of devices, declared once for pages and exports."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from console.areas.devices.actions import BULK
from console.areas.devices.records import Device, Group, ModuleVersion, UpdateTask
from console.areas.products.api import Product
from console.ui.links import connection_url
from console.ui.statuses import status
from console.ui.tables import Column, Table


def device_table(products: Mapping[str, str], *, one_product: bool) -> Table[Device]:
    """Return the table of devices. `products`: product key → name. With `one_product`, the product column is hidden."""
    product: Callable[[Device], str] = lambda device: products.get(device.product_key, device.product_key)  # noqa: E731
    columns: list[Column[Device]] = [
        Column(
            "name",
            _("Name"),
            primary=True,
            link=lambda request, device: connection_url(
                request, "devices:detail", device.product_key, device.name
            ),
        ),
        Column(
            "status",
            _("Status"),
            kind="status",
            status="device",
            csv=lambda row: status("device", row.status).label,
        ),
        Column("nickname", _("Nickname")),
        Column(
            "product",
            _("Product"),
            value=product,
            hidden=one_product,
            link=lambda request, device: connection_url(request, "products:detail", device.product_key),
        ),
        Column("product_key", _("ProductKey"), kind="code", hidden=True, narrow=False),
        Column("iot_id", _("IotId"), kind="code", hidden=True, copy=True, narrow=False),
        Column("created", _("Created"), kind="time", narrow=False),
        Column("modified", _("Modified"), kind="time", hidden=True, narrow=False),
    ]
    return Table(
        id="devices",
        caption=_("Devices"),
        columns=columns,
        key=lambda device: device.key,
        actions=BULK.buttons(),
        export=True,
        scope=("product",),
        menu=lambda request, device: connection_url(request, "devices:menu", device.product_key, device.name),
        unit=_("devices"),
    )


def product_table(linked_to_devices: bool = True) -> Table[Product]:
    """Return the table of products. Rows link to the devices of the product, or without `linked_to_devices` to the product
    itself."""
    columns: list[Column[Product]] = [
        Column(
            "name",
            _("Product"),
            primary=True,
            link=lambda request, product: (
                f"{connection_url(request, 'devices:list')}?product={product.key}"
                if linked_to_devices
                else connection_url(request, "products:detail", product.key)
            ),
        ),
        Column("key", _("ProductKey"), kind="code", narrow=False),
        Column(
            "node",
            _("Node type"),
            value=lambda product: _("Gateway") if product.gateway else _("Device"),
            narrow=False,
        ),
        Column("devices", _("Devices"), kind="number"),
    ]
    return Table(id="choice", caption=_("Products"), columns=columns)


GROUPS: Table[Group] = Table(
    id="groups",
    caption=_("Groups"),
    columns=[
        Column(
            "name",
            _("Group"),
            primary=True,
            link=lambda request, group: connection_url(request, "groups:detail", group.id),
            sort=True,
        ),
        Column("description", _("Description"), sort=True),
        Column(
            "kind", _("Type"), value=lambda group: _("Dynamic") if group.dynamic else _("Static"), sort=True
        ),
    ],
)

MODULES: Table[ModuleVersion] = Table(
    id="modules",
    caption=_("Module versions"),
    columns=[Column("module", _("Module"), primary=True), Column("version", _("Version"), kind="code")],
)

UPDATES: Table[UpdateTask] = Table(
    id="updates",
    caption=_("Active updates"),
    columns=[
        Column(
            "module",
            _("Module"),
            primary=True,
            link=lambda request, task: connection_url(request, "ota:batch", task.batch_id),
        ),
        Column("source", pgettext_lazy("version", "From"), kind="code", labeled=True),
        Column("target", pgettext_lazy("version", "To"), kind="code", labeled=True),
        Column("status", _("Status"), kind="status", status="batch_task"),
        Column("modified", _("Modified"), kind="time"),
    ],
)
