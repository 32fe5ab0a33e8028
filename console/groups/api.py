"""Device groups as the platform keeps them: a tree of three levels, devices in up to ten groups, tags on each group.

Every function takes the gateway that acts for a person; only this module knows the operations' and fields' names. All
raise PermissionRefused and the CloudError family. Ids are texts, moments are aware.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from console.cloud.answers import name_in
from console.cloud.errors import CloudError, NotFound
from console.connections.gateway import Call, Gateway
from console.ui.format import instant

MAX_DEPTH = 3  # CreateDeviceGroup: groups, subgroups, and subgroups of those
MAX_CHILDREN = 100  # subgroups of one group
MAX_DEVICES_A_CALL = 200  # BatchAddDeviceGroupRelations, BatchDeleteDeviceGroupRelations
MAX_TAGS = 100  # SetDeviceGroupTags
MAX_GROUPS_OF_A_DEVICE = 10  # BatchAddDeviceGroupRelations
CREATE, UPDATE, DELETE = "CreateDeviceGroup", "UpdateDeviceGroup", "DeleteDeviceGroup"
ADD, REMOVE, TAG = "BatchAddDeviceGroupRelations", "BatchDeleteDeviceGroupRelations", "SetDeviceGroupTags"
LIST_SIZE = 200  # QueryDeviceGroupList: the most a page holds
_DETAILS_A_CALL = 100  # BatchQueryDeviceDetail


@dataclass(frozen=True, slots=True)
class Group:
    """A group as lists tell it."""

    id: str
    name: str
    description: str = ""
    created: datetime | None = None


@dataclass(frozen=True, slots=True)
class GroupDetail:
    """A group with its counts of devices: all, ever activated, online now; `path` is its parents, the topmost first."""

    id: str
    name: str
    description: str
    created: datetime | None
    devices: int
    active: int
    online: int
    path: tuple[Group, ...] = ()

    @property
    def depth(self) -> int:
        """1 for a group without a parent."""
        return len(self.path) + 1

    @property
    def parent(self) -> Group | None:
        """The group it lies in."""
        return self.path[-1] if self.path else None


@dataclass(frozen=True, slots=True)
class GroupList:
    """One page of groups and how many there are in all."""

    groups: tuple[Group, ...]
    total: int


@dataclass(frozen=True, slots=True)
class GroupDevice:
    """A device as its group lists it."""

    product_key: str
    name: str
    iot_id: str
    product_name: str

    @property
    def key(self) -> str:
        """Names the device in a form; neither part can hold a slash."""
        return f"{self.product_key}/{self.name}"


@dataclass(frozen=True, slots=True)
class DeviceList:
    """One page of a group's devices and how many there are in all."""

    devices: tuple[GroupDevice, ...]
    total: int


@dataclass(frozen=True, slots=True)
class Tag:
    """A tag of a group."""

    key: str
    value: str


@dataclass(frozen=True, slots=True)
class Added:
    """What became of devices that were to be added.

    `unknown` names those that the product has not; of the others the platform tells counts only: how many were `added`,
    were in the group `already`, and could not be added because they are in ten groups (`full`).
    """

    unknown: tuple[str, ...]
    found: tuple[str, ...]
    added: int
    already: int
    full: int

    @property
    def outcomes(self) -> tuple[tuple[str, str], ...]:
        """Each name with its outcome: unknown, added, already, full, or "sent" where the counts do not tell which."""
        certain = [
            outcome
            for outcome, count in (("added", self.added), ("already", self.already), ("full", self.full))
            if count and count == len(self.found)
        ]
        known = certain[0] if certain else "sent"
        return tuple([(name, "unknown") for name in self.unknown] + [(name, known) for name in self.found])

    @property
    def mixed(self) -> bool:
        """Whether the counts leave open which device had which outcome."""
        return any(outcome == "sent" for _, outcome in self.outcomes)


# -- reading ---------------------------------------------------------------------------------------------------------


def list_groups(
    gateway: Gateway, *, parent: str = "", name: str = "", page: int = 1, size: int = LIST_SIZE
) -> GroupList:
    """Groups directly under `parent` (the topmost without one), or, with `name`, those whose name has it in it."""
    answer = gateway.call(
        "QueryDeviceGroupList",
        SuperGroupId=parent or None,
        GroupName=name or None,
        CurrentPage=page,
        PageSize=size,
    )
    groups = tuple(_group(item) for item in _items(answer.get("Data"), "GroupInfo"))
    return GroupList(groups, int(answer.get("Total") or 0))


