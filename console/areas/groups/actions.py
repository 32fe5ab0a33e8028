"""What can be done with groups: create one, change one, remove several devices from one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.utils.translation import gettext, gettext_noop, ngettext
from django.utils.translation import gettext_lazy as _

from console.areas.groups import api
from console.areas.groups.api import GroupDetail, GroupDevice
from console.areas.groups.forms import DescriptionForm, GroupForm, SubgroupForm
from console.connections.gateway import Gateway
from console.connections.http import CloudRequest
from console.pages.actions import Action, Done, Question
from console.pages.bulk import Bulk, BulkPages
from console.pages.creation import Creation
from console.pages.keys import is_key, second_value, shared_first_value, split_key
from console.ui.format import number
from console.ui.links import connection_url
from iot_client.errors import CloudError

# -- creation ----------------------------------------------------------------------------------------------------------

_CREATE_FIELDS = {"GroupName": "name", "GroupDesc": "description"}


def _build_form(request: CloudRequest) -> GroupForm:
    return GroupForm(request.POST if request.method == "POST" else None)


def _create(request: CloudRequest, values: Mapping[str, Any], group_id: str = "") -> Done:
    name = values["name"]
    group = api.create_group(request.gateway, name=name, description=values["description"], parent=group_id)
    message = gettext("Group %(name)s created.") % {"name": name}
    return Done(message, connection_url(request, "groups:detail", group.id))


CREATE = Creation(
    _("Create group"),
    api.CREATE,
    form=_build_form,
    run=_create,
    crumbs=[(_("Groups"), "groups:list")],
    fields=_CREATE_FIELDS,
    account_wide=True,
)


def _build_subgroup_form(request: CloudRequest, group_id: str) -> SubgroupForm:
    """Return the form with its parent group. Up to 3 calls."""
    parent = api.get_group(request.gateway, group_id)
    return SubgroupForm(request.POST if request.method == "POST" else None, parent=parent)


CREATE_SUBGROUP = Creation(
    _("Create subgroup"),
    api.CREATE,
    form=_build_subgroup_form,
    run=_create,
    crumbs=[(_("Groups"), "groups:list")],
    parents=lambda request, form: [
        (group.name, connection_url(request, "groups:detail", group.id))
        for group in (*form.parent.path, form.parent)
    ],
    fields=_CREATE_FIELDS,
)

# -- one group ---------------------------------------------------------------------------------------------------------


def _build_edit_form(request: CloudRequest, group: GroupDetail) -> DescriptionForm:
    data = request.POST if request.method == "POST" else None
    return DescriptionForm(data, present={"description": group.description})


def _save(request: CloudRequest, group: GroupDetail, values: Mapping[str, Any]) -> Done:
    api.update_group(request.gateway, group.id, description=values["description"], current=group)
    return Done(gettext("Description saved."))


EDIT: Action[GroupDetail] = Action(
    "edit",
    api.UPDATE,
    _("Edit description"),
    run=_save,
    ask=lambda request, group: Question(
        gettext("Edit description"), gettext("You can change only the description."), gettext("Save")
    ),
    form=_build_edit_form,
    icon="pencil",
    menu=_("Edit description"),
    fresh=True,
    fields={"GroupDesc": "description"},
)


def _ask_to_delete(request: CloudRequest, group: GroupDetail) -> Question:
    devices = ngettext(
        "%(count)d device is removed from the group. It is not deleted.",
        "%(count)d devices are removed from the group. They are not deleted.",
        group.devices,
    )
    return Question(
        gettext("Delete group %(name)s?") % {"name": group.name},
        effects=[
            devices % {"count": group.devices},
            gettext("The tags of the group are deleted."),
            gettext("You cannot delete a group that has subgroups. Delete the subgroups first."),
        ],
        expected=group.name,
        expected_label=gettext("Group name"),
        planned={"GroupId": group.id},
    )


def _delete(request: CloudRequest, group: GroupDetail, values: Mapping[str, Any]) -> Done:
    api.delete_group(request.gateway, group.id, name=group.name)
    parent = connection_url(request, "groups:detail", group.parent.id) if group.parent else ""
    return Done(gettext("Group %(name)s deleted.") % {"name": group.name}, parent)


DELETE: Action[GroupDetail] = Action(
    "delete",
    api.DELETE,
    _("Delete group"),
    run=_delete,
    ask=_ask_to_delete,
    icon="trash",
    menu=_("Delete…"),
    danger=True,
    deletes=True,
)

# -- several devices of a group ----------------------------------------------------------------------------------------


def _ask_to_remove_devices(count: int) -> Question:
    title = ngettext(
        "Remove %(count)s device from the group?", "Remove %(count)s devices from the group?", count
    )
    text = gettext("The devices are not deleted. They are only removed from this group.")
    return Question(title % {"count": number(count)}, text)


def _remove_devices(gateway: Gateway, keys: Sequence[str], ids: Mapping[str, str]) -> list[CloudError | None]:
    """Remove the devices from the group: 1 call. A device that is no longer in the group is not an error."""
    try:
        api.remove_devices(gateway, ids["group_id"], list(map(split_key, keys)))
    except CloudError as error:
        return [error] * len(keys)
    return [None] * len(keys)


BULK_REMOVE = Bulk(
    "remove",
    api.REMOVE,
    _("Remove from group"),
    "circle-minus",
    gettext_noop("Remove several devices from a group. The devices are not deleted."),
    ask=_ask_to_remove_devices,
    run=_remove_devices,
    direct=api.MAX_DEVICES_PER_CALL,
    is_repeatable=True,
)


def _ask_to_add_devices(count: int) -> Question:
    title = ngettext("Add %(count)s device to the group?", "Add %(count)s devices to the group?", count)
    return Question(title % {"count": number(count)}, gettext("A device can be in up to 10 groups."))


def _add_devices(gateway: Gateway, keys: Sequence[str], ids: Mapping[str, str]) -> list[CloudError | None]:
    errors = api.add_each_device(gateway, ids["group_id"], list(map(split_key, keys)))
    return [errors[split_key(key)] for key in keys]


BULK_ADD = Bulk(
    "add",
    api.ADD,
    _("Add to group"),
    "circle-plus",
    gettext_noop(
        "Add several devices to a group. Use `keys`: filters select only devices that are already in the group."
    ),
    ask=_ask_to_add_devices,
    run=_add_devices,
    direct=api.MAX_DEVICES_PER_CALL,
    applies_to=lambda device: False,
    is_repeatable=True,
)
"""Adds devices that are not in the list: its form collects their names (console/areas/groups/devices.py)."""

BULK: BulkPages[GroupDevice] = BulkPages(
    name="groups:bulk-devices",
    address="<id:group_id>/devices/",
    list_name="groups:devices",
    list_label=_("Devices"),
    actions=(BULK_REMOVE, BULK_ADD),
    key=lambda device: device.key,
    keys_help=gettext_noop("`product_key/name` of each device."),
    read_matching=lambda gateway, filters, ids, start: api.read_device_pages(gateway, ids["group_id"], start),
    is_key=is_key,
    name_of=second_value,
    scope_key=lambda query, keys, ids: shared_first_value(keys),
)
