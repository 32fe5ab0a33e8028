"""Which calls need an approval by the rules of a team, and the approval that allows exactly these calls.

The areas and the explorer declare the rules (console/connections/approval_rules.py), and each team switches them on in its settings. The gateway
calls `check_approval` before every write. The rules therefore apply to pages, the explorer, API tokens and workers alike.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Sum
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from console.accounts.models import Team
from console.connections.approval_rules import ApprovalRule, Limit, find_rule_of_operation
from console.connections.calls import Call
from console.connections.models import RecentAction
from iot_client.catalogue import Access

if TYPE_CHECKING:
    from console.connections.gateway import Gateway


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
    def named_params(self) -> dict[str, Any]:
        """The parameters, lists under their names without `.N`: callers may give both."""
        return {name.partition(".N")[0]: value for name, value in self.params.items()}

    @property
    def canonical(self) -> str:
        """A text that is the same for equal calls, whatever the order of their parameters."""
        return json.dumps(self.stored_form, sort_keys=True, separators=(",", ":"))


@dataclass(frozen=True)
class Covered:
    """The rule that covers calls, and the number of objects that they affect; None if unknown."""

    rule: ApprovalRule
    count: int | None


class ApprovalNeeded(PermissionDenied):
    """An approval rule of the team covers calls of an operation; nothing was sent.

    `calls`: the calls, or none for those of a `job`, the ID of a job that has not started. `count`: how many objects the calls
    affect, None if unknown.
    """

    target = ""  # the target of the calls, as the audit trail names it

    def __init__(
        self,
        gateway: Gateway,
        covered: Covered,
        operation: str,
        *,
        calls: Sequence[PlannedCall] = (),
        job: int | None = None,
    ) -> None:
        super().__init__(_("This operation requires approval by another team member."))
        self.gateway = gateway
        self.rule = covered.rule
        self.count = covered.count
        self.operation = operation
        self.calls = tuple(calls)
        self.job = job


class NotApproved(PermissionDenied):
    """The call was not approved, or was already made."""


@dataclass
class Approval:
    """Allows exactly the approved calls, each once. A gateway with an approval allows no other write.

    `number` is the ID of the ApprovalRequest; 0 for the calls of a job that needed no approval when it started.
    """

    number: int
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
        return {"approval": self.number, "approved_by": self.approved_by} if self.number else {}


def check_approval(gateway: Gateway, calls: Sequence[Call]) -> None:
    """Check that no rule covers these calls of one operation, or that the gateway's approval allows them. Raises ApprovalNeeded,
    NotApproved, and the errors of counting what the calls affect."""
    if calls[0].definition.access is Access.READ:
        return
    planned = [PlannedCall(call.operation, call.params, call.listed_names) for call in calls]
    if gateway.approval is not None:
        gateway.approval.use(planned)
        return
    name = calls[0].operation
    covered = _apply_rule(gateway, name, lambda limit: limit.count(gateway, planned), is_attempt=True)
    if covered is not None:
        needed = ApprovalNeeded(gateway, covered, name, calls=planned)
        needed.target = calls[0].target
        raise needed


def check_job(gateway: Gateway, job: int, name: str, count: int) -> None:
    """Check that no rule covers a job that is about to start and that affects `count` objects by calls of this operation.

    The job is decided and counted as a whole: its calls then need no further approval (`Approval`). Raises ApprovalNeeded.
    """
    covered = _apply_rule(gateway, name, lambda limit: count, is_attempt=True)
    if covered is not None:
        raise ApprovalNeeded(gateway, covered, name, job=job)


def needs_approval(
    gateway: Gateway, name: str, *many: Mapping[str, Any], listed_names: Sequence[str] = ()
) -> bool:
    """Whether these writes of one operation need an approval. Pages call this to say so before the write."""
    planned = [PlannedCall(name, one, tuple(listed_names)) for one in many]
    return (
        bool(planned)
        and _apply_rule(gateway, name, lambda limit: limit.count(gateway, planned), is_attempt=False)
        is not None
    )


def job_needs_approval(gateway: Gateway, name: str, count: int) -> bool:
    """Whether a job that affects `count` objects by calls of this operation would need an approval if it started now."""
    return _apply_rule(gateway, name, lambda limit: count, is_attempt=False) is not None


def _apply_rule(
    gateway: Gateway, name: str, count_objects: Callable[[Limit], int | None], *, is_attempt: bool
) -> Covered | None:
    """The rule for calls of an operation that need an approval; None if they need none. An attempt counts for the next calls
    within the window of the rule."""
    rule = find_rule_of_operation(name)
    if rule is None:
        return None
    limits = gateway.membership.team.approval_limits
    if rule.slug not in limits:
        return None
    if rule.limit is None:
        return Covered(rule, None)
    count = count_objects(rule.limit)
    if name in rule.limit.unlimited or count is None:
        return Covered(rule, count)
    most = limits[rule.slug] or 0
    if rule.limit.window is None:
        is_within = count <= most
    elif is_attempt:
        is_within = _record_action(gateway.membership.team, rule, rule.limit.window, count, most)
    else:
        is_within = _count_recent(gateway.membership.team, rule, rule.limit.window) + count <= most
    return None if is_within else Covered(rule, count)


# -- actions within a window -----------------------------------------------------------------------------------------


def _count_recent(team: Team, rule: ApprovalRule, window: timedelta) -> int:
    """The number of objects that the team affected under the rule within the window without an approval."""
    recent = RecentAction.objects.filter(team=team, rule=rule.slug, at__gt=Now() - window)
    return recent.aggregate(total=Sum("count"))["total"] or 0


def _record_action(team: Team, rule: ApprovalRule, window: timedelta, count: int, most: int) -> bool:
    """Record that a member or token of the team is about to affect this number of objects. Returns False, and records nothing, if
    that exceeds the limit together with the recent actions of the team.

    Takes a lock on the team, so that simultaneous requests are counted one after another.
    """
    with transaction.atomic():
        Team.objects.select_for_update(no_key=True).get(pk=team.pk)
        RecentAction.objects.filter(team=team, rule=rule.slug, at__lte=Now() - window).delete()
        if _count_recent(team, rule, window) + count > most:
            return False
        RecentAction.objects.create(team=team, rule=rule.slug, count=count)
    return True