def get_group(gateway: Gateway, group_id: str, *, fresh: bool = False) -> GroupDetail:
    """A group with its counts and its parents. Up to 3 calls. Raises NotFound."""
    return _detail(gateway, group_id, [], fresh=fresh)[0]


def get_group_with_children(gateway: Gateway, group_id: str) -> tuple[GroupDetail, GroupList]:
    """A group and the groups in it. Up to 4 calls."""
    under = Call("QueryDeviceGroupList", {"SuperGroupId": group_id, "CurrentPage": 1, "PageSize": LIST_SIZE})
    detail, answer = _detail(gateway, group_id, [under])
    groups = tuple(_group(item) for item in _items(answer.get("Data"), "GroupInfo"))
    return detail, GroupList(groups, int(answer.get("Total") or 0))


def get_group_with_devices(
    gateway: Gateway, group_id: str, *, page: int, size: int
) -> tuple[GroupDetail, DeviceList]:
    """A group and a page of its devices. Up to 4 calls."""
    devices = Call(
        "QueryDeviceListByDeviceGroup", {"GroupId": group_id, "CurrentPage": page, "PageSize": size}
    )
    detail, answer = _detail(gateway, group_id, [devices])
    return detail, _devices(answer)


def list_devices(gateway: Gateway, group_id: str, *, page: int = 1, size: int = 50) -> DeviceList:
    """A page of a group's devices."""
    return _devices(
        gateway.call("QueryDeviceListByDeviceGroup", GroupId=group_id, CurrentPage=page, PageSize=size)
    )


def get_group_with_tags(gateway: Gateway, group_id: str) -> tuple[GroupDetail, tuple[Tag, ...]]:
    """A group and its tags. Up to 4 calls."""
    detail, answer = _detail(gateway, group_id, [Call("QueryDeviceGroupTagList", {"GroupId": group_id})])
    return detail, _tags(answer)


def list_tags(gateway: Gateway, group_id: str) -> tuple[Tag, ...]:
    """The tags of a group, as they are now (past the cache of reads: what is written next is built on them)."""
    return _tags(gateway.call("QueryDeviceGroupTagList", GroupId=group_id, fresh=True))


# -- changing --------------------------------------------------------------------------------------------------------


def create_group(gateway: Gateway, *, name: str, description: str = "", parent: str = "") -> Group:
    """A new group, under `parent` if one is given. Raises AlreadyExists for a name in use, LimitExceeded below the third level."""
    answer = gateway.call(
        CREATE, target=name, GroupName=name, GroupDesc=description or None, SuperGroupId=parent or None
    )
    return _group(answer.get("Data") or {})


def update_group(
    gateway: Gateway, group_id: str, *, description: str, found: GroupDetail | None = None
) -> None:
    """Set the description; the platform lets nothing else of a group be changed.

    `found` is the group as it is now, for the audit trail; read where it is not given.
    """
    now = found or get_group(gateway, group_id, fresh=True)
    before = {"GroupDesc": now.description}
    gateway.call(UPDATE, target=now.name, before=before, GroupId=group_id, GroupDesc=description)


def delete_group(gateway: Gateway, group_id: str, *, name: str = "") -> None:
    """Delete a group; its devices stay. Raises Conflict while it has subgroups."""
    gateway.call(DELETE, target=name, GroupId=group_id)


def set_tags(gateway: Gateway, group_id: str, tags: Sequence[Tag], *, found: Sequence[Tag]) -> None:
    """Make `tags` all the tags of the group, where `found` are those it has now: the platform takes the whole set and drops
    what is not in it."""
    before = {"TagString": _tag_string(found)}
    gateway.call(TAG, before=before, GroupId=group_id, TagString=_tag_string(tags))


def remove_tag(gateway: Gateway, group_id: str, key: str) -> None:
    """Take a tag off the group; one that is gone already is no error. Up to 2 calls."""
    before = list_tags(gateway, group_id)
    left = [tag for tag in before if tag.key != key]
    if len(left) < len(before):
        set_tags(gateway, group_id, left, found=before)


def _tag_string(tags: Sequence[Tag]) -> str:
    return json.dumps([{"tagKey": tag.key, "tagValue": tag.value} for tag in tags], ensure_ascii=False)


