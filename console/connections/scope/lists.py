"""Responses for a membership whose access scope is limited to some products and groups.

Account-wide lists are composed from the objects in the access scope, with totals of these objects only: they reveal nothing
about other objects, not even their number. Other responses are filtered: objects outside the access scope are removed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django.utils.translation import gettext as _

from console.connections.scope.guard import NotInScope, ReadCall, ScopeGuard
from console.connections.scope.names import NamedObject, find_objects, parse_topic
from iot_client.catalogue import ObjectKind, Operation, operation
from iot_client.responses import read_path

MAX_PRODUCTS = 50
"""The most products whose packages are combined in one list: ListOTAFirmware allows 10 calls per second."""
MAX_PARENT_GROUPS = 30
"""The most groups whose subgroups are searched for a name."""
MAX_PAGES = 10
"""The most pages that are read of a list that must be read in full."""
MAX_SEARCHES = 10
"""The most products and groups in one search: QueryDeviceBySQL allows 10 calls per second."""
_MAX_TAGGED_PRODUCTS = 50  # a page of ListProductByTags
_MAX_SUBGROUPS = 200  # a page of QueryDeviceGroupList; a group has at most 100
_STATIC = "LINK_PLATFORM"  # the type of static groups

Params = Mapping[str, Any]
Response = dict[str, Any]


def compose_response(scope: ScopeGuard, definition: Operation, params: Params) -> Response | None:
    """The response composed from the objects in the access scope; None if the call itself may be sent."""
    compose = _COMPOSERS.get(definition.name)
    if not scope.is_limited or compose is None:
        return None
    # A call that names an object in the access scope needs no composition, unless its response lists other objects too.
    if definition.name == "GetThingTopo" or not find_objects(definition, params):
        return compose(scope, params)
    # The API reference does not say whether a search by name covers only the named group.
    searches_subgroups = definition.name == "QueryDeviceGroupList" and params.get("GroupName")
    return compose(scope, params) if searches_subgroups else None


def filter_response(scope: ScopeGuard, definition: Operation, response: Response) -> Response:
    """The response without objects outside the access scope; the guard notes what it says about those inside. Raises NotInScope
    if the whole response is outside."""
    if not scope.is_limited:
        return response
    if note := _NOTES.get(definition.name):
        note(scope, response)
    change = _FILTERS.get(definition.name)
    return response if change is None else change(scope, response)


def may_alter(scope: ScopeGuard, definition: Operation) -> bool:
    """Whether the response may differ from the platform's, which the actor then may not see."""
    return scope.is_limited and (definition.name in _FILTERS or definition.name in _COMPOSERS)


def search_bounds(scope: ScopeGuard) -> list[str]:
    """The conditions that limit a search to the access scope; [""] without limits. Makes up to MAX_PARENT_GROUPS calls, which
    read subgroups."""
    if not scope.is_limited:
        return [""]
    roots = [{"GroupId": group} for group in scope.root_groups()]
    groups = [str(item["GroupId"]) for item in _add_subgroups(scope, roots)] if roots else []
    conditions = [f'product_key = "{key}"' for key in scope.products]
    conditions += [f'group.group_id = "{group}"' for group in groups]
    if len(conditions) > MAX_SEARCHES:
        raise NotInScope(
            _(
                "Your access is limited to %(limits)s. These are too many for one search. Open one of them and search there."
            )
            % {"limits": scope.summary}
        )
    return conditions


# -- composed responses ------------------------------------------------------------------------------------------------


def _compose_products(scope: ScopeGuard, params: Params) -> Response:
    """QueryProductList, from QueryProduct of each product in the access scope, newest first."""
    if params.get("ResourceGroupId"):
        raise NotInScope(scope.refusal_text)
    responses = scope.read_all([("QueryProduct", {"ProductKey": key}) for key in scope.products])
    products = [response.get("Data") or {} for response in responses]
    code = params.get("AliyunCommodityCode")
    products = [data for data in products if not code or data.get("AliyunCommodityCode") == code]
    products.sort(key=lambda data: int(data.get("GmtCreate") or 0), reverse=True)
    fields = _read_field_names("QueryProductList", "Data.List.ProductInfo[].")
    items = [{name: data[name] for name in fields if name in data} for data in products]
    number, size = _read_page_params(params, "CurrentPage", 10)
    data = {
        "CurrentPage": number,
        "PageSize": size,
        "PageCount": _count_pages(len(items), size),
        "Total": len(items),
        "List": {"ProductInfo": _slice_page(items, number, size)},
    }
    return {"Success": True, "Data": data}


