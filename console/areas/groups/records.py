"""Records of device groups, and how they are read from responses. IDs are strings, times are aware."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from console.device_counts.counts import DeviceCounts
from console.pages.keys import join_key
from console.pages.tags import Tag
from iot_client.errors import CloudError
from iot_client.fields import read_items, read_text, read_time
from iot_client.responses import read_name


@dataclass(frozen=True, slots=True)
class Group:
    """A group in a list."""

    id: str
    name: str
    description: str = ""
    created: datetime | None = None


@dataclass(frozen=True, slots=True)
class TreeCounts:
    """The device counts of a group, `direct`, and the sum of those of all groups below it, `below`.

    `direct` is None if the group could not be read. `below` is None if not all groups below were counted. A device in several
    of these groups is counted in each of them.
    """

    direct: DeviceCounts | None
    below: DeviceCounts | None

    @property
    def total(self) -> DeviceCounts | None:
        """The counts of the group and all groups below it; without those below if they were not all counted."""
        return self.direct if self.direct is None or self.below is None else self.direct + self.below


@dataclass(frozen=True, slots=True)
class GroupDetail:
    """A group with its own device counts, without subgroups: all, activated, online now. `path` is its parent groups, the
    top-level one first."""

    id: str
    name: str
    description: str
    created: datetime | None
    devices: int
    active: int
    online: int
    path: tuple[Group, ...] = ()

    @property
    def counts(self) -> DeviceCounts:
        """The device counts of the group itself."""
        return DeviceCounts(self.devices, self.active, self.online)

    @property
    def depth(self) -> int:
        """The level in the tree: 1 for a group without a parent."""
        return len(self.path) + 1

    @property
    def parent(self) -> Group | None:
        """The group that contains it, or None."""
        return self.path[-1] if self.path else None


@dataclass(frozen=True, slots=True)
class GroupList:
    """A page of groups, and the number of all groups."""

    groups: tuple[Group, ...]
    total: int


@dataclass(frozen=True, slots=True)
class Totals:
    """What the page of a group shows after it has opened. `tags` is an error if they could not be read. `counts`: those of the group
    and its tree; `subgroup_counts`: those of each counted subgroup, by its ID."""

    detail: GroupDetail
    tags: Sequence[Tag] | CloudError
    counts: TreeCounts
    subgroup_counts: Mapping[str, TreeCounts]


@dataclass(frozen=True, slots=True)
class GroupDevice:
    """A device in the list of a group. `status` is "" if it was not read."""

    product_key: str
    name: str
    iot_id: str
    product_name: str
    status: str = ""

    @property
    def key(self) -> str:
        """Product key and name in one text, for selections."""
        return join_key(self.product_key, self.name)


@dataclass(frozen=True, slots=True)
class DeviceList:
    """A page of the devices of a group, and the number of all its devices."""

    devices: tuple[GroupDevice, ...]
    total: int


@dataclass(frozen=True, slots=True)
class AddResult:
    """The result of adding devices to a group.

    `unknown`: names that do not exist in the product. `known`: the other names. For these the platform returns only
    counts: how many were `added`, were `already` in the group, or could not be added because they are in ten groups
    (`full`).
    """

    unknown: tuple[str, ...]
    known: tuple[str, ...]
    added: int
    already: int
    full: int

    @property
    def outcomes(self) -> tuple[tuple[str, str], ...]:
        """Each name with its outcome: unknown, added, already, full, or "sent" when the counts do not say which."""
        outcomes = [
            outcome
            for outcome, count in (("added", self.added), ("already", self.already), ("full", self.full))
            if count and count == len(self.known)
        ]
        known_outcome = outcomes[0] if outcomes else "sent"
        return tuple(
            [(name, "unknown") for name in self.unknown] + [(name, known_outcome) for name in self.known]
        )

    @property
    def is_ambiguous(self) -> bool:
        """Whether the counts do not say which device had which outcome."""
        return any(outcome == "sent" for _, outcome in self.outcomes)


# -- responses ---------------------------------------------------------------------------------------------------------


def to_detail(response: Mapping[str, Any], group_id: str, path: tuple[Group, ...]) -> GroupDetail:
    """Return the group in a response of QueryDeviceGroupInfo. `path`: its parent groups, the top-level one first."""
    data = response.get("Data") or {}
    return GroupDetail(
        id=str(data.get("GroupId") or group_id),
        name=str(data.get("GroupName", "")),
        description=read_text(data, "GroupDesc"),
        created=read_time(data.get("UtcCreate")),
        devices=int(data.get("DeviceCount") or 0),
        active=int(data.get("DeviceActive") or 0),
        online=int(data.get("DeviceOnline") or 0),
        path=path,
    )


def to_counts(response: Mapping[str, Any] | CloudError) -> DeviceCounts | None:
    """Return the counts in a response of QueryDeviceGroupInfo; None if the call failed."""
    return None if isinstance(response, CloudError) else to_detail(response, "", ()).counts


def to_groups(response: Mapping[str, Any]) -> GroupList:
    groups = tuple(to_group(item) for item in read_items(response.get("Data"), "GroupInfo"))
    return GroupList(groups, int(response.get("Total") or 0))


def to_group(item: dict[str, Any]) -> Group:
    return Group(
        id=read_name(item, "GroupId"),
        name=str(item.get("GroupName", "")),
        description=read_text(item, "GroupDesc"),
        created=read_time(item.get("UtcCreate")),
    )


def to_devices(response: dict[str, Any]) -> DeviceList:
    devices = tuple(
        GroupDevice(
            product_key=str(item.get("ProductKey", "")),
            name=str(item.get("DeviceName", "")),
            iot_id=str(item.get("IotId", "")),
            product_name=str(item.get("ProductName", "")),
        )
        for item in read_items(response.get("Data"), "SimpleDeviceInfo")
    )
    return DeviceList(devices, int(response.get("Total") or 0))


def to_tags(response: dict[str, Any]) -> tuple[Tag, ...]:
    return tuple(
        Tag(str(item.get("TagKey", "")), str(item.get("TagValue", "")))
        for item in read_items(response.get("Data"), "GroupTagInfo")
    )


def to_parent(response: dict[str, Any] | CloudError) -> Group | None:
    """Return the group in a response of QuerySuperDeviceGroup. None for a top-level group, and when the call failed."""
    if isinstance(response, CloudError):
        return None
    data = response.get("Data") or {}
    groups = read_items(data, "GroupInfo") if "GroupInfo" in data else [data]
    return to_group(groups[0]) if groups and groups[0].get("GroupId") else None


def to_statuses(response: Mapping[str, Any]) -> dict[str, str]:
    """Return the status of each device in a response of BatchGetDeviceState, by IotId."""
    items = read_items(response.get("DeviceStatusList"), "DeviceStatus")
    return {read_text(item, "IotId"): read_text(item, "Status") for item in items}
