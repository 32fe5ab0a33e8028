"""Executes calls that passed the checks of the gateway: opens their audit records, sends them, closes the records, and prepares what
the actor may see of the responses."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextvars import copy_context
from functools import partial
from typing import TYPE_CHECKING, Any

from console.accounts.encryption import Undecryptable
from console.audit import read_counts
from console.audit.models import AuditRecord
from console.audit.records import close_record, open_record
from console.connections import scope
from console.connections.calls import Call
from console.connections.masking import mask_response, mask_trace
from console.connections.pools import pool
from iot_client.catalogue import Access
from iot_client.errors import CloudError, read_request_id

if TYPE_CHECKING:
    from console.connections.gateway import Gateway

Response = dict[str, Any]
Receive = Callable[[], Response]
"""Waits for a response and returns it. Raises CloudError, Undecryptable."""
_SENT_AT_ONCE = 8


def execute_calls(gateway: Gateway, calls: Sequence[Call]) -> list[Response | CloudError]:
    """Execute calls: one in this thread, several in parallel. Returns the responses in order, with an error in the place of a call
    that failed. Other threads only send; this thread writes the audit records, with its database connection."""
    if len(calls) == 1:
        return _execute_together(gateway, calls, _send_here)
    outcomes: list[Response | CloudError] = []
    for start in range(0, len(calls), _SENT_AT_ONCE):
        outcomes += _execute_together(gateway, calls[start : start + _SENT_AT_ONCE], _send_in_pool)
    return outcomes


def open_call_record(gateway: Gateway, call: Call) -> AuditRecord:
    """Open the audit record of a call."""
    approval = gateway.approval
    return open_record(
        operation=call.operation,
        actor=gateway.actor,
        team=gateway.membership.team,
        origin=gateway.origin,
        target=call.target or call.definition.find_target(call.params),
        parameters={**call.params, **(approval.audit_parameters if approval else {})},
        before=call.before,
        connection=gateway.connection.slug,
    )


def _execute_together(
    gateway: Gateway, calls: Sequence[Call], send: Callable[[Receive], Receive]
) -> list[Response | CloudError]:
    """Start all calls, then wait for their responses. An error other than CloudError is raised after the audit records of all calls
    that were started are closed."""
    started: list[Receive] = []
    outcomes: list[Response | CloudError] = []
    unexpected: list[Exception] = []
    for call in calls:
        try:
            started.append(_start(gateway, call, send))
        except Exception as error:
            unexpected.append(error)
            break
    for finish in started:
        try:
            outcomes.append(finish())
        except CloudError as error:
            outcomes.append(error)
        except Exception as error:
            unexpected.append(error)
    if unexpected:
        raise unexpected[0]
    return outcomes


def _start(gateway: Gateway, call: Call, send: Callable[[Receive], Receive]) -> Receive:
    """Open the audit record of a call, or count the read, and start to send it. Returns the function that waits for the response,
    closes the record and returns what the caller gets."""
    definition = call.definition
    if not call.is_recorded:
        read = (gateway.actor.email, gateway.origin.token, gateway.connection.slug, call.operation)
        read_counts.count_read(gateway.membership.team.pk, *read)
    composed = gateway.apply_scope(
        definition, lambda guard: scope.compose_response(guard, definition, call.params)
    )
    if composed is not None:
        if call.trace is not None:
            call.trace.is_body_hidden = True  # the response is composed of several responses
        return partial(mask_response, definition, composed)
    record = open_call_record(gateway, call) if call.is_recorded else None
    return partial(_finish, gateway, call, record, send(partial(gateway.sender.exchange, call)))


def _finish(gateway: Gateway, call: Call, record: AuditRecord | None, receive: Receive) -> Response:
    """Wait for the response, close the audit record, and return what the actor may see of the response."""
    definition = call.definition
    try:
        response = receive() if record is None else _record_outcome(record, receive)
    finally:
        if definition.access is not Access.READ:
            gateway.sender.reads.clear()
            if gateway.scope is not None:
                gateway.scope.forget_groups()
        if call.trace is not None and not call.reveal:
            mask_trace(definition, call.trace)
    if gateway.scope is not None:
        if call.trace is not None and scope.may_alter(gateway.scope, definition):
            call.trace.body, call.trace.is_body_hidden = b"", True
        filtered = gateway.apply_scope(
            definition, lambda guard: scope.filter_response(guard, definition, response)
        )
        response = filtered or {}
    return response if call.reveal else mask_response(definition, response)


def _record_outcome(record: AuditRecord, receive: Receive) -> Response:
    """Wait for the response, close the record with the outcome, and return the response or raise its error."""
    try:
        response = receive()
    except CloudError as error:
        # The platform may have carried out the call. It is not repeated, and the audit trail says so.
        close_record(
            record,
            AuditRecord.Outcome.UNKNOWN if error.is_outcome_unknown else AuditRecord.Outcome.FAILED,
            code=error.code,
            message=error.message,
            request_id=error.request_id,
        )
        raise
    except Undecryptable:
        close_record(record, AuditRecord.Outcome.FAILED, code="Undecryptable")
        raise
    except BaseException as error:
        close_record(record, AuditRecord.Outcome.UNKNOWN, code=type(error).__name__)
        raise
    close_record(record, AuditRecord.Outcome.DONE, request_id=read_request_id(response))
    return response


def _send_here(exchange: Receive) -> Receive:
    """Returns the function itself, which sends when the response is waited for."""
    return exchange


def _send_in_pool(exchange: Receive) -> Receive:
    """Start to send in another thread. Returns the function that waits for the response."""
    return pool().submit(copy_context().run, exchange).result
