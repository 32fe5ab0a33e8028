"""Trying a connection's keys with one real call, and saying in plain words what is wrong with which field."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.translation import gettext as _

from console.access.audit import close_record, open_record
from console.access.models import AuditRecord
from console.access.teams import Actor
from console.cloud.errors import AccessDenied, BadAnswer, CloudError, SignatureRefused, Unavailable, explain
from console.cloud.retry import NO_RETRY
from console.connections.clients import new_client
from console.connections.endpoints import REFUSED, EndpointRefused
from console.connections.models import Connection

OPERATION = "QueryProductList"
_PATIENCE_SECONDS = 8.0


@dataclass(frozen=True)
class Finding:
    """What a failed try means: the form's field it points to ("" for none) and a sentence; `error` tells the rest."""

    field: str
    text: str
    error: CloudError


def probe(connection: Connection) -> Finding | None:
    """Ask for one product with the connection's keys, which need not be saved. None: they work."""
    try:
        with new_client(connection, timeout=_PATIENCE_SECONDS, retry=NO_RETRY) as client:
            client.call(OPERATION, CurrentPage=1, PageSize=1)
    except AccessDenied as error:
        # The keys are good; that they may not list products is for the RAM user's policy, and no reason to refuse them.
        return None if _is_policy(error) else _finding(error, connection)
    except CloudError as error:
        return _finding(error, connection)
    return None


def _is_policy(error: AccessDenied) -> bool:
    return error.code == "iot.common.RamActionPermissionDeny" or error.code.startswith(
        ("NoPermission", "Forbidden.RAM")
    )


def _finding(error: CloudError, connection: Connection) -> Finding:
    code = error.code
    if isinstance(error, EndpointRefused):
        return Finding("endpoint" if connection.endpoint else "region", _(REFUSED), error)
    if isinstance(error, SignatureRefused):
        return _keys(error)
    if "Instance" in code:
        return Finding(
            "instance_id",
            _(
                "The platform knows no instance of this ID in the region. Both are on the instance's overview page."
            ),
            error,
        )
    if isinstance(error, Unavailable):
        return _silence(error, connection)
    if isinstance(error, BadAnswer):
        return Finding(
            "endpoint" if connection.endpoint else "region",
            _(
                "Something answers at this address, but it is not the platform. Check the address, and any proxy between."
            ),
            error,
        )
    if "Region" in code:
        return Finding("region", _("The platform does not know this region."), error)
    words = explain(error)
    return Finding("", f"{_(words.title)} {_(words.advice)}", error)


def _keys(error: CloudError) -> Finding:
    code = error.code.lower()
    if "securitytoken" in code:
        return Finding("security_token", _("The STS token is wrong or has expired."), error)
    if "timestamp" in code:
        text = _(
            "The platform finds the request's time wrong: this server's clock is more than 15 minutes off. Set it by NTP."
        )
        return Finding("", text, error)
    if "accesskeyid" in code:
        if "inactive" in code or "disabled" in code:
            return Finding(
                "access_key_id", _("This AccessKey is disabled. Enable it in RAM, or use another one."), error
            )
        return Finding("access_key_id", _("The platform does not know this AccessKey ID."), error)
    if "signaturedoesnotmatch" in code or "incomplete" in code:
        return Finding("access_key_secret", _("The secret does not belong to this AccessKey ID."), error)
    return Finding("access_key_secret", _("The platform did not accept these keys."), error)


def _silence(error: Unavailable, connection: Connection) -> Finding:
    field = "endpoint" if connection.endpoint else "region"
    if error.sent:
        return Finding(
            field, _("The platform did not answer in time, or answered with an error of its own."), error
        )
    if connection.endpoint:
        text = _("Nothing answers at this address. Check it, and that this server may reach it.")
    else:
        text = _(
            "The region's endpoint cannot be reached. Check the region's name and this server's network."
        )
    return Finding(field, text, error)


def recorded_probe(actor: Actor, connection: Connection) -> Finding | None:
    """`probe`, written to the audit trail: a test sends calls to an address that somebody typed."""
    record = open_record(
        operation="connection.test",
        actor=actor.membership.user,
        team=actor.membership.team,
        origin=actor.origin,
        target=connection.name,
        connection=connection.slug,
        parameters={
            "region": connection.region,
            "endpoint": connection.endpoint,
            "access_key_id": connection.access_key_id,
        },
    )
    try:
        finding = probe(connection)
    except BaseException as raised:
        close_record(record, AuditRecord.Outcome.FAILED, code=type(raised).__name__)
        raise
    if finding is None:
        close_record(record, AuditRecord.Outcome.DONE)
    else:
        error = finding.error
        close_record(
            record,
            AuditRecord.Outcome.FAILED,
            code=error.code,
            message=finding.text,
            request_id=error.request_id,
        )
    return finding
