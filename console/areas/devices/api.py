"""Calls about one device, and changes of several. Every function takes the gateway that makes the calls. `lists` reads and searches
lists, `registration.applications` makes the calls of registrations; `records` reads the objects in their responses.

All functions raise PermissionRefused and CloudError.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from console.areas.devices.records import (
    DeviceCredentials,
    DeviceDetail,
    Group,
    ModuleVersion,
    UpdateTask,
    to_credentials,
    to_detail,
    to_group,
    to_tags,
    to_task,
)
from console.connections.gateway import Call, Gateway
from console.pages.tags import Tag
from iot_client.errors import CloudError
from iot_client.fields import read_items, read_text

MAX_TAGS = 100
"""Maximum number of tags of a device (SaveDeviceProp)."""
_UNFINISHED = ("CONFIRM", "QUEUED", "NOTIFIED", "IN_PROGRESS")


# -- one device --------------------------------------------------------------------------------------------------------


def get_device(gateway: Gateway, product_key: str, name: str, *, fresh: bool = False) -> DeviceDetail:
    """Return one device. Raises NotFound."""
    return to_detail(gateway.call("QueryDeviceDetail", fresh=fresh, **device_params(product_key, name)))


def get_devices(gateway: Gateway, named: Sequence[Mapping[str, Any]]) -> list[DeviceDetail | CloudError]:
    """Return devices, read without the cache with one call for each.

    `named`: the parameters of each device (ProductKey and DeviceName, or IotId).
    """
    responses = gateway.gather([Call("QueryDeviceDetail", one) for one in named], fresh=True)
    return [response if isinstance(response, CloudError) else to_detail(response) for response in responses]


def get_device_with_groups(
    gateway: Gateway, product_key: str, name: str, *, fresh: bool = False
) -> tuple[DeviceDetail, list[Group]]:
    """Return a device and its groups."""
    detail, groups = _read_in_parallel(gateway, [("QueryDeviceGroupByDevice", {})], product_key, name, fresh)
    return to_detail(detail), [to_group(item) for item in read_items(groups.get("GroupInfos"), "GroupInfo")]


def get_device_with_tags(
    gateway: Gateway, product_key: str, name: str, *, fresh: bool = False
) -> tuple[DeviceDetail, list[Tag]]:
    """Return a device and its tags, sorted by key."""
    detail, props = _read_in_parallel(gateway, [("QueryDeviceProp", {})], product_key, name, fresh)
    return to_detail(detail), to_tags(props)


def get_device_with_readable_tags(
    gateway: Gateway, product_key: str, name: str
) -> tuple[DeviceDetail, list[Tag] | CloudError]:
    """Return a device and its tags, or the error of reading these. 2 calls in parallel."""
    named = device_params(product_key, name)
    detail, props = gateway.gather([Call("QueryDeviceDetail", named), Call("QueryDeviceProp", named)])
    if isinstance(detail, CloudError):
        raise detail
    return to_detail(detail), props if isinstance(props, CloudError) else to_tags(props)


def list_tags(gateway: Gateway, product_key: str, name: str, *, fresh: bool = False) -> list[Tag]:
    """Return the tags of a device, sorted by key."""
    return to_tags(gateway.call("QueryDeviceProp", fresh=fresh, **device_params(product_key, name)))


def get_device_with_updates(
    gateway: Gateway, product_key: str, name: str
) -> tuple[DeviceDetail, list[ModuleVersion], list[UpdateTask]]:
    """Return a device, its module versions, and its pending and running updates."""
    detail, versions, tasks = _read_in_parallel(
        gateway,
        [
            ("ListOTAModuleVersionsByDevice", {"CurrentPage": 1, "PageSize": 200}),
            (
                "ListOTAUnfinishedTaskByDevice",
                {"TaskStatus": _UNFINISHED[0], "TaskStatusList": list(_UNFINISHED)},
            ),
        ],
        product_key,
        name,
    )
    modules = [
        ModuleVersion(read_text(item, "ModuleName"), read_text(item, "ModuleVersion"))
        for item in read_items(versions.get("Data"), "SimpleOTAModuleInfo")
    ]
    return (
        to_detail(detail),
        modules,
        [to_task(item) for item in read_items(tasks.get("Data"), "SimpleOTATaskInfo")],
    )


def _read_in_parallel(
    gateway: Gateway,
    others: Sequence[tuple[str, Mapping[str, Any]]],
    product_key: str,
    name: str,
    fresh: bool = False,
) -> list[dict[str, Any]]:
    """Return the responses of QueryDeviceDetail and other reads about a device, called in parallel. Raises the first error."""
    named = device_params(product_key, name)
    calls = [Call("QueryDeviceDetail", named)] + [
        Call(operation, {**named, **more}) for operation, more in others
    ]
    responses: list[dict[str, Any]] = []
    for response in gateway.gather(calls, fresh=fresh):
        if isinstance(response, CloudError):
            raise response
        responses.append(response)
    return responses


def reveal_secret(gateway: Gateway, product_key: str, name: str) -> DeviceCredentials:
    """Return the credentials with the DeviceSecret. The read is audited and refused below the level "secret"."""
    response = gateway.call("QueryDeviceInfo", reveal=True, fresh=True, **device_params(product_key, name))
    return to_credentials(response.get("Data") or {})


# -- changing one device -----------------------------------------------------------------------------------------------


def register_device(
    gateway: Gateway, product_key: str, *, name: str = "", nickname: str = ""
) -> DeviceCredentials:
    """Register a device and return its credentials. The secret is "" unless the user may see secrets now.

    Without a name the platform generates one.
    """
    reveal = gateway.reveals("RegisterDevice") and gateway.reauthenticated
    response = gateway.call(
        "RegisterDevice",
        reveal=reveal,
        ProductKey=product_key,
        DeviceName=name or None,
        Nickname=nickname or None,
    )
    credentials = to_credentials(response.get("Data") or {})
    return (
        credentials
        if reveal
        else DeviceCredentials(credentials.product_key, credentials.name, "", credentials.iot_id)
    )


def rename_device(gateway: Gateway, product_key: str, name: str, nickname: str) -> None:
    """Set the nickname of a device; an empty one removes it (BatchUpdateDeviceNickname)."""
    named = device_params(product_key, name)
    device = get_device(gateway, product_key, name, fresh=True).device
    before = {"DeviceNicknameInfo": [{**named, "Nickname": device.nickname}]}
    info = {**named, **({"Nickname": nickname} if nickname else {})}
    gateway.call("BatchUpdateDeviceNickname", target=device.key, before=before, DeviceNicknameInfo=[info])


def enable_device(gateway: Gateway, product_key: str, name: str) -> None:
    """Enable a device: it can connect again."""
    gateway.call("EnableThing", **device_params(product_key, name))


def disable_device(gateway: Gateway, product_key: str, name: str) -> None:
    """Disable a device: it is disconnected and cannot connect. Nothing else changes."""
    gateway.call("DisableThing", **device_params(product_key, name))


def delete_device(gateway: Gateway, product_key: str, name: str) -> None:
    """Delete a device permanently. Raises NotFound."""
    gateway.call("DeleteDevice", **device_params(product_key, name))


def set_tag(gateway: Gateway, product_key: str, name: str, tag: Tag) -> None:
    """Add a tag, or change the value of the tag with this key."""
    text = json.dumps({tag.key: tag.value}, ensure_ascii=False)
    before = _read_current_tag(gateway, product_key, name, tag.key)
    gateway.call("SaveDeviceProp", before=before, Props=text, **device_params(product_key, name))


def remove_tag(gateway: Gateway, product_key: str, name: str, key: str) -> None:
    """Remove a tag from a device."""
    before = _read_current_tag(gateway, product_key, name, key)
    gateway.call("DeleteDeviceProp", before=before, PropKey=key, **device_params(product_key, name))


def _read_current_tag(gateway: Gateway, product_key: str, name: str, key: str) -> dict[str, str]:
    """Return the current tag with this key in the format of SaveDeviceProp, for the audit trail; an empty object for none."""
    tags = {tag.key: tag.value for tag in list_tags(gateway, product_key, name, fresh=True) if tag.key == key}
    return {"Props": json.dumps(tags, ensure_ascii=False)}


# -- changing several --------------------------------------------------------------------------------------------------

ACTIONS = {"enable": "EnableThing", "disable": "DisableThing", "delete": "DeleteDevice"}
"""The actions for several devices, and the operation of each for one device."""


def apply_action(
    gateway: Gateway, action: str, devices: Sequence[tuple[str, str]]
) -> list[CloudError | None]:
    """Apply one of ACTIONS to devices, each a (product key, name). Returns for each device None or its error; an error of one
    device does not stop the others."""
    responses = gateway.call_each(ACTIONS[action], [device_params(*device) for device in devices])
    return [response if isinstance(response, CloudError) else None for response in responses]


def device_params(product_key: str, name: str) -> dict[str, Any]:
    """Return the parameters that identify a device in operations."""
    return {"ProductKey": product_key, "DeviceName": name}
