"""What the platform says of devices, as records: dates aware, ids text, whatever form each operation writes them in."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Any

from console.cloud.answers import name_in
from console.cloud.errors import CloudError, explain

STATUSES = ("ONLINE", "OFFLINE", "UNACTIVE", "DISABLE")
ONLINE, OFFLINE, UNACTIVE, DISABLED = STATUSES
# Times without a zone are of the platform's home region: each differs by 8 hours from its twin in UTC.
_BEIJING = timezone(timedelta(hours=8))


@dataclass(frozen=True, slots=True)
class Device:
    """A device as lists know it; what an operation does not tell is empty."""

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
        """Product key and name in one text, for selections: `split_key` takes it apart."""
        return f"{self.product_key}/{self.name}"


@dataclass(frozen=True, slots=True)
class DeviceDetail:
    """A device as QueryDeviceDetail knows it."""

    device: Device
    product_name: str
    gateway: bool
    firmware: str
    ip: str
    region: str
    online: datetime | None
    owned: bool
    has_secret: bool

    @property
    def disabled(self) -> bool:
        """Whether it may not connect."""
        return self.device.status == DISABLED


@dataclass(frozen=True, slots=True)
class DeviceFilter:
    """What is looked for, at least a product, a text or a status. `field`: the text is of the "name" or the "nickname"."""

    product_key: str = ""
    text: str = ""
    field: str = "name"
    status: str = ""

    def matches(self, device: Device) -> bool:
        """Whether a device has the status, and the text in its name or nickname."""
        if self.status and device.status != self.status:
            return False
        held = device.nickname if self.field == "nickname" else device.name
        return self.text.casefold() in held.casefold()


class Reading(StrEnum):
    """How a search was done: what its result can be trusted to hold."""

    COMPLETE = "complete"  # every device that matches
    BEGINNINGS = "beginnings"  # those whose name begins so, and no others
    WHOLE = "whole"  # the one whose whole name it is
    NEWEST = "newest"  # neither was found: of the newest devices, those that have it anywhere


@dataclass(frozen=True, slots=True)
class DevicePage:
    """Part of a list. `total` counts what matches; `next_token` leads on where page numbers do not reach, `reach` devices."""

    devices: Sequence[Device]
    total: int
    next_token: str = ""
    paging_limit: int | None = None
    reading: Reading = Reading.COMPLETE


@dataclass(frozen=True, slots=True)
class Secrets:
    """What a device signs in with."""

    product_key: str
    name: str
    secret: str
    iot_id: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """A group that a device is in. The members of a dynamic one follow a rule and cannot be set."""

    id: str
    name: str
    description: str
    dynamic: bool


@dataclass(frozen=True, slots=True)
class Tag:
    """A tag of a device."""

    key: str
    value: str


@dataclass(frozen=True, slots=True)
class ModuleVersion:
    """What a module of a device last reported to run."""

    module: str
    version: str


@dataclass(frozen=True, slots=True)
class UpdateTask:
    """An update of a device that has not ended."""

    job_id: str
    task_id: str
    module: str
    source: str
    target: str
    status: str
    modified: datetime | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one device of several; `error` None means done."""

    product_key: str
    name: str
    error: CloudError | None = None

    @property
    def why(self) -> str:
        """What went wrong, in plain English words to translate; "" when nothing did."""
        return explain(self.error).title if self.error else ""


@dataclass(frozen=True, slots=True)
class Found:
    """What a search across all products found: devices of exactly that name or IotId, and those whose name begins so."""

    exact: Sequence[Device]
    beginning: Sequence[Device]


def split_key(key: str) -> tuple[str, str]:
    """Product key and name from `Device.key`; raises ValueError for what is none."""
    product_key, slash, name = key.partition("/")
    if not (product_key and slash and name):
        raise ValueError(f"not a device: {key!r}")
    return product_key, name


def items(wrapper: Any, name: str) -> list[Mapping[str, Any]]:
    """The list in `wrapper`, itself or under `name`: some operations wrap theirs, some do not."""
    if isinstance(wrapper, Mapping):
        wrapper = wrapper.get(name)
    return list(wrapper or [])


