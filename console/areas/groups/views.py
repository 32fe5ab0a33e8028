"""The views of groups that no declaration can say: tree, overview, creation."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods, require_safe

from console.areas.groups import api
from console.areas.groups.forms import GroupFilter, GroupForm
from console.areas.groups.pages import GROUP
from console.areas.groups.tree import render_nodes
from console.connections.errors import cloud_errors_to_form
from console.connections.http import CloudRequest
from console.ui.forms import FORM_REFUSED
from console.ui.links import connection_url
from console.ui.paging import Page, page_number, page_size
from console.ui.pieces import DetailItem
from console.ui.tables import Column, Empty, Table
from iot_client.errors import AlreadyExists, CloudError

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
    platform_order=True,
)


@require_safe
def group_list(request: CloudRequest) -> HttpResponse:
    """Show the top-level groups as a tree, or the groups whose name matches the search. 1 call."""
    filters = GroupFilter(request)
    text = filters.values.get("q", "")
    number, size = page_number(request), page_size(request, 50)
    group_page = api.list_groups(request.gateway, name=text, page=number, size=size)
    # Members with a limited scope can create subgroups, but no top-level groups.
    may_create = request.gateway.allows(api.CREATE) and request.gateway.limited_scope is None
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
        page=Page(number, size, group_page.total),
        empty=no_groups if request.gateway.limited_scope is None else none_in_scope,
    )
    return render(
        request,
        "areas/groups/list.html",
        {
            "filters": filters,
            "table": table,
            "nodes": "" if text else render_nodes(request, group_page.groups, level=1),
            "may_create": may_create,
            "search": text,
        },
    )


@require_safe
def children(request: CloudRequest, group_id: str) -> HttpResponse:
    """Return the subgroups of a group, as a branch of the tree. `?level=` is the level of the subgroups, 2 or 3. 1 call."""
    group_page = api.list_groups(request.gateway, parent=group_id)
    level = 3 if request.GET.get("level") == "3" else 2
    return render(
        request,
        "areas/groups/branch.html",
        {
            "nodes": render_nodes(request, group_page.groups, level),
            "parent_id": group_id,
            "may_create": request.gateway.allows(api.CREATE),
            "more_count": group_page.total - len(group_page.groups),
        },
    )


@require_safe
def overview(request: CloudRequest, group_id: str) -> HttpResponse:
    """Show the overview of a group: device counts, details, subgroups. Up to 4 calls."""
    group, subgroups = api.get_group_with_children(request.gateway, group_id)
    return GROUP.render(
        request,
        group,
        "overview",
        "areas/groups/overview.html",
        table=TABLE.bind(request, subgroups.groups, empty=_build_empty(request, group)),
        details=_build_details(group),
        **group_rights(request, group),
    )


def group_rights(request: CloudRequest, group: api.GroupDetail) -> dict[str, bool]:
    """Return which buttons of the group's heading lead to a page that the user may use."""
    allows = request.gateway.allows
    return {
        "may_create_subgroup": allows(api.CREATE) and group.depth < api.MAX_DEPTH,
        "may_add_devices": allows(api.ADD),
    }


def _build_details(group: api.GroupDetail) -> list[DetailItem]:
    return [
        DetailItem(_("Group ID"), group.id, "code", copy=True),
        DetailItem(_("Created"), group.created, "time"),
        DetailItem(_("Level"), _LEVEL_LABELS.get(group.depth, str(group.depth))),
    ]


_LEVEL_LABELS = {1: _("Group"), 2: _("Subgroup"), 3: _("Second-level subgroup")}


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


@require_http_methods(["GET", "HEAD", "POST"])
def create(request: CloudRequest) -> HttpResponseBase:
    """Create a group, at the top level or in the group `?parent=`. Up to 3 calls, to show the parent group."""
    parent_id = request.GET.get("parent", "")[:64]
    request.gateway.require_in_scope(api.CREATE, SuperGroupId=parent_id or None)
    parent = api.get_group(request.gateway, parent_id) if parent_id else None
    form = GroupForm(request.POST if request.method == "POST" else None)
    error: CloudError | None = None
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        try:
            group = api.create_group(
                request.gateway, name=data["name"], description=data["description"], parent=parent_id
            )
        except CloudError as raised:
            error = _move_error_to_field(form, raised)
        else:
            messages.success(request, gettext("Group %(name)s created.") % {"name": data["name"]})
            return redirect(connection_url(request, "groups:detail", group.id))
    context = {
        "form": form,
        "error": error,
        "parent": parent,
        "is_too_deep": parent and parent.depth >= api.MAX_DEPTH,
    }
    return render(request, "areas/groups/create.html", context, status=FORM_REFUSED if form.errors else 200)


def _move_error_to_field(form: GroupForm, error: CloudError) -> CloudError | None:
    """Add an error about a name in use to the name field and return None; return other errors."""
    if isinstance(error, AlreadyExists):
        form.add_error("name", gettext("A group with this name already exists. Enter another name."))
        return None
    return cloud_errors_to_form(form, error, {"GroupName": "name", "GroupDesc": "description"})
