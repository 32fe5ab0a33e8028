"""What to tell people about an error: by its code where that is known (`codes/`), else by its family."""

from __future__ import annotations

from dataclasses import dataclass

from console.cloud.codes import meaning
from console.cloud.text import gettext_noop as _


@dataclass(frozen=True, slots=True)
class Explanation:
    """`title`: what happened, in one sentence. `advice`: what to do about it. Both English msgids."""

    title: str
    advice: str


_FAMILIES = {
    "Throttled": Explanation(
        _("The platform asked us to slow down."),
        _(
            "The account makes too many calls a second at the moment. Nothing was changed; try again in a few seconds."
        ),
    ),
    "AccessDenied": Explanation(
        _("The cloud account may not do this."),
        _("Grant the permission to the RAM user whose keys the connection uses, or use keys that have it."),
    ),
    "SignatureRefused": Explanation(
        _("The platform did not accept the connection's keys."),
        _("Check the AccessKey ID and secret of the connection, and that this server's clock is right."),
    ),
    "NotFound": Explanation(
        _("The platform does not know it."),
        _(
            "It may have been deleted meanwhile, or belong to another instance. Go back to the list and reload it."
        ),
    ),
    "AlreadyExists": Explanation(
        _("One of that name already exists."),
        _("Choose another name, or open the existing one."),
    ),
    "InvalidParameter": Explanation(
        _("The platform does not accept a value."),
        _("Correct the value named below and send it again. Nothing was changed."),
    ),
    "Conflict": Explanation(
        _("Its present state does not allow this."),
        _("Reload the page to see the state it is in now, and try again when it has changed."),
    ),
    "LimitExceeded": Explanation(
        _("A limit of the platform is reached."),
        _("Delete what is no longer needed, or do it in smaller portions."),
    ),
    "Unavailable": Explanation(
        _("The platform did not answer in time."),
        _("It may or may not have carried the request out: look at the present state before trying again."),
    ),
    "NeverSent": Explanation(
        _("The platform cannot be reached."),
        _(
            "Nothing was sent. Check the region or endpoint of the connection and this server's network, then try again."
        ),
    ),
    "BadAnswer": Explanation(
        _("What answered is not the platform."),
        _(
            "Check the endpoint of the connection, and whether a proxy stands between this server and the platform."
        ),
    ),
    "ServiceError": Explanation(
        _("The platform refused the request."),
        _("Its own message is below. If it does not help, pass the request id to the cloud's support."),
    ),
}
_FAMILIES["CloudError"] = _FAMILIES["ServiceError"]


def advice_for(code: str, family: str) -> Explanation:
    """The words for a code (in any case of letters), else those for its family (a class name of the error family)."""
    found = meaning(code)
    return Explanation(found.title, found.advice) if found else _FAMILIES[family]