def add_devices(gateway: Gateway, group_id: str, product_key: str, names: Sequence[str]) -> Added:
    """Put up to 200 devices of a product into the group. Names that the product has not are found first. Up to 3 calls."""
    lookups = [
        Call("BatchQueryDeviceDetail", {"ProductKey": product_key, "DeviceName": list(part)})
        for part in _parts(names, _DETAILS_A_CALL)
    ]
    there: set[str] = set()
    for answer in gateway.gather(lookups, fresh=True):
        if isinstance(answer, NotFound):  # some accounts' answer when not one of the names exists
            continue
        if isinstance(answer, CloudError):
            raise answer
        there |= {str(item.get("DeviceName", "")) for item in _items(answer.get("Data"), "Data")}
    found = tuple(name for name in names if name in there)
    unknown = tuple(name for name in names if name not in there)
    if not found:
        return Added(unknown, (), 0, 0, 0)
    answer = gateway.call(
        ADD,
        GroupId=group_id,
        Device=[{"ProductKey": product_key, "DeviceName": name} for name in found],
    )
    return Added(
        unknown=unknown,
        found=found,
        added=int(answer.get("SuccessAddedDeviceCount") or 0),
        already=int(answer.get("AlreadyRelatedGroupDeviceCount") or 0),
        full=int(answer.get("ExceedTenGroupDeviceCount") or 0),
    )


def remove_devices(gateway: Gateway, group_id: str, devices: Sequence[tuple[str, str]]) -> int:
    """Take up to 200 devices, as (product key, name), out of the group; they are not deleted. Returns how many were in it."""
    answer = gateway.call(
        REMOVE,
        GroupId=group_id,
        Device=[{"ProductKey": product_key, "DeviceName": name} for product_key, name in devices],
    )
    return int(answer.get("SuccessDeviceCount") or 0)


# -- the wire --------------------------------------------------------------------------------------------------------


def _detail(
    gateway: Gateway, group_id: str, more: list[Call], *, fresh: bool = False
) -> tuple[GroupDetail, dict[str, Any]]:
    """The group, and the answer of the one further call (an empty one without). Raises what the group's own calls raise."""
    info, above, *rest = gateway.gather(
        [
            Call("QueryDeviceGroupInfo", {"GroupId": group_id}),
            Call("QuerySuperDeviceGroup", {"GroupId": group_id}),
            *more,
        ],
        fresh=fresh,
    )
    for answer in (info, *rest):
        if isinstance(answer, CloudError):
            raise answer
    data = (info if isinstance(info, dict) else {}).get("Data") or {}
    path: tuple[Group, ...] = ()
    parent = _parent(above)
    if parent is not None:
        topmost = _parent(gateway.gather([Call("QuerySuperDeviceGroup", {"GroupId": parent.id})])[0])
        path = (topmost, parent) if topmost is not None else (parent,)
    detail = GroupDetail(
        id=str(data.get("GroupId") or group_id),
        name=str(data.get("GroupName", "")),
        description=str(data.get("GroupDesc") or ""),
        created=instant(data.get("UtcCreate")),
        devices=int(data.get("DeviceCount") or 0),
        active=int(data.get("DeviceActive") or 0),
        online=int(data.get("DeviceOnline") or 0),
        path=path,
    )
    return detail, next((answer for answer in rest if isinstance(answer, dict)), {})


def _parent(answer: dict[str, Any] | CloudError) -> Group | None:
    """The group of a QuerySuperDeviceGroup answer. A topmost group has none; where the way up cannot be read it is left out."""
    if isinstance(answer, CloudError):
        return None
    data = answer.get("Data") or {}
    found = _items(data, "GroupInfo") if "GroupInfo" in data else [data]
    return _group(found[0]) if found and found[0].get("GroupId") else None


def _group(item: dict[str, Any]) -> Group:
    return Group(
        id=name_in(item, "GroupId"),
        name=str(item.get("GroupName", "")),
        description=str(item.get("GroupDesc") or ""),
        created=instant(item.get("UtcCreate")),
    )


def _devices(answer: dict[str, Any]) -> DeviceList:
    found = tuple(
        GroupDevice(
            product_key=str(item.get("ProductKey", "")),
            name=str(item.get("DeviceName", "")),
            iot_id=str(item.get("IotId", "")),
            product_name=str(item.get("ProductName", "")),
        )
        for item in _items(answer.get("Data"), "SimpleDeviceInfo")
    )
    return DeviceList(found, int(answer.get("Total") or 0))


def _tags(answer: dict[str, Any]) -> tuple[Tag, ...]:
    return tuple(
        Tag(str(item.get("TagKey", "")), str(item.get("TagValue", "")))
        for item in _items(answer.get("Data"), "GroupTagInfo")
    )


def _items(data: Any, name: str) -> list[dict[str, Any]]:
    """The list inside its wrapper; an empty list may come as nothing at all."""
    found = data.get(name) if isinstance(data, dict) else None
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def _parts(names: Sequence[str], size: int) -> list[Sequence[str]]:
    return [names[start : start + size] for start in range(0, len(names), size)]
