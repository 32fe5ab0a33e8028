"""The approval rules of a team: which calls need an approval, and the approval that allows exactly these calls.

The gateway calls `check_approval` before every write. The rules therefore apply to pages, the explorer, API tokens and
workers alike.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import ROUND_CEILING, Decimal, InvalidOperation
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Sum
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from console.access.models import Membership
from console.connections.calls import Call
from console.connections.models import RecentDeletion
from iot_client.catalogue import Access

if TYPE_CHECKING:
    from console.connections.gateway import Gateway


class Rule(StrEnum):
    """A rule of a team: the kind of calls that require approval."""

    PRODUCT = "product"
    BATCH = "batch"
    DELETION = "deletion"


CREATE_STATIC = "CreateOTAStaticUpgradeJob"
CREATE_DYNAMIC = "CreateOTADynamicUpgradeJob"
CREATE_VERIFY = "CreateOTAVerifyJob"
RULE_BY_OPERATION = {
    "DeleteProduct": Rule.PRODUCT,
    "DeleteDevice": Rule.DELETION,
    CREATE_STATIC: Rule.BATCH,
    CREATE_DYNAMIC: Rule.BATCH,
    CREATE_VERIFY: Rule.BATCH,
}
"""The operations that the rules cover. No operation of the platform deletes several devices in one call."""

DELETION_WINDOW = timedelta(minutes=10)
"""Deletions by one user in one team within this time are added up, so that many small deletions count as a large one. They
are counted for each team, not for each connection, because two connections may use the same account."""


@dataclass(frozen=True)
class PlannedCall:
    """A call as it would be sent. `listed_names`: the names in the file at its DnListFileUrl, if the console wrote that file."""

    operation: str
    params: Mapping[str, Any]
    listed_names: tuple[str, ...] = ()

    @property
    def stored_form(self) -> dict[str, Any]:
        """The call as JSON for the database. Leaves out the URL of a list that the console wrote: the URL expires, the names
        stay."""
        params = {name: value for name, value in self.params.items() if value is not None}
        if not self.listed_names:
            return {"operation": self.operation, "params": params}
        params.pop("DnListFileUrl", None)
        return {"operation": self.operation, "params": params, "listed_names": list(self.listed_names)}

    @classmethod
    def from_stored(cls, stored: Mapping[str, Any]) -> PlannedCall:
        """Returns the call that `stored_form` stored."""
        return cls(stored["operation"], dict(stored["params"]), tuple(stored.get("listed_names", ())))

    @property
    def canonical(self) -> str:
        """A text that is the same for equal calls, whatever the order of their parameters."""
        return json.dumps(self.stored_form, sort_keys=True, separators=(",", ":"))


class ApprovalNeeded(PermissionDenied):
    """An approval rule of the team covers the calls; nothing was sent. `devices`: how many devices the calls affect, None if
    unknown."""

    target = ""  # the target of the calls, as the audit trail names it

    def __init__(
        self, gateway: Gateway, rule: Rule, calls: Sequence[PlannedCall], devices: int | None
    ) -> None:
        super().__init__(_("This operation requires approval by another team member."))
        self.gateway = gateway
        self.rule = rule
        self.calls = tuple(calls)
        self.devices = devices


class NotApproved(PermissionDenied):
    """The call was not approved, or was already made."""


@dataclass
class Approval:
    """Allows exactly the approved calls, each once. A gateway with an approval allows no other write."""

    number: int  # the id of the ApprovalRequest
    approved_by: str
    calls: Sequence[PlannedCall]
    _remaining: Counter[str] = field(init=False)

    def __post_init__(self) -> None:
        self._remaining = Counter(call.canonical for call in self.calls)

    def use(self, calls: Sequence[PlannedCall]) -> None:
        """Mark the calls as used. Raises NotApproved."""
        for call in calls:
            if not self._remaining[call.canonical]:
                raise NotApproved(_("This call was not approved."))
            self._remaining[call.canonical] -= 1

    @property
    def audit_parameters(self) -> dict[str, Any]:
        """Parameters that are added to the audit records of the calls."""
        return {"approval": self.number, "approved_by": self.approved_by}


def check_approval(gateway: Gateway, calls: Sequence[Call]) -> None:
    """Check that no rule covers these calls of one operation, or that the gateway's approval allows them. Raises ApprovalNeeded,
    NotApproved, and the errors of reading the number of devices."""
    if calls[0].definition.access is Access.READ:
        return
    planned = [PlannedCall(call.operation, call.params, call.listed_names) for call in calls]
    if gateway.approval is not None:
        gateway.approval.use(planned)
        return
    needed = find_needed_approval(gateway, planned)
    if (
        needed is None
        and RULE_BY_OPERATION.get(planned[0].operation) is Rule.DELETION
        and not _record_deletion(gateway, len(planned))
    ):
        needed = ApprovalNeeded(gateway, Rule.DELETION, planned, len(planned))
    if needed is not None:
        needed.target = calls[0].target
        raise needed


def needs_approval(
    gateway: Gateway, name: str, *many: Mapping[str, Any], listed_names: Sequence[str] = ()
) -> bool:
    """Whether these writes of one operation need an approval. Pages call this to say so before the write."""
    return (
        find_needed_approval(gateway, [PlannedCall(name, one, tuple(listed_names)) for one in many])
        is not None
    )


def find_needed_approval(gateway: Gateway, calls: Sequence[PlannedCall]) -> ApprovalNeeded | None:
    """The error that `check_approval` would raise for these calls of one operation; None if they need no approval."""
    team = gateway.membership.team
    rule = RULE_BY_OPERATION.get(calls[0].operation) if calls else None
    if rule is Rule.PRODUCT and team.approve_product_deletion:
        return ApprovalNeeded(gateway, rule, calls, None)
    if rule is Rule.DELETION and team.approve_deletion_over is not None:
        if _count_recent_deletions(gateway) + len(calls) > team.approve_deletion_over:
            return ApprovalNeeded(gateway, rule, calls, len(calls))
    elif rule is Rule.BATCH and team.approve_batch_over is not None:
        counts = [_count_devices(gateway, call) for call in calls]
        known = sum(count for count in counts if count is not None)
        # A dynamic batch has no upper limit: it also takes devices that are added later.
        unlimited = any(call.operation == CREATE_DYNAMIC for call in calls)
        if unlimited or None in counts or known > team.approve_batch_over:
            return ApprovalNeeded(gateway, rule, calls, None if None in counts else known)
    return None


# -- devices of a batch ----------------------------------------------------------------------------------------------


def _count_devices(gateway: Gateway, call: PlannedCall) -> int | None:
    """The largest number of devices that an update batch can affect, never too small; None if unknown."""
    params = {name.partition(".N")[0]: value for name, value in call.params.items()}
    names = params.get("TargetDeviceName")
    if call.operation == CREATE_VERIFY and names:
        return len(names)
    if params.get("TargetSelection") == "SPECIFIC":
        if call.listed_names:
            return len(call.listed_names)
        if names and not params.get("DnListFileUrl"):
            return len(names)
    # All devices, a group, a list that the console did not write, a dynamic batch: at most all devices of the product.
    total = _count_devices_of_product(gateway, params)
    if total is None or params.get("TargetSelection") != "GRAY":
        return total
    try:
        part = Decimal(str(params.get("GrayPercent"))) * total / 100
        return min(total, max(1, int(part.to_integral_value(ROUND_CEILING))))
    except (InvalidOperation, ValueError, OverflowError):
        return total


def _count_devices_of_product(gateway: Gateway, params: Mapping[str, Any]) -> int | None:
    if not gateway.allows("QueryDeviceStatistics"):
        return None
    query: dict[str, Any] = {name: params.get(name) for name in ("ProductKey", "IotInstanceId")}
    response = gateway.call("QueryDeviceStatistics", fresh=True, **query)
    try:
        return int(response["Data"]["deviceCount"])
    except (KeyError, TypeError, ValueError):
        return None


# -- consecutive deletions -------------------------------------------------------------------------------------


def _count_recent_deletions(gateway: Gateway) -> int:
    """The number of devices that the user deleted within DELETION_WINDOW without an approval."""
    recent = RecentDeletion.objects.filter(
        connection__team=gateway.membership.team, user=gateway.actor, at__gt=Now() - DELETION_WINDOW
    )
    return recent.aggregate(devices=Sum("devices"))["devices"] or 0


def _record_deletion(gateway: Gateway, devices: int) -> bool:
    """Record that the user is about to delete this number of devices. Returns False, and records nothing, if that exceeds the
    team's limit together with the recent deletions.

    Takes a lock on the membership, so that simultaneous requests are counted one after another.
    """
    limit = gateway.membership.team.approve_deletion_over
    if limit is None:
        return True
    with transaction.atomic():
        Membership.objects.select_for_update(no_key=True).filter(pk=gateway.membership.pk).first()
        own = RecentDeletion.objects.filter(connection__team=gateway.membership.team, user=gateway.actor)
        own.filter(at__lte=Now() - DELETION_WINDOW).delete()
        if _count_recent_deletions(gateway) + devices > limit:
            return False
        RecentDeletion.objects.create(connection=gateway.connection, user=gateway.actor, devices=devices)
    return True
