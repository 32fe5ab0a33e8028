"""Tests a connection's keys with one real call, and explains which field of the form is wrong."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils import timezone
from django.utils.translation import gettext as _

from console.audit.models import AuditRecord
from console.audit.records import close_record, open_record
from console.connections.clients import new_client
from console.connections.endpoints import REFUSED, EndpointRefused
from console.connections.models import Connection
from console.connections.waiting import Waiter
from console.teams.changes import Actor
from console.ui.format import join_sentences
from iot_client.errors import AccessDenied, BadResponse, CloudError, SignatureRefused, Unavailable, explain
from iot_client.retry import NO_RETRY

OPERATION = "QueryProductList"
_TIMEOUT_SECONDS = 8.0


@dataclass(frozen=True)
class ProbeFailure:
    """Why a test failed: the form's field that is probably wrong ("" for none) and a message. `error`: the error of the call."""

    field: str
    text: str
    error: CloudError


def probe_connection(connection: Connection) -> ProbeFailure | None:
    """Read one product with the keys of the connection, which may be unsaved. Returns None if they work."""
    try:
        with (
            new_client(connection, timeout=_TIMEOUT_SECONDS, retry=NO_RETRY) as client,
            Waiter(connection.pk).wait(OPERATION),
        ):
            client.call(OPERATION, CurrentPage=1, PageSize=1)
    except AccessDenied as error:
        # The keys are valid. Only the RAM policy does not allow to list products.
        return None if _is_policy(error) else _explain_failure(error, connection)
    except CloudError as error:
        return _explain_failure(error, connection)
    return None


def _is_policy(error: AccessDenied) -> bool:
    return error.code == "iot.common.RamActionPermissionDeny" or error.code.startswith(
        ("NoPermission", "Forbidden.RAM")
    )


def _explain_failure(error: CloudError, connection: Connection) -> ProbeFailure:
    code = error.code
    if isinstance(error, EndpointRefused):
        return ProbeFailure("endpoint" if connection.endpoint else "region", _(REFUSED), error)
    if isinstance(error, SignatureRefused):
        return _explain_rejected_keys(error)
    if "Instance" in code:
        return ProbeFailure(
            "instance_id",
            _(
                "No instance with this ID exists in the region. Both are shown on the overview page of the instance."
            ),
            error,
        )
    if isinstance(error, Unavailable):
        return _explain_unreachable(error, connection)
    if isinstance(error, BadResponse):
        return ProbeFailure(
            "endpoint" if connection.endpoint else "region",
            _(
                "The server at this address is not IoT Platform. Check the address, and the proxy if you use one."
            ),
            error,
        )
    if "Region" in code:
        return ProbeFailure("region", _("The platform has no region with this ID. Check the region."), error)
    explanation = explain(error)
    return ProbeFailure("", join_sentences([_(explanation.title), _(explanation.advice)]), error)


def _explain_rejected_keys(error: CloudError) -> ProbeFailure:
    code = error.code.lower()
    if "securitytoken" in code:
        return ProbeFailure(
            "security_token", _("The STS token is wrong or has expired. Enter a valid token."), error
        )
    if "timestamp" in code:
        text = _("The clock of this server is wrong by more than 15 minutes. Synchronize it with NTP.")
        return ProbeFailure("", text, error)
    if "accesskeyid" in code:
        if "inactive" in code or "disabled" in code:
            return ProbeFailure(
                "access_key_id",
                _("This AccessKey is disabled. Enable it in RAM, or use another AccessKey."),
                error,
            )
        return ProbeFailure("access_key_id", _("This AccessKey ID does not exist. Check the ID."), error)
    if "signaturedoesnotmatch" in code or "incomplete" in code:
        return ProbeFailure(
            "access_key_secret",
            _("The AccessKey secret does not match the AccessKey ID. Enter it again."),
            error,
        )
    return ProbeFailure(
        "access_key_secret",
        _("The platform did not accept these keys. Check the AccessKey ID and the secret."),
        error,
    )


def _explain_unreachable(error: Unavailable, connection: Connection) -> ProbeFailure:
    field = "endpoint" if connection.endpoint else "region"
    if error.sent:
        return ProbeFailure(
            field, _("The platform did not respond in time, or returned an internal error. Try again."), error
        )
    if connection.endpoint:
        text = _("No response from this address. Check the address, and that this server can reach it.")
    else:
        text = _(
            "The endpoint of this region cannot be reached. Check the region ID and the network of this server."
        )
    return ProbeFailure(field, text, error)


def probe_and_record(actor: Actor, connection: Connection) -> ProbeFailure | None:
    """Run `probe_connection` and record it in the audit trail, because it calls an address that a user entered.

    Sets the time and the result of the test on the connection, and does not save it: its keys may be those of a form.
    """
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
        failure = probe_connection(connection)
    except BaseException as raised:
        close_record(record, AuditRecord.Outcome.FAILED, code=type(raised).__name__)
        raise
    connection.tested_at = timezone.now()
    connection.test_error = failure.error.code if failure else ""
    if failure is None:
        close_record(record, AuditRecord.Outcome.DONE)
    else:
        error = failure.error
        close_record(
            record,
            AuditRecord.Outcome.FAILED,
            code=error.code,
            message=failure.text,
            request_id=error.request_id,
        )
    return failure
