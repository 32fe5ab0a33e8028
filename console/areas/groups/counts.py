"""Counts the devices of groups and of the groups below them. The platform counts only those directly in a group."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from console.areas.groups import api
from console.areas.groups.records import (
    GroupDetail,
    GroupList,
    Totals,
    TreeCounts,
    to_counts,
    to_detail,
    to_groups,
    to_tags,
)
from console.connections.gateway import Call, Gateway
from console.device_counts.counts import DeviceCounts
from iot_client.errors import CloudError

MAX_COUNTED_GROUPS = 50
"""The most groups whose devices are counted for a part of the tree. QueryDeviceGroupInfo allows 30 calls per second."""
MAX_COUNTED_ON_PAGE = 20
"""The most groups below a group whose devices are counted for its page."""


def get_overview(gateway: Gateway, group_id: str) -> tuple[GroupDetail, GroupList]:
    """Return a group and its subgroups. Up to 4 calls. Raises the errors of reading the group and its subgroups."""
    detail, (response,) = api.read_detail(gateway, group_id, _call_for_subgroups(group_id))
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
        infos, subgroups = _read_level(gateway, list(roots), has_subgroups=level < api.MAX_DEPTH)
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
        "QueryDeviceGroupList", {"SuperGroupId": group_id, "CurrentPage": 1, "PageSize": api.MAX_PAGE_SIZE}
    )


def count_devices(gateway: Gateway, limit: int) -> dict[str, DeviceCounts]:
    """Return the counts of the devices directly in each group by GroupId, of up to `limit` groups, the upper levels first.

    Up to 2 calls for each group: its counts and its subgroups. Groups that could not be counted are left out.
    """
    counts: dict[str, DeviceCounts | None] = {}
    level: Iterable[api.Group] = api.list_groups(gateway).groups
    for depth in range(1, api.MAX_DEPTH + 1):
        ids = dict.fromkeys(group.id for group in level if group.id and group.id not in counts)
        new = list(ids)[: limit - len(counts)]
        if not new:
            break
        has_subgroups = depth < api.MAX_DEPTH and len(counts) + len(new) < limit
        infos, subgroups = _read_level(gateway, new, has_subgroups=has_subgroups)
        counts |= infos
        level = [group for listed in subgroups.values() if listed for group in listed.groups]
    return {group_id: numbers for group_id, numbers in counts.items() if numbers is not None}
