"""The approval rule of devices. No operation of the platform deletes several devices in one call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.utils.translation import gettext_lazy as _

from console.areas.devices import api
from console.connections.approval import PlannedCall
from console.connections.approval_rules import ApprovalRule, Description, ItemList, Limit
from console.connections.gateway import Gateway
from console.ui.tables import Column, Table
from iot_client.errors import CloudError, NotFound

MAX_DEVICES_READ = 100
"""The most devices whose present state is read for one page."""
_NAMING_PARAMETERS = ("ProductKey", "DeviceName", "IotId", "IotInstanceId")


@dataclass(frozen=True)
class DeviceState:
    """A device to delete. `status` and `nickname` are empty if they were not read."""

    name: str
    product_key: str
    status: str = ""
    nickname: str = ""
    is_missing: bool = False


def _name_device(call: PlannedCall) -> DeviceState:
    return DeviceState(
        name=str(call.params.get("DeviceName") or call.params.get("IotId") or ""),
        product_key=str(call.params.get("ProductKey") or ""),
    )


def _read_devices(gateway: Gateway, calls: Sequence[PlannedCall]) -> list[DeviceState]:
    """Read the present state of the devices of the first MAX_DEVICES_READ calls. Makes a call for each. Raises CloudError."""
    calls = calls[:MAX_DEVICES_READ]
    queries = [
        {name: call.params[name] for name in _NAMING_PARAMETERS if call.params.get(name)} for call in calls
    ]
    states = []
    for call, detail in zip(calls, api.get_devices(gateway, queries), strict=True):
        if isinstance(detail, NotFound):
            named = _name_device(call)
            states.append(DeviceState(named.name, named.product_key, is_missing=True))
        elif isinstance(detail, CloudError):
            raise detail
        else:
            device = detail.device
            states.append(DeviceState(device.name, device.product_key, device.status, device.nickname))
    return states


def _identify_device(call: PlannedCall) -> str:
    return f"{call.params.get('ProductKey')}/{call.params.get('DeviceName')}"


APPROVAL_RULES = (
    ApprovalRule(
        slug="device_deletion",
        label=_("deletions of more than (devices)"),
        help_text=_("Leave empty: no deletion needs approval. 0: every deletion needs approval."),
        action=_("Delete devices"),
        operations=frozenset({"DeleteDevice"}),
        limit=Limit(count=lambda gateway, calls: len(calls), window=timedelta(minutes=10)),
        description=Description(
            identify=_identify_device,
            note=_("The secret, tags and data of each device are deleted too."),
            items=ItemList(
                from_call=_name_device,
                read=_read_devices,
                table=Table(
                    id="approval-devices",
                    caption=_("Devices"),
                    columns=[
                        Column(
                            "name",
                            _("Device"),
                            value=lambda row: row.item.name,
                            template="areas/devices/_approval_name.html",
                            primary=True,
                        ),
                        Column("nickname", _("Nickname"), value=lambda row: row.item.nickname),
                        Column(
                            "product_key",
                            _("ProductKey"),
                            value=lambda row: row.item.product_key,
                            kind="code",
                        ),
                        Column(
                            "now",
                            _("Current status"),
                            value=lambda row: row.item.status,
                            template="areas/devices/_approval_status.html",
                        ),
                    ],
                ),
                template="areas/devices/approval.html",
            ),
        ),
    ),
)
