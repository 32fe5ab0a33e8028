"""Writes audit records: a record is opened before an action and closed after it."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NotRequired, TypedDict, Unpack

from django.conf import settings
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest

from console.accounts.models import ApiToken, Team, User
from console.audit import chain
from console.audit.masking import clean_text, mask_parameters
from console.audit.models import AuditRecord


@dataclass(frozen=True)
class Origin:
    """The origin of an action: the address and user agent of a browser, the job of a worker, the API token of a program.

    `token` is the label of a token (its name and prefix), never the token itself.
    """

    ip: str | None = None
    user_agent: str = ""
    job_id: int | None = None
    token: str = ""

    @classmethod
    def from_request(cls, request: HttpRequest) -> Origin:
        """Return the origin of a request, with the API token that authenticated it (`request.token`).

        Behind trusted proxies (TRUSTED_PROXIES), it is the last forwarded address that is not the address of such a proxy.
        """
        ip = request.META.get("REMOTE_ADDR", "")
        forwarded = request.META.get("HTTP_X_FORWARDED_FOR", "").replace(",", " ").split()
        while forwarded and _is_trusted_proxy(ip):
            ip = forwarded.pop()
        token: ApiToken | None = getattr(request, "token", None)
        return cls(
            ip=_parse_address(ip),
            user_agent=request.META.get("HTTP_USER_AGENT", "")[:255],
            token=token.label if token else "",
        )


def _is_trusted_proxy(ip: str) -> bool:
    if not settings.TRUSTED_PROXIES:
        return False
    try:
        address = ipaddress.ip_address(ip)
    except ValueError:
        return False
    return any(address in network for network in settings.TRUSTED_PROXIES)


@lru_cache(maxsize=1_024)
def _parse_address(text: str) -> str | None:
    """Return an IP address without its zone, or None if the text is none: PostgreSQL refuses a record with any other text."""
    try:
        return str(ipaddress.ip_address(text.partition("%")[0]))
    except ValueError:
        return None


class Action(TypedDict):
    """The description of an action for its record, made before the action is carried out.

    `before` holds the values before an edit, under the names of the parameters that write them. Both are masked.
    """

    operation: str
    actor: User | None
    team: Team | None
    origin: Origin
    target: NotRequired[str]
    parameters: NotRequired[Mapping[str, Any] | None]
    before: NotRequired[Mapping[str, Any] | None]
    connection: NotRequired[str]
    actor_label: NotRequired[str]  # if it is not the actor's own label


def open_record(**action: Unpack[Action]) -> AuditRecord:
    """Record that `actor` is about to carry out `operation`. The outcome is OPEN until `close_record`.

    The record is committed before the action, and stays if the action is rolled back. Raises RuntimeError if called within a
    transaction, and Undecryptable if the chain's key cannot be read: an action that cannot be recorded is not carried out.
    """
    actor, origin, before = action["actor"], action["origin"], action.get("before")
    record = AuditRecord(
        operation=action["operation"],
        actor=actor,
        actor_label=clean_text(action.get("actor_label") or (actor.label if actor else ""), 255),
        team=action["team"],
        ip=origin.ip,
        user_agent=clean_text(origin.user_agent, 255),
        token=clean_text(origin.token, 100),
        job=origin.job_id,
        connection=action.get("connection", ""),
        target=clean_text(action.get("target", ""), 255),
        parameters=mask_parameters(action.get("parameters") or {}),
        before=None if before is None else mask_parameters(before),
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
    """Record the outcome. Only an open record can be closed; a closed record is never edited."""
    record.outcome = outcome
    record.code = clean_text(code, 128)
    record.message = clean_text(message, 1000)
    record.request_id = clean_text(request_id, 64)
    chain.append_closing(record)


def write_record(outcome: AuditRecord.Outcome, message: str = "", **action: Unpack[Action]) -> None:
    """Record an action that is already finished. Raises as `open_record`."""
    close_record(open_record(**action), outcome, message=message)


@contextmanager
def record_action(**action: Unpack[Action]) -> Iterator[None]:
    """Record an action of the console itself around a block.

    The outcome is DONE, REFUSED (PermissionDenied), FAILED (ValidationError) or UNKNOWN (any other exception).
    """
    record = open_record(**action)
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
