"""The tree of groups; one group: overview, making, editing, deleting."""

from __future__ import annotations

from dataclasses import replace

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods, require_safe

from console.cloud.errors import AlreadyExists, CloudError
from console.connections.errors import cloud_errors_to_form
from console.connections.http import CloudRequest
from console.groups import api
from console.groups.forms import DescriptionForm, GroupFilter, GroupForm
from console.groups.pages import Rights, facts_of, group_context
from console.ui.forms import ConfirmForm
from console.ui.links import curl
from console.ui.paging import Page, page_number, page_size
from console.ui.tables import Column, Empty, Table

FORM_REFUSED = 422  # htmx shows the answer in the form's place

TABLE: Table[api.Group] = Table(
    id="groups",
    caption=_("Groups"),
    columns=(
        Column(
            "name",
            _("Name"),
            primary=True,
            link=lambda request, group: curl(request, "groups:detail", group.id),
        ),
        Column("description", _("Description")),
        Column("id", _("Group ID"), kind="code", copy=True, hidden=True),
        Column("created", _("Created"), kind="when"),
    ),
)


@require_safe
def group_list(request: CloudRequest) -> HttpResponse:
    """The topmost groups as the roots of a tree, or, when a name is looked for, all that match. 1 call."""
    filters = GroupFilter(request)
    text = filters.values.get("q", "")
    number, size = page_number(request), page_size(request, 50)
    found = api.list_groups(request.gateway, name=text, page=number, size=size)
    rights = Rights.of(request)
    if request.gateway.limits is not None:
        rights = replace(rights, create=False)  # at the top; in a group of theirs its page offers it
    none_in_reach = Empty(
        _("No group is within your reach"),
        _("Your access here is limited to other things."),
        icon="hierarchy-2",
    )
    none_yet = Empty(
        _("No groups yet"),
        _("A group holds devices of any product, so that they can be found and updated together."),
        icon="hierarchy-2",
        url=curl(request, "groups:create") if rights.create else "",
        action=_("New group"),
    )
    table = TABLE.bind(
        request,
        found.groups,
        page=Page(number, size, found.total),
        empty=none_yet if request.gateway.limits is None else none_in_reach,
    )
    return render(
        request,
        "groups/list.html",
        {
            "filters": filters,
            "table": table,
            "groups": found.groups,
            "level": 1,
            "rights": rights,
            "search": text,
        },
    )


@require_safe
def children(request: CloudRequest, group_id: str) -> HttpResponse:
    """The groups directly in one, as a branch of the tree: a part of a page. `?level=` is theirs, 2 or 3. 1 call."""
    found = api.list_groups(request.gateway, parent=group_id)
    level = 3 if request.GET.get("level") == "3" else 2
    return render(
        request,
        "groups/branch.html",
        {
            "groups": found.groups,
            "level": level,
            "parent_id": group_id,
            "rights": Rights.of(request),
            "more": found.total - len(found.groups),
        },
    )


@require_safe
def detail(request: CloudRequest, group_id: str) -> HttpResponse:
    """What a group is, how many devices it has, the groups in it. Up to 4 calls."""
    group, inside = api.get_group_with_children(request.gateway, group_id)
    table = TABLE.bind(request, inside.groups, empty=_no_children(request, group))
    context = group_context(request, group, "overview")
    return render(request, "groups/overview.html", {**context, "table": table, "facts": facts_of(group)})


def _no_children(request: CloudRequest, group: api.GroupDetail) -> Empty:
    if group.depth >= api.MAX_DEPTH:
        return Empty(
            _("No subgroups"),
            _("Groups can be nested three levels deep; this is the third."),
            "hierarchy-off",
        )
    return Empty(_("No subgroups"), _("Divide the group further, up to three levels."), "hierarchy-2")


@require_http_methods(["GET", "HEAD", "POST"])
def create(request: CloudRequest) -> HttpResponseBase:
    """A new group, at the top or (`?parent=`) in another. Up to 3 calls: where it will be is shown."""
    parent_id = request.GET.get("parent", "")[:64]
    request.gateway.require_in_scope(api.CREATE, SuperGroupId=parent_id or None)
    parent = api.get_group(request.gateway, parent_id) if parent_id else None
    form = GroupForm(request.POST if request.method == "POST" else None)
    error: CloudError | None = None
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        try:
            made = api.create_group(
                request.gateway, name=data["name"], description=data["description"], parent=parent_id
            )
        except CloudError as raised:
            error = _at_fields(form, raised)
        else:
            messages.success(request, gettext("The group %(name)s was created.") % {"name": data["name"]})
            return redirect(curl(request, "groups:detail", made.id))
    context = {
        "form": form,
        "error": error,
        "parent": parent,
        "too_deep": parent and parent.depth >= api.MAX_DEPTH,
    }
    return render(request, "groups/create.html", context, status=FORM_REFUSED if form.errors else 200)


def _at_fields(form: GroupForm, error: CloudError) -> CloudError | None:
    """Where a refusal of a new group belongs: a name in use at the name."""
    if isinstance(error, AlreadyExists):
        form.add_error("name", gettext("A group of this name already exists. Choose another name."))
        return None
    return cloud_errors_to_form(form, error, {"GroupName": "name", "GroupDesc": "description"})


@require_http_methods(["GET", "HEAD", "POST"])
def edit(request: CloudRequest, group_id: str) -> HttpResponseBase:
    """Change the description. Up to 4 calls."""
    request.gateway.require(api.UPDATE)
    group = api.get_group(request.gateway, group_id, fresh=True)
    form = DescriptionForm(
        request.POST if request.method == "POST" else None, present={"description": group.description}
    )
    error: CloudError | None = None
    if request.method == "POST" and form.is_valid():
        try:
            api.update_group(
                request.gateway, group_id, description=form.cleaned_data["description"], found=group
            )
        except CloudError as raised:
            error = cloud_errors_to_form(form, raised, {"GroupDesc": "description"})
        else:
            messages.success(request, gettext("The description was saved."))
            return redirect(curl(request, "groups:detail", group_id))
    context = {**group_context(request, group, "overview"), "form": form, "error": error}
    return render(request, "groups/edit.html", context, status=FORM_REFUSED if form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
def delete(request: CloudRequest, group_id: str) -> HttpResponseBase:
    """Delete a group once its name is typed. Up to 4 calls."""
    request.gateway.require(api.DELETE)
    group = api.get_group(request.gateway, group_id)
    form = ConfirmForm(
        group.name, request.POST if request.method == "POST" else None, label=gettext("Name of the group")
    )
    error: CloudError | None = None
    if request.method == "POST" and form.is_valid():
        try:
            api.delete_group(request.gateway, group_id, name=group.name)
        except CloudError as raised:
            error = cloud_errors_to_form(form, raised)
        else:
            messages.success(request, gettext("The group %(name)s was deleted.") % {"name": group.name})
            above = group.parent
            return redirect(
                curl(request, "groups:detail", above.id) if above else curl(request, "groups:list")
            )
    consequences = [
        ngettext(
            "%(count)d device leaves the group. It is not deleted.",
            "%(count)d devices leave the group. They are not deleted.",
            group.devices,
        )
        % {"count": group.devices},
        gettext("The group's tags are lost."),
        gettext("A group with subgroups cannot be deleted: delete those first."),
    ]
    context = {
        **group_context(request, group, "overview"),
        "form": form,
        "error": error,
        "consequences": consequences,
    }
    return render(request, "groups/delete.html", context, status=FORM_REFUSED if form.errors else 200)
