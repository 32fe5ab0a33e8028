"""The approval rule of update batches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from decimal import ROUND_CEILING, Decimal, InvalidOperation
from typing import Any

from django.utils.translation import gettext, pgettext
from django.utils.translation import gettext_lazy as _

from console.areas.ota import api, batches
from console.areas.products import api as products_api
from console.connections.approval import PlannedCall
from console.connections.approval_rules import ApprovalRule, Creation, Description, Limit
from console.connections.gateway import Gateway
from console.ui.pieces import DetailItem
from iot_client.errors import NotFound

# -- how many devices a batch affects --------------------------------------------------------------------------------


def _count_devices(gateway: Gateway, calls: Sequence[PlannedCall]) -> int | None:
    """The largest number of devices that the batches can affect, never too small; None if unknown."""
    counts = [_count_devices_of_batch(gateway, call) for call in calls]
    known = [count for count in counts if count is not None]
    return sum(known) if len(known) == len(counts) else None


def _count_devices_of_batch(gateway: Gateway, call: PlannedCall) -> int | None:
    params = call.named_params
    names = params.get("TargetDeviceName")
    if call.operation == api.CREATE_VERIFY and names:
        return len(names)
    if params.get("TargetSelection") == "SPECIFIC":
        if call.listed_names:
            return len(call.listed_names)
        if names and not params.get("DnListFileUrl"):
            return len(names)
    # All devices, a group, a list that the console did not write, a dynamic batch: at most all devices of the product.
    total = products_api.find_device_count(gateway, params.get("ProductKey"), params.get("IotInstanceId"))
    if total is None or params.get("TargetSelection") != "GRAY":
        return total
    try:
        part = Decimal(str(params.get("GrayPercent"))) * total / 100
        return min(total, max(1, int(part.to_integral_value(ROUND_CEILING))))
    except (InvalidOperation, ValueError, OverflowError):
        return total


# -- how a request describes a batch ---------------------------------------------------------------------------------


def _read_batch(gateway: Gateway, call: PlannedCall) -> list[DetailItem]:
    params = call.params
    device_count = api.count_devices(gateway, str(params["ProductKey"]))
    target = [
        DetailItem(gettext("Devices of the product"), device_count, kind="number"),
        DetailItem(pgettext("of a batch", "Target"), _describe_target(call)),
    ]
    try:
        package = api.get_package(gateway, str(params["FirmwareId"]))
    except NotFound:
        return [DetailItem(gettext("Package"), gettext("Deleted")), *target]
    return [
        DetailItem(gettext("Package"), package.name),
        DetailItem(gettext("Version"), package.version),
        DetailItem(gettext("Product"), package.product_name or package.product_key),
        *target,
    ]


def _describe_target(call: PlannedCall) -> str:
    """A text that describes the target devices of a batch."""
    params = call.params
    if call.operation == api.CREATE_DYNAMIC:
        return gettext("Current and future devices on the source versions")
    if call.operation == api.CREATE_VERIFY:
        return gettext("Selected devices, to verify the package")
    return {
        "ALL": gettext("All devices of the product"),
        "GRAY": gettext("%(percent)s%% of the product's devices") % {"percent": params.get("GrayPercent")},
        "GROUP": gettext("Devices of the product in group %(group)s") % {"group": params.get("GroupId")},
        "SPECIFIC": gettext("Devices from an uploaded list (names not available)")
        if params.get("DnListFileUrl")
        else gettext("Selected devices"),
    }.get(str(params.get("TargetSelection")), str(params.get("TargetSelection")))


# -- how an approved batch is created --------------------------------------------------------------------------------


def _upload_names(gateway: Gateway, call: PlannedCall, target: str) -> dict[str, Any]:
    """The parameters of the batch. A list of names is uploaded again, because the URL of the first upload has expired."""
    params = dict(call.params)
    if call.listed_names:
        params["DnListFileUrl"] = batches.upload_names(gateway, call.listed_names, target=target)
    return params


def _monitor_batch(gateway: Gateway, call: PlannedCall, response: Mapping[str, Any]) -> str:
    """Start to monitor the batch that the call created. Returns its ID. Raises BadResponse."""
    product_key = str(call.params.get("ProductKey") or "")
    return batches.monitor_new_batch(gateway, call.operation, response, product_key=product_key).id


APPROVAL_RULES = (
    ApprovalRule(
        slug="update_batch",
        label=_("batches larger than (devices)"),
        help_text=_(
            "Leave empty: no batch needs approval. 0: every batch needs approval. The batches of the team within 24 hours are "
            "added up."
        ),
        action=_("Create update batch"),
        operations=frozenset({api.CREATE_STATIC, api.CREATE_DYNAMIC, api.CREATE_VERIFY}),
        # A dynamic batch has no upper limit: it also takes devices that are added later. Phases of a rollout that follow each
        # other within a day count as one batch.
        limit=Limit(
            count=_count_devices, unlimited=frozenset({api.CREATE_DYNAMIC}), window=timedelta(days=1)
        ),
        description=Description(read_details=_read_batch, names_param="TargetDeviceName"),
        creation=Creation(prepare=_upload_names, finish=_monitor_batch),
    ),
)
