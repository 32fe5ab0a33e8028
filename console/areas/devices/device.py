"""The views of one device that no declaration can say: its tabs and its credentials."""

from __future__ import annotations

from dataclasses import replace

from django.http import HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext, pgettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from console.areas.devices import api, memberships, tables
from console.areas.devices.pages import DEVICE, TAGS
from console.areas.devices.records import DeviceDetail
from console.areas.groups import api as groups_api
from console.connections.http import CloudRequest
from console.connections.regions import name_region
from console.ui.pieces import DetailItem
from console.ui.tables import Empty
from iot_client.errors import CloudError


@require_safe
def overview(request: CloudRequest, product_key: str, name: str) -> HttpResponse:
    """Show the details, the credentials and the tags of the device. 2 calls."""
    detail, tags = api.get_device_with_readable_tags(request.gateway, product_key, name)
    return DEVICE.render(
        request,
        detail,
        "overview",
        "areas/devices/overview.html",
        details=_build_details(detail),
        reveals=request.gateway.reveals("QueryDeviceInfo"),
        read_error=tags if isinstance(tags, CloudError) else None,
        tag_card=None if isinstance(tags, CloudError) else TAGS.build_card(request, detail, tags),
    )


def _build_details(detail: DeviceDetail) -> list[DetailItem]:
    device = detail.device
    return [
        DetailItem(gettext("IotId"), device.iot_id, kind="code", copy=True),
        DetailItem(gettext("Node type"), gettext("Gateway") if detail.gateway else gettext("Device")),
        DetailItem(pgettext("when", "Activated"), device.activated, kind="time"),
        DetailItem(gettext("Created"), device.created, kind="time"),
        DetailItem(gettext("Region"), name_region(detail.region)),
    ]


@require_safe
def groups(request: CloudRequest, product_key: str, name: str) -> HttpResponse:
    """Show the groups of the device."""
    detail, listed = api.get_device_with_groups(request.gateway, product_key, name)
    allows = request.gateway.allows
    limit = groups_api.MAX_GROUPS_PER_DEVICE
    may_remove = allows(memberships.REMOVE.operation)
    table = replace(tables.GROUPS, row_template="areas/devices/group_actions.html" if may_remove else "")
    empty = Empty(
        _("Not in any group"),
        _("Use groups to manage devices of different products together."),
        icon="hierarchy-2",
    )
    return DEVICE.render(
        request,
        detail,
        "groups",
        "areas/devices/groups.html",
        table=table.bind(request, listed, empty=empty),
        limit=limit,
        may_add=allows(memberships.ADD.operation) and len(listed) < limit,
    )


@require_safe
def updates(request: CloudRequest, product_key: str, name: str) -> HttpResponse:
    """Show the module versions of the device, and its pending and running updates."""
    detail, modules, tasks = api.get_device_with_updates(request.gateway, product_key, name)
    none_reported = Empty(_("No module versions reported"), icon="puzzle")
    none_running = Empty(_("No pending or running updates"), icon="cloud-upload")
    return DEVICE.render(
        request,
        detail,
        "updates",
        "areas/devices/updates.html",
        versions=tables.MODULES.bind(request, modules, empty=none_reported),
        running=tables.UPDATES.bind(request, tasks, empty=none_running),
    )


@require_POST
@never_cache
def secret(request: CloudRequest, product_key: str, name: str) -> HttpResponse:
    """Show the credentials of the device once: requested by POST, audited, stored nowhere."""
    credentials = api.reveal_secret(request.gateway, product_key, name)
    context = {"product_key": product_key, "name": name, "credentials": credentials}
    return render(request, "areas/devices/secret.html", context)
