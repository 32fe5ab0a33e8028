"""Calls about devices. Every function takes the gateway that makes the calls. `registration.applications` makes
the calls of registrations, this module all others; `records` reads the objects in their responses.

All functions raise PermissionRefused and CloudError.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from console.areas.devices import sql
from console.areas.devices.records import (
    DISABLED,
    OFFLINE,
    ONLINE,
    STATUSES,
    UNACTIVE,
    Device,
    DeviceCredentials,
    DeviceDetail,
    DeviceFilter,
    DevicePage,
    Group,
    ModuleVersion,
    SearchMatch,
    SearchResult,
    UpdateTask,
    read_devices,
    to_credentials,
    to_detail,
    to_device,
    to_group,
    to_tags,
    to_task,
)
from console.connections.gateway import Call, Gateway
from console.pages.tags import Tag
from iot_client.errors import CloudError, LimitExceeded
from iot_client.fields import read_count, read_items, read_text
from iot_client.paging import Page, Position

__all__ = [
    "DISABLED",
    "STATUSES",
    "Device",
    "DeviceCredentials",
    "DeviceDetail",
    "DeviceFilter",
    "DevicePage",
    "Group",
    "ModuleVersion",
    "SearchResult",
    "UpdateTask",
]

PAGE_SIZE = 50
"""Maximum number of devices in one response (QueryDevice, QueryDeviceByStatus, QueryDeviceBySQL)."""
PAGING_LIMIT = 10_000
"""Number of devices that page numbers can reach; later pages need the token of the previous page (QueryDevice)."""
FULL_SCAN_LIMIT = 150
"""A product with up to this number of devices is read completely for a search, which then finds any part of a name."""
NEWEST_SCAN_LIMIT = 100
"""Number of newest devices of a larger product that are read when the search of the platform finds nothing."""
MAX_TAGS = 100
"""Maximum number of tags of a device (SaveDeviceProp)."""
_OFFSET = "offset"  # the position of a page of QueryDeviceBySQL
_STATUS_NUMBERS = {UNACTIVE: 0, ONLINE: 1, OFFLINE: 3, DISABLED: 8}
_UNFINISHED = ("CONFIRM", "QUEUED", "NOTIFIED", "IN_PROGRESS")


# -- lists -------------------------------------------------------------------------------------------------------------


def list_devices(
    gateway: Gateway,
    device_filter: DeviceFilter,
    *,
    page: int = 1,
    size: int = 25,
    token: str = "",
    known_total: int | None = None,
    fresh: bool = False,
) -> DevicePage:
    """Return a page of devices from the operation that needs the fewest calls: 1 call, for a search up to 3.

    `known_total`: number of devices of the product, if the caller knows it. A small product is read completely and searched
    here for any part of a name. Otherwise the platform searches for the start of a name or a full name; if it finds nothing
    in a product, the newest devices are searched here. Newest first; results of the platform's search oldest first.
    """
    if not device_filter.text:
        if device_filter.status:
            return _list_by_status(gateway, device_filter, page, size, fresh)
        return _list_product(gateway, device_filter.product_key, page, size, token, fresh)
    if device_filter.product_key and known_total is not None and known_total <= FULL_SCAN_LIMIT:
        return _scan_product(gateway, device_filter, page, size, known_total, fresh)
    result = _search_by_sql(gateway, device_filter, page, size, fresh)
    if not result.total and device_filter.product_key:
        newest = _scan_product(gateway, device_filter, page, size, NEWEST_SCAN_LIMIT, fresh)
        if newest.total:
            return replace(newest, match=SearchMatch.NEWEST)
    return result


def _list_product(
    gateway: Gateway, product_key: str, page: int, size: int, token: str, fresh: bool
) -> DevicePage:
    response = gateway.call(
        "QueryDevice",
        fresh=fresh,
        ProductKey=product_key,
        CurrentPage=page,
        PageSize=size,
        NextToken=token or None,
    )
    return DevicePage(
        read_devices(response, "DeviceInfo"),
        read_count(response.get("Total")),
        next_token=read_text(response, "NextToken"),
        paging_limit=PAGING_LIMIT,
    )


def _list_by_status(
    gateway: Gateway, device_filter: DeviceFilter, page: int, size: int, fresh: bool
) -> DevicePage:
    response = gateway.call(
        "QueryDeviceByStatus", fresh=fresh, CurrentPage=page, PageSize=size, **_status_params(device_filter)
    )
    total = response.get("Total")
    return DevicePage(
        read_devices(response, "SimpleDeviceInfo"),
        read_count(response.get("TotalCount") if total is None else total),
        paging_limit=PAGING_LIMIT,
    )


def _status_params(device_filter: DeviceFilter) -> dict[str, Any]:
    return {"Status": _STATUS_NUMBERS[device_filter.status], "ProductKey": device_filter.product_key or None}


def _scan_product(
    gateway: Gateway, device_filter: DeviceFilter, page: int, size: int, total: int, fresh: bool
) -> DevicePage:
    pages = max(1, -(-total // PAGE_SIZE))
    calls = [
        Call(
            "QueryDevice",
            {"ProductKey": device_filter.product_key, "CurrentPage": number, "PageSize": PAGE_SIZE},
        )
        for number in range(1, pages + 1)
    ]
    matches: list[Device] = []
    for response in gateway.gather(calls, fresh=fresh):
        if isinstance(response, CloudError):
            raise response
        matches += filter(device_filter.matches, read_devices(response, "DeviceInfo"))
    return DevicePage(matches[(page - 1) * size : page * size], len(matches))


def _search_by_sql(
    gateway: Gateway, device_filter: DeviceFilter, page: int, size: int, fresh: bool
) -> DevicePage:
    where = _where(device_filter)
    offset = (page - 1) * size
    devices = _query_sql(gateway, where.rows(offset, size), fresh)
    # A page that is not full is the last one: the total is known without a count.
    total = offset + len(devices) if devices and len(devices) < size else 0
    if len(devices) == size or (not devices and page > 1):
        total = count_devices(gateway, device_filter, fresh=fresh)
    return DevicePage(
        devices,
        total,
        paging_limit=sql.MAX_ROWS,
        match=SearchMatch.EXACT if where.is_exact else SearchMatch.PREFIX,
    )


def _where(device_filter: DeviceFilter) -> sql.Where:
    return sql.Where(device_filter.product_key, device_filter.text, device_filter.field, device_filter.status)


def _query_sql(gateway: Gateway, statement: str, fresh: bool = False) -> list[Device]:
    response = gateway.call("QueryDeviceBySQL", fresh=fresh, SQL=statement)
    return [to_device(item) for item in read_items(response.get("Data"), "SimpleDeviceSearchInfo")]


def count_devices(gateway: Gateway, device_filter: DeviceFilter, *, fresh: bool = False) -> int:
    """Return the number of devices that a search finds (QueryDeviceBySQL)."""
    return read_count(
        gateway.call("QueryDeviceBySQL", fresh=fresh, SQL=_where(device_filter).count_statement()).get(
            "TotalCount"
        )
    )


def search(gateway: Gateway, text: str) -> SearchResult:
    """Search all products for a device, with 2 calls; for a limited member, with 2 calls for each product and group in scope.

    `text` must be valid for `sql.is_searchable`.
    """
    bounds = gateway.search_bounds()
    statements = [sql.exact_statement(text, within) for within in bounds]
    if sql.is_prefix(text):
        statements += [sql.Where(text=text, within=within).rows(0, PAGE_SIZE) for within in bounds]
    matches: list[list[Device]] = []
    for response in gateway.gather(
        [Call("QueryDeviceBySQL", {"SQL": statement}) for statement in statements]
    ):
        if isinstance(response, CloudError):
            raise response
        matches.append(
            [to_device(item) for item in read_items(response.get("Data"), "SimpleDeviceSearchInfo")]
        )
    exact_matches = {device.key: device for devices in matches[: len(bounds)] for device in devices}
    prefix_matches = {device.key: device for devices in matches[len(bounds) :] for device in devices}
    return SearchResult(
        list(exact_matches.values()),
        [prefix_matches[key] for key in prefix_matches if key not in exact_matches],
    )


class TooManyDevices(LimitExceeded):
    """A search finds more devices than the platform returns. `count`: number of devices found."""

    def __init__(self, count: int) -> None:
        super().__init__("Client.TooManyDevices", operation="QueryDeviceBySQL")
        self.count = count


def iter_devices(
    gateway: Gateway, device_filter: DeviceFilter, *, known_total: int | None = None
) -> Iterator[Device]:
    """Yield all devices that match, reading page by page. Raises TooManyDevices like `read_device_pages`."""
    for page in read_device_pages(gateway, device_filter, known_total=known_total):
        yield from page.content


def read_device_pages(
    gateway: Gateway,
    device_filter: DeviceFilter,
    *,
    known_total: int | None = None,
    start: Position | None = None,
) -> Iterator[Page[Sequence[Device]]]:
    """Yield the devices that match for each page of the platform, from `start` on.

    Raises TooManyDevices before the first page when a search finds more than the 10,000 devices that pages can reach.
    """
    if device_filter.text and not _is_scanned(device_filter, known_total, start):
        yield from _read_pages_by_sql(gateway, device_filter, start)
        return
    if device_filter.status and not device_filter.text:
        name, wrapper, params = "QueryDeviceByStatus", "SimpleDeviceInfo", _status_params(device_filter)
    else:
        name, wrapper, params = "QueryDevice", "DeviceInfo", {"ProductKey": device_filter.product_key}
    for page in gateway.read_pages(name, start=start, PageSize=PAGE_SIZE, **params):
        devices = read_devices(page.content, wrapper)
        if device_filter.text:
            devices = list(filter(device_filter.matches, devices))
        yield Page(devices, page.following)


def _is_scanned(device_filter: DeviceFilter, known_total: int | None, start: Position | None) -> bool:
    """Whether all devices of the product are read for a search. Later pages are read like the first one, also if the number of
    devices has changed."""
    if start is not None:
        return _OFFSET not in start
    return bool(device_filter.product_key) and known_total is not None and known_total <= FULL_SCAN_LIMIT


def _read_pages_by_sql(
    gateway: Gateway, device_filter: DeviceFilter, start: Position | None
) -> Iterator[Page[Sequence[Device]]]:
    where = _where(device_filter)
    if start is None:
        count = count_devices(gateway, device_filter, fresh=True)
        if count > sql.MAX_ROWS:
            raise TooManyDevices(count)
    for offset in range((start or {}).get(_OFFSET, 0), sql.MAX_ROWS, PAGE_SIZE):
        devices = _query_sql(gateway, where.rows(offset, PAGE_SIZE), fresh=True)
        is_last = len(devices) < PAGE_SIZE or offset + PAGE_SIZE >= sql.MAX_ROWS
        yield Page(devices, None if is_last else {_OFFSET: offset + PAGE_SIZE})
        if is_last:
            return


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
