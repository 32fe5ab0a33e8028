"""The subject of a request, read from the cloud as its rule describes it: the objects that the calls affect, their present state
and the effects."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from console.approvals.models import ApprovalCall, ApprovalRequest
from console.audit.masking import MASK, may_record
from console.connections.approval import PlannedCall
from console.connections.approval_rules import Description
from console.connections.gateway import Gateway, PermissionRefused
from console.ui.pieces import DetailItem
from iot_client.errors import CloudError

_TIMES = frozenset({"ScheduleTime", "ScheduleFinishTime"})
_NO_DESCRIPTION = Description()  # of a request whose rule no area declares any more


@dataclass(frozen=True)
class CallRow:
    """A call on the page: its parameters, its outcome, and the object that it names (`item`), if its rule lists objects."""

    number: int
    details: Sequence[DetailItem]
    outcome: ApprovalCall | None = None
    item: Any = None


@dataclass(frozen=True)
class Subject:
    """`details`: the present state of the subject. `effects`: what else the calls delete. `names`: the names that the call lists.
    `error`: why the present state could not be read."""

    rows: Sequence[CallRow]
    details: Sequence[DetailItem] = ()
    effects: Sequence[str] = ()
    effects_title: str = ""
    names: Sequence[str] = ()
    error: CloudError | None = None
    # The role cannot read the present state, or the subject is in another instance.
    is_unreadable: bool = False


def read_subject(request: ApprovalRequest, gateway: Gateway) -> Subject:
    """Read the subject. Makes up to 3 calls; for a list of objects, one call for each of the first 100. Raises RequestAltered,
    Undecryptable."""
    calls = request.planned_calls
    rule = request.declared_rule
    description = _NO_DESCRIPTION if rule is None else rule.description_of(request.operation)
    outcomes = {outcome.number: outcome for outcome in request.outcomes.all()}
    subject = Subject(
        rows=[
            _read_row(number, call, outcomes.get(number), description) for number, call in enumerate(calls)
        ],
        effects=_list_effects(description, calls),
        effects_title=str(description.effects_title),
        names=calls[0].listed_names or calls[0].params.get(description.names_param, ()),
    )
    if rule is None or calls[0].params.get("IotInstanceId") not in (None, "", gateway.connection.instance_id):
        return replace(subject, is_unreadable=True)
    try:
        if description.items is not None:
            items = description.items.read(gateway, calls)
            rows = [replace(row, item=item) for row, item in zip(subject.rows, items, strict=False)]
            return replace(subject, rows=[*rows, *subject.rows[len(rows) :]])
        if description.read_details is not None:
            return replace(subject, details=description.read_details(gateway, calls[0]))
    except CloudError as error:
        return replace(subject, error=error)
    except PermissionRefused:
        return replace(subject, is_unreadable=True)
    return subject


def _list_effects(description: Description, calls: Sequence[PlannedCall]) -> list[str]:
    """The effects of all calls, each sentence once."""
    if description.list_effects is None:
        return []
    return list(dict.fromkeys(effect for call in calls for effect in description.list_effects(call)))


def _read_row(
    number: int, call: PlannedCall, outcome: ApprovalCall | None, description: Description
) -> CallRow:
    return CallRow(
        number=number,
        details=[
            _detail_item(name, value)
            for name, value in call.params.items()
            if name != description.names_param  # is shown separately
        ],
        outcome=outcome,
        item=description.items.from_call(call) if description.items is not None else None,
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
