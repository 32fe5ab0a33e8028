"""The subject of a request, read from the cloud: the object to delete or update, its present state and the consequences."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from console.access.audit import MASK, may_record
from console.approvals.models import ApprovalCall, ApprovalRequest
from console.areas.devices import api as devices_api
from console.areas.ota import api as ota_api
from console.areas.products import api as products_api
from console.areas.products.actions import list_deletion_effects
from console.connections.approval import CREATE_DYNAMIC, CREATE_VERIFY, PlannedCall, Rule
from console.connections.gateway import Gateway, PermissionRefused
from console.ui.pieces import DetailItem
from iot_client.errors import CloudError, NotFound

MAX_DEVICES_READ = 100
"""The most devices whose present state is read for one page."""
_TIMES = frozenset({"ScheduleTime", "ScheduleFinishTime"})


@dataclass(frozen=True)
class CallRow:
    """A call on the page: the device it names, its parameters, the present state of the device, and the outcome of the call."""

    number: int
    name: str
    product_key: str
    details: Sequence[DetailItem]
    status: str = ""
    nickname: str = ""
    is_missing: bool = False
    outcome: ApprovalCall | None = None


@dataclass(frozen=True)
class Subject:
    """`details`: the present state of the subject. `consequences`: objects that are deleted with it. `device_names`: the target
    devices of a batch. `error`: why the present state could not be read."""

    rows: Sequence[CallRow]
    details: Sequence[DetailItem] = ()
    consequences: Sequence[str] = ()
    device_names: Sequence[str] = ()
    error: CloudError | None = None
    # The role cannot read the present state, or the subject is in another instance.
    is_unreadable: bool = False


def read_subject(request: ApprovalRequest, gateway: Gateway) -> Subject:
    """Read the subject. Makes up to 3 calls; for devices, one call for each of the first 100. Raises RequestAltered,
    Undecryptable."""
    calls = request.planned_calls
    outcomes = {outcome.number: outcome for outcome in request.outcomes.all()}
    rows = [_read_row(number, call, outcomes.get(number)) for number, call in enumerate(calls)]
    names = calls[0].listed_names or calls[0].params.get("TargetDeviceName", ())
    lost = (
        list_deletion_effects(str(calls[0].params.get("ProductKey"))) if request.rule == Rule.PRODUCT else ()
    )
    if calls[0].params.get("IotInstanceId") not in (None, "", gateway.connection.instance_id):
        return Subject(rows, (), lost, names, is_unreadable=True)
    try:
        if request.rule == Rule.DELETION:
            return Subject(_add_devices(rows, calls, gateway))
        read = _read_product if request.rule == Rule.PRODUCT else _read_batch
        return Subject(rows, read(calls[0], gateway), lost, names)
    except CloudError as error:
        return Subject(rows, (), lost, names, error=error)
    except PermissionRefused:
        return Subject(rows, (), lost, names, is_unreadable=True)


def _read_row(number: int, call: PlannedCall, outcome: ApprovalCall | None) -> CallRow:
    return CallRow(
        number=number,
        name=str(call.params.get("DeviceName") or call.params.get("IotId") or ""),
        product_key=str(call.params.get("ProductKey") or ""),
        details=[
            _detail_item(name, value)
            for name, value in call.params.items()
            if name != "TargetDeviceName"  # is shown separately
        ],
        outcome=outcome,
    )


def _detail_item(name: str, value: Any) -> DetailItem:
    """A parameter for the page, in full. Parameters that are not known to be harmless are masked."""
    if name in _TIMES:
        return DetailItem(name, int(value), kind="time")
    return DetailItem(name, _format_value(name, value))


def _format_value(name: str, value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key}={_format_value(key, inner)}" for key, inner in value.items())
    if not may_record(name):
        return MASK
    if isinstance(value, list | tuple):
        return "; ".join(_format_value(name, item) for item in value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


# -- present state -----------------------------------------------------------------------------------------------


def _read_product(call: PlannedCall, gateway: Gateway) -> list[DetailItem]:
    try:
        detail = products_api.get_product(gateway, str(call.params["ProductKey"]), fresh=True)
    except NotFound:
        return [DetailItem(_("Product"), _("Deleted"))]
    product = detail.product
    return [
        DetailItem(_("Product"), product.name),
        DetailItem(_("Status"), _("Published") if detail.is_published else _("Developing")),
        DetailItem(_("Devices"), product.devices, kind="number"),
        DetailItem(_("Created"), product.created, kind="time"),
        DetailItem(_("Description"), product.description),
    ]


def _read_batch(call: PlannedCall, gateway: Gateway) -> list[DetailItem]:
    params = call.params
    device_count = ota_api.count_devices(gateway, str(params["ProductKey"]))
    target = [
        DetailItem(_("Devices of the product"), device_count, kind="number"),
        DetailItem(pgettext("of a batch", "Target"), _describe_target(call)),
    ]
    try:
        package = ota_api.get_package(gateway, str(params["FirmwareId"]))
    except NotFound:
        return [DetailItem(_("Package"), _("Deleted")), *target]
    return [
        DetailItem(_("Package"), package.name),
        DetailItem(_("Version"), package.version),
        DetailItem(_("Product"), package.product_name or package.product_key),
        *target,
    ]


def _describe_target(call: PlannedCall) -> str:
    """A text that describes the target devices of a batch."""
    params = call.params
    if call.operation == CREATE_DYNAMIC:
        return _("Current and future devices on the source versions")
    if call.operation == CREATE_VERIFY:
        return _("Selected devices, to verify the package")
    return {
        "ALL": _("All devices of the product"),
        "GRAY": _("%(percent)s%% of the product's devices") % {"percent": params.get("GrayPercent")},
        "GROUP": _("Devices of the product in group %(group)s") % {"group": params.get("GroupId")},
        "SPECIFIC": _("Devices from an uploaded list (names not available)")
        if params.get("DnListFileUrl")
        else _("Selected devices"),
    }.get(str(params.get("TargetSelection")), str(params.get("TargetSelection")))


def _add_devices(rows: Sequence[CallRow], calls: Sequence[PlannedCall], gateway: Gateway) -> list[CallRow]:
    """Returns the rows with the present state of their devices."""
    naming = ("ProductKey", "DeviceName", "IotId", "IotInstanceId")
    queries = [
        {name: call.params[name] for name in naming if call.params.get(name)}
        for call in calls[:MAX_DEVICES_READ]
    ]
    read_rows: list[CallRow] = []
    for row, detail in zip(rows, devices_api.get_devices(gateway, queries), strict=False):
        if isinstance(detail, NotFound):
            read_rows.append(replace(row, is_missing=True))
        elif isinstance(detail, CloudError):
            raise detail
        else:
            device = detail.device
            read_rows.append(
                replace(
                    row,
                    name=device.name,
                    product_key=device.product_key,
                    status=device.status,
                    nickname=device.nickname,
                )
            )
    return [*read_rows, *rows[len(read_rows) :]]
