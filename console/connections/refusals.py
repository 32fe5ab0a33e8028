"""What the gateway refuses, in words for people."""

from __future__ import annotations

from django.core.exceptions import PermissionDenied
from django.utils.translation import gettext as _

from console.access.models import Membership
from console.cloud.catalogue import Operation


class PermissionRefused(PermissionDenied):
    """The actor's role does not reach the operation, or the secrets in its answer.

    `recorded`: whether the try is in the audit trail. What a view asks before it shows a form is no try.
    """

    recorded = False

    def __init__(self, operation: Operation, membership: Membership, *, reveal: bool = False) -> None:
        self.operation = operation
        if membership.token is not None:
            text = _("API tokens see no secrets.") if reveal else _("The token may not call %(operation)s.")
        elif reveal:
            text = _("The role “%(role)s” may not see the secrets that %(operation)s answers with.")
        else:
            text = _("The role “%(role)s” may not call %(operation)s.")
        super().__init__(text % {"role": membership.role.label, "operation": operation.name})


class OutOfScope(PermissionRefused):
    """The membership's access_scope does not reach what a call names: said alike of what does not exist."""

    def __init__(self, operation: Operation, text: str) -> None:
        self.operation = operation
        PermissionDenied.__init__(self, text)


class ConnectionOutOfScope(PermissionDenied):
    """The membership is narrowed to other connections."""
