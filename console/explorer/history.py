"""The call history of each user: which calls and which of their parameters are stored."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from console.accounts.models import User
from console.audit.models import AuditRecord
from console.connections.models import Connection
from console.explorer.models import ExplorerCall
from iot_client.catalogue import Operation
from iot_client.errors import CloudError

MAX_CALLS = 200
"""Calls that are stored for each user on each connection."""
MAX_VALUE_LENGTH = 4_000
"""Characters of a value as JSON. A longer value (such as an entire thing model) is not stored."""


def record_call(
    user: User,
    connection: Connection,
    operation: Operation,
    params: Mapping[str, Any],
    *,
    error: CloudError | None = None,
    refused: bool = False,
    request_id: str = "",
    milliseconds: int | None = None,
) -> ExplorerCall:
    """Add a call to the user's history, and delete the oldest calls beyond MAX_CALLS."""
    parameters, omitted = split_parameters(operation, params)
    call: ExplorerCall = ExplorerCall.objects.create(
        user=user,
        connection=connection,
        operation=operation.name,
        parameters=parameters,
        omitted_parameters=omitted,
        outcome=AuditRecord.Outcome.REFUSED if refused else _find_outcome(error),
        code=error.code if error else "",
        request_id=request_id,
        milliseconds=milliseconds,
    )
    calls = ExplorerCall.objects.for_user(user, connection)
    oldest = calls.values_list("id", flat=True)[MAX_CALLS : MAX_CALLS + 1].first()
    if oldest is not None:
        calls.filter(id__lte=oldest).delete()
    return call


def _find_outcome(error: CloudError | None) -> AuditRecord.Outcome:
    if error is None:
        return AuditRecord.Outcome.DONE
    return AuditRecord.Outcome.UNKNOWN if error.is_outcome_unknown else AuditRecord.Outcome.FAILED


def split_parameters(operation: Operation, params: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return the parameters of a call that may be stored, and the names of the others."""
    stored, omitted = {}, []
    for name, value in params.items():
        parameters = [p for p in operation.parameters.values() if p.base == name]
        if not any(p.sensitive for p in parameters) and _is_short(value):
            stored[name] = value
        else:
            omitted.append(name)
    return stored, omitted


def _is_short(value: Any) -> bool:
    return len(json.dumps(value)) <= MAX_VALUE_LENGTH
