"""Devices as the pages see them. Every function takes the gateway it acts through; operations are named only here, and
the fields of their answers only in `records`.

All raise PermissionRefused and the CloudError family.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from console.cloud.errors import CloudError
from console.connections.gateway import Call, Gateway
from console.devices import sql
from console.devices.records import (
    DISABLED,
    OFFLINE,
    ONLINE,
    STATUSES,
    UNACTIVE,
    Device,
    DeviceDetail,
    DeviceFilter,
    DevicePage,
    Found,
    Group,
    ModuleVersion,
    Outcome,
    Reading,
    Secrets,
    Tag,
    UpdateTask,
    integer,
    items,
    listed,
    split_key,
    to_detail,
    to_device,
    to_group,
    to_secrets,
    to_tags,
    to_task,
)

__all__ = [
    "DISABLED",
    "STATUSES",
    "Device",
    "DeviceDetail",
    "DeviceFilter",
    "DevicePage",
    "Found",
    "Group",
    "ModuleVersion",
    "Outcome",
    "Secrets",
    "Tag",
    "UpdateTask",
    "split_key",
]

PAGE = 50
"""Devices in one answer at most (QueryDevice, QueryDeviceByStatus, QueryDeviceBySQL)."""
NUMBERED = 10_000
"""Devices that can be paged to by number; deeper ones only with the token of the page before (QueryDevice)."""
LOOKED_THROUGH = 150
"""A product of up to so many devices is read whole to be searched: then any part of a name is found."""
NEWEST = 100
"""Of a larger product, so many of the newest devices are read when the platform's own search finds nothing."""
MAX_TAGS = 100
"""Tags of one device at most (SaveDeviceProp)."""
_STATUS_NUMBERS = {UNACTIVE: 0, ONLINE: 1, OFFLINE: 3, DISABLED: 8}
_UNFINISHED = ("CONFIRM", "QUEUED", "NOTIFIED", "IN_PROGRESS")


# -- lists -------------------------------------------------------------------------------------------------------------


def list_devices(
    gateway: Gateway,
    wanted: DeviceFilter,
    *,
    page: int = 1,
    size: int = 25,
    token: str = "",
    known_total: int | None = None,
    fresh: bool = False,
) -> DevicePage:
    """A page of devices by the operation that needs the fewest calls: 1, for a search up to 3.

    `known_total` is how many devices the product has, if the caller knows: a small one is read whole and searched here,
    for any part of a name. Else the platform searches, for beginnings or whole names; where it finds nothing in a
    product, the newest devices are looked through. Newest first, searches of the platform oldest first.
    """
    if not wanted.text:
        if wanted.status:
            return _by_status(gateway, wanted, page, size, fresh)
        return _of_product(gateway, wanted.product_key, page, size, token, fresh)
    if wanted.product_key and known_total is not None and known_total <= LOOKED_THROUGH:
        return _looked_through(gateway, wanted, page, size, known_total, fresh)
    found = _by_sql(gateway, wanted, page, size, fresh)
    if not found.total and wanted.product_key:
        newest = _looked_through(gateway, wanted, page, size, NEWEST, fresh)
        if newest.total:
            return replace(newest, reading=Reading.NEWEST)
    return found


def _of_product(
    gateway: Gateway, product_key: str, page: int, size: int, token: str, fresh: bool
) -> DevicePage:
    answer = gateway.call(
        "QueryDevice",
        fresh=fresh,
        ProductKey=product_key,
        CurrentPage=page,
        PageSize=size,
        NextToken=token or None,
    )
    return DevicePage(
        listed(answer, "DeviceInfo"),
        integer(answer.get("Total")),
        next_token=str(answer.get("NextToken") or ""),
        paging_limit=NUMBERED,
    )


def _by_status(gateway: Gateway, wanted: DeviceFilter, page: int, size: int, fresh: bool) -> DevicePage:
    answer = gateway.call(
        "QueryDeviceByStatus", fresh=fresh, CurrentPage=page, PageSize=size, **_status_params(wanted)
    )
    total = answer.get("Total")
    return DevicePage(
        listed(answer, "SimpleDeviceInfo"),
        integer(answer.get("TotalCount") if total is None else total),
        paging_limit=NUMBERED,
    )


