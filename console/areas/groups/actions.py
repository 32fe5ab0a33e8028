"""What can be done to a group."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from console.areas.groups import api
from console.areas.groups.api import GroupDetail
from console.areas.groups.forms import DescriptionForm
from console.connections.http import CloudRequest
from console.pages.actions import Action, Done, Question
from console.ui.links import connection_url


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
