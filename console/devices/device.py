"""Pages of one device: its tabs, and what can be done to it."""

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
from console.cloud.errors import CloudError, InvalidParameter, LimitExceeded, NotFound
from console.connections.approval import needs_approval
from console.connections.errors import cloud_errors_to_form
from console.connections.http import CloudRequest
from console.devices import api, forms, tables
from console.devices.records import DeviceDetail
from console.groups import api as groups_api
from console.ui.forms import ConfirmForm
from console.ui.links import curl
from console.ui.pieces import DetailItem, MenuItem, Tab, explorer_item
from console.ui.tables import Empty

# -- the tabs ----------------------------------------------------------------------------------------------------------


def _render(
    request: CloudRequest, template: str, detail: DeviceDetail, tab: str, **context: Any
) -> HttpResponse:
    """A page of a device: its heading, what can be done now, its tabs."""
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
        Tab(label, curl(request, url, *where), name == tab)
        for name, label, url in named
        if name != "updates" or may_update
    ]
    menu = [
        explorer_item(request, "QueryDeviceDetail", ProductKey=where[0], DeviceName=where[1]),
        *audit_menu_items(request, target=where[1]),
    ]
    if allows("DisableThing") and not detail.disabled:
        menu.append(MenuItem(_("Disable…"), curl(request, "devices:disable", *where), "ban", dialog=True))
    if allows("DeleteDevice"):
        menu.append(
            MenuItem(_("Delete…"), curl(request, "devices:delete", *where), "trash", danger=True, dialog=True)
        )
    context |= {
        "detail": detail,
        "device": device,
        "tabs": tabs,
        "menu": menu,
        "may_rename": allows("BatchUpdateDeviceNickname"),
        "may_enable": allows("EnableThing") and detail.disabled,
    }
    return render(request, template, context)


@require_GET
def overview(request: CloudRequest, product_key: str, name: str) -> HttpResponse:
    """What the device is and how it does."""
    detail = api.device_detail(request.gateway, product_key, name)
    reveals = request.gateway.reveals("QueryDeviceInfo")
    return _render(
        request, "devices/overview.html", detail, "overview", facts=_facts(detail), reveals=reveals
    )


def _facts(detail: DeviceDetail) -> list[DetailItem]:
    device = detail.device
    return [
        DetailItem(_("Status"), device.status, kind="status", status="device"),
        DetailItem(_("Nickname"), device.nickname),
        DetailItem(_("IoT ID"), device.iot_id, kind="code", copy=True),
        DetailItem(_("Last online"), detail.online, kind="ago"),
        DetailItem(pgettext("when", "Activated"), device.activated, kind="when"),
        DetailItem(_("Created"), device.created, kind="when"),
        DetailItem(_("Firmware"), detail.firmware),
        DetailItem(_("IP address"), detail.ip, kind="code"),
        DetailItem(_("Region"), detail.region),
        DetailItem(_("Node type"), _("Gateway") if detail.gateway else _("Device")),
    ]


@require_GET
def groups(request: CloudRequest, product_key: str, name: str) -> HttpResponse:
    """The groups that the device is in."""
    detail, listed = api.device_with_groups(request.gateway, product_key, name)
    may_group = request.gateway.allows(groups_api.ADD)
    empty = Empty(
        title=gettext_lazy("In no group"),
        text=gettext_lazy("Groups bring devices of different products together."),
        icon="hierarchy-2",
    )
    table = (tables.EDITABLE_GROUPS if may_group else tables.GROUPS).bind(request, listed, empty=empty)
    limit = groups_api.MAX_GROUPS_OF_A_DEVICE
    context = {"table": table, "may_group": may_group, "full": len(listed) >= limit, "limit": limit}
    return _render(request, "devices/groups.html", detail, "groups", **context)


