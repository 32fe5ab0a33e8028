"""The devices of the bulk actions: their number, and their statuses."""

from __future__ import annotations

from console.areas.devices import lists
from console.areas.devices.records import DeviceFilter

COUNT = 8  # devices of the product


def read_statuses(org, product) -> dict[str, str]:
    devices = lists.list_devices(org.gateway(), DeviceFilter(product), fresh=True).devices
    return {device.name: device.status for device in devices}
