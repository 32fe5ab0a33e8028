"""What the first page asks the cloud: three reads at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext

from console.cloud.answers import name_in
from console.cloud.errors import CloudError
from console.connections.gateway import Call, Gateway

SHOWN = 5


@dataclass(frozen=True, slots=True)
class Fleet:
    """Devices of the connection: made, ever connected, connected now."""

    total: int
    activated: int
    online: int

    @property
    def never(self) -> int:
        """Devices that never connected."""
        return max(0, self.total - self.activated)

    @property
    def online_share(self) -> str:
        """How many of those that ever connected are connected now, in per cent; "" when none ever did."""
        if not self.activated:
            return ""
        return gettext("%(share)s %% of those activated") % {"share": self.online * 100 // self.activated}

    @property
    def away(self) -> int:
        """Devices that connected once and are not connected now."""
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
    """One of the newest update packages; `status` is the platform's number as text."""

    id: str
    name: str
    version: str
    product: str
    status: str


@dataclass(frozen=True, slots=True)
class Overview:
    """The three parts; one that could not be read is the error that says why, one that the actor does not read is None.

    `countable`: whether the devices within the actor's reach can be counted together.
    """

    fleet: Fleet | CloudError | None
    products: Products | CloudError | None
    packages: Sequence[Package] | CloudError | None
    countable: bool

    @property
    def error(self) -> CloudError | None:
        """The error to show on top when all parts failed, else None: then each is said in its place."""
        parts = [part for part in (self.fleet, self.products, self.packages) if part is not None]
        errors = [part for part in parts if isinstance(part, CloudError)]
        return errors[0] if errors and len(errors) == len(parts) else None


def overview(gateway: Gateway) -> Overview:
    """The fleet in numbers, the newest products and packages. 3 calls at once, without those that the role does not read; for a
    member whose access is limited, up to 3 for each product of theirs."""
    # Devices of a group may be of any product: nobody can count them together.
    countable = gateway.limits is None or not gateway.limits.by_group
    calls = [
        Call("QueryProductList", {"CurrentPage": 1, "PageSize": SHOWN}),
        Call("ListOTAFirmware", {"CurrentPage": 1, "PageSize": SHOWN}),
        *([Call("QueryDeviceStatistics")] if countable else []),
    ]
    read = [call for call in calls if gateway.allows(call.operation)]
    answers = dict(zip((call.operation for call in read), gateway.gather(read), strict=True))
    products, packages, fleet = (
        answers.get(name) for name in ("QueryProductList", "ListOTAFirmware", "QueryDeviceStatistics")
    )
    return Overview(
        _fleet(fleet.get("Data") or {}) if isinstance(fleet, dict) else fleet,
        _products(products.get("Data") or {}) if isinstance(products, dict) else products,
        _packages(packages) if isinstance(packages, dict) else packages,
        countable,
    )


def _fleet(data: Mapping[str, Any]) -> Fleet:
    return Fleet(_int(data.get("deviceCount")), _int(data.get("activeCount")), _int(data.get("onlineCount")))


def _products(data: Mapping[str, Any]) -> Products:
    rows = (data.get("List") or {}).get("ProductInfo") or []
    newest = [
        Product(
            key=name_in(row, "ProductKey"),
            name=str(row.get("ProductName") or ""),
            devices=_int(row.get("DeviceCount")),
            gateway=_int(row.get("NodeType")) == 1,
        )
        for row in rows
    ]
    return Products(newest, _int(data.get("Total")))


def _packages(answer: Mapping[str, Any]) -> list[Package]:
    rows = (answer.get("FirmwareInfo") or {}).get("SimpleFirmwareInfo") or []
    return [
        Package(
            id=name_in(row, "FirmwareId"),
            name=str(row.get("FirmwareName") or ""),
            version=str(row.get("DestVersion") or ""),
            product=str(row.get("ProductName") or ""),
            status="" if row.get("Status") is None else str(row["Status"]),
        )
        for row in rows
    ]


def _int(value: object) -> int:
    try:
        return int(str(value or 0))
    except ValueError:
        return 0
