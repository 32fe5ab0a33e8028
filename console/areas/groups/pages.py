"""Helpers that the pages of a group share: the user's rights, tabs, menu and details."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext_lazy as _

from console.access.pages.audit import audit_menu_items
from console.areas.groups import api
from console.connections.http import CloudRequest
from console.ui.links import connection_url
from console.ui.pieces import DetailItem, MenuItem, Tab, explorer_item


@dataclass(frozen=True)
class Rights:
    """The actions that the user's role allows for groups. Pages hide the others; the gateway refuses them."""

    create: bool
    edit: bool
    delete: bool
    add: bool
    remove: bool
    tag: bool

    @classmethod
    def from_request(cls, request: CloudRequest) -> Rights:
        """Return the rights of the user of the request."""
        allows = request.gateway.allows
        return cls(
            *(allows(name) for name in (api.CREATE, api.UPDATE, api.DELETE, api.ADD, api.REMOVE, api.TAG))
        )


def group_context(request: CloudRequest, group: api.GroupDetail, current: str) -> dict[str, Any]:
    """Return the context of a group page. `current` is the tab: overview, devices, tags."""
    rights = Rights.from_request(request)
    tabs = [
        Tab(_("Overview"), connection_url(request, "groups:detail", group.id), current == "overview"),
        Tab(
            _("Devices"),
            connection_url(request, "groups:devices", group.id),
            current == "devices",
            group.devices,
        ),
        Tab(_("Tags"), connection_url(request, "groups:tags", group.id), current == "tags"),
    ]
    menu = [
        explorer_item(request, "QueryDeviceGroupInfo", GroupId=group.id),
        *audit_menu_items(request, target=group.name),
    ]
    if rights.edit:
        menu.append(
            MenuItem(
                _("Edit description"), connection_url(request, "groups:edit", group.id), "pencil", dialog=True
            )
        )
    if rights.delete:
        url = connection_url(request, "groups:delete", group.id)
        menu.append(MenuItem(_("Delete…"), url, "trash", danger=True, dialog=True))
    return {
        "group": group,
        "rights": rights,
        "tabs": tabs,
        "menu": menu,
        "current": current,
        "may_create_subgroup": rights.create and group.depth < api.MAX_DEPTH,
    }


def build_details(group: api.GroupDetail) -> list[DetailItem]:
    """Return the details of a group."""
    return [
        DetailItem(_("Group ID"), group.id, "code", copy=True),
        DetailItem(_("Created"), group.created, "time"),
        DetailItem(_("Level"), _LEVEL_LABELS.get(group.depth, str(group.depth))),
    ]


_LEVEL_LABELS = {1: _("Group"), 2: _("Subgroup"), 3: _("Second-level subgroup")}
