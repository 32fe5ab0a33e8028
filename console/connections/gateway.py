"""The one door to the cloud.

Every call, from a page, a worker or the explorer, passes in order: permission of the actor's role for the operation →
validation against the catalogue → audit record opened (writes, reveals) → quota lane → sign, send, retry → error mapped →
audit record closed → cache. A view cannot forget a check, because there is no other way out.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from django.conf import settings
from django.core.cache import caches
from django.core.exceptions import PermissionDenied
from django.utils.translation import gettext as _

from console.access.audit import Origin, close_record, open_record
from console.access.encryption import Undecryptable
from console.access.models import AuditRecord, Membership, User
from console.cloud import paging
from console.cloud.catalogue import Access, Operation, operation, validate
from console.cloud.errors import BadAnswer, CloudError, InvalidParameter, Unavailable
from console.cloud.quota import Lane
from console.cloud.trace import Trace
from console.connections.clients import client_for, quota
from console.connections.masking import mask_trace, masked
from console.connections.models import Connection

_BACKGROUND_WAIT_SECONDS = 120.0
_READERS = 16
_WRITERS = 8
_readers: ThreadPoolExecutor | None = None
_readers_lock = threading.Lock()


def _pool() -> ThreadPoolExecutor:
    global _readers
    with _readers_lock:
        if _readers is None:
            _readers = ThreadPoolExecutor(max_workers=_READERS, thread_name_prefix="cloud")
        return _readers


def _forget_pool() -> None:
    """A forked worker inherits the pool but none of its threads: it makes its own."""
    global _readers, _readers_lock
    _readers, _readers_lock = None, threading.Lock()


os.register_at_fork(after_in_child=_forget_pool)


class PermissionRefused(PermissionDenied):
    """The actor's role does not reach the operation, or the secrets in its answer.

    `recorded`: whether the try is in the audit trail. What a view asks before it shows a form is no try.
    """

    recorded = False

    def __init__(self, operation: Operation, membership: Membership, *, reveal: bool = False) -> None:
        self.operation = operation
        text = (
            _("The role “%(role)s” may not see the secrets that %(operation)s answers with.")
            if reveal
            else _("The role “%(role)s” may not call %(operation)s.")
        )
        super().__init__(text % {"role": membership.role.label, "operation": operation.name})


@dataclass(frozen=True)
class Call:
    """One read for `Gateway.gather`: the operation and its parameters."""

    operation: str
    params: Mapping[str, Any] = field(default_factory=dict)


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
    ) -> None:
        if membership.team_id != connection.team_id or membership.user_id != actor.pk:
            raise ValueError("The membership is not the actor's in the connection's team.")
        self.actor = actor
        self.membership = membership
        self.connection = connection
        self.lane = lane
        self.origin = origin or Origin()
        self.calls = 0  # upstream calls made, cache answers not counted
        self.waited = 0.0  # seconds spent waiting for a turn under the quotas
        self._counting = threading.Lock()

    # -- asking ------------------------------------------------------------------------------------------------------

    def allows(self, name: str) -> bool:
        """Whether the actor's role may call the operation."""
        return self._may(operation(name), reveal=False)

    def require(self, *names: str) -> None:
        """Raises PermissionRefused unless the actor's role may call all these operations."""
        for name in names:
            if not self.allows(name):
                raise PermissionRefused(operation(name), self.membership)

    def reveals(self, name: str) -> bool:
        """Whether the actor's role may see the secrets in the operation's answer."""
        return self._may(operation(name), reveal=True)

    def _may(self, described: Operation, *, reveal: bool) -> bool:
        role = self.membership.role
        return self.actor.is_active and (role.reveals(described) if reveal else role.allows(described))

    # -- calling -----------------------------------------------------------------------------------------------------

    def call(
        self,
        name: str,
        *,
        target: str = "",
        reveal: bool = False,
        fresh: bool = False,
        trace: Trace | None = None,
        **params: Any,
    ) -> dict[str, Any]:
        """Call an operation and return its answer, secrets masked unless `reveal`.

        `target` names for the audit trail what the call is about. `fresh` passes over the cache of reads, and so does
        `trace`, which is filled with what was sent and answered, secrets masked as in the answer. Raises PermissionRefused, or an error of the CloudError family; InvalidParameter before anything is sent when a
        parameter breaks the catalogue's rules.
        """
        described = operation(name)
        params = {key: value for key, value in params.items() if value is not None}
        recorded = described.access is not Access.READ or reveal
        if not self._may(described, reveal=reveal):
            refusal = PermissionRefused(described, self.membership, reveal=reveal)
            if recorded:
                self.record_refusal(refusal, target, params)
            raise refusal
        problems = validate(described, params)
        if problems:
            raise InvalidParameter.from_problems(name, problems)
        send = self._sending(described, params, trace)
        try:
            if recorded:
                answer = self._settled(self._open(described, target, params), described, send)
            elif trace is not None:
                answer = send()
            else:
                answer = self._cached(described, params, fresh)
        finally:
            if trace is not None and not reveal:
                mask_trace(described, trace)
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

        def one(call: Call) -> dict[str, Any] | CloudError:
            try:
                return self.call(call.operation, fresh=fresh, **call.params)
            except CloudError as error:
                return error

        if len(calls) == 1:
            return [one(calls[0])]
        # Reads touch no database, so the threads open no connection to it that nobody would close.
        futures = [_pool().submit(copy_context().run, one, call) for call in calls]
        return [future.result() for future in futures]

    def each(self, name: str, many: Sequence[Mapping[str, Any]]) -> list[dict[str, Any] | CloudError]:
        """The same write for several things, a few at a time; answers in order, an error in the place of one that failed.

        Each has its own audit record. Raises PermissionRefused before the first.
        """
        described = operation(name)
        if not self.allows(name) and many:
            self.call(name, **many[0])
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
            params = {key: value for key, value in one.items() if value is not None}
            problems = validate(described, params)
            if problems:
                sendings.append(partial(_raise, InvalidParameter.from_problems(described.name, problems)))
                continue
            record = self._open(described, "", params)
            future = _pool().submit(copy_context().run, self._send, described, params)
            sendings.append(partial(self._settled, record, described, future.result))
        answers: list[dict[str, Any] | CloudError] = []
        for sending in sendings:
            try:
                answers.append(masked(described, sending()))
            except CloudError as error:
                answers.append(error)
        return answers

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
                self._forget_reads()
        close_record(record, AuditRecord.Outcome.DONE, request_id=str(answer.get("RequestId", "")))
        return answer

    def _cached(self, described: Operation, params: dict[str, Any], fresh: bool) -> dict[str, Any]:
        key = self._cache_key(described, params)
        if not fresh and self.lane is Lane.PEOPLE and key:
            known: dict[str, Any] | None = _cache_get(key)
            if known is not None:
                return known
        answer = self._send(described, params)
        if self.lane is Lane.PEOPLE and key:
            # What is kept in Redis holds no secret.
            _cache_set(key, masked(described, answer), settings.CLOUD_CACHE_SECONDS)
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
            return client_for(self.connection).call(described.name, trace, **params)

        return traced

    def _send(self, described: Operation, params: dict[str, Any]) -> dict[str, Any]:
        client = client_for(self.connection)
        self._turn(described, params)
        return client.call(described.name, **params)

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

    def _open(self, described: Operation, target: str, params: Mapping[str, Any]) -> AuditRecord:
        return open_record(
            operation=described.name,
            actor=self.actor,
            team=self.membership.team,
            origin=self.origin,
            target=target or _named_by(params),
            parameters=params,
            connection=self.connection.slug,
        )

    # -- the cache of reads ------------------------------------------------------------------------------------------

    @property
    def _generation_key(self) -> str:
        return f"reads:{self.connection.pk}:generation"

    def _cache_key(self, described: Operation, params: Mapping[str, Any]) -> str:
        """The key of a read; "" when it is not to be kept. It holds the generation, which every write on the connection moves."""
        if not settings.CLOUD_CACHE_SECONDS:
            return ""
        generation = _cache_get(self._generation_key) or 0
        text = json.dumps(
            [described.name, self.connection.updated_at.isoformat(), params], sort_keys=True, default=str
        )
        digest = hashlib.sha256(text.encode()).hexdigest()
        return f"reads:{self.connection.pk}:{generation}:{digest}"

    def _forget_reads(self) -> None:
        try:
            cache = caches["cloud"]
            cache.add(self._generation_key, 0, None)
            cache.incr(self._generation_key)
        except Exception:  # Redis is away: then nothing is cached either
            return


def _raise(error: CloudError) -> dict[str, Any]:
    raise error


def _cache_get(key: str) -> Any:
    try:
        return caches["cloud"].get(key)
    except Exception:  # the cache only saves calls: without it the console reads from the cloud
        return None


def _cache_set(key: str, value: Any, seconds: int) -> None:
    try:
        caches["cloud"].set(key, value, seconds)
    except Exception:
        return


def _named_by(params: Mapping[str, Any]) -> str:
    """What a call is about, from its parameters, for the audit trail."""
    for name in (
        "DeviceName",
        "ProductName",
        "GroupName",
        "FirmwareName",
        "IotId",
        "JobId",
        "FirmwareId",
        "GroupId",
        "ProductKey",
    ):
        value = params.get(name)
        if isinstance(value, str) and value:
            return value
    return ""
