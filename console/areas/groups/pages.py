"""The pages of groups as declarations: the pages of one group, and its tags."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from console.areas.groups import actions, api
from console.areas.groups.api import GroupDetail
from console.areas.groups.forms import TagForm
from console.pages.detail import Detail, TabPage
from console.pages.tags import TagPages
from console.ui.links import connection_url
from console.ui.pieces import DetailItem

_LEVEL_LABELS = {1: _("Group"), 2: _("Subgroup"), 3: _("Second-level subgroup")}

GROUP: Detail[GroupDetail] = Detail(
    tabs=(
        TabPage("overview", _("Overview"), "groups:detail"),
        TabPage("devices", _("Devices"), "groups:devices", count=lambda group: group.devices),
        TabPage("tags", _("Tags"), "groups:tags"),
    ),
    read=api.get_group,
    ids=lambda group: (group.id,),
    title=lambda group: group.name,
    list_name="groups:list",
    list_label=_("Groups"),
    missing=_("The group no longer exists."),
    operation="QueryDeviceGroupInfo",
    parameters=("GroupId",),
    tabs_label=_("Group pages"),
    actions=(actions.EDIT, actions.DELETE),
    parents=lambda request, group: [
        (parent.name, connection_url(request, "groups:detail", parent.id)) for parent in group.path
    ],
    summary=lambda request, group: [
        DetailItem(_("Level"), _LEVEL_LABELS.get(group.depth, str(group.depth))),
        DetailItem(_("Group ID"), group.id, kind="code", copy=True),
    ],
    layout="areas/groups/group.html",
)

TAGS: TagPages[GroupDetail] = TagPages(
    detail=GROUP,
    read=api.get_group_with_tags,
    list_tags=api.list_tags,
    save=lambda gateway, group, tag: api.set_tag(gateway, group.id, tag),
    remove=lambda gateway, group, key: api.remove_tag(gateway, group.id, key),
    save_operation=api.TAG,
    remove_operation=api.TAG,
    form=TagForm,
    limit=api.MAX_TAGS,
    hint=_("Use tags to describe a group, for example its site or customer."),
    effect=_("Rules and searches that use this tag no longer find the group."),
)
