"""Typed calls for device groups: a tree of three levels; a device is in up to ten groups; a group has tags.

Every function takes the gateway of the acting user. Only this module makes calls. Every function raises PermissionRefused
and the CloudError family. IDs are strings, times are aware.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from console.areas.groups.records import (
    AddResult,
    DeviceList,
    Group,
    GroupDetail,
    GroupDevice,
    GroupList,
    to_detail,
    to_devices,
    to_group,
    to_groups,
    to_parent,
    to_statuses,
    to_tags,
)
from console.areas.products import api as products_api
from console.connections.gateway import Call, Gateway
from console.connections.locks import hold_lock
from console.pages.tags import Tag
from iot_client.errors import CloudError, Conflict, LimitExceeded, NotFound
from iot_client.fields import read_items
from iot_client.paging import Page, Position

__all__ = [
    "AddResult",
    "DeviceList",
    "Group",
    "GroupDetail",
    "GroupDevice",
    "GroupList",
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
_TAGS_LOCKED, _TAGS_WAIT = 120.0, 10.0  # seconds: longer than two calls with their retries; what a user waits


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
    return read_detail(gateway, group_id, fresh=fresh)[0]


def get_group_with_devices(
    gateway: Gateway, group_id: str, *, page: int, size: int
) -> tuple[GroupDetail, DeviceList]:
    """Return a group and a page of its devices, with their status if the role may read it. Up to 5 calls."""
    devices = Call(
        "QueryDeviceListByDeviceGroup", {"GroupId": group_id, "CurrentPage": page, "PageSize": size}
    )
    detail, (response,) = read_detail(gateway, group_id, devices)
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
    detail, (response,) = read_detail(
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


def set_tag(gateway: Gateway, group_id: str, tag: Tag) -> None:
    """Add a tag to the group, or replace its value if the key exists. 2 calls. Raises LimitExceeded for more than MAX_TAGS,
    Conflict while another user changes the tags."""
    with _change_tags(gateway, group_id) as tags:
        tags[tag.key] = tag
        if len(tags) > MAX_TAGS:
            raise LimitExceeded("Client.TooManyTags", operation=TAG)


def remove_tag(gateway: Gateway, group_id: str, key: str) -> None:
    """Remove a tag from the group. A key that does not exist is not an error. Up to 2 calls. Raises Conflict while another user
    changes the tags."""
    with _change_tags(gateway, group_id) as tags:
        tags.pop(key, None)


@contextmanager
def _change_tags(gateway: Gateway, group_id: str) -> Iterator[dict[str, Tag]]:
    """Read the tags of the group by key, and write them after the block has changed them: the platform deletes tags that are not
    in the set. Two changes through this console wait for each other. Raises Conflict if the other one takes too long."""
    lock = f"group-tags:{gateway.connection.account}:{group_id}"
    with hold_lock(lock, seconds=_TAGS_LOCKED, wait=_TAGS_WAIT) as is_held:
        if not is_held:
            raise Conflict("Client.Locked", operation=TAG)
        before = list_tags(gateway, group_id)
        tags = {tag.key: tag for tag in before}
        yield tags
        after = tuple(tags.values())
        if after != before:
            current = {"TagString": _tag_string(before)}
            gateway.call(TAG, before=current, GroupId=group_id, TagString=_tag_string(after))


def _tag_string(tags: Sequence[Tag]) -> str:
    return json.dumps([{"tagKey": tag.key, "tagValue": tag.value} for tag in tags], ensure_ascii=False)


def add_devices(gateway: Gateway, group_id: str, product_key: str, names: Sequence[str]) -> AddResult:
    """Add up to 200 devices of a product to the group. Names are checked first: BatchQueryDeviceDetail. Up to 3 calls."""
    existing = products_api.find_devices(gateway, product_key, names)
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


def add_each_device(
    gateway: Gateway, group_id: str, devices: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], CloudError | None]:
    """Add up to 200 devices, given as (product key, name), to the group. Return for each of them None or why it was not added.

    Up to 3 calls for each product. If some devices are in ten groups already, 1 further call for each device of the product.
    """
    errors: dict[tuple[str, str], CloudError | None] = dict.fromkeys(devices)
    for product_key in dict.fromkeys(key for key, _name in devices):
        names = [name for key, name in devices if key == product_key]
        try:
            result = add_devices(gateway, group_id, product_key, names)
        except CloudError as error:
            errors |= {(product_key, name): error for name in names}
            continue
        errors |= {
            (product_key, name): NotFound("iot.device.NotExistedDevice", operation=ADD)
            for name in result.unknown
        }
        if result.full:
            errors |= _find_full(gateway, group_id, product_key, result.known)
    return errors


def _find_full(
    gateway: Gateway, group_id: str, product_key: str, names: Sequence[str]
) -> dict[tuple[str, str], CloudError]:
    """Return an error for each device that is not in the group. The platform says only how many were not added."""
    calls = [
        Call("QueryDeviceGroupByDevice", {"ProductKey": product_key, "DeviceName": name}) for name in names
    ]
    errors: dict[tuple[str, str], CloudError] = {}
    for name, response in zip(names, gateway.gather(calls, fresh=True), strict=True):
        if isinstance(response, CloudError):
            errors[product_key, name] = response
        elif all(
            item.get("GroupId") != group_id for item in read_items(response.get("GroupInfos"), "GroupInfo")
        ):
            errors[product_key, name] = LimitExceeded("Client.TooManyGroups", operation=ADD)
    return errors


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


def read_detail(
    gateway: Gateway, group_id: str, *extra_calls: Call, fresh: bool = False
) -> tuple[GroupDetail, list[dict[str, Any] | CloudError]]:
    """Return the group, and the response of each extra call, or its error. Up to 3 calls and the extra ones. Raises the errors of
    reading the group."""
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
