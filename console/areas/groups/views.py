"""The views of groups that no declaration can say: tree, overview."""

from __future__ import annotations

from dataclasses import replace

from django.http import HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from console.areas.groups import actions, api
from console.areas.groups import counts as tree_counts
from console.areas.groups.forms import GroupFilter
from console.areas.groups.pages import GROUP, TAGS
from console.areas.groups.tree import render_counts, render_nodes
from console.connections.http import CloudRequest
from console.device_counts.counts import DeviceCounts
from console.device_counts.history import Kind, chart_response, record_if_due
from console.ui.format import number
from console.ui.links import connection_url
from console.ui.paging import Page, page_number, page_size
from console.ui.pieces import DetailItem
from console.ui.tables import Column, Empty, Table
from iot_client.errors import CloudError

TABLE: Table[api.Group] = Table(
    id="groups",
    caption=_("Groups"),
    columns=(
        Column(
            "name",
            _("Name"),
            primary=True,
            link=lambda request, group: connection_url(request, "groups:detail", group.id),
        ),
        Column("description", _("Description")),
        Column("id", _("Group ID"), kind="code", copy=True, hidden=True),
        Column("created", _("Created"), kind="time"),
    ),
    menu=lambda request, group: connection_url(request, "groups:menu", group.id),
)
# With the devices of each subgroup and the groups below it, which are fetched after the page has opened.
SUBGROUPS = replace(
    TABLE,
    id="subgroups",
    columns=(
        *TABLE.columns[:-1],
        Column("devices", _("Devices"), kind="number", template="areas/groups/_count.html"),
        TABLE.columns[-1],
    ),
)

MAX_SHOWN_GROUPS = 20


@require_safe
def find_groups(request: CloudRequest) -> HttpResponse:
    """Return the groups whose name contains `?group_name=`, for forms that choose a group; without it, top-level groups. 1 call."""
    text = request.GET.get("group_name", "").strip()[:30]
    found = api.list_groups(request.gateway, name=text, size=MAX_SHOWN_GROUPS)
    context = {
        "matches": [(group.name, group.name, group.description) for group in found.groups],
        "empty": _("No group name contains this text.") if text else _("No groups yet"),
        "more": _("More results match. Enter more of the name.") if found.total > len(found.groups) else "",
    }
    return render(request, "ui/matches.html", context)


@require_safe
def group_list(request: CloudRequest) -> HttpResponse:
    """Show the top-level groups as a tree, or the groups whose name matches the search. 1 call."""
    filters = GroupFilter(request)
    text = filters.values.get("q", "")
    position, size = page_number(request), page_size(request, tree_counts.MAX_COUNTED_GROUPS)
    group_page = api.list_groups(request.gateway, name=text, page=position, size=size)
    # Members with a limited scope can create subgroups, but no top-level groups.
    may_create = actions.CREATE.is_allowed(request)
    none_in_scope = Empty(
        _("No groups in your access scope"),
        _("Ask an administrator for access."),
        icon="hierarchy-2",
    )
    no_groups = Empty(
        _("No groups yet"),
        _("Use groups to manage devices of different products together."),
        icon="hierarchy-2",
        url=connection_url(request, "groups:create") if may_create else "",
        action=_("Create group"),
    )
    table = TABLE.bind(
        request,
        group_page.groups,
        page=Page(position, size, group_page.total),
        empty=no_groups if request.gateway.limited_scope is None else none_in_scope,
    )
    return render(
        request,
        "areas/groups/list.html",
        {
            "filters": filters,
            "table": table,
            "nodes": "" if text else render_nodes(request, group_page.groups, level=1),
            "counts_url": f"{connection_url(request, 'groups:counts')}?page={position}&size={size}",
            "may_create": may_create,
            "search": text,
        },
    )


@require_safe
def counts(request: CloudRequest) -> HttpResponse:
    """Return the device counts of the top-level groups on a page of the tree, which replace those in the page. 1 call, and up to
    2 for each of up to 50 groups that are counted."""
    size = page_size(request, tree_counts.MAX_COUNTED_GROUPS)
    groups = api.list_groups(request.gateway, page=page_number(request), size=size).groups
    trees = tree_counts.count_trees(request.gateway, [group.id for group in groups], level=1)
    return HttpResponse(render_counts(trees))


@require_safe
def children(request: CloudRequest, group_id: str) -> HttpResponse:
    """Return the subgroups of a group with their device counts, as a branch of the tree. `?level=` is the level of the subgroups,
    2 or 3. 1 call, and up to 2 for each of up to 50 groups that are counted."""
    group_page = api.list_groups(request.gateway, parent=group_id)
    level = 3 if request.GET.get("level") == "3" else 2
    counts = tree_counts.count_trees(request.gateway, [group.id for group in group_page.groups], level=level)
    return render(
        request,
        "areas/groups/branch.html",
        {
            "nodes": render_nodes(request, group_page.groups, level, counts),
            "parent_id": group_id,
            "may_create": request.gateway.allows(api.CREATE),
            "more_count": group_page.total - len(group_page.groups),
        },
    )


