"""Reads the data of the overview page: three parallel reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from console.connections.gateway import Call, Gateway
from console.device_counts.counts import DeviceCounts
from iot_client.errors import CloudError
from iot_client.fields import read_count, read_text
from iot_client.responses import read_name

STATISTICS = "QueryDeviceStatistics"
_PACKAGES_READ = 50
_NOT_VERIFIED, _VERIFICATION_FAILED = "0", "3"  # Status of ListOTAFirmware


@dataclass(frozen=True, slots=True)
class Package:
    """An update package that is not verified. `status`: the platform's status number as text."""

    id: str
    name: str
    product: str
    status: str


@dataclass(frozen=True, slots=True)
class Overview:
    """The three parts of the page: a CloudError if a part could not be read, None if the actor may not read it.

    `products`: their number. `packages`: those of the newest 50 that are not verified. `is_countable`: whether the devices in
    the actor's access scope can be counted together.
    """

    devices: DeviceCounts | CloudError | None
    products: int | CloudError | None
    packages: Sequence[Package] | CloudError | None
    is_countable: bool

    @property
    def errors(self) -> list[CloudError]:
        """The errors of the parts that failed. Only the first one if all parts failed: they then have the same reason."""
        parts = [part for part in (self.devices, self.products, self.packages) if part is not None]
        errors = [part for part in parts if isinstance(part, CloudError)]
        return errors[:1] if len(errors) == len(parts) else errors


def overview(gateway: Gateway) -> Overview:
    """Read device numbers, the number of products and the newest packages. Makes up to 3 parallel calls, without those that the
    role does not allow; for a member with a limited access scope, up to 3 calls for each product in it."""
    countable = is_countable(gateway)
    calls = [
        Call("QueryProductList", {"CurrentPage": 1, "PageSize": 1}),
        Call("ListOTAFirmware", {"CurrentPage": 1, "PageSize": _PACKAGES_READ}),
        *([Call(STATISTICS)] if countable else []),
    ]
    readable = [call for call in calls if gateway.allows(call.operation)]
    responses = dict(zip((call.operation for call in readable), gateway.gather(readable), strict=True))
    products, packages, devices = (
        responses.get(name) for name in ("QueryProductList", "ListOTAFirmware", STATISTICS)
    )
    return Overview(
        _read_counts(devices) if isinstance(devices, dict) else devices,
        read_count((products.get("Data") or {}).get("Total")) if isinstance(products, dict) else products,
        _read_packages(packages) if isinstance(packages, dict) else packages,
        countable,
    )


def is_countable(gateway: Gateway) -> bool:
    """Whether the devices in the actor's access scope can be counted together. Devices of a group may belong to any product."""
    return gateway.limited_scope is None or not gateway.limited_scope.has_groups


def count_devices(gateway: Gateway) -> DeviceCounts:
    """Return the numbers of all devices. 1 call. Raises CloudError."""
    return _read_counts(gateway.call(STATISTICS, fresh=True))


def _read_counts(response: Mapping[str, Any]) -> DeviceCounts:
    data = response.get("Data") or {}
    return DeviceCounts(
        read_count(data.get("deviceCount")),
        read_count(data.get("activeCount")),
        read_count(data.get("onlineCount")),
    )


def _read_packages(response: Mapping[str, Any]) -> list[Package]:
    rows = (response.get("FirmwareInfo") or {}).get("SimpleFirmwareInfo") or []
    packages = [
        Package(
            id=read_name(row, "FirmwareId"),
            name=read_text(row, "FirmwareName"),
            product=read_text(row, "ProductName"),
            status="" if row.get("Status") is None else str(row["Status"]),
        )
        for row in rows
    ]
    return [package for package in packages if package.status in (_NOT_VERIFIED, _VERIFICATION_FAILED)]
