"""Answers for a membership that is limited to some products and groups: lists of what is within scope, and nothing of the rest.

Lists of the whole account are put together from what is within scope, with its own totals: what else there is cannot be told
from them, not even how much. Other answers lose what they say of things out of reach.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django.utils.translation import gettext as _

from console.cloud.answers import dig
from console.cloud.catalogue import Operation, operation
from console.connections.scope.guard import Asked, NotInScope, ScopeGuard
from console.connections.scope.names import Named, Sort, named, topic

MOST_PRODUCTS = 50
"""Products whose packages are put together in one list: ListOTAFirmware is allowed 10 times a second."""
MOST_WALKED = 30
"""Groups whose subgroups are looked through for a name."""
MOST_PAGES = 10
"""Pages read of a list that is looked through whole."""
MOST_SEARCHED = 10
"""Products and groups that one search looks through: QueryDeviceBySQL is allowed 10 times a second."""
_MOST_SUBGROUPS = 200  # a page of QueryDeviceGroupList; a group has at most 100
_STATIC = "LINK_PLATFORM"  # the type of groups that people fill

Params = Mapping[str, Any]
Answer = dict[str, Any]


def composed(scope: ScopeGuard, described: Operation, params: Params) -> Answer | None:
    """The answer put together from what is within reach; None where the call itself may be sent."""
    compose = _COMPOSED.get(described.name)
    if not scope.limited or compose is None:
        return None
    # What names a thing within reach asks for no more than that, except where the answer lists others beside it.
    if described.name == "GetThingTopo" or not named(described, params):
        return compose(scope, params)
    # Whether a name is looked for in one group only, the reference leaves open.
    named_below = described.name == "QueryDeviceGroupList" and params.get("GroupName")
    return compose(scope, params) if named_below else None


def filtered(scope: ScopeGuard, described: Operation, answer: Answer) -> Answer:
    """The answer without what is out of reach. Raises NotInScope when all of it is."""
    change = _FILTERED.get(described.name)
    return change(scope, answer) if scope.limited and change is not None else answer


def alters(scope: ScopeGuard, described: Operation) -> bool:
    """Whether the answer may differ from what the platform sent."""
    return scope.limited and (described.name in _FILTERED or described.name in _COMPOSED)


def bounds(scope: ScopeGuard) -> list[str]:
    """The conditions that bound a search to what is within reach; [""] for all. Up to MOST_WALKED calls, for groups below."""
    if not scope.limited:
        return [""]
    roots = [{"GroupId": group} for group in scope.roots()]
    groups = [str(item["GroupId"]) for item in _with_those_below(scope, roots)] if roots else []
    found = [f'product_key = "{key}"' for key in scope.products]
    found += [f'group.group_id = "{group}"' for group in groups]
    if len(found) > MOST_SEARCHED:
        raise NotInScope(
            _(
                "Your access here is limited to %(limits)s: too many to be searched at once. Open one of them, and search there."
            )
            % {"limits": scope.words}
        )
    return found


# -- put together ----------------------------------------------------------------------------------------------------


def _products(scope: ScopeGuard, params: Params) -> Answer:
    """QueryProductList: QueryProduct of each product within scope, newest first."""
    if params.get("ResourceGroupId"):
        raise NotInScope(scope.sentence)
    answers = scope.all_of([("QueryProduct", {"ProductKey": key}) for key in scope.products])
    found = [answer.get("Data") or {} for answer in answers]
    wanted = params.get("AliyunCommodityCode")
    found = [data for data in found if not wanted or data.get("AliyunCommodityCode") == wanted]
    found.sort(key=lambda data: int(data.get("GmtCreate") or 0), reverse=True)
    fields = _fields("QueryProductList", "Data.List.ProductInfo[].")
    items = [{name: data[name] for name in fields if name in data} for data in found]
    number, size = _place(params, "CurrentPage", 10)
    data = {
        "CurrentPage": number,
        "PageSize": size,
        "PageCount": _pages(len(items), size),
        "Total": len(items),
        "List": {"ProductInfo": _slice(items, number, size)},
    }
    return {"Success": True, "Data": data}


def _groups(scope: ScopeGuard, params: Params) -> Answer:
    """QueryDeviceGroupList: the listed groups as the topmost; with a name, those of it among them and the groups below,
    or below the group that is named."""
    types = params.get("GroupTypes") or [_STATIC]
    above = params.get("SuperGroupId")
    listed = [str(above)] if above else scope.roots()
    infos = scope.all_of([("QueryDeviceGroupInfo", {"GroupId": group}) for group in listed])
    fields = _fields("QueryDeviceGroupList", "Data.GroupInfo[].")
    items = [
        {name: info[name] for name in fields if name in info} | {"GroupType": _STATIC}
        for info in (answer.get("Data") or {} for answer in infos)
    ]
    if name := str(params.get("GroupName") or "").casefold():
        items = [
            item for item in _with_those_below(scope, items) if name in str(item.get("GroupName")).casefold()
        ]
    items = [item for item in items if item.get("GroupId") != above]
    if _STATIC not in types:
        items = []
    number, size = _place(params, "CurrentPage", 10)
    return {
        "Success": True,
        "Data": {"GroupInfo": _slice(items, number, size)},
        "CurrentPage": number,
        "PageSize": size,
        "PageCount": _pages(len(items), size),
        "Total": len(items),
    }


def _with_those_below(scope: ScopeGuard, items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    found = {str(item.get("GroupId")): item for item in items}
    level, walked = list(found), 0
    for _depth in range(2):
        walked += len(level)
        if walked > MOST_WALKED:
            raise NotInScope(
                _("Too many groups are to be looked through for a name. Open the group above instead.")
            )
        asked: list[Asked] = [
            ("QueryDeviceGroupList", {"SuperGroupId": group, "CurrentPage": 1, "PageSize": _MOST_SUBGROUPS})
            for group in level
        ]
        below = [item for answer in scope.all_of(asked) for item in dig(answer, "Data.GroupInfo[]")]
        level = [str(item.get("GroupId")) for item in below if str(item.get("GroupId")) not in found]
        found |= {str(item.get("GroupId")): item for item in below}
    return list(found.values())


def _packages(scope: ScopeGuard, params: Params) -> Answer:
    """ListOTAFirmware: the packages of each product within scope, newest first."""
    if len(scope.products) > MOST_PRODUCTS:
        raise NotInScope(
            _("Choose a product: your access here is limited to %(limits)s.") % {"limits": scope.words}
        )
    number, size = _place(params, "CurrentPage", 10)
    a_page = operation("ListOTAFirmware").paging
    most = (a_page.max_size if a_page else None) or size
    pages = min(_pages(number * size, most), MOST_PAGES)
    version = {"DestVersion": params["DestVersion"]} if params.get("DestVersion") else {}
    asked: list[Asked] = [
        ("ListOTAFirmware", {"ProductKey": key, "CurrentPage": page, "PageSize": most, **version})
        for key in scope.products
        for page in range(1, pages + 1)
    ]
    answers = scope.all_of(asked)
    items = [item for answer in answers for item in dig(answer, "FirmwareInfo.SimpleFirmwareInfo[]")]
    items.sort(key=lambda item: str(item.get("UtcCreate") or ""), reverse=True)
    total = sum(int(answer.get("Total") or 0) for answer in answers[::pages])
    return {
        "Success": True,
        "FirmwareInfo": {"SimpleFirmwareInfo": _slice(items, number, size)},
        "CurrentPage": number,
        "PageSize": size,
        "PageCount": _pages(total, size),
        "Total": total,
    }


def _statistics(scope: ScopeGuard, params: Params) -> Answer:
    """QueryDeviceStatistics: the sum over products. Devices of groups may be of these products too, and cannot be added."""
    if scope.by_group:
        raise NotInScope(
            _("Your access here is limited to %(limits)s, and nobody counts that as a whole.")
            % {"limits": scope.words}
        )
    answers = scope.all_of([("QueryDeviceStatistics", {"ProductKey": key}) for key in scope.products])
    fields = _fields("QueryDeviceStatistics", "Data.")
    data = {name: sum(int(dig(answer, f"Data.{name}") or 0) for answer in answers) for name in fields}
    return {"Success": True, "Data": data}


def _topology(scope: ScopeGuard, params: Params) -> Answer:
    """GetThingTopo: the sub-devices of a gateway that are within reach themselves. A gateway of very many is not looked through."""
    devices: list[dict[str, Any]] = []
    for page in range(1, MOST_PAGES + 1):
        asked = {**params, "PageNo": page, "PageSize": 50}
        asked.pop("NextToken", None)
        answer = scope.one("GetThingTopo", **asked)
        listed = dig(answer, "Data.List.deviceInfo[]")
        devices += listed
        if len(listed) < 50:
            break
    else:
        raise NotInScope(_("The gateway has too many sub-devices to be held against your access."))
    things = [_device(device) for device in devices]
    scope.learn_groups(things)
    items = [device for device, thing in zip(devices, things, strict=True) if scope.admits(thing)]
    number, size = _place(params, "PageNo", 50)
    data = {
        "CurrentPage": number,
        "PageSize": size,
        "PageCount": _pages(len(items), size),
        "Total": len(items),
        "List": {"deviceInfo": _slice(items, number, size)},
    }
    return {"Success": True, "Data": data}


_COMPOSED: Mapping[str, Callable[[ScopeGuard, Params], Answer]] = {
    "QueryProductList": _products,
    "QueryDeviceGroupList": _groups,
    "ListOTAFirmware": _packages,
    "QueryDeviceStatistics": _statistics,
    "GetThingTopo": _topology,
}


# -- made smaller ----------------------------------------------------------------------------------------------------


def _groups_at(*path: str) -> Callable[[ScopeGuard, Answer], Answer]:
    """Groups of a list that is not paged."""

    def change(scope: ScopeGuard, answer: Answer) -> Answer:
        listed = dig(answer, ".".join(path) + "[]")
        return _with(
            answer, path, [group for group in listed if scope.group(str(group.get("GroupId") or ""))]
        )

    return change


def _topics_at(*path: str) -> Callable[[ScopeGuard, Answer], Answer]:
    """Topics of a list that is not paged."""

    def change(scope: ScopeGuard, answer: Answer) -> Answer:
        listed = [(text, topic(str(text))) for text in dig(answer, ".".join(path) + "[]")]
        scope.learn_groups(thing for _text, thing in listed)
        return _with(answer, path, [text for text, thing in listed if scope.admits(thing)])

    return change


def _batch(scope: ScopeGuard, answer: Answer) -> Answer:
    """A batch may be aimed at a group that is out of scope: then it is not told which."""
    data = answer.get("Data") or {}
    if not data.get("GroupId") or scope.group(str(data["GroupId"])):
        return answer
    return {**answer, "Data": {name: data[name] for name in data if name not in ("GroupId", "GroupName")}}


def _found(scope: ScopeGuard, answer: Answer) -> Answer:
    """Devices of a search tell their groups: only those listed are told (for others each would have to be asked for)."""
    shown = {group for fleet in scope.fleets for group in fleet.groups}
    rows = [
        {**row, "Groups": [group for group in row["Groups"] if group.get("GroupId") in shown]}
        if row.get("Groups")
        else row
        for row in dig(answer, "Data[]")
    ]
    return {**answer, "Data": rows}


def _gateway(scope: ScopeGuard, answer: Answer) -> Answer:
    if not scope.admits(_device(answer.get("Data") or {})):
        raise NotInScope(scope.sentence)
    return answer


def _tasks(scope: ScopeGuard, answer: Answer) -> Answer:
    """Calls name tasks by their ids, and no operation tells whose product a task is of: it is kept when tasks are listed."""
    for task in dig(answer, "Data.SimpleOTATaskInfo[]"):
        scope.facts.learn(Sort.TASK, str(task.get("TaskId") or ""), str(task.get("ProductKey") or ""))
    return answer


_FILTERED: Mapping[str, Callable[[ScopeGuard, Answer], Answer]] = {
    "QuerySuperDeviceGroup": _groups_at("Data", "GroupInfo"),
    "QueryDeviceGroupByDevice": _groups_at("GroupInfos", "GroupInfo"),
    "QueryTopicRouteTable": _topics_at("DstTopics", "Topic"),
    "QueryTopicReverseRouteTable": _topics_at("SrcTopics", "Topic"),
    "QueryOTAJob": _batch,
    "QueryDeviceBySQL": _found,
    "GetGatewayBySubDevice": _gateway,
    "ListOTATaskByJob": _tasks,
    "ListOTAUnfinishedTaskByDevice": _tasks,
}


# -- small things ----------------------------------------------------------------------------------------------------


def _device(item: Mapping[str, Any]) -> Named:
    return Named(Sort.DEVICE, str(item.get("DeviceName") or ""), str(item.get("ProductKey") or ""))


def _with(answer: Answer, path: tuple[str, ...], value: Any) -> Answer:
    name, *rest = path
    return {**answer, name: _with(answer.get(name) or {}, tuple(rest), value) if rest else value}


def _fields(name: str, under: str) -> list[str]:
    """The names of the fields directly under a path of the operation's answer."""
    found = [path.removeprefix(under) for path in operation(name).response if path.startswith(under)]
    return [field for field in found if "." not in field]


def _place(params: Params, page_param: str, default: int) -> tuple[int, int]:
    return max(1, int(params.get(page_param) or 1)), max(1, int(params.get("PageSize") or default))


def _pages(total: int, size: int) -> int:
    return -(-total // size)


def _slice(items: list[dict[str, Any]], number: int, size: int) -> list[dict[str, Any]]:
    return items[(number - 1) * size : number * size]
