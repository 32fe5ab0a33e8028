"""The gateway: the only code that calls the cloud.

Every call, one or many, from a page, a worker, the HTTP API or the explorer, passes these steps in order (`Gateway._run`):
permission of the actor's role for the operation → validation against the catalogue → access scope of the actor's membership →
recent re-authentication (reveals) → approval, if a rule of the team requires it (writes) → audit record opened (writes,
reveals) → limit of waiting requests (web processes) → quota lane → sign, send, retry → error mapped → audit record closed →
cache. A view cannot skip a check, because there is no other way to call the cloud.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

from django.http import HttpRequest
from django.utils.translation import gettext as _

from console.accounts.models import Membership, User
from console.accounts.roles import VIEWER
from console.audit.models import AuditRecord
from console.audit.records import Origin, close_record
from console.connections import approval as approvals
from console.connections import scope
from console.connections.cache import FactCache
from console.connections.calls import Call, drop_missing, find_parameter_error
from console.connections.execution import execute_calls, open_call_record
from console.connections.models import Connection
from console.connections.pools import run_in_parallel
from console.connections.refusals import ConnectionOutOfScope, OutOfScope, PermissionRefused
from console.connections.sending import Sender
from console.sign_in.reauthentication import ReauthenticationNeeded
from iot_client import paging
from iot_client.catalogue import Operation, operation
from iot_client.errors import CloudError
from iot_client.quota import Lane
from iot_client.trace import Trace

__all__ = ["Call", "ConnectionOutOfScope", "Gateway", "OutOfScope", "PermissionRefused"]

Result = TypeVar("Result")
Response = dict[str, Any]
CONSOLE_ACTOR = "Fleetdesk"
"""Who makes the periodic reads, in the counts of reads."""


class Gateway:
    """Calls operations for one actor on one connection. Cheap to create: each request and each job step has its own.

    Code outside this module creates it by `for_request`, `for_job` or `for_console`, and derives others by `in_background` or `with_approval`.
    """

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
        self.sender = Sender(connection, lane)
        # None for a membership without an access scope, which needs no checks.
        self.scope = (
            scope.ScopeGuard(
                membership.access_scopes, connection.instance_id, self._look_up, FactCache(connection)
            )
            if membership.access_scopes
            else None
        )

    @classmethod
    def for_request(
        cls,
        request: HttpRequest,
        membership: Membership,
        connection: Connection,
        *,
        reauthenticated: bool = False,
    ) -> Gateway:
        """The gateway of a member's or a program's request. Raises ConnectionOutOfScope."""
        return cls(
            actor=membership.user,
            membership=membership,
            connection=connection,
            origin=Origin.from_request(request),
            reauthenticated=reauthenticated,
        )

    @classmethod
    def for_job(cls, actor: User, membership: Membership, connection: Connection, origin: Origin) -> Gateway:
        """The gateway of a job step. Calls wait in the background lane. The actor confirmed their identity when they started a
        job that reads secrets. Raises ConnectionOutOfScope."""
        return cls(
            actor=actor,
            membership=membership,
            connection=connection,
            lane=Lane.BACKGROUND,
            origin=origin,
            reauthenticated=True,
        )

    @classmethod
    def for_console(cls, connection: Connection) -> Gateway:
        """The gateway of the console itself, for periodic reads. It has the rights of a viewer, and its calls wait in the background
        lane. Its reads are counted under the name of the console."""
        console = User(email=CONSOLE_ACTOR)
        membership = Membership(team=connection.team, user=console, role_slug=VIEWER)
        return cls(actor=console, membership=membership, connection=connection, lane=Lane.BACKGROUND)

    def in_background(self) -> Gateway:
        """A gateway of the same actor whose calls wait behind interactive ones. It reveals no secrets."""
        return self._derive(lane=Lane.BACKGROUND)

    def with_approval(self, approval: approvals.Approval) -> Gateway:
        """A gateway of the same actor that allows exactly the approved writes. It reveals no secrets."""
        return self._derive(lane=self.lane, approval=approval)

    def _derive(self, *, lane: Lane, approval: approvals.Approval | None = None) -> Gateway:
        return Gateway(
            actor=self.actor,
            membership=self.membership,
            connection=self.connection,
            lane=lane,
            origin=self.origin,
            approval=approval or self.approval,
        )

    @property
    def call_count(self) -> int:
        """The number of calls to the cloud so far, without cached responses."""
        return self.sender.call_count

    @property
    def waited_seconds(self) -> float:
        """The seconds spent waiting for the quotas so far."""
        return self.sender.waited_seconds

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
        self._check_scope([Call(name, drop_missing(params))])

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
    ) -> Response:
        """Call an operation and return its response. Secrets, also those in `trace`, are masked unless `reveal`.

        The other arguments are explained at `Call`. Reads are counted (console/audit/read_counts.py). Raises
        PermissionRefused, ReauthenticationNeeded (for `reveal`), ApprovalNeeded, or a subclass of CloudError; InvalidParameter,
        before anything is sent, if a parameter violates the catalogue.
        """
        (outcome,) = self._run(
            [
                Call(
                    name,
                    params,
                    target=target,
                    reveal=reveal,
                    fresh=fresh,
                    trace=trace,
                    listed_names=tuple(listed_names),
                    before=before,
                )
            ]
        )
        if isinstance(outcome, CloudError):
            raise outcome
        return outcome

    def call_each(
        self,
        name: str,
        many: Sequence[Mapping[str, Any]],
        *,
        target: str = "",
        targets: Sequence[str] = (),
        reveal: bool = False,
    ) -> list[Response | CloudError]:
        """Call an operation for several objects, a few in parallel. Returns the responses in order, with an error in the place of
        a call that failed.

        Each write has its own audit record, with `target`, or its own one of `targets`, if the parameters do not name one. Raises
        PermissionRefused, ReauthenticationNeeded and ApprovalNeeded before the first call.
        """
        each = zip(many, targets or [target] * len(many), strict=True)
        return self._run([Call(name, params, target=one, reveal=reveal) for params, one in each])

    def gather(self, calls: Sequence[Call], *, fresh: bool = False) -> list[Response | CloudError]:
        """Run several reads, also of different operations, in parallel. Returns the responses in order, with an error in the place
        of a call that failed. Raises PermissionRefused."""
        for call in calls:
            if call.is_recorded:
                raise ValueError(f"{call.operation} is not a read, or reveals secrets")
        self.require(*(call.operation for call in calls))

        def one(call: Call) -> Response | CloudError:
            try:
                return self._run([replace(call, fresh=fresh or call.fresh)])[0]
            except CloudError as error:  # the access scope could not be checked
                return error

        # Reads do not use the database, so the threads open no database connection that no code would close.
        return run_in_parallel([partial(one, call) for call in calls])

    def read_pages(
        self, name: str, *, reveal: bool = False, start: paging.Position | None = None, **params: Any
    ) -> Iterator[paging.Page[Response]]:
        """Yields the pages of a paged read, each fetched when needed: all of them, or those from `start` on, the position of an
        earlier page. Raises the errors of `call`; LimitExceeded beyond the last page that the platform returns."""
        return paging.read_pages(
            operation(name),
            lambda **page: self.call(name, reveal=reveal, fresh=True, **page),
            {**params, **(start or {})},
        )

    # -- the steps of calls of one operation ---------------------------------------------------------------------------

    def _run(self, calls: Sequence[Call]) -> list[Response | CloudError]:
        """Pass calls of one operation through all steps. Returns the responses in order, with an error in the place of a call
        that violates the catalogue or that failed.

        All calls are checked before the first one is sent. Raises the errors of these checks: a refusal of one call refuses all,
        and is recorded once.
        """
        if not calls:
            return []
        calls = [replace(call, params=drop_missing(call.params)) for call in calls]
        self._check_role(calls[0])
        errors = [find_parameter_error(call) for call in calls]
        valid = [call for call, error in zip(calls, errors, strict=True) if error is None]
        if valid:
            self._check_scope(valid, is_attempt=True)
            if valid[0].reveal and not self.reauthenticated:
                raise ReauthenticationNeeded
            approvals.check_approval(self, valid)
        outcomes: Iterator[Response | CloudError] = iter(execute_calls(self, valid))
        return [next(outcomes) if error is None else error for error in errors]

    def _check_role(self, call: Call) -> None:
        """Raises PermissionRefused, and records it for a write or a reveal, if the role does not allow the operation."""
        if not self._is_allowed(call.definition, reveal=call.reveal):
            refusal = self._refusal(call.definition, reveal=call.reveal)
            if call.is_recorded:
                self.record_refusal(refusal, call.target, call.params)
            raise refusal

    def _check_scope(self, calls: Sequence[Call], *, is_attempt: bool = False) -> None:
        """Raises OutOfScope if one of the calls is outside the access scope, and records an attempted write or reveal. Raises
        CloudError if the scope cannot be checked."""
        call, definition = calls[0], calls[0].definition
        all_params = [one.params for one in calls]
        try:
            self.apply_scope(definition, lambda guard: guard.prepare(definition, all_params))
            for call in calls:
                self.apply_scope(definition, partial(_check_call, call))
        except OutOfScope as refusal:
            if is_attempt and call.is_recorded:
                self.record_refusal(refusal, call.target, call.params)
            raise

    def record_refusal(
        self, refusal: PermissionRefused, target: str = "", params: Mapping[str, Any] | None = None
    ) -> None:
        """Record in the audit trail that a call of the actor was refused. Does so once for each refusal."""
        if not refusal.is_recorded:
            record = open_call_record(self, Call(refusal.operation.name, params or {}, target))
            close_record(record, AuditRecord.Outcome.REFUSED, message=str(refusal))
            refusal.is_recorded = True

    # -- access scope ----------------------------------------------------------------------------------------

    def search_bounds(self) -> list[str]:
        """The conditions that limit a QueryDeviceBySQL to the access scope. A search makes one call for each condition.

        [""] without limits. Raises OutOfScope if there are too many conditions.
        """
        conditions = self.apply_scope(operation("QueryDeviceBySQL"), scope.search_bounds)
        return [""] if conditions is None else conditions

    def apply_scope(self, definition: Operation, use: Callable[[scope.ScopeGuard], Result]) -> Result | None:
        """The result of `use` with the scope guard; None without one. Raises OutOfScope and CloudError."""
        try:
            return None if self.scope is None else use(self.scope)
        except scope.NotInScope as error:
            raise OutOfScope(definition, error.text) from None

    def _look_up(self, reads: Sequence[scope.ReadCall]) -> list[Response | CloudError]:
        """Run the reads that the scope guard needs. They skip the permission check, because no user sees their responses."""

        def one(read: scope.ReadCall) -> Response | CloudError:
            name, params = read
            try:
                return self.sender.read(operation(name), params)
            except CloudError as error:
                return error

        return run_in_parallel([partial(one, read) for read in reads], "scope")


def _check_call(call: Call, guard: scope.ScopeGuard) -> None:
    guard.check(call.definition, call.params)