@require_GET
def tags(request: CloudRequest, product_key: str, name: str) -> HttpResponse:
    """The device's tags."""
    detail, listed = api.device_with_tags(request.gateway, product_key, name)
    may_tag = request.gateway.allows("SaveDeviceProp")
    empty = Empty(
        title=gettext_lazy("No tags"),
        text=gettext_lazy("Tags are keys with values, such as where the device stands."),
        icon="tags",
    )
    table = (tables.EDITABLE_TAGS if may_tag else tables.TAGS).bind(request, listed, empty=empty)
    context = {"table": table, "may_tag": may_tag, "full": len(listed) >= api.MAX_TAGS, "limit": api.MAX_TAGS}
    return _render(request, "devices/tags.html", detail, "tags", **context)


@require_GET
def updates(request: CloudRequest, product_key: str, name: str) -> HttpResponse:
    """What the device's modules run, and its updates that have not ended."""
    detail, modules, tasks = api.device_with_updates(request.gateway, product_key, name)
    versions = tables.MODULES.bind(
        request, modules, empty=Empty(gettext_lazy("It has not reported any."), icon="puzzle")
    )
    waiting = Empty(gettext_lazy("No update waits or runs."), icon="cloud-upload")
    running = tables.UPDATES.bind(request, tasks, empty=waiting)
    return _render(request, "devices/updates.html", detail, "updates", versions=versions, running=running)


@require_POST
@never_cache
def secret(request: CloudRequest, product_key: str, name: str) -> HttpResponse:
    """What the device signs in with, on request, once: asked for by POST, recorded, kept nowhere."""
    made = api.reveal_secret(request.gateway, product_key, name)
    return render(request, "devices/secret.html", {"product_key": product_key, "name": name, "made": made})


# -- its nickname and state --------------------------------------------------------------------------------------------


def _dialog(
    request: CloudRequest, where: tuple[str, str], back: str, *, status: int = 200, **context: Any
) -> HttpResponse:
    """A short form about a device, over the page it was opened from."""
    context |= {
        "crumbs": _crumbs(request, where),
        "cancel": curl(request, back, *where),
    }
    return render(request, "ui/form_page.html", context, status=status)


def _crumbs(request: CloudRequest, where: tuple[str, str]) -> list[tuple[str, str]]:
    return [
        (_("Devices"), curl(request, "devices:list")),
        (where[1], curl(request, "devices:detail", *where)),
    ]


def _change(
    request: CloudRequest,
    where: tuple[str, str],
    form: Form | None,
    change: Callable[[], str],
    *,
    back: str,
    parameters: Mapping[str, str] | None = None,
    **words: Any,
) -> HttpResponse:
    """Show a dialog, or when it was sent do `change`, which returns the words of success, and go `back`.

    Errors are said in the dialog, with what was typed kept.
    """
    error: CloudError | None = None
    if request.method == "POST" and (form is None or form.is_valid()):
        try:
            done = change()
        except CloudError as raised:
            error = raised if form is None else cloud_errors_to_form(form, raised, parameters)
        else:
            messages.success(request, done)
            return redirect(curl(request, back, *where))
    status = 422 if request.method == "POST" else 200
    context = words if form is None else {**words, "form": form}
    return _dialog(request, where, back, status=status, error=error, **context)


@require_http_methods(["GET", "POST"])
def rename(request: CloudRequest, product_key: str, name: str) -> HttpResponse:
    """Give the device another nickname."""
    request.gateway.require("BatchUpdateDeviceNickname")
    if request.method == "POST":
        form = forms.RenameForm(request.POST)
    else:
        detail = api.device_detail(request.gateway, product_key, name, fresh=True)
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
    """Cut the device off."""
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
            "It is cut off at once and cannot connect until it is enabled again. Its data and settings stay."
        ),
        submit=_("Disable"),
        danger=True,
    )


@require_POST
def enable(request: CloudRequest, product_key: str, name: str) -> HttpResponse:
    """Let the device connect again."""
    api.enable_device(request.gateway, product_key, name)
    messages.success(request, _("%(name)s is enabled.") % {"name": name})
    return redirect(curl(request, "devices:detail", product_key, name))