def listed(answer: Mapping[str, Any], name: str) -> list[Device]:
    return [to_device(item) for item in items(answer.get("Data"), name)]


def to_device(item: Mapping[str, Any]) -> Device:
    return Device(
        product_key=name_in(item, "ProductKey"),
        name=name_in(item, "DeviceName"),
        iot_id=str(item.get("IotId") or ""),
        nickname=str(item.get("Nickname") or item.get("NickName") or ""),
        status=str(item.get("DeviceStatus") or item.get("Status") or ""),
        created=_moment(item, "Create"),
        modified=_moment(item, "Modified"),
        activated=moment(item.get("ActiveTime")) or _moment(item, "Active"),
    )


def to_detail(answer: Mapping[str, Any]) -> DeviceDetail:
    data = answer.get("Data") or {}
    return DeviceDetail(
        device=to_device(data),
        product_name=str(data.get("ProductName") or ""),
        gateway=integer(data.get("NodeType")) == 1,
        firmware=str(data.get("FirmwareVersion") or ""),
        ip=str(data.get("IpAddress") or ""),
        region=str(data.get("Region") or ""),
        online=_moment(data, "Online"),
        owned=data.get("Owner") not in (False, "false"),
        has_secret=bool(data.get("DeviceSecret")),
    )


def to_secrets(data: Mapping[str, Any]) -> Secrets:
    return Secrets(
        product_key=str(data.get("ProductKey") or ""),
        name=str(data.get("DeviceName") or ""),
        secret=str(data.get("DeviceSecret") or ""),
        iot_id=str(data.get("IotId") or ""),
    )


def to_group(item: Mapping[str, Any]) -> Group:
    return Group(
        id=name_in(item, "GroupId"),
        name=str(item.get("GroupName") or ""),
        description=str(item.get("GroupDesc") or ""),
        dynamic=item.get("GroupType") == "LINK_PLATFORM_DYNAMIC",
    )


def to_tags(answer: Mapping[str, Any]) -> list[Tag]:
    try:
        props = json.loads(str(answer.get("Props") or "{}"))
    except ValueError:
        props = {}
    if not isinstance(props, dict):
        return []
    return sorted((Tag(str(key), str(value)) for key, value in props.items()), key=lambda tag: tag.key)


def to_task(item: Mapping[str, Any]) -> UpdateTask:
    return UpdateTask(
        job_id=str(item.get("JobId") or ""),
        task_id=str(item.get("TaskId") or ""),
        module=str(item.get("ModuleName") or ""),
        source=str(item.get("SrcVersion") or ""),
        target=str(item.get("DestVersion") or ""),
        status=str(item.get("TaskStatus") or ""),
        modified=_moment(item, "Modified"),
    )


def integer(value: object) -> int:
    try:
        return int(str(value))
    except ValueError:
        return 0


def _moment(item: Mapping[str, Any], event: str) -> datetime | None:
    """The moment of an event ("Create", "Online"): the field that says UTC, else the one that does not."""
    return moment(item.get(f"Utc{event}")) or moment(item.get(f"Gmt{event}"))


def moment(value: object) -> datetime | None:
    """An aware moment from any of the forms the platform writes; None when there is none.

    Milliseconds; `2019-02-20T02:16:09.000Z`; `Wed, 20-Feb-2019 02:16:09 GMT`; `2019-02-20 10:16:09` with or without a
    fraction, which is the time in UTC+8.
    """
    text = str(value or "").strip()
    if not text:
        return None
    try:
        if text.isdigit():
            return datetime.fromtimestamp(int(text) / 1000, UTC)
        if text.endswith("GMT"):
            return parsedate_to_datetime(text).replace(tzinfo=UTC)
        read = datetime.fromisoformat(text)
    except (ValueError, OverflowError, OSError):
        return None
    return read.replace(tzinfo=_BEIJING) if read.tzinfo is None else read
