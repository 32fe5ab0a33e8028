"""The groups of a device: adding it to one, removing it from one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from console.areas.devices import api
from console.areas.devices.forms import GroupForm
from console.areas.devices.records import DeviceDetail
from console.areas.groups import api as groups_api
from console.connections.http import CloudRequest
from console.pages.actions import Action, Done, Question
from console.ui.links import connection_url
from iot_client.errors import InvalidParameter, LimitExceeded, NotFound


def _build_form(request: CloudRequest, detail: DeviceDetail) -> GroupForm:
    """Return the form."""
    return GroupForm(
        connection_url(request, "groups:find"), request.POST if request.method == "POST" else None
    )


def _add(request: CloudRequest, detail: DeviceDetail, values: Mapping[str, Any]) -> Done:
    device = detail.device
    group = _find_group(request, values["group_name"])
    added = groups_api.add_devices(request.gateway, group.id, device.product_key, [device.name])
    if added.unknown:
        raise NotFound("iot.device.NotExistedDevice", operation=groups_api.ADD)
    if added.full:
        raise LimitExceeded("Client.TooManyGroups", operation=groups_api.ADD)
    if added.added:
        return Done(gettext("Added to %(group)s.") % {"group": group.name})
    return Done(gettext("Already in %(group)s.") % {"group": group.name})


def _find_group(request: CloudRequest, name: str) -> groups_api.Group:
    """Return the group with this name. Raises InvalidParameter if none or more than one has it."""
    similar = groups_api.list_groups(request.gateway, name=name).groups
    exact = [group for group in similar if group.name == name]
    if len(exact) == 1:
        return exact[0]
    if similar:
        names = ", ".join(group.name for group in similar[:5])
        problem = gettext("No group has exactly this name. Similar names: %(names)s") % {"names": names}
    else:
        problem = gettext("No group has this name. Check the spelling")
    raise InvalidParameter.from_problems(groups_api.ADD, {"GroupName": [problem]})


ADD: Action[DeviceDetail] = Action(
    "add-group",
    groups_api.ADD,
    _("Add to group"),
    run=_add,
    ask=lambda request, detail: Question(
        gettext("Add %(name)s to a group") % {"name": detail.device.name}, submit=gettext("Add to group")
    ),
    form=_build_form,
    back="devices:groups",
    address="groups/add",
)


def _ask_to_remove(request: CloudRequest, detail: DeviceDetail) -> Question:
    """Return the question. It names the group as the platform does: a link could state another name than that of its group."""
    device, group_id = detail.device, request.GET.get("group", "")
    _detail, groups = api.get_device_with_groups(request.gateway, device.product_key, device.name)
    group = next((group.name for group in groups if group.id == group_id), group_id)
    names = {"name": device.name, "group": group}
    return Question(
        gettext("Remove %(name)s from %(group)s?") % names,
        gettext("The device is not deleted. It is only removed from this group."),
    )


def _remove(request: CloudRequest, detail: DeviceDetail, values: Mapping[str, Any]) -> Done:
    """Remove the device from the group with the ID `?group=`."""
    device = (detail.device.product_key, detail.device.name)
    if groups_api.remove_devices(request.gateway, request.GET.get("group", ""), [device]):
        return Done(gettext("Removed from the group."))
    return Done(gettext("The device is no longer in this group."))


REMOVE: Action[DeviceDetail] = Action(
    "remove-group",
    groups_api.REMOVE,
    _("Remove from group"),
    run=_remove,
    ask=_ask_to_remove,
    back="devices:groups",
    address="groups/remove",
)
