"""Typed calls for device groups: a tree of three levels; a device is in up to ten groups; a group has tags.

Every function takes the gateway of the acting user. Only this module makes calls. Every function raises PermissionRefused
and the CloudError family. IDs are strings, times are aware.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from console.areas.groups.records import (
    AddResult,
    DeviceList,
    Group,
    GroupDetail,
    GroupDevice,
    GroupList,
    Totals,
    TreeCounts,
    to_counts,
    to_detail,
    to_devices,
    to_group,
    to_groups,
    to_parent,
    to_statuses,
    to_tags,
)
from console.connections.gateway import Call, Gateway
from console.device_counts.counts import DeviceCounts
from console.pages.tags import Tag
from iot_client.errors import CloudError, LimitExceeded, NotFound
from iot_client.fields import read_items
from iot_client.paging import Page, Position

__all__ = [
    "AddResult",
    "DeviceList",
    "Group",
    "GroupDetail",
    "GroupDevice",
    "GroupList",
    "Totals",
    "TreeCounts",
]

MAX_DEPTH = 3  # CreateDeviceGroup: groups, subgroups, and their subgroups
MAX_DEVICES_PER_CALL = 200  # BatchAddDeviceGroupRelations, BatchDeleteDeviceGroupRelations
MAX_TAGS = 100  # SetDeviceGroupTags
MAX_GROUPS_PER_DEVICE = 10  # BatchAddDeviceGroupRelations
CREATE, UPDATE, DELETE = "CreateDeviceGroup", "UpdateDeviceGroup", "DeleteDeviceGroup"
ADD, REMOVE, TAG = "BatchAddDeviceGroupRelations", "BatchDeleteDeviceGroupRelations", "SetDeviceGroupTags"
STATES = "BatchGetDeviceState"
MAX_STATES_PER_CALL = 50  # BatchGetDeviceState
MAX_PAGE_SIZE = 200  # QueryDeviceGroupList
MAX_COUNTED_GROUPS = 50
"""The most groups whose devices are counted for a part of the tree. QueryDeviceGroupInfo allows 30 calls per second."""
MAX_COUNTED_ON_PAGE = 20
"""The most groups below a group whose devices are counted for its page."""
_MAX_DETAILS_PER_CALL = 100  # BatchQueryDeviceDetail


# -- reading ---------------------------------------------------------------------------------------------------------


def list_groups(
    gateway: Gateway, *, parent: str = "", name: str = "", page: int = 1, size: int = MAX_PAGE_SIZE
) -> GroupList:
    """Return the groups directly in `parent` (by default the top level), or with `name` the groups whose name contains it."""
    response = gateway.call(
        "QueryDeviceGroupList",
        SuperGroupId=parent or None,
        GroupName=name or None,
        CurrentPage=page,
        PageSize=size,
    )
    return to_groups(response)


def get_group(gateway: Gateway, group_id: str, *, fresh: bool = False) -> GroupDetail:
    """Return a group with its counts and parents. Up to 3 calls. Raises NotFound."""
    return _read_detail(gateway, group_id, fresh=fresh)[0]


def get_overview(gateway: Gateway, group_id: str) -> tuple[GroupDetail, GroupList]:
    """Return a group and its subgroups. Up to 4 calls. Raises the errors of reading the group and its subgroups."""
    detail, (response,) = _read_detail(gateway, group_id, _call_for_subgroups(group_id))
    if isinstance(response, CloudError):
        raise response
    return detail, to_groups(response)


def get_totals(gateway: Gateway, group_id: str, *, level: int) -> Totals:
    """Return a group, which is on `level` from 1 to 3, with its tags and the device counts of its tree.

    3 calls, and for the counts of up to MAX_COUNTED_ON_PAGE groups below it up to 2 calls each. The group has no path. Raises the
    errors of reading the group and its subgroups.
    """
    info, subgroups_response, tags_response = gateway.gather(
        [
            Call("QueryDeviceGroupInfo", {"GroupId": group_id}),
            _call_for_subgroups(group_id),
            Call("QueryDeviceGroupTagList", {"GroupId": group_id}),
        ]
    )
    if isinstance(info, CloudError):
        raise info
    if isinstance(subgroups_response, CloudError):
        raise subgroups_response
    detail, subgroups = to_detail(info, group_id, ()), to_groups(subgroups_response)
    counts = count_trees(
        gateway, [group.id for group in subgroups.groups], level=level + 1, most=MAX_COUNTED_ON_PAGE
    )
    is_complete = subgroups.total == len(subgroups.groups) == len(counts)
    below = _add_up(list(counts.values())) if is_complete else None
    tags = tags_response if isinstance(tags_response, CloudError) else to_tags(tags_response)
    return Totals(detail, tags, TreeCounts(detail.counts, below), counts)


def count_trees(
    gateway: Gateway, group_ids: Sequence[str], *, level: int, most: int = MAX_COUNTED_GROUPS
) -> dict[str, TreeCounts]:
    """Return the device counts of groups of one `level` (1 to 3) with those of the groups below them, by group ID.

    At most `most` groups are counted, first those of `group_ids`, then the levels below, each with up to 2 calls: those of a
    level run in parallel. Groups beyond this number are left out of the result; the counts below a group are then unknown.
    """
    roots = {
        group_id: group_id for group_id in list(group_ids)[:most]
    }  # group → the one of `group_ids` above it
    direct: dict[str, DeviceCounts | None] = {}
    below: dict[str, DeviceCounts | None] = dict.fromkeys(roots, DeviceCounts())
    remaining = most - len(roots)
    while roots:
        infos, subgroups = _read_level(gateway, list(roots), has_subgroups=level < MAX_DEPTH)
        following: dict[str, str] = {}
        for group_id, root in roots.items():
            counts, children = infos[group_id], subgroups.get(group_id, GroupList((), 0))
            if group_id == root:
                direct[root] = counts
            else:
                below[root] = _sum_known(below[root], counts)
            is_complete = children is not None and children.total == len(children.groups) <= remaining
            if children is None or not is_complete:
                below[root] = None
            elif below[root] is not None:
                following |= {child.id: root for child in children.groups}
                remaining -= len(children.groups)
        roots, level = following, level + 1
    return {group_id: TreeCounts(direct[group_id], below[group_id]) for group_id in direct}


def _read_level(
    gateway: Gateway, group_ids: Sequence[str], *, has_subgroups: bool
) -> tuple[dict[str, DeviceCounts | None], dict[str, GroupList | None]]:
    """Return the counts of groups, and their subgroups if they can have any. None stands for a read that failed."""
    calls = [Call("QueryDeviceGroupInfo", {"GroupId": group_id}) for group_id in group_ids]
    if has_subgroups:
        calls += map(_call_for_subgroups, group_ids)
    responses = gateway.gather(calls)
    infos, lists = responses[: len(group_ids)], responses[len(group_ids) :]
    return (
        {group_id: to_counts(info) for group_id, info in zip(group_ids, infos, strict=True)},
        {
            group_id: None if isinstance(response, CloudError) else to_groups(response)
            for group_id, response in zip(group_ids, lists, strict=False)
        },
    )


def _add_up(trees: Sequence[TreeCounts]) -> DeviceCounts | None:
    """Return the sum of complete counts; None if one of them is not complete."""
    total: DeviceCounts | None = DeviceCounts()
    for tree in trees:
        total = _sum_known(_sum_known(total, tree.direct), tree.below)
    return total


def _sum_known(first: DeviceCounts | None, second: DeviceCounts | None) -> DeviceCounts | None:
    return None if first is None or second is None else first + second


def _call_for_subgroups(group_id: str) -> Call:
    return Call(
        "QueryDeviceGroupList", {"SuperGroupId": group_id, "CurrentPage": 1, "PageSize": MAX_PAGE_SIZE}
    )


def get_group_with_devices(
    gateway: Gateway, group_id: str, *, page: int, size: int
) -> tuple[GroupDetail, DeviceList]:
    """Return a group and a page of its devices, with their status if the role may read it. Up to 5 calls."""
    devices = Call(
        "QueryDeviceListByDeviceGroup", {"GroupId": group_id, "CurrentPage": page, "PageSize": size}
    )
    detail, (response,) = _read_detail(gateway, group_id, devices)
    if isinstance(response, CloudError):
        raise response
    return detail, _add_statuses(gateway, to_devices(response))


def _add_statuses(gateway: Gateway, device_list: DeviceList) -> DeviceList:
    """Return the devices of a page with their status. 1 call. If it cannot be read, it stays empty."""
    iot_ids = [device.iot_id for device in device_list.devices if device.iot_id][:MAX_STATES_PER_CALL]
    if not iot_ids or not gateway.allows(STATES):
        return device_list
    (response,) = gateway.gather([Call(STATES, {"IotId": iot_ids})])
    statuses = {} if isinstance(response, CloudError) else to_statuses(response)
    devices = tuple(replace(device, status=statuses.get(device.iot_id, "")) for device in device_list.devices)
    return replace(device_list, devices=devices)


def count_devices(gateway: Gateway, limit: int) -> dict[str, DeviceCounts]:
    """Return the counts of the devices directly in each group by GroupId, of up to `limit` groups, the upper levels first.

    Up to 2 calls for each group: its counts and its subgroups. Groups that could not be counted are left out.
    """
    ids: dict[str, None] = {}  # in order, without duplicates
    level = list_groups(gateway).groups
    for depth in range(1, MAX_DEPTH + 1):
        new = [group.id for group in level if group.id and group.id not in ids][: limit - len(ids)]
        ids |= dict.fromkeys(new)
        if depth == MAX_DEPTH or len(ids) == limit:
            break
        calls = [
            Call("QueryDeviceGroupList", {"SuperGroupId": key, "CurrentPage": 1, "PageSize": MAX_PAGE_SIZE})
            for key in new
        ]
        level = tuple(
            to_group(item)
            for response in gateway.gather(calls)
            if not isinstance(response, CloudError)
            for item in read_items(response.get("Data"), "GroupInfo")
        )
    responses = gateway.gather([Call("QueryDeviceGroupInfo", {"GroupId": key}) for key in ids])
    return {
        key: to_detail(response, key, ()).counts
        for key, response in zip(ids, responses, strict=True)
        if not isinstance(response, CloudError)
    }


def list_devices(gateway: Gateway, group_id: str, *, page: int = 1, size: int = 50) -> DeviceList:
    """Return a page of the devices of a group."""
    return to_devices(
        gateway.call("QueryDeviceListByDeviceGroup", GroupId=group_id, CurrentPage=page, PageSize=size)
    )


def read_device_pages(
    gateway: Gateway, group_id: str, start: Position | None = None
) -> Iterator[Page[Sequence[GroupDevice]]]:
    """Yield the devices of a group page by page, from `start` on."""
    for page in gateway.read_pages(
        "QueryDeviceListByDeviceGroup", start=start, GroupId=group_id, PageSize=50
    ):
        yield Page(to_devices(page.content).devices, page.following)


def get_group_with_tags(gateway: Gateway, group_id: str) -> tuple[GroupDetail, tuple[Tag, ...]]:
    """Return a group and its tags. Up to 4 calls."""
    detail, (response,) = _read_detail(
        gateway, group_id, Call("QueryDeviceGroupTagList", {"GroupId": group_id})
    )
    if isinstance(response, CloudError):
        raise response
    return detail, to_tags(response)


def list_tags(gateway: Gateway, group_id: str) -> tuple[Tag, ...]:
    """Return the current tags of a group. Not from the cache: callers use them to write the complete set of tags."""
    return to_tags(gateway.call("QueryDeviceGroupTagList", GroupId=group_id, fresh=True))


# -- changing --------------------------------------------------------------------------------------------------------


def create_group(gateway: Gateway, *, name: str, description: str = "", parent: str = "") -> Group:
    """Create a group, in `parent` if given. Raises AlreadyExists when the name is in use, LimitExceeded below level 3."""
    response = gateway.call(
        CREATE, target=name, GroupName=name, GroupDesc=description or None, SuperGroupId=parent or None
    )
    return to_group(response.get("Data") or {})


def update_group(
    gateway: Gateway, group_id: str, *, description: str, current: GroupDetail | None = None
) -> None:
    """Set the description; the platform cannot change anything else of a group.

    `current` is the group before the change, for the audit trail. Without it, the group is read first.
    """
    group = current or get_group(gateway, group_id, fresh=True)
    before = {"GroupDesc": group.description}
    gateway.call(UPDATE, before=before, GroupId=group_id, GroupDesc=description)


def delete_group(gateway: Gateway, group_id: str, *, name: str = "") -> None:
    """Delete a group. Its devices are not deleted. Raises Conflict while it has subgroups."""
    gateway.call(DELETE, target=name, GroupId=group_id)


def set_tags(gateway: Gateway, group_id: str, tags: Sequence[Tag], *, current: Sequence[Tag]) -> None:
    """Replace all tags of the group with `tags`: the platform deletes tags that are not in the set. `current` is the tags
    before the change, for the audit trail."""
    before = {"TagString": _tag_string(current)}
    gateway.call(TAG, before=before, GroupId=group_id, TagString=_tag_string(tags))


def set_tag(gateway: Gateway, group_id: str, tag: Tag) -> None:
    """Add a tag to the group, or replace its value if the key exists. 2 calls. Raises LimitExceeded for more than MAX_TAGS."""
    before = list_tags(gateway, group_id)
    after = {old.key: old for old in before} | {tag.key: tag}
    if len(after) > MAX_TAGS:
        raise LimitExceeded("Client.TooManyTags", operation=TAG)
    set_tags(gateway, group_id, list(after.values()), current=before)


def remove_tag(gateway: Gateway, group_id: str, key: str) -> None:
    """Remove a tag from the group. A key that does not exist is not an error. Up to 2 calls."""
    before = list_tags(gateway, group_id)
    remaining = [tag for tag in before if tag.key != key]
    if len(remaining) < len(before):
        set_tags(gateway, group_id, remaining, current=before)


def _tag_string(tags: Sequence[Tag]) -> str:
    return json.dumps([{"tagKey": tag.key, "tagValue": tag.value} for tag in tags], ensure_ascii=False)


def add_devices(gateway: Gateway, group_id: str, product_key: str, names: Sequence[str]) -> AddResult:
    """Add up to 200 devices of a product to the group. Names are checked first. Up to 3 calls."""
    existing = find_existing_names(gateway, product_key, names)
    known = tuple(name for name in names if name in existing)
    unknown = tuple(name for name in names if name not in existing)
    if not known:
        return AddResult(unknown, (), 0, 0, 0)
    response = gateway.call(
        ADD,
        GroupId=group_id,
        Device=[{"ProductKey": product_key, "DeviceName": name} for name in known],
    )
    return AddResult(
        unknown=unknown,
        known=known,
        added=int(response.get("SuccessAddedDeviceCount") or 0),
        already=int(response.get("AlreadyRelatedGroupDeviceCount") or 0),
        full=int(response.get("ExceedTenGroupDeviceCount") or 0),
    )


def find_existing_names(gateway: Gateway, product_key: str, names: Sequence[str]) -> set[str]:
    """Return which of the names devices of the product have. 1 call for each 100 names."""
    lookups = [
        Call("BatchQueryDeviceDetail", {"ProductKey": product_key, "DeviceName": list(part)})
        for part in _split(names, _MAX_DETAILS_PER_CALL)
    ]
    existing: set[str] = set()
    for response in gateway.gather(lookups, fresh=True):
        if isinstance(response, NotFound):  # the response of some accounts when none of the names exists
            continue
        if isinstance(response, CloudError):
            raise response
        existing |= {str(item.get("DeviceName", "")) for item in read_items(response.get("Data"), "Data")}
    return existing


def remove_devices(gateway: Gateway, group_id: str, devices: Sequence[tuple[str, str]]) -> int:
    """Remove up to 200 devices, given as (product key, name), from the group. The devices are not deleted. Returns how
    many were in the group."""
    response = gateway.call(
        REMOVE,
        GroupId=group_id,
        Device=[{"ProductKey": product_key, "DeviceName": name} for product_key, name in devices],
    )
    return int(response.get("SuccessDeviceCount") or 0)


# -- responses -------------------------------------------------------------------------------------------------------


def _read_detail(
    gateway: Gateway, group_id: str, *extra_calls: Call, fresh: bool = False
) -> tuple[GroupDetail, list[dict[str, Any] | CloudError]]:
    """Return the group, and the response of each extra call, or its error. Raises the errors of reading the group."""
    info, parent_response, *rest = gateway.gather(
        [
            Call("QueryDeviceGroupInfo", {"GroupId": group_id}),
            Call("QuerySuperDeviceGroup", {"GroupId": group_id}),
            *extra_calls,
        ],
        fresh=fresh,
    )
    if isinstance(info, CloudError):
        raise info
    path: tuple[Group, ...] = ()
    parent = to_parent(parent_response)
    if parent is not None:
        grandparent = to_parent(gateway.gather([Call("QuerySuperDeviceGroup", {"GroupId": parent.id})])[0])
        path = (grandparent, parent) if grandparent is not None else (parent,)
    return to_detail(info, group_id, path), rest


def _split(names: Sequence[str], size: int) -> list[Sequence[str]]:
    return [names[start : start + size] for start in range(0, len(names), size)]