def _compose_tagged_products(scope: ScopeGuard, params: Params) -> Response:
    """ListProductByTags: the products with the tags that are in the access scope, newest first."""
    listed = _read_tagged_products(scope, params) if scope.products else []
    products = [item for item in listed if scope.admits_product(str(item.get("ProductKey") or ""))]
    number, size = _read_page_params(params, "CurrentPage", 10)
    return {"Success": True, "ProductInfos": {"ProductInfo": _slice_page(products, number, size)}}


def _read_tagged_products(scope: ScopeGuard, params: Params) -> list[dict[str, Any]]:
    """All products with the tags. Raises NotInScope if they are more than 500."""
    products: list[dict[str, Any]] = []
    for page in range(1, MAX_PAGES + 1):
        query = {**params, "CurrentPage": page, "PageSize": _MAX_TAGGED_PRODUCTS}
        listed = read_path(scope.read_one("ListProductByTags", **query), "ProductInfos.ProductInfo[]")
        products += listed
        if len(listed) < _MAX_TAGGED_PRODUCTS:
            return products
    raise NotInScope(
        _("Too many products have these tags to check against your access scope. Use other tags.")
    )


def _compose_groups(scope: ScopeGuard, params: Params) -> Response:
    """QueryDeviceGroupList: the listed groups as top-level groups. With a name: the matches among them and their subgroups, or
    among the subgroups of the named group."""
    types = params.get("GroupTypes") or [_STATIC]
    parent = params.get("SuperGroupId")
    listed = [str(parent)] if parent else scope.root_groups()
    infos = scope.read_all([("QueryDeviceGroupInfo", {"GroupId": group}) for group in listed])
    fields = _read_field_names("QueryDeviceGroupList", "Data.GroupInfo[].")
    items = [
        {name: info[name] for name in fields if name in info} | {"GroupType": _STATIC}
        for info in (response.get("Data") or {} for response in infos)
    ]
    if name := str(params.get("GroupName") or "").casefold():
        items = [
            item for item in _add_subgroups(scope, items) if name in str(item.get("GroupName")).casefold()
        ]
    items = [item for item in items if item.get("GroupId") != parent]
    if _STATIC not in types:
        items = []
    number, size = _read_page_params(params, "CurrentPage", 10)
    return {
        "Success": True,
        "Data": {"GroupInfo": _slice_page(items, number, size)},
        "CurrentPage": number,
        "PageSize": size,
        "PageCount": _count_pages(len(items), size),
        "Total": len(items),
    }


