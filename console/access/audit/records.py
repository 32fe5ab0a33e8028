"""Writing records: one is opened before the act and closed after it."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NotRequired, TypedDict, Unpack

from django.conf import settings
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest

from console.access.audit import chain
from console.access.audit.masking import shown, storable
from console.access.models import ApiToken, AuditRecord, Team, User


@dataclass(frozen=True)
class Origin:
    """Where an act came from: a browser's address and agent, the job when a worker acts, the API token when a program does.

    `token` is what people know a token by (its prefix and name), never the token itself.
    """

    ip: str | None = None
    user_agent: str = ""
    job_id: int | None = None
    token: str = ""

    @classmethod
    def of(cls, request: HttpRequest) -> Origin:
        """The origin of a request, with the token that the API recognised it by (`request.token`).

        Behind N trusted proxies (TRUSTED_PROXIES) the N-th forwarded address from the right counts.
        """
        ip = request.META.get("REMOTE_ADDR") or None
        if settings.TRUSTED_PROXIES:
            forwarded = [
                part.strip()
                for part in request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")
                if part.strip()
            ]
            if len(forwarded) >= settings.TRUSTED_PROXIES:
                ip = forwarded[-settings.TRUSTED_PROXIES]
        token: ApiToken | None = getattr(request, "token", None)
        return cls(
            ip=_address(ip or ""),
            user_agent=request.META.get("HTTP_USER_AGENT", "")[:255],
            token=token.label if token else "",
        )


def _address(text: str) -> str | None:
    """An IP address without its zone; None for what is none: a database that knows addresses refuses the record."""
    try:
        return str(ipaddress.ip_address(text.partition("%")[0]))
    except ValueError:
        return None


class Act(TypedDict):
    """What a record says of an act before it is done.

    `before` is what an edit found, under the names of the parameters that write it; both are masked.
    """

    operation: str
    actor: User | None
    team: Team | None
    origin: Origin
    target: NotRequired[str]
    parameters: NotRequired[Mapping[str, Any] | None]
    before: NotRequired[Mapping[str, Any] | None]
    connection: NotRequired[str]
    actor_label: NotRequired[str]  # where it is not the actor's own


def open_record(**act: Unpack[Act]) -> AuditRecord:
    """Write that `actor` is about to do `operation`; the outcome is OPEN until `close_record`.

    Not to be called within a transaction: it is committed before the act, and stays when the act is rolled back. Raises
    RuntimeError there, and Undecryptable when the chain's key cannot be read: what cannot be recorded is not done.
    """
    actor, origin, before = act["actor"], act["origin"], act.get("before")
    record = AuditRecord(
        operation=act["operation"],
        actor=actor,
        actor_label=storable(act.get("actor_label") or (actor.label if actor else ""), 255),
        team=act["team"],
        ip=origin.ip,
        user_agent=storable(origin.user_agent, 255),
        token=storable(origin.token, 100),
        job=origin.job_id,
        connection=act.get("connection", ""),
        target=storable(act.get("target", ""), 255),
        parameters=shown(act.get("parameters") or {}),
        before=None if before is None else shown(before),
    )
    chain.append_opening(record)
    return record


def close_record(
    record: AuditRecord,
    outcome: AuditRecord.Outcome,
    *,
    code: str = "",
    message: str = "",
    request_id: str = "",
) -> None:
    """Write how it ended. Only an open record can be closed: a closed one is never edited."""
    record.outcome = outcome
    record.code = storable(code, 128)
    record.message = storable(message, 1000)
    record.request_id = storable(request_id, 64)
    chain.append_closing(record)


def write_record(outcome: AuditRecord.Outcome, message: str = "", **act: Unpack[Act]) -> None:
    """A record of what has come to its end already. Raises as `open_record`."""
    close_record(open_record(**act), outcome, message=message)


@contextmanager
def recorded(**act: Unpack[Act]) -> Iterator[None]:
    """A record around an act of the console itself: done, refused, failed or not known, by how the block ends."""
    record = open_record(**act)
    try:
        yield
    except PermissionDenied as error:
        close_record(record, AuditRecord.Outcome.REFUSED, message=str(error))
        raise
    except ValidationError as error:
        close_record(record, AuditRecord.Outcome.FAILED, message=" ".join(error.messages))
        raise
    except BaseException as error:
        close_record(record, AuditRecord.Outcome.UNKNOWN, code=type(error).__name__)
        raise
    close_record(record, AuditRecord.Outcome.DONE)
