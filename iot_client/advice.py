"""The explanation of an error: by its code where the code is known (`codes/`), otherwise by its family."""

from __future__ import annotations

from dataclasses import dataclass

from iot_client.codes import find_meaning
from iot_client.text import gettext_noop as _


@dataclass(frozen=True, slots=True)
class Explanation:
    """`title`: what happened, in one sentence. `advice`: what to do. Both are English msgids."""

    title: str
    advice: str


_FAMILIES = {
    "Throttled": Explanation(
        _("The platform limits the rate of calls."),
        _("The account makes too many calls per second. Nothing was changed. Try again in a few seconds."),
    ),
    "AccessDenied": Explanation(
        _("The Alibaba Cloud account does not have permission for this operation."),
        _("Grant the permission to the RAM user of the connection, or use another AccessKey."),
    ),
    "SignatureRefused": Explanation(
        _("The platform rejected the AccessKey of the connection."),
        _("Check the AccessKey ID and AccessKey Secret of the connection, and the clock of the server."),
    ),
    "NotFound": Explanation(
        _("This item does not exist on the platform."),
        _("It may have been deleted, or belong to another instance. Go back to the list and reload it."),
    ),
    "AlreadyExists": Explanation(
        _("This name already exists."),
        _("Enter another name, or open the existing item."),
    ),
    "InvalidParameter": Explanation(
        _("A value is not valid."),
        _("Correct the value and try again. Nothing was changed."),
    ),
    "Conflict": Explanation(
        _("The current status does not allow this."),
        _("Reload the page to see the current status. Try again when it has changed."),
    ),
    "LimitExceeded": Explanation(
        _("A limit of the platform is reached."),
        _("Delete what you no longer need, or split the request into smaller ones."),
    ),
    "Unavailable": Explanation(
        _("The platform did not respond in time."),
        _("The request may still have been carried out. Check the result before you try again."),
    ),
    "ResponseLost": Explanation(
        _("The response of the platform was lost, and the repeated call failed."),
        _("The first call may have been carried out. Check the result before you try again."),
    ),
    "NeverSent": Explanation(
        _("The platform cannot be reached."),
        _(
            "Nothing was sent. Check the region or endpoint of the connection and the server's network, then try again."
        ),
    ),
    "BadResponse": Explanation(
        _("The response is not from the platform."),
        _("Check the endpoint of the connection, and any proxy between the server and the platform."),
    ),
    "ServiceError": Explanation(
        _("The platform rejected the request."),
        _(
            "See the platform's message below. If it does not help, contact Alibaba Cloud support with the request ID."
        ),
    ),
}
_FAMILIES["CloudError"] = _FAMILIES["ServiceError"]


def find_explanation(code: str, family: str) -> Explanation:
    """The explanation of a code (not case-sensitive), or of its family if the code is unknown.

    `family`: the name of an error class.
    """
    meaning = find_meaning(code)
    return Explanation(meaning.title, meaning.advice) if meaning else _FAMILIES[family]