@require_http_methods(["GET", "POST"])
def delete(request: CloudRequest, product_key: str, name: str) -> HttpResponse:
    """Delete the device for good, once its name is typed."""
    request.gateway.require("DeleteDevice")
    back = f"{curl(request, 'devices:list')}?product={product_key}"
    form = ConfirmForm(name, request.POST if request.method == "POST" else None, label=_("Device name"))
    error = None
    try:
        if request.method == "GET":
            api.device_detail(request.gateway, product_key, name, fresh=True)
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
        "text": _("It is deleted for good. With it go:"),
        "submit": _("Delete device"),
        "crumbs": _crumbs(request, (product_key, name)),
        "cancel": curl(request, "devices:detail", product_key, name),
        "needs_approval": needs_approval(request.gateway, "DeleteDevice", api.params_of(product_key, name)),
        "consequences": [
            _("its secret: the device cannot connect any longer"),
            _("its tags, its place in groups and in the topology of its gateway"),
            _("its stored data, and updates that wait for it"),
        ],
    }
    return render(request, "ui/confirm_page.html", context, status=422 if request.method == "POST" else 200)


# -- its tags ----------------------------------------------------------------------------------------------------------


@require_http_methods(["GET", "POST"])
def set_tag(request: CloudRequest, product_key: str, name: str) -> HttpResponse:
    """Add a tag, or with `?key=` give one another value."""
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
        title=_("Change tag") if request.GET.get("key") else _("Add tag"),
    )


@require_http_methods(["GET", "POST"])
def remove_tag(request: CloudRequest, product_key: str, name: str) -> HttpResponse:
    """Take the tag of `?key=` off the device."""
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
        title=_("Remove the tag %(key)s?") % {"key": key},
        submit=_("Remove"),
        danger=True,
    )


# -- its groups --------------------------------------------------------------------------------------------------------


@require_http_methods(["GET", "POST"])
def add_group(request: CloudRequest, product_key: str, name: str) -> HttpResponse:
    """Add the device to a group by its name; the topmost groups are suggested."""
    request.gateway.require(groups_api.ADD)
    if request.method == "POST":
        form = forms.GroupForm((), request.POST)
    else:
        form = forms.GroupForm([group.name for group in groups_api.list_groups(request.gateway).groups])

    def change() -> str:
        group = _group_called(request, form)
        added = groups_api.add_devices(request.gateway, group.id, product_key, [name])
        if added.unknown:
            raise NotFound("iot.device.NotExistedDevice", operation=groups_api.ADD)
        if added.full:
            raise LimitExceeded("Client.TooManyGroups", _("The device is in as many groups as it can be."))
        if added.added:
            return _("Added to %(group)s.") % {"group": group.name}
        return _("It was in %(group)s already.") % {"group": group.name}

    return _change(
        request,
        (product_key, name),
        form,
        change,
        back="devices:groups",
        title=_("Add to a group"),
        submit=_("Add"),
    )


def _group_called(request: CloudRequest, form: forms.GroupForm) -> groups_api.Group:
    """The group of the name that was typed; raises InvalidParameter, said at the field, when there is none or no single one."""
    typed = form.cleaned_data["group_name"]
    like = groups_api.list_groups(request.gateway, name=typed).groups
    exact = [group for group in like if group.name == typed]
    if len(exact) == 1:
        return exact[0]
    if like:
        names = ", ".join(group.name for group in like[:5])
        problem = _("no group is called exactly so; there are: %(names)s") % {"names": names}
    else:
        problem = _("no group is called so")
    raise InvalidParameter.from_problems(groups_api.ADD, {"GroupName": [problem]})


@require_http_methods(["GET", "POST"])
def remove_group(request: CloudRequest, product_key: str, name: str) -> HttpResponse:
    """Take the device out of the group of `?group=`; `?called=` is how the question names it."""
    request.gateway.require(groups_api.REMOVE)

    def change() -> str:
        group = request.GET.get("group", "")
        if groups_api.remove_devices(request.gateway, group, [(product_key, name)]):
            return _("Taken out of the group.")
        return _("It is not in that group any more.")

    return _change(
        request,
        (product_key, name),
        None,
        change,
        back="devices:groups",
        title=_("Take %(name)s out of %(group)s?") % {"name": name, "group": request.GET.get("called", "")},
        text=_("The device itself stays as it is."),
        submit=_("Take out"),
    )
