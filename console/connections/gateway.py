"""The one door to the cloud.

Every call, from a page, a worker or the explorer, passes in order: permission of the actor's role for the operation →
validation against the catalogue → within reach of the actor's membership → lately confirmed identity (reveals) → no rule
asks for a second person, or they agreed (writes) → audit record opened (writes, reveals) → quota lane → sign, send, retry →
error mapped → audit record closed → cache. A view cannot forget a check, because there is no other way out.
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
from console.cloud import paging
from console.cloud.catalogue import Access, Operation, operation, validate
from console.cloud.errors import BadAnswer, CloudError, InvalidParameter, Unavailable
from console.cloud.quota import Lane
from console.cloud.trace import Trace
from console.connections import approval as approvals
from console.connections import scope
from console.connections.cache import Facts, Reads
from console.connections.calls import Call, fitting, given, named_by
from console.connections.clients import client_for, quota
from console.connections.masking import mask_trace, masked
from console.connections.models import Connection
from console.connections.pools import pool
from console.connections.refusals import ConnectionOutOfScope, OutOfScope, PermissionRefused

__all__ = ["Call", "ConnectionOutOfScope", "Gateway", "OutOfScope", "PermissionRefused"]

Judged = TypeVar("Judged")
_BACKGROUND_WAIT_SECONDS = 120.0
_WRITERS = 8


class Gateway:
    """Calls operations for one actor on one connection. Cheap to make: one for each request or job step."""

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
            raise ValueError("The membership is not the actor's in the connection's team.")
        if not membership.includes_connection(connection.pk):
            raise ConnectionOutOfScope(_("Your access in this team is limited to other connections."))
        self.actor = actor
        self.membership = membership
        self.connection = connection
        self.lane = lane
        self.origin = origin or Origin()
        # Whether the actor showed lately that it is they: without it no secret is revealed.
        self.reauthenticated = reauthenticated
        self.approval = approval
        self.reads = Reads(connection)
        # None for a membership of the whole team, which pays nothing for it.
        self.scope = (
            scope.ScopeGuard(
                membership.access_scopes, connection.instance_id, self._look_up, Facts(connection)
            )
            if membership.access_scopes
            else None
        )
        self.calls = 0  # upstream calls made, cache answers not counted
        self.waited = 0.0  # seconds spent waiting for a turn under the quotas
        self._counting = threading.Lock()

    @property
    def limits(self) -> scope.ScopeGuard | None:
        """The actor's scope, where only some products or groups are within it."""
        return self.scope if self.scope is not None and self.scope.limited else None

    # -- asking ------------------------------------------------------------------------------------------------------

    def allows(self, name: str) -> bool:
        """Whether the actor's role may call the operation, about something within their reach."""
        return self._may(operation(name), reveal=False)

    def require(self, *names: str) -> None:
        """Raises PermissionRefused unless the actor may call all these operations."""
        for name in names:
            if not self.allows(name):
                raise self._refusal(operation(name), reveal=False)

    def require_in_scope(self, name: str, **params: Any) -> None:
        """Raises PermissionRefused unless the actor may make this very call; so much of it as is known."""
        self.require(name)
        self._check_scope(operation(name), given(params), target=None)

    def require_secrets(self, *names: str) -> None:
        """Raises PermissionRefused unless the actor may see the secrets in the answers of all these operations."""
        for name in names:
            if not self.reveals(name):
                raise self._refusal(operation(name), reveal=True)

    def reveals(self, name: str) -> bool:
        """Whether the actor's role may see the secrets in the operation's answer."""
        return self._may(operation(name), reveal=True)

    def _may(self, described: Operation, *, reveal: bool) -> bool:
        return self._role_allows(described, reveal=reveal) and (
            self.scope is None or self.scope.could(described)
        )

    def _role_allows(self, described: Operation, *, reveal: bool) -> bool:
        role = self.membership.role
        if reveal and self.membership.token is not None:
            return False  # a program cannot confirm that it is the person
        return self.actor.is_active and (role.reveals(described) if reveal else role.allows(described))

    def _refusal(self, described: Operation, *, reveal: bool) -> PermissionRefused:
        if self.scope is not None and self._role_allows(described, reveal=reveal):
            return OutOfScope(described, self.scope.sentence)
        return PermissionRefused(described, self.membership, reveal=reveal)

    # -- calling -----------------------------------------------------------------------------------------------------

    def call(
        self,
        name: str,
        *,
        target: str = "",
        reveal: bool = False,
        fresh: bool = False,
        trace: Trace | None = None,
        listed: Sequence[str] = (),
        before: Mapping[str, Any] | None = None,
        **params: Any,
    ) -> dict[str, Any]:
        """Call an operation and return its answer. Secrets are masked unless `reveal`.

        `target`: the target for the audit trail. `fresh`: skip the read cache. `trace`: filled with the request and the
        response, with secrets masked as in the answer; it also skips the cache. `listed_names`: the names in the file at
        DnListFileUrl, if the caller wrote that file. `before`: the values before an edit, by parameter, for the audit trail.
        Reads are counted (console/access/audit/read_counts.py). Raises PermissionRefused, ReauthenticationNeeded (for `reveal`),
        ApprovalNeeded, or a subclass of CloudError; InvalidParameter, before anything is sent, if a parameter violates the
        catalogue.
        """
        described = operation(name)
        params = given(params)
        recorded = described.access is not Access.READ or reveal
        if not self._may(described, reveal=reveal):
            refusal = self._refusal(described, reveal=reveal)
            if recorded:
                self.record_refusal(refusal, target, params)
            raise refusal
        problems = validate(described, params)
        if problems:
            raise InvalidParameter.from_problems(name, problems)
        self._check_scope(described, params, target=target if recorded else None)
        if reveal and not self.reauthenticated:
            raise ReauthenticationNeeded
        approvals.check(self, described, [approvals.Planned(name, params, tuple(listed))], target)
        if not recorded:
            read = (self.actor.email, self.origin.token, self.connection.slug, name)
            read_counts.count_read(self.membership.team.pk, *read)
        composed = self._limited(described, lambda within: scope.composed(within, described, params))
        if composed is not None:
            if trace is not None:
                trace.withheld = True  # there is no one answer of the platform
            return masked(described, composed)
        send = self._sending(described, params, trace)
        try:
            if recorded:
                answer = self._settled(self._open(described, target, params, before), described, send)
            elif trace is not None:
                answer = send()
            else:
                answer = self._cached(described, params, fresh)
        finally:
            if trace is not None and not reveal:
                mask_trace(described, trace)
        if self.scope is not None and scope.alters(self.scope, described):
            answer = self._limited(described, lambda within: scope.filtered(within, described, answer)) or {}
            if trace is not None:
                trace.body, trace.withheld = b"", True
        return answer if reveal else masked(described, answer)

    def pages(self, name: str, *, reveal: bool = False, **params: Any) -> Iterator[dict[str, Any]]:
        """Every page of a paged read, each fetched when it is asked for. Raises as `call` does; LimitExceeded past the
        platform's reach."""
        return paging.iterate(
            operation(name), lambda **page: self.call(name, reveal=reveal, fresh=True, **page), params
        )

    def gather(self, calls: Sequence[Call], *, fresh: bool = False) -> list[dict[str, Any] | CloudError]:
        """Several reads at once, answers in order; a call that fails gives its error in its place. Raises PermissionRefused."""
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
        # Reads touch no database, so the threads open no connection to it that nobody would close.
        futures = [pool().submit(copy_context().run, one, call) for call in calls]
        return [future.result() for future in futures]

    def each(self, name: str, many: Sequence[Mapping[str, Any]]) -> list[dict[str, Any] | CloudError]:
        """The same write for several things, a few at a time; answers in order, an error in the place of one that failed.

        Each has its own audit record. Raises PermissionRefused and ApprovalNeeded before the first.
        """
        described = operation(name)
        if not self.allows(name) and many:
            self.call(name, **many[0])
        planned = [approvals.Planned(name, given(one)) for one in many]
        self._check_scope(described, *(call.params for call in planned), target="")
        approvals.check(self, described, [one for one in planned if not validate(described, one.params)])
        answers: list[dict[str, Any] | CloudError] = []
        for start in range(0, len(many), _WRITERS):
            answers += self._a_few(described, many[start : start + _WRITERS])
        return answers

    def _a_few(
        self, described: Operation, many: Sequence[Mapping[str, Any]]
    ) -> list[dict[str, Any] | CloudError]:
        """Writes at once. Only sending is done by other threads: the records stay with the database connection of this one."""
        sendings: list[Callable[[], dict[str, Any]]] = []
        for one in many:
            params = given(one)
            problems = validate(described, params)
            if problems:
                sendings.append(partial(_raise, InvalidParameter.from_problems(described.name, problems)))
                continue
            record = self._open(described, "", params)
            future = pool().submit(copy_context().run, self._send, described, params)
            sendings.append(partial(self._settled, record, described, future.result))
        answers: list[dict[str, Any] | CloudError] = []
        for sending in sendings:
            try:
                answers.append(masked(described, sending()))
            except CloudError as error:
                answers.append(error)
        return answers

    # -- what is within reach ----------------------------------------------------------------------------------------

    def bounds(self) -> list[str]:
        """Conditions of which one must bound each alternative of a QueryDeviceBySQL: a search asks once for each.

        [""] without limits. Raises OutOfScope where there are too many.
        """
        found = self._limited(operation("QueryDeviceBySQL"), scope.bounds)
        return [""] if found is None else found

    def _check_scope(self, described: Operation, *calls: Mapping[str, Any], target: str | None) -> None:
        """Raises OutOfScope, in the trail under `target` unless that is None, when one of the calls is not within reach."""
        params: Mapping[str, Any] = calls[0] if calls else {}
        try:
            self._limited(described, lambda within: within.prepare(described, calls))
            for params in calls:
                self._limited(described, partial(_checked, described, params))
        except OutOfScope as refusal:
            if target is not None:
                self.record_refusal(refusal, target, params)
            raise

    def _limited(self, described: Operation, judge: Callable[[scope.ScopeGuard], Judged]) -> Judged | None:
        """What `judge` says of the membership's reach; None without one. Raises OutOfScope and CloudError."""
        try:
            return None if self.scope is None else judge(self.scope)
        except scope.NotInScope as error:
            raise OutOfScope(described, error.text) from None

    def _look_up(self, asked: Sequence[scope.Asked]) -> list[dict[str, Any] | CloudError]:
        """Reads that tell what is within scope: past permission, as nobody sees them as they are."""

        def one(read: scope.Asked) -> dict[str, Any] | CloudError:
            name, params = read
            try:
                return self._cached(operation(name), dict(params), False)
            except CloudError as error:
                return error

        if len(asked) == 1:
            return [one(asked[0])]
        futures = [pool("scope").submit(copy_context().run, one, read) for read in asked]
        return [future.result() for future in futures]

    # -- the steps ---------------------------------------------------------------------------------------------------

    def _settled(
        self, record: AuditRecord, described: Operation, send: Callable[[], dict[str, Any]]
    ) -> dict[str, Any]:
        """What `send` returns or raises, written into the record."""
        try:
            answer = send()
        except CloudError as error:
            # The platform may have done it: nobody repeats it by themselves, and the trail says so.
            lost = (isinstance(error, Unavailable) and error.sent) or isinstance(error, BadAnswer)
            close_record(
                record,
                AuditRecord.Outcome.UNKNOWN if lost else AuditRecord.Outcome.FAILED,
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
            if described.access is not Access.READ:
                self.reads.forget()
                if self.scope is not None:
                    self.scope.forget()
        close_record(record, AuditRecord.Outcome.DONE, request_id=str(answer.get("RequestId", "")))
        return answer

    def _cached(self, described: Operation, params: dict[str, Any], fresh: bool) -> dict[str, Any]:
        key = self.reads.key(described, params)
        if not fresh and self.lane is Lane.PEOPLE and key:
            known = self.reads.known(key)
            if known is not None:
                return known
        answer = self._send(described, params)
        if self.lane is Lane.PEOPLE and key:
            self.reads.keep(key, masked(described, answer))
        return answer

    def _sending(
        self, described: Operation, params: dict[str, Any], trace: Trace | None
    ) -> Callable[[], dict[str, Any]]:
        if trace is None:
            return lambda: self._send(described, params)

        def traced() -> dict[str, Any]:
            account, qps = self.connection.quota_account, described.qps_for(params)
            trace.quota, trace.waited = qps, self._turn(described, params)
            trace.left = quota().left(account, described.name, qps)
            return fitting(described, client_for(self.connection).call(described.name, trace, **params))

        return traced

    def _send(self, described: Operation, params: dict[str, Any]) -> dict[str, Any]:
        client = client_for(self.connection)
        self._turn(described, params)
        return fitting(described, client.call(described.name, **params))

    def _turn(self, described: Operation, params: dict[str, Any]) -> float:
        """Wait until the quota lets the call go; the seconds waited. Raises QuotaTimeout."""
        wait = settings.CLOUD_QUOTA_WAIT_SECONDS if self.lane is Lane.PEOPLE else _BACKGROUND_WAIT_SECONDS
        account = self.connection.quota_account
        waited = quota().acquire(account, described.name, described.qps_for(params), self.lane, timeout=wait)
        with self._counting:
            self.waited += waited
            self.calls += 1
        return waited

    def record_refusal(
        self, refusal: PermissionRefused, target: str = "", params: Mapping[str, Any] | None = None
    ) -> None:
        """Write into the audit trail that the actor tried what they may not; once for each refusal."""
        if not refusal.recorded:
            record = self._open(refusal.operation, target, params or {})
            close_record(record, AuditRecord.Outcome.REFUSED, message=str(refusal))
            refusal.recorded = True

    def _open(
        self,
        described: Operation,
        target: str,
        params: Mapping[str, Any],
        before: Mapping[str, Any] | None = None,
    ) -> AuditRecord:
        return open_record(
            operation=described.name,
            actor=self.actor,
            team=self.membership.team,
            origin=self.origin,
            target=target or named_by(params),
            parameters={**params, **(self.approval.noted if self.approval else {})},
            before=before,
            connection=self.connection.slug,
        )


def _checked(described: Operation, params: Mapping[str, Any], within: scope.ScopeGuard) -> None:
    within.check(described, params)


def _raise(error: CloudError) -> dict[str, Any]:
    raise error