def _status_params(wanted: DeviceFilter) -> dict[str, Any]:
    return {"Status": _STATUS_NUMBERS[wanted.status], "ProductKey": wanted.product_key or None}


def _looked_through(
    gateway: Gateway, wanted: DeviceFilter, page: int, size: int, total: int, fresh: bool
) -> DevicePage:
    pages = max(1, -(-total // PAGE))
    calls = [
        Call("QueryDevice", {"ProductKey": wanted.product_key, "CurrentPage": number, "PageSize": PAGE})
        for number in range(1, pages + 1)
    ]
    found: list[Device] = []
    for answer in gateway.gather(calls, fresh=fresh):
        if isinstance(answer, CloudError):
            raise answer
        found += filter(wanted.matches, listed(answer, "DeviceInfo"))
    return DevicePage(found[(page - 1) * size : page * size], len(found))


def _by_sql(gateway: Gateway, wanted: DeviceFilter, page: int, size: int, fresh: bool) -> DevicePage:
    where = _where(wanted)
    offset = (page - 1) * size
    devices = _sql_rows(gateway, where.rows(offset, size), fresh)
    # A page that is not full is the last one: then there is nothing to count.
    total = offset + len(devices) if devices and len(devices) < size else 0
    if len(devices) == size or (not devices and page > 1):
        total = count_devices(gateway, wanted, fresh=fresh)
    return DevicePage(
        devices, total, paging_limit=sql.REACH, reading=Reading.WHOLE if where.whole else Reading.BEGINNINGS
    )


def _where(wanted: DeviceFilter) -> sql.Where:
    return sql.Where(wanted.product_key, wanted.text, wanted.field, wanted.status)


def _sql_rows(gateway: Gateway, statement: str, fresh: bool = False) -> list[Device]:
    answer = gateway.call("QueryDeviceBySQL", fresh=fresh, SQL=statement)
    return [to_device(item) for item in items(answer.get("Data"), "SimpleDeviceSearchInfo")]


def count_devices(gateway: Gateway, wanted: DeviceFilter, *, fresh: bool = False) -> int:
    """How many devices a search finds (QueryDeviceBySQL)."""
    return integer(
        gateway.call("QueryDeviceBySQL", fresh=fresh, SQL=_where(wanted).counting()).get("TotalCount")
    )


def search(gateway: Gateway, text: str) -> Found:
    """Search all products for a device, in 2 calls; for a member whose access is limited, in 2 for each product and group
    of theirs. `text` must be `sql.searchable`."""
    bounds = gateway.search_bounds()
    statements = [sql.named_or_id(text, within) for within in bounds]
    if sql.can_begin(text):
        statements += [sql.Where(text=text, within=within).rows(0, PAGE) for within in bounds]
    found: list[list[Device]] = []
    for answer in gateway.gather([Call("QueryDeviceBySQL", {"SQL": statement}) for statement in statements]):
        if isinstance(answer, CloudError):
            raise answer
        found.append([to_device(item) for item in items(answer.get("Data"), "SimpleDeviceSearchInfo")])
    exact = {device.key: device for devices in found[: len(bounds)] for device in devices}
    beginning = {device.key: device for devices in found[len(bounds) :] for device in devices}
    return Found(list(exact.values()), [beginning[key] for key in beginning if key not in exact])


class TooManyError(Exception):
    """A search finds more devices than the platform hands out; `count` is how many."""

    def __init__(self, count: int) -> None:
        super().__init__(count)
        self.count = count


def every_device(
    gateway: Gateway, wanted: DeviceFilter, *, known_total: int | None = None
) -> Iterator[Device]:
    """All devices that match, read page by page as they are taken. Raises TooManyError before the first when a search
    finds more than the 10,000 that can be paged through."""
    if not wanted.text:
        if wanted.status:
            pages, items = (
                gateway.read_pages("QueryDeviceByStatus", PageSize=PAGE, **_status_params(wanted)),
                "SimpleDeviceInfo",
            )
        else:
            pages, items = (
                gateway.read_pages("QueryDevice", PageSize=PAGE, ProductKey=wanted.product_key),
                "DeviceInfo",
            )
        for answer in pages:
            yield from listed(answer, items)
    elif wanted.product_key and known_total is not None and known_total <= LOOKED_THROUGH:
        yield from filter(wanted.matches, every_device(gateway, DeviceFilter(wanted.product_key)))
    else:
        yield from _every_by_sql(gateway, wanted)


def _every_by_sql(gateway: Gateway, wanted: DeviceFilter) -> Iterator[Device]:
    where = _where(wanted)
    count = count_devices(gateway, wanted, fresh=True)
    if count > sql.REACH:
        raise TooManyError(count)
    for offset in range(0, sql.REACH, PAGE):
        devices = _sql_rows(gateway, where.rows(offset, PAGE), fresh=True)
        yield from devices
        if len(devices) < PAGE:
            return


# -- one device --------------------------------------------------------------------------------------------------------


def device_detail(gateway: Gateway, product_key: str, name: str, *, fresh: bool = False) -> DeviceDetail:
    """One device. Raises NotFound when there is none."""
    return to_detail(gateway.call("QueryDeviceDetail", fresh=fresh, **params_of(product_key, name)))


def several_details(gateway: Gateway, named: Sequence[Mapping[str, Any]]) -> list[DeviceDetail | CloudError]:
    """Devices by the parameters that name each (ProductKey and DeviceName, or IotId), read afresh; a call for each."""
    answers = gateway.gather([Call("QueryDeviceDetail", one) for one in named], fresh=True)
    return [answer if isinstance(answer, CloudError) else to_detail(answer) for answer in answers]


def device_with_groups(
    gateway: Gateway, product_key: str, name: str, *, fresh: bool = False
) -> tuple[DeviceDetail, list[Group]]:
    """A device and the groups it is in."""
    detail, groups = _together(gateway, [("QueryDeviceGroupByDevice", {})], product_key, name, fresh)
    return to_detail(detail), [to_group(item) for item in items(groups.get("GroupInfos"), "GroupInfo")]


def device_with_tags(
    gateway: Gateway, product_key: str, name: str, *, fresh: bool = False
) -> tuple[DeviceDetail, list[Tag]]:
    """A device and its tags, by key."""
    detail, props = _together(gateway, [("QueryDeviceProp", {})], product_key, name, fresh)
    return to_detail(detail), to_tags(props)


def device_with_updates(
    gateway: Gateway, product_key: str, name: str
) -> tuple[DeviceDetail, list[ModuleVersion], list[UpdateTask]]:
    """A device, what its modules run, and its updates that have not ended."""
    detail, versions, tasks = _together(
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
        ModuleVersion(str(item.get("ModuleName") or ""), str(item.get("ModuleVersion") or ""))
        for item in items(versions.get("Data"), "SimpleOTAModuleInfo")
    ]
    return (
        to_detail(detail),
        modules,
        [to_task(item) for item in items(tasks.get("Data"), "SimpleOTATaskInfo")],
    )


def _together(
    gateway: Gateway,
    others: Sequence[tuple[str, Mapping[str, Any]]],
    product_key: str,
    name: str,
    fresh: bool = False,
) -> list[dict[str, Any]]:
    """The device's detail and other reads about it, at once; the first error is raised."""
    named = params_of(product_key, name)
    calls = [Call("QueryDeviceDetail", named)] + [
        Call(operation, {**named, **more}) for operation, more in others
    ]
    answers: list[dict[str, Any]] = []
    for answer in gateway.gather(calls, fresh=fresh):
        if isinstance(answer, CloudError):
            raise answer
        answers.append(answer)
    return answers


def reveal_secret(gateway: Gateway, product_key: str, name: str) -> Secrets:
    """The DeviceSecret. Recorded in the audit trail; refused below the level "secret"."""
    answer = gateway.call(
        "QueryDeviceInfo", target=name, reveal=True, fresh=True, **params_of(product_key, name)
    )
    return to_secrets(answer.get("Data") or {})


# -- changing one device -----------------------------------------------------------------------------------------------


def register_device(gateway: Gateway, product_key: str, *, name: str = "", nickname: str = "") -> Secrets:
    """Register a device and return what it signs in with: the secret only for those who may see secrets now, else "".

    Without a name the platform makes one up.
    """
    reveal = gateway.reveals("RegisterDevice") and gateway.reauthenticated
    answer = gateway.call(
        "RegisterDevice",
        target=name or product_key,
        reveal=reveal,
        ProductKey=product_key,
        DeviceName=name or None,
        Nickname=nickname or None,
    )
    made = to_secrets(answer.get("Data") or {})
    return made if reveal else Secrets(made.product_key, made.name, "", made.iot_id)


def rename_device(gateway: Gateway, product_key: str, name: str, nickname: str) -> None:
    """Give a device another nickname; an empty one takes it away (BatchUpdateDeviceNickname)."""
    named = params_of(product_key, name)
    found = device_detail(gateway, product_key, name, fresh=True).device
    before = {"DeviceNicknameInfo": [{**named, "Nickname": found.nickname}]}
    info = {**named, **({"Nickname": nickname} if nickname else {})}
    gateway.call("BatchUpdateDeviceNickname", target=name, before=before, DeviceNicknameInfo=[info])


def enable_device(gateway: Gateway, product_key: str, name: str) -> None:
    """Let a disabled device connect again."""
    gateway.call("EnableThing", target=name, **params_of(product_key, name))


def disable_device(gateway: Gateway, product_key: str, name: str) -> None:
    """Cut a device off: it cannot connect, and stays as it is otherwise."""
    gateway.call("DisableThing", target=name, **params_of(product_key, name))


def delete_device(gateway: Gateway, product_key: str, name: str) -> None:
    """Delete a device for good. Raises NotFound when it is gone already."""
    gateway.call("DeleteDevice", target=name, **params_of(product_key, name))


def set_tag(gateway: Gateway, product_key: str, name: str, tag: Tag) -> None:
    """Add a tag, or give the one of that key another value."""
    text = json.dumps({tag.key: tag.value}, ensure_ascii=False)
    before = _tag_now(gateway, product_key, name, tag.key)
    gateway.call("SaveDeviceProp", target=name, before=before, Props=text, **params_of(product_key, name))


def remove_tag(gateway: Gateway, product_key: str, name: str, key: str) -> None:
    """Take a tag off a device."""
    before = _tag_now(gateway, product_key, name, key)
    gateway.call("DeleteDeviceProp", target=name, before=before, PropKey=key, **params_of(product_key, name))


def _tag_now(gateway: Gateway, product_key: str, name: str, key: str) -> dict[str, str]:
    """The tag of that key as SaveDeviceProp would have written it, for the audit trail; an empty object without one."""
    answer = gateway.call("QueryDeviceProp", fresh=True, **params_of(product_key, name))
    found = {tag.key: tag.value for tag in to_tags(answer) if tag.key == key}
    return {"Props": json.dumps(found, ensure_ascii=False)}


# -- changing several --------------------------------------------------------------------------------------------------

ACTIONS = {"enable": "EnableThing", "disable": "DisableThing", "delete": "DeleteDevice"}
"""What can be done to several devices, and the operation that does it to one."""


def act_on(gateway: Gateway, action: str, devices: Sequence[tuple[str, str]]) -> list[Outcome]:
    """Do one of ACTIONS to devices, (product key, name) each; one that fails does not stop the others."""
    answers = gateway.call_each(ACTIONS[action], [params_of(*device) for device in devices])
    return [
        Outcome(product_key, name, answer if isinstance(answer, CloudError) else None)
        for (product_key, name), answer in zip(devices, answers, strict=True)
    ]


def params_of(product_key: str, name: str) -> dict[str, Any]:
    """The parameters by which operations name a device."""
    return {"ProductKey": product_key, "DeviceName": name}
