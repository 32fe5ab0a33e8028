"""Records of devices, read from responses of the platform: times are aware and IDs are text, whatever the operation writes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from console.pages.keys import join_key
from console.pages.tags import Tag
from iot_client.fields import read_count, read_items, read_text, read_time
from iot_client.responses import read_name

STATUSES = ("ONLINE", "OFFLINE", "UNACTIVE", "DISABLE")
ONLINE, OFFLINE, UNACTIVE, DISABLED = STATUSES


@dataclass(frozen=True, slots=True)
class Device:
    """A device as lists return it. Fields that an operation does not return are empty."""

    product_key: str
    name: str
    iot_id: str = ""
    nickname: str = ""
    status: str = ""
    created: datetime | None = None
    modified: datetime | None = None
    activated: datetime | None = None

    @property
    def key(self) -> str:
        """Product key and name in one text, for selections and the audit trail."""
        return join_key(self.product_key, self.name)


@dataclass(frozen=True, slots=True)
class DeviceDetail:
    """A device as QueryDeviceDetail returns it."""

    device: Device
    product_name: str
    gateway: bool
    firmware: str
    ip: str
    region: str
    online: datetime | None

    @property
    def is_disabled(self) -> bool:
        """Whether the device is disabled and cannot connect."""
        return self.device.status == DISABLED


@dataclass(frozen=True, slots=True)
class DeviceFilter:
    """The filters of a device list: at least a product, a text or a status. `field`: "name" or "nickname", which `text` is in."""

    product_key: str = ""
    text: str = ""
    field: str = "name"
    status: str = ""

    @property
    def is_empty(self) -> bool:
        """Whether it selects no devices: the platform lists devices only of a product, by text or by status."""
        return not (self.product_key or self.text or self.status)

    def matches(self, device: Device) -> bool:
        """Return whether a device has the status, and the text in its name or nickname."""
        if self.status and device.status != self.status:
            return False
        value = device.nickname if self.field == "nickname" else device.name
        return self.text.casefold() in value.casefold()


class SearchMatch(StrEnum):
    """The method of a search, which determines the devices in its result."""

    COMPLETE = "complete"  # every device that matches
    PREFIX = "prefix"  # devices whose name starts with the text
    EXACT = "exact"  # the device with exactly this name
    NEWEST = "newest"  # neither was found: those of the newest devices whose name contains the text


@dataclass(frozen=True, slots=True)
class DevicePage:
    """A page of a list.

    `total`: number of devices that match. `paging_limit`: number of devices that page numbers can reach. `next_token`: the
    token of the next page, for pages beyond that limit.
    """

    devices: Sequence[Device]
    total: int
    next_token: str = ""
    paging_limit: int | None = None
    match: SearchMatch = SearchMatch.COMPLETE


@dataclass(frozen=True, slots=True)
class DeviceCredentials:
    """The credentials of a device."""

    product_key: str
    name: str
    secret: str
    iot_id: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """A group of a device. The members of a dynamic group are set by its rule and cannot be edited."""

    id: str
    name: str
    description: str
    dynamic: bool


@dataclass(frozen=True, slots=True)
class ModuleVersion:
    """The last reported version of a module of a device."""

    module: str
    version: str


@dataclass(frozen=True, slots=True)
class UpdateTask:
    """A pending or running update of a device."""

    batch_id: str
    task_id: str
    module: str
    source: str
    target: str
    status: str
    modified: datetime | None


@dataclass(frozen=True, slots=True)
class SearchResult:
    """The result of a search in all products: devices with exactly this name or IotId, and devices whose name starts with it."""

    exact_matches: Sequence[Device]
    prefix_matches: Sequence[Device]


def read_devices(response: Mapping[str, Any], name: str) -> list[Device]:
    return [to_device(item) for item in read_items(response.get("Data"), name)]


def to_device(item: Mapping[str, Any]) -> Device:
    return Device(
        product_key=read_name(item, "ProductKey"),
        name=read_name(item, "DeviceName"),
        iot_id=read_text(item, "IotId"),
        nickname=str(item.get("Nickname") or item.get("NickName") or ""),
        status=str(item.get("DeviceStatus") or item.get("Status") or ""),
        created=_event_time(item, "Create"),
        modified=_event_time(item, "Modified"),
        activated=read_time(item.get("ActiveTime")) or _event_time(item, "Active"),
    )


def to_detail(response: Mapping[str, Any]) -> DeviceDetail:
    data = response.get("Data") or {}
    return DeviceDetail(
        device=to_device(data),
        product_name=read_text(data, "ProductName"),
        gateway=read_count(data.get("NodeType")) == 1,
        firmware=read_text(data, "FirmwareVersion"),
        ip=read_text(data, "IpAddress"),
        region=read_text(data, "Region"),
        online=_event_time(data, "Online"),
    )


def to_credentials(data: Mapping[str, Any]) -> DeviceCredentials:
    return DeviceCredentials(
        product_key=read_text(data, "ProductKey"),
        name=read_text(data, "DeviceName"),
        secret=read_text(data, "DeviceSecret"),
        iot_id=read_text(data, "IotId"),
    )


def to_group(item: Mapping[str, Any]) -> Group:
    return Group(
        id=read_name(item, "GroupId"),
        name=read_text(item, "GroupName"),
        description=read_text(item, "GroupDesc"),
        dynamic=item.get("GroupType") == "LINK_PLATFORM_DYNAMIC",
    )


def to_tags(response: Mapping[str, Any]) -> list[Tag]:
    try:
        props = json.loads(str(response.get("Props") or "{}"))
    except (ValueError, RecursionError):
        props = {}
    if not isinstance(props, dict):
        return []
    return sorted((Tag(str(key), str(value)) for key, value in props.items()), key=lambda tag: tag.key)


def to_task(item: Mapping[str, Any]) -> UpdateTask:
    return UpdateTask(
        batch_id=read_text(item, "JobId"),
        task_id=read_text(item, "TaskId"),
        module=read_text(item, "ModuleName"),
        source=read_text(item, "SrcVersion"),
        target=read_text(item, "DestVersion"),
        status=read_text(item, "TaskStatus"),
        modified=_event_time(item, "Modified"),
    )


def _event_time(item: Mapping[str, Any], event: str) -> datetime | None:
    """Return the time of an event ("Create", "Online"): from the UTC field, else from the Gmt field."""
    return read_time(item.get(f"Utc{event}")) or read_time(item.get(f"Gmt{event}"))
