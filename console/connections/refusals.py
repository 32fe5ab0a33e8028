"""Errors of the gateway when a call is not allowed."""

from __future__ import annotations

from django.core.exceptions import PermissionDenied
from django.utils.translation import gettext as _

from console.accounts.models import Membership
from iot_client.catalogue import Operation


class PermissionRefused(PermissionDenied):
    """The actor's role does not allow the operation, or the secrets in its response.

    `is_recorded`: whether the attempt is in the audit trail. A check before a form is shown is not an attempt.
    """

    is_recorded = False

    def __init__(self, operation: Operation, membership: Membership, *, reveal: bool = False) -> None:
        self.operation = operation
        if membership.token is not None:
            text = (
                _("API tokens cannot view secrets.") if reveal else _("This token cannot call %(operation)s.")
            )
        elif reveal:
            text = _("The role “%(role)s” cannot view the secrets that %(operation)s returns.")
        else:
            text = _("The role “%(role)s” cannot call %(operation)s.")
        super().__init__(text % {"role": membership.role.label, "operation": operation.name})


class OutOfScope(PermissionRefused):
    """The call names something outside the membership's access scope. The text is the same for objects that do not exist."""

    def __init__(self, operation: Operation, text: str) -> None:
        self.operation = operation
        PermissionDenied.__init__(self, text)


class ConnectionOutOfScope(PermissionDenied):
    """The membership's access scope does not include the connection."""