@require_safe
def overview(request: CloudRequest, group_id: str) -> HttpResponse:
    """Show the overview of a group: device counts, details, subgroups. Up to 4 calls. The page fetches `totals`."""
    group, subgroups = tree_counts.get_overview(request.gateway, group_id)
    record_if_due(request.connection, Kind.GROUP, group_id, group.counts)
    return GROUP.render(
        request,
        group,
        "overview",
        "areas/groups/overview.html",
        table=SUBGROUPS.bind(request, subgroups.groups, empty=_build_empty(request, group)),
        stats=_build_stats(request, group, None, gettext("Counting subgroups…") if subgroups.total else ""),
        details=_build_details(group),
        totals_url=f"{connection_url(request, 'groups:totals', group_id)}?level={group.depth}",
        **group_rights(request, group),
    )


@require_safe
def totals(request: CloudRequest, group_id: str) -> HttpResponse:
    """Return the tags of a group, and the device counts of its tree, which replace those in its page. `?level=` is the level of the
    group from 1 to 3. For the calls see `counts.get_totals`."""
    level = int(request.GET["level"]) if request.GET.get("level") in {"2", "3"} else 1
    found = tree_counts.get_totals(request.gateway, group_id, level=level)
    group, tags, below = found.detail, found.tags, found.counts.below
    context = {
        "stats": _build_stats(request, group, below, gettext("Without subgroups") if below is None else ""),
        "stats_hint": _explain_counts(below),
        "subgroup_counts": [
            (key, tree.total.total) for key, tree in found.subgroup_counts.items() if tree.total is not None
        ],
        "read_error": tags if isinstance(tags, CloudError) else None,
        "tag_card": None if isinstance(tags, CloudError) else TAGS.build_card(request, group, tags),
    }
    return render(request, "areas/groups/totals.html", context)


def _build_stats(
    request: CloudRequest, group: api.GroupDetail, below: DeviceCounts | None, note: str
) -> list[tuple[str, ...]]:
    """Return the figures of the overview: the devices of the group, and those of all groups `below` it if they are known. Each is a
    label, value, note, icon, URL and tone, for ui/stat.html."""

    def build(label: str, name: str, icon: str, url: str = "", tone: str = "") -> tuple[str, ...]:
        count, text = getattr(group.counts, name), note
        if below is not None and below.total:
            numbers = {"direct": number(count), "below": number(getattr(below, name))}
            text = gettext("%(direct)s direct, %(below)s in subgroups") % numbers
            count += getattr(below, name)
        return label, number(count), text, icon, url, tone

    devices_url = connection_url(request, "groups:devices", group.id)
    return [
        build(gettext("Devices"), "total", "cpu", devices_url),
        build(gettext("Online"), "online", "wifi", tone="good"),
        build(gettext("Offline"), "offline", "wifi-off"),
        build(gettext("Not activated"), "not_activated", "circle-dashed"),
    ]


def _explain_counts(below: DeviceCounts | None) -> str:
    """Return what a user has to know about the figures; "" if they need no explanation."""
    if below is None:
        return gettext(
            "Devices in subgroups are not counted here: there are more than %(most)s groups below, or one could not be read."
        ) % {"most": number(tree_counts.MAX_COUNTED_ON_PAGE)}
    if below.total:
        return gettext("A device that is in several of these groups is counted in each of them.")
    return ""


@require_safe
def device_history(request: CloudRequest, group_id: str) -> JsonResponse:
    """Return the recorded device counts of the group as JSON, for the chart. No call."""
    request.gateway.require("QueryDeviceGroupInfo")
    return chart_response(request, request.connection, Kind.GROUP, [group_id])


def group_rights(request: CloudRequest, group: api.GroupDetail) -> dict[str, bool]:
    """Return which buttons of the group's heading lead to a page that the user may use."""
    allows = request.gateway.allows
    return {
        "may_create_subgroup": allows(api.CREATE) and group.depth < api.MAX_DEPTH,
        "may_add_devices": allows(api.ADD),
    }


def _build_details(group: api.GroupDetail) -> list[DetailItem]:
    return [
        DetailItem(_("Description"), group.description, wide=True),
        DetailItem(_("Created"), group.created, "time"),
    ]


def _build_empty(request: CloudRequest, group: api.GroupDetail) -> Empty:
    if group.depth >= api.MAX_DEPTH:
        return Empty(
            _("No subgroups"),
            _("This group is on the third level, the lowest one."),
            "hierarchy-off",
        )
    return Empty(
        _("No subgroups"),
        _("Create subgroups to divide the group. Groups can have up to three levels."),
        "hierarchy-2",
    )
