"""The pages of one device: its tabs and its actions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django.contrib import messages
from django.forms import Form
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from console.access.pages.audit import audit_menu_items
from console.areas.devices import api, forms, tables
from console.areas.devices.records import DeviceDetail
from console.areas.groups import api as groups_api
from console.connections.approval import needs_approval
from console.connections.errors import cloud_errors_to_form
from console.connections.http import CloudRequest
from console.ui.forms import ConfirmForm
from console.ui.links import connection_url
from console.ui.pieces import DetailItem, MenuItem, Tab, explorer_item
from console.ui.tables import Empty
from iot_client.errors import CloudError, InvalidParameter, LimitExceeded, NotFound

# -- the tabs ----------------------------------------------------------------------------------------------------------


def _render(
    request: CloudRequest, template: str, detail: DeviceDetail, tab: str, **context: Any
) -> HttpResponse:
    """Render a page of a device with its heading, its actions and its tabs."""
    device = detail.device
    where = (device.product_key, device.name)
    named = [
        ("overview", _("Overview"), "devices:detail"),
        ("groups", _("Groups"), "devices:groups"),
        ("tags", _("Tags"), "devices:tags"),
        ("updates", _("Updates"), "devices:updates"),
    ]
    allows = request.gateway.allows
    may_update = allows("ListOTAModuleVersionsByDevice") and allows("ListOTAUnfinishedTaskByDevice")
    tabs = [
        Tab(label, connection_url(request, url, *where), name == tab)
        for name, label, url in named
        if name != "updates" or may_update
    ]
    menu = [
        explorer_item(request, "QueryDeviceDetail", ProductKey=where[0], DeviceName=where[1]),
        *audit_menu_items(request, target=where[1]),
    ]
    if allows("DisableThing") and not detail.is_disabled:
        menu.append(
            MenuItem(_("Disable…"), connection_url(request, "devices:disable", *where), "ban", dialog=True)
        )
    if allows("DeleteDevice"):
        menu.append(
            MenuItem(
                _("Delete…"),
                connection_url(request, "devices:delete", *where),
                "trash",
                danger=True,
                dialog=True,
            )
        )
    context |= {
        "detail": detail,
        "device": device,
        "tabs": tabs,
        "menu": menu,
        "may_rename": allows("BatchUpdateDeviceNickname"),
        "may_enable": allows("EnableThing") and detail.is_disabled,
    }
    return render(request, template, context)


@require_GET
def overview(request: CloudRequest, product_key: str, name: str) -> HttpResponse:
    """Show the details and the credentials of the device."""
    detail = api.get_device(request.gateway, product_key, name)
    reveals = request.gateway.reveals("QueryDeviceInfo")
    return _render(
        request, "areas/devices/overview.html", detail, "overview", details=_details(detail), reveals=reveals
    )


def _details(detail: DeviceDetail) -> list[DetailItem]:
    device = detail.device
    return [
        DetailItem(_("Status"), device.status, kind="status", status="device"),
        DetailItem(_("Nickname"), device.nickname),
        DetailItem(_("IotId"), device.iot_id, kind="code", copy=True),
        DetailItem(_("Last online"), detail.online, kind="relative_time"),
        DetailItem(pgettext("when", "Activated"), device.activated, kind="time"),
        DetailItem(_("Created"), device.created, kind="time"),
        DetailItem(_("Firmware"), detail.firmware),
        DetailItem(_("IP address"), detail.ip, kind="code"),
        DetailItem(_("Region"), detail.region),
        DetailItem(_("Node type"), _("Gateway") if detail.gateway else _("Device")),
    ]


@require_GET
def groups(request: CloudRequest, product_key: str, name: str) -> HttpResponse:
    """Show the groups of the device."""
    detail, listed = api.get_device_with_groups(request.gateway, product_key, name)
    may_group = request.gateway.allows(groups_api.ADD)
    empty = Empty(
        title=gettext_lazy("Not in any group"),
        text=gettext_lazy("Use groups to manage devices of different products together."),
        icon="hierarchy-2",
    )
    table = (tables.EDITABLE_GROUPS if may_group else tables.GROUPS).bind(request, listed, empty=empty)
    limit = groups_api.MAX_GROUPS_PER_DEVICE
    context = {"table": table, "may_group": may_group, "full": len(listed) >= limit, "limit": limit}
    return _render(request, "areas/devices/groups.html", detail, "groups", **context)


@require_GET
def tags(request: CloudRequest, product_key: str, name: str) -> HttpResponse:
    """Show the tags of the device."""
    detail, listed = api.get_device_with_tags(request.gateway, product_key, name)
    may_tag = request.gateway.allows("SaveDeviceProp")
    empty = Empty(
        title=gettext_lazy("No tags"),
        text=gettext_lazy("Tags are key-value pairs, for example the location of the device."),
        icon="tags",
    )
    table = (tables.EDITABLE_TAGS if may_tag else tables.TAGS).bind(request, listed, empty=empty)
    context = {"table": table, "may_tag": may_tag, "full": len(listed) >= api.MAX_TAGS, "limit": api.MAX_TAGS}
    return _render(request, "areas/devices/tags.html", detail, "tags", **context)


@require_GET
def updates(request: CloudRequest, product_key: str, name: str) -> HttpResponse:
    """Show the module versions of the device, and its pending and running updates."""
    detail, modules, tasks = api.get_device_with_updates(request.gateway, product_key, name)
    versions = tables.MODULES.bind(
        request, modules, empty=Empty(gettext_lazy("No module versions reported"), icon="puzzle")
    )
    waiting = Empty(gettext_lazy("No pending or running updates"), icon="cloud-upload")
    running = tables.UPDATES.bind(request, tasks, empty=waiting)
    return _render(
        request, "areas/devices/updates.html", detail, "updates", versions=versions, running=running
    )


@require_POST
@never_cache
def secret(request: CloudRequest, product_key: str, name: str) -> HttpResponse:
    """Show the credentials of the device once: requested by POST, audited, stored nowhere."""
    credentials = api.reveal_secret(request.gateway, product_key, name)
    return render(
        request,
        "areas/devices/secret.html",
        {"product_key": product_key, "name": name, "credentials": credentials},
    )


# -- nickname, state, deletion -----------------------------------------------------------------------------------------


def _dialog(
    request: CloudRequest, where: tuple[str, str], back: str, *, status: int = 200, **context: Any
) -> HttpResponse:
    """Render a short form about a device, as a dialog over the page it was opened from."""
    context |= {
        "crumbs": _crumbs(request, where),
        "cancel": connection_url(request, back, *where),
    }
    return render(request, "ui/form_page.html", context, status=status)


def _crumbs(request: CloudRequest, where: tuple[str, str]) -> list[tuple[str, str]]:
    return [
        (_("Devices"), connection_url(request, "devices:list")),
        (where[1], connection_url(request, "devices:detail", *where)),
    ]


def _change(
    request: CloudRequest,
    where: tuple[str, str],
    form: Form | None,
    change: Callable[[], str],
    *,
    back: str,
    parameters: Mapping[str, str] | None = None,
    **texts: Any,
) -> HttpResponse:
    """Show a dialog; when it is submitted, call `change`, which returns the success message, and redirect to `back`.

    The dialog shows errors and keeps the input.
    """
    error: CloudError | None = None
    if request.method == "POST" and (form is None or form.is_valid()):
        try:
            message = change()
        except CloudError as raised:
            error = raised if form is None else cloud_errors_to_form(form, raised, parameters)
        else:
            messages.success(request, message)
            return redirect(connection_url(request, back, *where))
    status = 422 if request.method == "POST" else 200
    context = texts if form is None else {**texts, "form": form}
    return _dialog(request, where, back, status=status, error=error, **context)


@require_http_methods(["GET", "POST"])
def rename(request: CloudRequest, product_key: str, name: str) -> HttpResponse:
    """Change the nickname of the device."""
    request.gateway.require("BatchUpdateDeviceNickname")
    if request.method == "POST":
        form = forms.RenameForm(request.POST)
    else:
        detail = api.get_device(request.gateway, product_key, name, fresh=True)
        form = forms.RenameForm(initial={"nickname": detail.device.nickname})

    def change() -> str:
        api.rename_device(request.gateway, product_key, name, form.cleaned_data["nickname"])
        return _("Nickname saved.")

    return _change(
        request,
        (product_key, name),
        form,
        change,
        back="devices:detail",
        parameters=form.PARAMETERS,
        title=_("Nickname of %(name)s") % {"name": name},
    )


@require_http_methods(["GET", "POST"])
def disable(request: CloudRequest, product_key: str, name: str) -> HttpResponse:
    """Disable the device."""
    request.gateway.require("DisableThing")

    def change() -> str:
        api.disable_device(request.gateway, product_key, name)
        return _("%(name)s is disabled.") % {"name": name}

    return _change(
        request,
        (product_key, name),
        None,
        change,
        back="devices:detail",
        title=_("Disable %(name)s?") % {"name": name},
        text=_(
            "The device is disconnected immediately and cannot connect until you enable it. Its data and settings are kept."
        ),
        submit=_("Disable device"),
        danger=True,
    )


@require_POST
def enable(request: CloudRequest, product_key: str, name: str) -> HttpResponse:
    """Enable the device."""
    api.enable_device(request.gateway, product_key, name)
    messages.success(request, _("%(name)s is enabled.") % {"name": name})
    return redirect(connection_url(request, "devices:detail", product_key, name))


@require_http_methods(["GET", "POST"])
def delete(request: CloudRequest, product_key: str, name: str) -> HttpResponse:
    """Delete the device permanently, after the user typed its name."""
    request.gateway.require("DeleteDevice")
    back = f"{connection_url(request, 'devices:list')}?product={product_key}"
    form = ConfirmForm(name, request.POST if request.method == "POST" else None, label=_("Device name"))
    error = None
    try:
        if request.method == "GET":
            api.get_device(request.gateway, product_key, name, fresh=True)
        elif form.is_valid():
            api.delete_device(request.gateway, product_key, name)
            messages.success(request, _("%(name)s is deleted.") % {"name": name})
            return redirect(back)
    except NotFound:
        messages.warning(request, _("%(name)s no longer exists.") % {"name": name})
        return redirect(back)
    except CloudError as raised:
        error = raised
    context = {
        "form": form,
        "error": error,
        "title": _("Delete %(name)s?") % {"name": name},
        "text": _("This permanently deletes the device, including:"),
        "submit": _("Delete device"),
        "crumbs": _crumbs(request, (product_key, name)),
        "cancel": connection_url(request, "devices:detail", product_key, name),
        "needs_approval": needs_approval(
            request.gateway, "DeleteDevice", api.device_params(product_key, name)
        ),
        "consequences": [
            _("its secret: the device can no longer connect"),
            _("its tags, group memberships and gateway topology"),
            _("its stored data and pending updates"),
        ],
    }
    return render(request, "ui/confirm_page.html", context, status=422 if request.method == "POST" else 200)


# -- tags --------------------------------------------------------------------------------------------------------------


@require_http_methods(["GET", "POST"])
def set_tag(request: CloudRequest, product_key: str, name: str) -> HttpResponse:
    """Add a tag, or with `?key=` change the value of one."""
    request.gateway.require("SaveDeviceProp")
    if request.method == "POST":
        form = forms.TagForm(request.POST)
    else:
        form = forms.TagForm(
            initial={"tag_key": request.GET.get("key", ""), "tag_value": request.GET.get("value", "")}
        )

    def change() -> str:
        api.set_tag(request.gateway, product_key, name, form.tag())
        return _("Tag saved.")

    return _change(
        request,
        (product_key, name),
        form,
        change,
        back="devices:tags",
        parameters=form.PARAMETERS,
        title=_("Edit tag") if request.GET.get("key") else _("Add tag"),
        submit="" if request.GET.get("key") else _("Add tag"),
    )


@require_http_methods(["GET", "POST"])
def remove_tag(request: CloudRequest, product_key: str, name: str) -> HttpResponse:
    """Remove the tag `?key=` from the device."""
    request.gateway.require("DeleteDeviceProp")
    key = request.GET.get("key", "")

    def change() -> str:
        api.remove_tag(request.gateway, product_key, name, key)
        return _("Tag removed.")

    return _change(
        request,
        (product_key, name),
        None,
        change,
        back="devices:tags",
        title=_("Remove tag %(key)s?") % {"key": key},
        submit=_("Remove tag"),
        danger=True,
    )


# -- groups ------------------------------------------------------------------------------------------------------------


@require_http_methods(["GET", "POST"])
def add_group(request: CloudRequest, product_key: str, name: str) -> HttpResponse:
    """Add the device to a group by its name; top-level groups are suggested."""
    request.gateway.require(groups_api.ADD)
    if request.method == "POST":
        form = forms.GroupForm((), request.POST)
    else:
        form = forms.GroupForm([group.name for group in groups_api.list_groups(request.gateway).groups])

    def change() -> str:
        group = _find_group(request, form)
        added = groups_api.add_devices(request.gateway, group.id, product_key, [name])
        if added.unknown:
            raise NotFound("iot.device.NotExistedDevice", operation=groups_api.ADD)
        if added.full:
            raise LimitExceeded(
                "Client.TooManyGroups", _("The device is already in the maximum number of groups.")
            )
        if added.added:
            return _("Added to %(group)s.") % {"group": group.name}
        return _("Already in %(group)s.") % {"group": group.name}

    return _change(
        request,
        (product_key, name),
        form,
        change,
        back="devices:groups",
        title=_("Add to group"),
        submit=_("Add to group"),
    )


def _find_group(request: CloudRequest, form: forms.GroupForm) -> groups_api.Group:
    """Return the group with the name that the user typed. Raises InvalidParameter if none or more than one has it."""
    typed = form.cleaned_data["group_name"]
    similar = groups_api.list_groups(request.gateway, name=typed).groups
    exact = [group for group in similar if group.name == typed]
    if len(exact) == 1:
        return exact[0]
    if similar:
        names = ", ".join(group.name for group in similar[:5])
        problem = _("No group has exactly this name. Similar names: %(names)s") % {"names": names}
    else:
        problem = _("No group has this name. Check the spelling")
    raise InvalidParameter.from_problems(groups_api.ADD, {"GroupName": [problem]})


@require_http_methods(["GET", "POST"])
def remove_group(request: CloudRequest, product_key: str, name: str) -> HttpResponse:
    """Remove the device from the group with the ID `?group=`; the dialog shows its name, `?group_name=`."""
    request.gateway.require(groups_api.REMOVE)

    def change() -> str:
        group = request.GET.get("group", "")
        if groups_api.remove_devices(request.gateway, group, [(product_key, name)]):
            return _("Removed from the group.")
        return _("The device is no longer in this group.")

    return _change(
        request,
        (product_key, name),
        None,
        change,
        back="devices:groups",
        title=_("Remove %(name)s from %(group)s?")
        % {"name": name, "group": request.GET.get("group_name", "")},
        text=_("The device is not deleted. It is only removed from this group."),
        submit=_("Remove from group"),
    )
