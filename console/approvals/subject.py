"""What a request is about, read afresh: what would be deleted or updated, in what state it is now, what goes with it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.utils.translation import gettext as _

from console.access.audit import MASK, SAFE_PARAMETERS
from console.approvals.models import ApprovalCall, ApprovalRequest
from console.cloud.errors import CloudError, NotFound
from console.connections.approval import CREATE_DYNAMIC, CREATE_VERIFY, Planned, Rule
from console.connections.gateway import Gateway, PermissionRefused
from console.devices import api as devices_api
from console.ota import api as ota_api
from console.products import api as products_api
from console.products.product import consequences
from console.ui.pieces import DetailItem

READ_AT_MOST = 100
"""Devices whose present state is read for one page."""
_TIMES = frozenset({"ScheduleTime", "ScheduleFinishTime"})


@dataclass(frozen=True)
class Line:
    """A call on the page: what it names, its parameters, the state of what it names now, and what became of it."""

    number: int
    name: str
    product_key: str
    facts: Sequence[DetailItem]
    status: str = ""
    nickname: str = ""
    gone: bool = False
    outcome: ApprovalCall | None = None


@dataclass(frozen=True)
class Subject:
    """`facts`: what is there now. `goes`: what goes with it. `error`: why the present state could not be read."""

    lines: Sequence[Line]
    facts: Sequence[DetailItem] = ()
    goes: Sequence[str] = ()
    names: Sequence[str] = ()
    error: CloudError | None = None
    unread: bool = False  # the present state is not for this role to read, or is that of another instance


def subject_of(request: ApprovalRequest, gateway: Gateway) -> Subject:
    """The subject. Up to 3 calls; for devices a call for each of the first hundred. Raises Altered, Undecryptable."""
    calls = request.planned
    outcomes = {outcome.number: outcome for outcome in request.outcomes.all()}
    lines = [_line(number, call, outcomes.get(number)) for number, call in enumerate(calls)]
    names = calls[0].listed or calls[0].params.get("TargetDeviceName", ())
    goes = consequences(str(calls[0].params.get("ProductKey"))) if request.rule == Rule.PRODUCT else ()
    if calls[0].params.get("IotInstanceId") not in (None, "", gateway.connection.instance_id):
        return Subject(lines, (), goes, names, unread=True)
    try:
        if request.rule == Rule.DELETION:
            return Subject(_with_devices(lines, calls, gateway))
        read = _product if request.rule == Rule.PRODUCT else _batch
        return Subject(lines, read(calls[0], gateway), goes, names)
    except CloudError as error:
        return Subject(lines, (), goes, names, error=error)
    except PermissionRefused:
        return Subject(lines, (), goes, names, unread=True)


def _line(number: int, call: Planned, outcome: ApprovalCall | None) -> Line:
    return Line(
        number=number,
        name=str(call.params.get("DeviceName") or call.params.get("IotId") or ""),
        product_key=str(call.params.get("ProductKey") or ""),
        facts=[
            _fact(name, value)
            for name, value in call.params.items()
            if name != "TargetDeviceName"  # has its own place
        ],
        outcome=outcome,
    )


def _fact(name: str, value: Any) -> DetailItem:
    """A parameter for the page, whole; what is not known to be harmless is masked."""
    if name in _TIMES:
        return DetailItem(name, int(value), kind="when")
    return DetailItem(name, _shown(name, value))


def _shown(name: str, value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key}={_shown(key, inner)}" for key, inner in value.items())
    if name not in SAFE_PARAMETERS:
        return MASK
    if isinstance(value, list | tuple):
        return "; ".join(_shown(name, item) for item in value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


# -- what is there now -----------------------------------------------------------------------------------------------


def _product(call: Planned, gateway: Gateway) -> list[DetailItem]:
    try:
        detail = products_api.product_detail(gateway, str(call.params["ProductKey"]), fresh=True)
    except NotFound:
        return [DetailItem(_("Product"), _("It no longer exists."))]
    product = detail.product
    return [
        DetailItem(_("Product"), product.name),
        DetailItem(_("State"), _("Published") if detail.published else _("Developing")),
        DetailItem(_("Devices"), product.devices, kind="number"),
        DetailItem(_("Created"), product.created, kind="when"),
        DetailItem(_("Description"), product.description),
    ]


def _batch(call: Planned, gateway: Gateway) -> list[DetailItem]:
    params = call.params
    everything = ota_api.count_devices(gateway, str(params["ProductKey"]))
    facts = [
        DetailItem(_("Devices of the product now"), everything, kind="number"),
        DetailItem(_("Goes to"), _aim(call)),
    ]
    try:
        package = ota_api.get_package(gateway, str(params["FirmwareId"]))
    except NotFound:
        return [DetailItem(_("Package"), _("It no longer exists.")), *facts]
    return [
        DetailItem(_("Package"), package.name),
        DetailItem(_("Version"), package.version),
        DetailItem(_("Product"), package.product_name or package.product_key),
        *facts,
    ]


def _aim(call: Planned) -> str:
    """Which devices a batch takes, in words."""
    params = call.params
    if call.operation == CREATE_DYNAMIC:
        return _("Every device that has one of the source versions, those too that come later")
    if call.operation == CREATE_VERIFY:
        return _("The named devices, to verify the package")
    return {
        "ALL": _("All devices of the product"),
        "GRAY": _("%(percent)s per cent of the product's devices") % {"percent": params.get("GrayPercent")},
        "GROUP": _("The product's devices in the group %(group)s") % {"group": params.get("GroupId")},
        "SPECIFIC": _("The devices of a list made elsewhere: its names cannot be shown")
        if params.get("DnListFileUrl")
        else _("The named devices"),
    }.get(str(params.get("TargetSelection")), str(params.get("TargetSelection")))


def _with_devices(lines: Sequence[Line], calls: Sequence[Planned], gateway: Gateway) -> list[Line]:
    """The lines with what the platform says of their devices now."""
    naming = ("ProductKey", "DeviceName", "IotId", "IotInstanceId")
    asked = [
        {name: call.params[name] for name in naming if call.params.get(name)} for call in calls[:READ_AT_MOST]
    ]
    found: list[Line] = []
    for line, detail in zip(lines, devices_api.several_details(gateway, asked), strict=False):
        if isinstance(detail, NotFound):
            found.append(replace(line, gone=True))
        elif isinstance(detail, CloudError):
            raise detail
        else:
            device = detail.device
            found.append(
                replace(
                    line,
                    name=device.name,
                    product_key=device.product_key,
                    status=device.status,
                    nickname=device.nickname,
                )
            )
    return [*found, *lines[len(found) :]]
