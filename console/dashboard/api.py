"""Reads the data of the overview page: three parallel reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext

from console.connections.gateway import Call, Gateway
from iot_client.errors import CloudError
from iot_client.fields import read_count, read_text
from iot_client.responses import read_name

SHOWN = 5


@dataclass(frozen=True, slots=True)
class Fleet:
    """Numbers of devices of the connection: all, activated (connected at least once), online."""

    total: int
    activated: int
    online: int

    @property
    def never_connected(self) -> int:
        """The number of devices that never connected."""
        return max(0, self.total - self.activated)

    @property
    def online_share(self) -> str:
        """The share of activated devices that are online, as a text; "" if no device is activated."""
        if not self.activated:
            return ""
        return gettext("%(share)s%% of activated devices") % {"share": self.online * 100 // self.activated}

    @property
    def offline(self) -> int:
        """The number of activated devices that are not online."""
        return max(0, self.activated - self.online)


@dataclass(frozen=True, slots=True)
class Product:
    """One of the newest products."""

    key: str
    name: str
    devices: int
    gateway: bool


@dataclass(frozen=True, slots=True)
class Products:
    """The newest products, and how many there are."""

    newest: Sequence[Product]
    total: int


@dataclass(frozen=True, slots=True)
class Package:
    """One of the newest update packages. `status`: the platform's status number as text."""

    id: str
    name: str
    version: str
    product: str
    status: str


@dataclass(frozen=True, slots=True)
class Overview:
    """The three parts of the page: a CloudError if a part could not be read, None if the actor may not read it.

    `is_countable`: whether the devices in the actor's access scope can be counted together.
    """

    fleet: Fleet | CloudError | None
    products: Products | CloudError | None
    packages: Sequence[Package] | CloudError | None
    is_countable: bool

    @property
    def error(self) -> CloudError | None:
        """The error to show at the top if all parts failed. Otherwise None: then each part shows its own error."""
        parts = [part for part in (self.fleet, self.products, self.packages) if part is not None]
        errors = [part for part in parts if isinstance(part, CloudError)]
        return errors[0] if errors and len(errors) == len(parts) else None


def overview(gateway: Gateway) -> Overview:
    """Read device numbers, the newest products and the newest packages. Makes up to 3 parallel calls, without those that the
    role does not allow; for a member with a limited access scope, up to 3 calls for each product in it."""
    # Devices of a group may belong to any product, so they cannot be counted together.
    is_countable = gateway.limited_scope is None or not gateway.limited_scope.has_groups
    calls = [
        Call("QueryProductList", {"CurrentPage": 1, "PageSize": SHOWN}),
        Call("ListOTAFirmware", {"CurrentPage": 1, "PageSize": SHOWN}),
        *([Call("QueryDeviceStatistics")] if is_countable else []),
    ]
    readable = [call for call in calls if gateway.allows(call.operation)]
    responses = dict(zip((call.operation for call in readable), gateway.gather(readable), strict=True))
    products, packages, fleet = (
        responses.get(name) for name in ("QueryProductList", "ListOTAFirmware", "QueryDeviceStatistics")
    )
    return Overview(
        _read_fleet(fleet.get("Data") or {}) if isinstance(fleet, dict) else fleet,
        _read_products(products.get("Data") or {}) if isinstance(products, dict) else products,
        _read_packages(packages) if isinstance(packages, dict) else packages,
        is_countable,
    )


def _read_fleet(data: Mapping[str, Any]) -> Fleet:
    return Fleet(
        read_count(data.get("deviceCount")),
        read_count(data.get("activeCount")),
        read_count(data.get("onlineCount")),
    )


def _read_products(data: Mapping[str, Any]) -> Products:
    rows = (data.get("List") or {}).get("ProductInfo") or []
    newest = [
        Product(
            key=read_name(row, "ProductKey"),
            name=read_text(row, "ProductName"),
            devices=read_count(row.get("DeviceCount")),
            gateway=read_count(row.get("NodeType")) == 1,
        )
        for row in rows
    ]
    return Products(newest, read_count(data.get("Total")))


def _read_packages(response: Mapping[str, Any]) -> list[Package]:
    rows = (response.get("FirmwareInfo") or {}).get("SimpleFirmwareInfo") or []
    return [
        Package(
            id=read_name(row, "FirmwareId"),
            name=read_text(row, "FirmwareName"),
            version=read_text(row, "DestVersion"),
            product=read_text(row, "ProductName"),
            status="" if row.get("Status") is None else str(row["Status"]),
        )
        for row in rows
    ]