def _add_subgroups(scope: ScopeGuard, items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    groups = {str(item.get("GroupId")): item for item in items}
    level, searched = list(groups), 0
    for _depth in range(2):
        searched += len(level)
        if searched > MAX_PARENT_GROUPS:
            raise NotInScope(_("This search covers too many groups. Open the parent group and search there."))
        reads: list[ReadCall] = [
            ("QueryDeviceGroupList", {"SuperGroupId": group, "CurrentPage": 1, "PageSize": _MAX_SUBGROUPS})
            for group in level
        ]
        subgroups = [
            item for response in scope.read_all(reads) for item in read_path(response, "Data.GroupInfo[]")
        ]
        level = [str(item.get("GroupId")) for item in subgroups if str(item.get("GroupId")) not in groups]
        groups |= {str(item.get("GroupId")): item for item in subgroups}
    return list(groups.values())


def _compose_packages(scope: ScopeGuard, params: Params) -> Response:
    """ListOTAFirmware: the packages of each product in the access scope, newest first."""
    if len(scope.products) > MAX_PRODUCTS:
        raise NotInScope(
            _("Select a product. Your access is limited to %(limits)s.") % {"limits": scope.summary}
        )
    number, size = _read_page_params(params, "CurrentPage", 10)
    paging = operation("ListOTAFirmware").paging
    page_size = (paging.max_size if paging else None) or size
    pages = min(_count_pages(number * size, page_size), MAX_PAGES)
    version = {"DestVersion": params["DestVersion"]} if params.get("DestVersion") else {}
    reads: list[ReadCall] = [
        ("ListOTAFirmware", {"ProductKey": key, "CurrentPage": page, "PageSize": page_size, **version})
        for key in scope.products
        for page in range(1, pages + 1)
    ]
    responses = scope.read_all(reads)
    items = [
        item for response in responses for item in read_path(response, "FirmwareInfo.SimpleFirmwareInfo[]")
    ]
    items.sort(key=lambda item: str(item.get("UtcCreate") or ""), reverse=True)
    total = sum(int(response.get("Total") or 0) for response in responses[::pages])
    return {
        "Success": True,
        "FirmwareInfo": {"SimpleFirmwareInfo": _slice_page(items, number, size)},
        "CurrentPage": number,
        "PageSize": size,
        "PageCount": _count_pages(total, size),
        "Total": total,
    }


def _compose_statistics(scope: ScopeGuard, params: Params) -> Response:
    """QueryDeviceStatistics: the sum over products. Not available with groups: their devices may belong to the same products."""
    if scope.has_groups:
        raise NotInScope(
            _("Your access is limited to %(limits)s. The platform provides no total for this scope.")
            % {"limits": scope.summary}
        )
    responses = scope.read_all([("QueryDeviceStatistics", {"ProductKey": key}) for key in scope.products])
    fields = _read_field_names("QueryDeviceStatistics", "Data.")
    data = {
        name: sum(int(read_path(response, f"Data.{name}") or 0) for response in responses) for name in fields
    }
    return {"Success": True, "Data": data}


def _compose_topology(scope: ScopeGuard, params: Params) -> Response:
    """GetThingTopo: the sub-devices of a gateway that are in the access scope. Raises NotInScope for more than 500 sub-devices."""
    devices: list[dict[str, Any]] = []
    for page in range(1, MAX_PAGES + 1):
        query = {**params, "PageNo": page, "PageSize": 50}
        query.pop("NextToken", None)
        response = scope.read_one("GetThingTopo", **query)
        listed = read_path(response, "Data.List.deviceInfo[]")
        devices += listed
        if len(listed) < 50:
            break
    else:
        raise NotInScope(_("This gateway has too many sub-devices to check against your access scope."))
    objects = [_read_device(device) for device in devices]
    scope.load_groups(objects)
    items = [device for device, named in zip(devices, objects, strict=True) if scope.admits(named)]
    number, size = _read_page_params(params, "PageNo", 50)
    data = {
        "CurrentPage": number,
        "PageSize": size,
        "PageCount": _count_pages(len(items), size),
        "Total": len(items),
        "List": {"deviceInfo": _slice_page(items, number, size)},
    }
    return {"Success": True, "Data": data}


_COMPOSERS: Mapping[str, Callable[[ScopeGuard, Params], Response]] = {
    "QueryProductList": _compose_products,
    "ListProductByTags": _compose_tagged_products,
    "QueryDeviceGroupList": _compose_groups,
    "ListOTAFirmware": _compose_packages,
    "QueryDeviceStatistics": _compose_statistics,
    "GetThingTopo": _compose_topology,
}


# -- filtered responses ------------------------------------------------------------------------------------------------


def _filter_groups(*path: str) -> Callable[[ScopeGuard, Response], Response]:
    """A filter for the groups at `path`, a list that is not paged."""

    def change(scope: ScopeGuard, response: Response) -> Response:
        listed = read_path(response, ".".join(path) + "[]")
        return _replace_at(
            response, path, [group for group in listed if scope.admits_group(str(group.get("GroupId") or ""))]
        )

    return change


def _filter_topics(*path: str) -> Callable[[ScopeGuard, Response], Response]:
    """A filter for the topics at `path`, a list that is not paged."""

    def change(scope: ScopeGuard, response: Response) -> Response:
        listed = [(text, parse_topic(str(text))) for text in read_path(response, ".".join(path) + "[]")]
        scope.load_groups(named for _text, named in listed)
        return _replace_at(response, path, [text for text, named in listed if scope.admits(named)])

    return change


def _filter_batch(scope: ScopeGuard, response: Response) -> Response:
    """Removes the target group of a batch if the group is outside the access scope."""
    data = response.get("Data") or {}
    if not data.get("GroupId") or scope.admits_group(str(data["GroupId"])):
        return response
    return {**response, "Data": {name: data[name] for name in data if name not in ("GroupId", "GroupName")}}


def _filter_search(scope: ScopeGuard, response: Response) -> Response:
    """Removes groups that the access scopes do not list from the devices of a search. Subgroups are removed too: each would
    need a read."""
    listed = {group for access_scope in scope.limited_scopes for group in access_scope.groups}
    rows = [
        {**row, "Groups": [group for group in row["Groups"] if group.get("GroupId") in listed]}
        if row.get("Groups")
        else row
        for row in read_path(response, "Data[]")
    ]
    return {**response, "Data": rows}


def _check_gateway(scope: ScopeGuard, response: Response) -> Response:
    if not scope.admits(_read_device(response.get("Data") or {})):
        raise NotInScope(scope.refusal_text)
    return response


def _note_tasks(scope: ScopeGuard, response: Response) -> None:
    """Stores the product of each listed task. Calls name tasks by id, and no operation returns the product of a task id."""
    for task in read_path(response, "Data.SimpleOTATaskInfo[]"):
        scope.facts.store(ObjectKind.TASK, str(task.get("TaskId") or ""), str(task.get("ProductKey") or ""))


def _note_subgroups(scope: ScopeGuard, response: Response) -> None:
    """Admits the listed groups: only calls that name a group in the access scope are sent, and its subgroups are in it too.
    Dynamic groups are in no tree."""
    scope.admit_listed(
        NamedObject(ObjectKind.GROUP, str(group.get("GroupId") or ""))
        for group in read_path(response, "Data.GroupInfo[]")
        if group.get("GroupType") in (None, "", _STATIC)
    )


def _note_members(scope: ScopeGuard, response: Response) -> None:
    """Admits the devices of a group in the access scope, and stores which device each IotId names."""
    for item in read_path(response, "Data.SimpleDeviceInfo[]"):
        device = _read_device(item)
        scope.admit_listed([device])
        if item.get("IotId"):
            scope.facts.store(ObjectKind.IOT_ID, str(item["IotId"]), f"{device.product}/{device.value}")


def _note_categories(scope: ScopeGuard, response: Response) -> None:
    """Stores the product of each listed topic category. Calls name categories by id, and no operation reads one by its id."""
    for category in read_path(response, "Data.ProductTopicInfo[]"):
        scope.facts.store(
            ObjectKind.TOPIC_CLASS, str(category.get("Id") or ""), str(category.get("ProductKey") or "")
        )


# What a response says about objects in the access scope. It is not changed: the call named one whose parts are all in it.
_NOTES: Mapping[str, Callable[[ScopeGuard, Response], None]] = {
    "QueryDeviceGroupList": _note_subgroups,
    "QueryDeviceListByDeviceGroup": _note_members,
    "QueryProductTopic": _note_categories,
    "ListOTATaskByJob": _note_tasks,
    "ListOTAUnfinishedTaskByDevice": _note_tasks,
}
_FILTERS: Mapping[str, Callable[[ScopeGuard, Response], Response]] = {
    "QuerySuperDeviceGroup": _filter_groups("Data", "GroupInfo"),
    "QueryDeviceGroupByDevice": _filter_groups("GroupInfos", "GroupInfo"),
    "QueryTopicRouteTable": _filter_topics("DstTopics", "Topic"),
    "QueryTopicReverseRouteTable": _filter_topics("SrcTopics", "Topic"),
    "QueryOTAJob": _filter_batch,
    "QueryDeviceBySQL": _filter_search,
    "GetGatewayBySubDevice": _check_gateway,
}


# -- helpers ----------------------------------------------------------------------------------------------------


def _read_device(item: Mapping[str, Any]) -> NamedObject:
    return NamedObject(
        ObjectKind.DEVICE, str(item.get("DeviceName") or ""), str(item.get("ProductKey") or "")
    )


def _replace_at(response: Response, path: tuple[str, ...], value: Any) -> Response:
    name, *rest = path
    return {**response, name: _replace_at(response.get(name) or {}, tuple(rest), value) if rest else value}


def _read_field_names(name: str, under: str) -> list[str]:
    """The names of the fields directly under a path of the operation's response."""
    paths = [path.removeprefix(under) for path in operation(name).response if path.startswith(under)]
    return [field for field in paths if "." not in field]


def _read_page_params(params: Params, page_param: str, default: int) -> tuple[int, int]:
    return max(1, int(params.get(page_param) or 1)), max(1, int(params.get("PageSize") or default))


def _count_pages(total: int, size: int) -> int:
    return -(-total // size)


def _slice_page(items: list[dict[str, Any]], number: int, size: int) -> list[dict[str, Any]]:
    return items[(number - 1) * size : number * size]
