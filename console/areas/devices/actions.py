"""What can be done to one device: nickname, enabling and disabling, deletion."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from console.areas.devices import api
from console.areas.devices.forms import RenameForm
from console.areas.devices.records import DeviceDetail
from console.connections.http import CloudRequest
from console.pages.actions import Action, Done, Question
from console.ui.links import connection_url

# -- nickname ----------------------------------------------------------------------------------------------------------


def _build_rename_form(request: CloudRequest, detail: DeviceDetail) -> RenameForm:
    if request.method == "POST":
        return RenameForm(request.POST)
    return RenameForm(initial={"nickname": detail.device.nickname})


def _rename(request: CloudRequest, detail: DeviceDetail, values: Mapping[str, Any]) -> Done:
    device = detail.device
    api.rename_device(request.gateway, device.product_key, device.name, values["nickname"])
    return Done(gettext("Nickname saved."))


RENAME: Action[DeviceDetail] = Action(
    "rename",
    "BatchUpdateDeviceNickname",
    _("Edit nickname"),
    run=_rename,
    ask=lambda request, detail: Question(
        gettext("Nickname of %(name)s") % {"name": detail.device.name}, submit=gettext("Save")
    ),
    form=_build_rename_form,
    icon="pencil",
    button="plain",
    fresh=True,
    fields={"DeviceNicknameInfo.N.Nickname": "nickname"},
)

# -- enabling and disabling --------------------------------------------------------------------------------------------


def _enable(request: CloudRequest, detail: DeviceDetail, values: Mapping[str, Any]) -> Done:
    api.enable_device(request.gateway, detail.device.product_key, detail.device.name)
    return Done(gettext("%(name)s is enabled.") % {"name": detail.device.name})


ENABLE: Action[DeviceDetail] = Action(
    "enable",
    "EnableThing",
    _("Enable device"),
    run=_enable,
    is_available=lambda detail: detail.is_disabled,
    icon="player-play",
    button="primary",
)


def _disable(request: CloudRequest, detail: DeviceDetail, values: Mapping[str, Any]) -> Done:
    api.disable_device(request.gateway, detail.device.product_key, detail.device.name)
    return Done(gettext("%(name)s is disabled.") % {"name": detail.device.name})


DISABLE: Action[DeviceDetail] = Action(
    "disable",
    "DisableThing",
    _("Disable device"),
    run=_disable,
    ask=lambda request, detail: Question(
        gettext("Disable %(name)s?") % {"name": detail.device.name},
        gettext(
            "The device is disconnected immediately and cannot connect until you enable it. Its data and settings are kept."
        ),
    ),
    is_available=lambda detail: not detail.is_disabled,
    icon="ban",
    menu=_("Disable…"),
    danger=True,
)

# -- deletion ----------------------------------------------------------------------------------------------------------


def _ask_to_delete(request: CloudRequest, detail: DeviceDetail) -> Question:
    device = detail.device
    return Question(
        gettext("Delete %(name)s?") % {"name": device.name},
        gettext("This permanently deletes the device, including:"),
        effects=[
            gettext("its secret: the device can no longer connect"),
            gettext("its tags, group memberships and gateway topology"),
            gettext("its stored data and pending updates"),
        ],
        expected=device.name,
        expected_label=gettext("Device name"),
        planned=api.device_params(device.product_key, device.name),
    )


def _delete(request: CloudRequest, detail: DeviceDetail, values: Mapping[str, Any]) -> Done:
    device = detail.device
    api.delete_device(request.gateway, device.product_key, device.name)
    others = f"{connection_url(request, 'devices:list')}?product={device.product_key}"
    return Done(gettext("%(name)s is deleted.") % {"name": device.name}, others)


DELETE: Action[DeviceDetail] = Action(
    "delete",
    "DeleteDevice",
    _("Delete device"),
    run=_delete,
    ask=_ask_to_delete,
    icon="trash",
    menu=_("Delete…"),
    danger=True,
    deletes=True,
)
