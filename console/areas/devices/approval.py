"""The approval rule of devices: their deletion, one call for each device, and their distribution to other instances or accounts,
many in one call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from console.areas.devices import api
from console.connections.approval import PlannedCall
from console.connections.approval_rules import ApprovalRule, Description, ItemList, Limit
from console.connections.gateway import Gateway
from console.ui.tables import Column, Table
from iot_client.errors import CloudError, NotFound

MAX_DEVICES_READ = 100
"""The most devices whose present state is read for one page."""
DISTRIBUTIONS = frozenset({"CreateDeviceDistributeJob", "CreateProductDistributeJob"})
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


def _count_devices(gateway: Gateway, calls: Sequence[PlannedCall]) -> int | None:
    """The number of devices that calls delete or distribute; None if unknown."""
    if calls[0].operation not in DISTRIBUTIONS:
        return len(calls)
    names = [call.named_params.get("DeviceName") for call in calls]
    return sum(len(each) for each in names if each) if all(names) else None


def list_distribution_effects(operation: str) -> list[str]:
    """Return the effects of a distribution, as sentences."""
    if operation == "CreateProductDistributeJob":
        return [gettext("The product becomes available in another instance or account.")]
    return [gettext("The devices move to another instance or account. This instance no longer has them.")]


APPROVAL_RULES = (
    ApprovalRule(
        slug="device_deletion",
        label=_("deletions and distributions of more than (devices)"),
        help_text=_(
            "Leave empty: none needs approval. 0: each needs approval. The devices that the team deletes or distributes within 10 "
            "minutes are added up. The distribution of a product always needs approval."
        ),
        action=_("Delete or distribute devices"),
        operations=frozenset({"DeleteDevice"}) | DISTRIBUTIONS,
        limit=Limit(
            count=_count_devices,
            unlimited=frozenset({"CreateProductDistributeJob"}),
            window=timedelta(minutes=10),
        ),
        other_descriptions={
            name: Description(
                names_param="DeviceName",
                effects_title=_("Effects:"),
                list_effects=lambda call: list_distribution_effects(call.operation),
            )
            for name in DISTRIBUTIONS
        },
        description=Description(
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
