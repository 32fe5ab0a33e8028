"""What a team's rules ask a second person for, and the approval that lets exactly those calls through.

The gateway asks `check` before every write, so pages, the explorer, API tokens and workers are covered alike.
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
from console.cloud.catalogue import Access, Operation
from console.connections.models import RecentDeletion

if TYPE_CHECKING:
    from console.connections.gateway import Gateway


class Rule(StrEnum):
    """What a team can ask a second person for."""

    PRODUCT = "product"
    BATCH = "batch"
    DELETION = "deletion"


CREATE_STATIC = "CreateOTAStaticUpgradeJob"
CREATE_DYNAMIC = "CreateOTADynamicUpgradeJob"
CREATE_VERIFY = "CreateOTAVerifyJob"
RULES = {
    "DeleteProduct": Rule.PRODUCT,
    "DeleteDevice": Rule.DELETION,
    CREATE_STATIC: Rule.BATCH,
    CREATE_DYNAMIC: Rule.BATCH,
    CREATE_VERIFY: Rule.BATCH,
}
"""The operations that a rule may cover. No operation of the platform deletes several devices in one call."""

WINDOW = timedelta(minutes=10)
"""Deletions of one person in one team within this time count as one: many small ones are a large one. Not of a connection:
two may lead to the same account."""


@dataclass(frozen=True)
class Planned:
    """A call as it would be sent. `listed`: the names in the file that its DnListFileUrl leads to, where the console wrote it."""

    operation: str
    params: Mapping[str, Any]
    listed: tuple[str, ...] = ()

    @property
    def kept(self) -> dict[str, Any]:
        """The form for the database. The address of a list that the console wrote is left out: it does not last, the names do."""
        params = {name: value for name, value in self.params.items() if value is not None}
        if not self.listed:
            return {"operation": self.operation, "params": params}
        params.pop("DnListFileUrl", None)
        return {"operation": self.operation, "params": params, "listed": list(self.listed)}

    @classmethod
    def of(cls, kept: Mapping[str, Any]) -> Planned:
        """The call, from its form in the database."""
        return cls(kept["operation"], dict(kept["params"]), tuple(kept.get("listed", ())))

    @property
    def canonical(self) -> str:
        """The same text for the same call, whatever the order of its parameters."""
        return json.dumps(self.kept, sort_keys=True, separators=(",", ":"))


class ApprovalNeeded(PermissionDenied):
    """A rule of the team covers the calls: nothing was sent. `devices`: how many they are about, None when nobody can say."""

    target = ""  # what the calls are about, as the audit trail names it

    def __init__(self, gateway: Gateway, rule: Rule, calls: Sequence[Planned], devices: int | None) -> None:
        super().__init__(_("This needs the approval of a second person of the team."))
        self.gateway = gateway
        self.rule = rule
        self.calls = tuple(calls)
        self.devices = devices


class NotAsApproved(PermissionDenied):
    """The call is not among those that were approved, or was made already."""


@dataclass
class Approval:
    """Lets through exactly the calls that were approved, each once; no other write passes beside it."""

    number: int  # of the request
    approved_by: str
    calls: Sequence[Planned]
    _left: Counter[str] = field(init=False)

    def __post_init__(self) -> None:
        self._left = Counter(call.canonical for call in self.calls)

    def use(self, calls: Sequence[Planned]) -> None:
        """Take the calls from what is left. Raises NotAsApproved."""
        for call in calls:
            if not self._left[call.canonical]:
                raise NotAsApproved(_("This is not what was approved."))
            self._left[call.canonical] -= 1

    @property
    def noted(self) -> dict[str, Any]:
        """What the records of the calls say of it."""
        return {"approval": self.number, "approved_by": self.approved_by}


def check(gateway: Gateway, described: Operation, calls: Sequence[Planned], target: str = "") -> None:
    """Let writes pass that no rule covers, or that the gateway's approval holds. Raises ApprovalNeeded, NotAsApproved, and
    what reading the number of devices raises."""
    if described.access is Access.READ or not calls:
        return
    if gateway.approval is not None:
        gateway.approval.use(calls)
        return
    needed = foreseen(gateway, calls)
    if needed is None and RULES.get(described.name) is Rule.DELETION and not _counted(gateway, len(calls)):
        needed = ApprovalNeeded(gateway, Rule.DELETION, calls, len(calls))
    if needed is not None:
        needed.target = target
        raise needed


def holds_back(gateway: Gateway, name: str, *many: Mapping[str, Any], listed: Sequence[str] = ()) -> bool:
    """Whether a rule of the team holds back these writes of one operation; for pages, which say so beforehand."""
    return foreseen(gateway, [Planned(name, one, tuple(listed)) for one in many]) is not None


def foreseen(gateway: Gateway, calls: Sequence[Planned]) -> ApprovalNeeded | None:
    """What `check` would raise for these calls of one operation."""
    team = gateway.membership.team
    rule = RULES.get(calls[0].operation) if calls else None
    if rule is Rule.PRODUCT and team.approve_product_deletion:
        return ApprovalNeeded(gateway, rule, calls, None)
    if rule is Rule.DELETION and team.approve_deletion_over is not None:
        if _recent(gateway) + len(calls) > team.approve_deletion_over:
            return ApprovalNeeded(gateway, rule, calls, len(calls))
    elif rule is Rule.BATCH and team.approve_batch_over is not None:
        reached = [_devices(gateway, call) for call in calls]
        known = sum(count for count in reached if count is not None)
        # A dynamic batch has no upper end: it goes on taking devices that come later.
        endless = any(call.operation == CREATE_DYNAMIC for call in calls)
        if endless or None in reached or known > team.approve_batch_over:
            return ApprovalNeeded(gateway, rule, calls, None if None in reached else known)
    return None


# -- devices of a batch ----------------------------------------------------------------------------------------------


def _devices(gateway: Gateway, call: Planned) -> int | None:
    """The most devices that an update batch can reach; None when that cannot be known. Never too few."""
    params = {name.partition(".N")[0]: value for name, value in call.params.items()}
    names = params.get("TargetDeviceName")
    if call.operation == CREATE_VERIFY and names:
        return len(names)
    if params.get("TargetSelection") == "SPECIFIC":
        if call.listed:
            return len(call.listed)
        if names and not params.get("DnListFileUrl"):
            return len(names)
    # All devices, a group, a list that somebody else wrote, a dynamic batch: not more than the product has.
    everything = _devices_of_product(gateway, params)
    if everything is None or params.get("TargetSelection") != "GRAY":
        return everything
    try:
        part = Decimal(str(params.get("GrayPercent"))) * everything / 100
        return min(everything, max(1, int(part.to_integral_value(ROUND_CEILING))))
    except (InvalidOperation, ValueError, OverflowError):
        return everything


def _devices_of_product(gateway: Gateway, params: Mapping[str, Any]) -> int | None:
    if not gateway.allows("QueryDeviceStatistics"):
        return None
    asked: dict[str, Any] = {name: params.get(name) for name in ("ProductKey", "IotInstanceId")}
    answer = gateway.call("QueryDeviceStatistics", fresh=True, **asked)
    try:
        return int(answer["Data"]["deviceCount"])
    except (KeyError, TypeError, ValueError):
        return None


# -- deletions one after another -------------------------------------------------------------------------------------


def _recent(gateway: Gateway) -> int:
    """Devices that the person deleted a short while ago, without anybody's approval."""
    lately = RecentDeletion.objects.filter(
        connection__team=gateway.membership.team, user=gateway.actor, at__gt=Now() - WINDOW
    )
    return lately.aggregate(devices=Sum("devices"))["devices"] or 0


def _counted(gateway: Gateway, devices: int) -> bool:
    """Write down that so many devices are about to be deleted; False when they are too many together with the last ones.

    Under a lock: requests that come side by side are counted one after another.
    """
    limit = gateway.membership.team.approve_deletion_over
    if limit is None:
        return True
    with transaction.atomic():
        Membership.objects.select_for_update(no_key=True).filter(pk=gateway.membership.pk).first()
        own = RecentDeletion.objects.filter(connection__team=gateway.membership.team, user=gateway.actor)
        own.filter(at__lte=Now() - WINDOW).delete()
        if _recent(gateway) + devices > limit:
            return False
        RecentDeletion.objects.create(connection=gateway.connection, user=gateway.actor, devices=devices)
    return True
