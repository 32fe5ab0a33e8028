"""The gateway: the only code that calls the cloud.

Every call, from a page, a worker, the HTTP API or the explorer, passes these steps in order: permission of the actor's role
for the operation → validation against the catalogue → access scope of the actor's membership → recent re-authentication
(reveals) → approval, if a rule of the team requires it (writes) → audit record opened (writes, reveals) → quota lane → sign,
send, retry → error mapped → audit record closed → cache. A view cannot skip a check, because there is no other way to call
the cloud.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextvars import copy_context
from functools import partial
from typing import Any, TypeVar

from django.conf import settings
from django.utils.translation import gettext as _

from console.access.audit import Origin, close_record, open_record, read_counts
from console.access.encryption import Undecryptable
from console.access.models import AuditRecord, Membership, User
from console.access.reauthentication import ReauthenticationNeeded
from console.connections import approval as approvals
from console.connections import scope
from console.connections.cache import FactCache, ReadCache
from console.connections.calls import Call, check_response, drop_missing, find_target
from console.connections.clients import client_for, quota
from console.connections.masking import mask_response, mask_trace
from console.connections.models import Connection
from console.connections.pools import pool
from console.connections.refusals import ConnectionOutOfScope, OutOfScope, PermissionRefused
from iot_client import paging
from iot_client.catalogue import Access, Operation, operation, validate
from iot_client.errors import BadResponse, CloudError, InvalidParameter, Unavailable
from iot_client.quota import Lane
from iot_client.trace import Trace

__all__ = ["Call", "ConnectionOutOfScope", "Gateway", "OutOfScope", "PermissionRefused"]

Result = TypeVar("Result")
_BACKGROUND_WAIT_SECONDS = 120.0
_WRITES_AT_ONCE = 8


class Gateway:
    """Calls operations for one actor on one connection. Cheap to create: each request and each job step has its own."""

    def __init__(
        self,
        *,
        actor: User,
        membership: Membership,
        connection: Connection,
        lane: Lane = Lane.PEOPLE,
        origin: Origin | None = None,
        reauthenticated: bool = False,
        approval: approvals.Approval | None = None,
    ) -> None:
        if membership.team_id != connection.team_id or membership.user_id != actor.pk:
            raise ValueError(
                "The membership does not belong to the actor, or not to the team of the connection."
            )
        if not membership.includes_connection(connection.pk):
            raise ConnectionOutOfScope(_("Your access scope does not include this connection."))
        self.actor = actor
        self.membership = membership
        self.connection = connection
        self.lane = lane
        self.origin = origin or Origin()
        # Whether the actor confirmed their identity recently. Without it, no secret is revealed.
        self.reauthenticated = reauthenticated
        self.approval = approval
        self.reads = ReadCache(connection)
        # None for a membership without an access scope, which needs no checks.
        self.scope = (
            scope.ScopeGuard(
                membership.access_scopes, connection.instance_id, self._look_up, FactCache(connection)
            )
            if membership.access_scopes
            else None
        )
        self.call_count = 0  # calls to the cloud, without cached responses
        self.waited_seconds = 0.0  # seconds spent waiting for the quotas
        self._counting = threading.Lock()

    @property
    def limited_scope(self) -> scope.ScopeGuard | None:
        """The actor's scope guard if the access scope is limited to some products or groups; else None."""
        return self.scope if self.scope is not None and self.scope.is_limited else None

    # -- permission ------------------------------------------------------------------------------------------------------

    def allows(self, name: str) -> bool:
        """Whether the actor may call the operation for at least some objects in their access scope."""
        return self._is_allowed(operation(name), reveal=False)

    def require(self, *names: str) -> None:
        """Raises PermissionRefused unless the actor may call all these operations."""
        for name in names:
            if not self.allows(name):
                raise self._refusal(operation(name), reveal=False)

    def require_in_scope(self, name: str, **params: Any) -> None:
        """Raises PermissionRefused unless the actor may make this call, as far as its parameters are known yet."""
        self.require(name)
        self._check_scope(operation(name), drop_missing(params), target=None)

    def require_secrets(self, *names: str) -> None:
        """Raises PermissionRefused unless the actor may view the secrets in the responses of all these operations."""
        for name in names:
            if not self.reveals(name):
                raise self._refusal(operation(name), reveal=True)

    def reveals(self, name: str) -> bool:
        """Whether the actor may view the secrets in the operation's response."""
        return self._is_allowed(operation(name), reveal=True)

    def _is_allowed(self, definition: Operation, *, reveal: bool) -> bool:
        return self._role_allows(definition, reveal=reveal) and (
            self.scope is None or self.scope.may_admit(definition)
        )

    def _role_allows(self, definition: Operation, *, reveal: bool) -> bool:
        role = self.membership.role
        if reveal and self.membership.token is not None:
            return False  # a program cannot confirm the identity of a user
        return self.actor.is_active and (role.reveals(definition) if reveal else role.allows(definition))

    def _refusal(self, definition: Operation, *, reveal: bool) -> PermissionRefused:
        if self.scope is not None and self._role_allows(definition, reveal=reveal):
            return OutOfScope(definition, self.scope.refusal_text)
        return PermissionRefused(definition, self.membership, reveal=reveal)

    # -- calling -----------------------------------------------------------------------------------------------------

    def call(
        self,
        name: str,
        *,
        target: str = "",
        reveal: bool = False,
        fresh: bool = False,
        trace: Trace | None = None,
        listed_names: Sequence[str] = (),
        before: Mapping[str, Any] | None = None,
        **params: Any,
    ) -> dict[str, Any]:
        """Call an operation and return its response. Secrets are masked unless `reveal`.

        `target`: the target for the audit trail. `fresh`: skip the read cache. `trace`: filled with the request and the
        response, with secrets masked as in the response; it also skips the cache. `listed_names`: the names in the file at
        DnListFileUrl, if the caller wrote that file. `before`: the values before an edit, by parameter, for the audit trail.
        Reads are counted (console/access/audit/read_counts.py). Raises PermissionRefused, ReauthenticationNeeded (for
        `reveal`), ApprovalNeeded, or a subclass of CloudError; InvalidParameter, before anything is sent, if a parameter
        violates the catalogue.
        """
        definition = operation(name)
        params = drop_missing(params)
        recorded = definition.access is not Access.READ or reveal
        if not self._is_allowed(definition, reveal=reveal):
            refusal = self._refusal(definition, reveal=reveal)
            if recorded:
                self.record_refusal(refusal, target, params)
            raise refusal
        problems = validate(definition, params)
        if problems:
            raise InvalidParameter.from_problems(name, problems)
        self._check_scope(definition, params, target=target if recorded else None)
        if reveal and not self.reauthenticated:
            raise ReauthenticationNeeded
        approvals.check_approval(
            self, definition, [approvals.PlannedCall(name, params, tuple(listed_names))], target
        )
        if not recorded:
            read = (self.actor.email, self.origin.token, self.connection.slug, name)
            read_counts.count_read(self.membership.team.pk, *read)
        composed = self._apply_scope(
            definition, lambda guard: scope.compose_response(guard, definition, params)
        )
        if composed is not None:
            if trace is not None:
                trace.is_body_hidden = True  # the response is composed of several responses
            return mask_response(definition, composed)
        send = self._make_sender(definition, params, trace)
        try:
            if recorded:
                response = self._record_outcome(
                    self._open_record(definition, target, params, before), definition, send
                )
            elif trace is not None:
                response = send()
            else:
                response = self._read_cached(definition, params, fresh)
        finally:
            if trace is not None and not reveal:
                mask_trace(definition, trace)
        if self.scope is not None and scope.may_alter(self.scope, definition):
            response = (
                self._apply_scope(
                    definition, lambda guard: scope.filter_response(guard, definition, response)
                )
                or {}
            )
            if trace is not None:
                trace.body, trace.is_body_hidden = b"", True
        return response if reveal else mask_response(definition, response)

    def read_pages(self, name: str, *, reveal: bool = False, **params: Any) -> Iterator[dict[str, Any]]:
        """Yields every page of a paged read, each fetched when needed. Raises the errors of `call`; LimitExceeded beyond the
        last page that the platform returns."""
        return paging.iterate_pages(
            operation(name), lambda **page: self.call(name, reveal=reveal, fresh=True, **page), params
        )

    def gather(self, calls: Sequence[Call], *, fresh: bool = False) -> list[dict[str, Any] | CloudError]:
        """Run several reads in parallel. Returns the responses in order, with an error in the place of a call that failed.
        Raises PermissionRefused."""
        for call in calls:
            if operation(call.operation).access is not Access.READ:
                raise ValueError(f"{call.operation} is not a read")
        self.require(*(call.operation for call in calls))

        def one(call: Call) -> dict[str, Any] | CloudError:
            try:
                return self.call(call.operation, fresh=fresh, **call.params)
            except CloudError as error:
                return error

        if len(calls) == 1:
            return [one(calls[0])]
        # Reads do not use the database, so the threads open no database connection that no code would close.
        futures = [pool().submit(copy_context().run, one, call) for call in calls]
        return [future.result() for future in futures]

    def call_each(self, name: str, many: Sequence[Mapping[str, Any]]) -> list[dict[str, Any] | CloudError]:
        """Run the same write for several objects, a few in parallel. Returns the responses in order, with an error in the place
        of a call that failed.

        Each call has its own audit record. Raises PermissionRefused and ApprovalNeeded before the first call.
        """
        definition = operation(name)
        if not self.allows(name) and many:
            self.call(name, **many[0])
        planned = [approvals.PlannedCall(name, drop_missing(one)) for one in many]
        self._check_scope(definition, *(call.params for call in planned), target="")
        approvals.check_approval(
            self, definition, [one for one in planned if not validate(definition, one.params)]
        )
        responses: list[dict[str, Any] | CloudError] = []
        for start in range(0, len(many), _WRITES_AT_ONCE):
            responses += self._call_several(definition, many[start : start + _WRITES_AT_ONCE])
        return responses

    def _call_several(
        self, definition: Operation, many: Sequence[Mapping[str, Any]]
    ) -> list[dict[str, Any] | CloudError]:
        """Run writes in parallel. Other threads only send; this thread writes the audit records, with its database connection."""
        senders: list[Callable[[], dict[str, Any]]] = []
        for one in many:
            params = drop_missing(one)
            problems = validate(definition, params)
            if problems:
                senders.append(partial(_raise, InvalidParameter.from_problems(definition.name, problems)))
                continue
            record = self._open_record(definition, "", params)
            future = pool().submit(copy_context().run, self._send, definition, params)
            senders.append(partial(self._record_outcome, record, definition, future.result))
        responses: list[dict[str, Any] | CloudError] = []
        for send in senders:
            try:
                responses.append(mask_response(definition, send()))
            except CloudError as error:
                responses.append(error)
        return responses

    # -- access scope ----------------------------------------------------------------------------------------

    def search_bounds(self) -> list[str]:
        """The conditions that limit a QueryDeviceBySQL to the access scope. A search makes one call for each condition.

        [""] without limits. Raises OutOfScope if there are too many conditions.
        """
        conditions = self._apply_scope(operation("QueryDeviceBySQL"), scope.search_bounds)
        return [""] if conditions is None else conditions

    def _check_scope(self, definition: Operation, *calls: Mapping[str, Any], target: str | None) -> None:
        """Raises OutOfScope if one of the calls is outside the access scope, and records it under `target` unless that is None."""
        params: Mapping[str, Any] = calls[0] if calls else {}
        try:
            self._apply_scope(definition, lambda guard: guard.prepare(definition, calls))
            for params in calls:
                self._apply_scope(definition, partial(_check_call, definition, params))
        except OutOfScope as refusal:
            if target is not None:
                self.record_refusal(refusal, target, params)
            raise

    def _apply_scope(self, definition: Operation, use: Callable[[scope.ScopeGuard], Result]) -> Result | None:
        """The result of `use` with the scope guard; None without one. Raises OutOfScope and CloudError."""
        try:
            return None if self.scope is None else use(self.scope)
        except scope.NotInScope as error:
            raise OutOfScope(definition, error.text) from None

    def _look_up(self, reads: Sequence[scope.ReadCall]) -> list[dict[str, Any] | CloudError]:
        """Run the reads that the scope guard needs. They skip the permission check, because no user sees their responses."""

        def one(read: scope.ReadCall) -> dict[str, Any] | CloudError:
            name, params = read
            try:
                return self._read_cached(operation(name), dict(params), False)
            except CloudError as error:
                return error

        if len(reads) == 1:
            return [one(reads[0])]
        futures = [pool("scope").submit(copy_context().run, one, read) for read in reads]
        return [future.result() for future in futures]

    # -- steps of a call ---------------------------------------------------------------------------------------------------

    def _record_outcome(
        self, record: AuditRecord, definition: Operation, send: Callable[[], dict[str, Any]]
    ) -> dict[str, Any]:
        """Run `send`, write its outcome into the audit record, and return its response or raise its error."""
        try:
            response = send()
        except CloudError as error:
            # The platform may have carried out the call. It is not repeated, and the audit trail says so.
            is_unknown = (isinstance(error, Unavailable) and error.sent) or isinstance(error, BadResponse)
            close_record(
                record,
                AuditRecord.Outcome.UNKNOWN if is_unknown else AuditRecord.Outcome.FAILED,
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
        finally:
            if definition.access is not Access.READ:
                self.reads.clear()
                if self.scope is not None:
                    self.scope.forget_groups()
        close_record(record, AuditRecord.Outcome.DONE, request_id=str(response.get("RequestId", "")))
        return response

    def _read_cached(self, definition: Operation, params: dict[str, Any], fresh: bool) -> dict[str, Any]:
        cached = self.reads.find(definition, params) if self.lane is Lane.PEOPLE else None
        if not fresh and cached is not None and cached.response is not None:
            return cached.response
        response = self._send(definition, params)
        if cached is not None:
            self.reads.store(cached, mask_response(definition, response))
        return response

    def _make_sender(
        self, definition: Operation, params: dict[str, Any], trace: Trace | None
    ) -> Callable[[], dict[str, Any]]:
        if trace is None:
            return lambda: self._send(definition, params)

        def send_traced() -> dict[str, Any]:
            account, qps = self.connection.quota_account, definition.qps_for(params)
            trace.quota, trace.waited_seconds = qps, self._wait_for_turn(definition, params)
            trace.remaining = quota().count_remaining(account, definition.name, qps)
            return check_response(
                definition, client_for(self.connection).call(definition.name, trace, **params)
            )

        return send_traced

    def _send(self, definition: Operation, params: dict[str, Any]) -> dict[str, Any]:
        client = client_for(self.connection)
        self._wait_for_turn(definition, params)
        return check_response(definition, client.call(definition.name, **params))

    def _wait_for_turn(self, definition: Operation, params: dict[str, Any]) -> float:
        """Wait until the quota allows the call. Returns the seconds waited. Raises QuotaTimeout."""
        wait = settings.CLOUD_QUOTA_WAIT_SECONDS if self.lane is Lane.PEOPLE else _BACKGROUND_WAIT_SECONDS
        account = self.connection.quota_account
        waited = quota().acquire(
            account, definition.name, definition.qps_for(params), self.lane, timeout=wait
        )
        with self._counting:
            self.waited_seconds += waited
            self.call_count += 1
        return waited

    def record_refusal(
        self, refusal: PermissionRefused, target: str = "", params: Mapping[str, Any] | None = None
    ) -> None:
        """Record in the audit trail that a call of the actor was refused. Does so once for each refusal."""
        if not refusal.is_recorded:
            record = self._open_record(refusal.operation, target, params or {})
            close_record(record, AuditRecord.Outcome.REFUSED, message=str(refusal))
            refusal.is_recorded = True

    def _open_record(
        self,
        definition: Operation,
        target: str,
        params: Mapping[str, Any],
        before: Mapping[str, Any] | None = None,
    ) -> AuditRecord:
        return open_record(
            operation=definition.name,
            actor=self.actor,
            team=self.membership.team,
            origin=self.origin,
            target=target or find_target(definition, params),
            parameters={**params, **(self.approval.audit_parameters if self.approval else {})},
            before=before,
            connection=self.connection.slug,
        )


def _check_call(definition: Operation, params: Mapping[str, Any], guard: scope.ScopeGuard) -> None:
    guard.check(definition, params)


def _raise(error: CloudError) -> dict[str, Any]:
    raise error
