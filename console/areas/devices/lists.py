"""Reads and searches lists of devices, with the operation that needs the fewest calls. Every function takes the gateway that makes
the calls, and raises PermissionRefused and CloudError."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from console.areas.devices import sql
from console.areas.devices.records import (
    DISABLED,
    OFFLINE,
    ONLINE,
    UNACTIVE,
    Device,
    DeviceFilter,
    DevicePage,
    SearchMatch,
    SearchResult,
    read_devices,
    to_device,
)
from console.connections.gateway import Call, Gateway
from iot_client.errors import CloudError, LimitExceeded
from iot_client.fields import read_count, read_items, read_text
from iot_client.paging import Page, Position

PAGE_SIZE = sql.PAGE_SIZE
"""Maximum number of devices in one response (QueryDevice, QueryDeviceByStatus, QueryDeviceBySQL)."""
PAGING_LIMIT = 10_000
"""Number of devices that page numbers can reach; later pages need the token of the previous page (QueryDevice)."""
FULL_SCAN_LIMIT = 150
"""A product with up to this number of devices is read completely for a search, which then finds any part of a name."""
NEWEST_SCAN_LIMIT = 100
"""Number of newest devices of a larger product that are read when the search of the platform finds nothing."""
_OFFSET = "offset"  # the position of a page of QueryDeviceBySQL
_STATUS_NUMBERS = {UNACTIVE: 0, ONLINE: 1, OFFLINE: 3, DISABLED: 8}


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
