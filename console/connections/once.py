"""Sending a form once: a double click, a reload or two tabs make one device, one package, one batch.

The form carries a token that no other has. Whoever comes first with it claims it by a row in the database; the second finds
the row, and with it what the first made.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import timedelta

from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction
from django.utils import timezone

from console.access.encryption import Undecryptable
from console.cloud.catalogue import Access, UnknownOperation, operation
from console.cloud.errors import BadAnswer, CloudError, Unavailable
from console.connections.http import CloudRequest
from console.connections.models import Submission

_KEPT = timedelta(days=7)


class AlreadySent(Exception):
    """The form was sent before; `result` is the id of what it made, "" while that is not known."""

    def __init__(self, result: str) -> None:
        super().__init__(result)
        self.result = result


def new_token() -> str:
    """A token for a new form."""
    return secrets.token_urlsafe(24)


def once(request: CloudRequest, token: str, make: Callable[[], str]) -> str:
    """What `make` returns, the id of the thing made, unless the token was used before: then raises AlreadySent.

    When `make` raises an error of the cloud after which surely nothing exists, the token is free again. When the answer was
    lost, it stays used: only a person can see what came of it.
    """
    Submission.objects.filter(at__lt=timezone.now() - _KEPT).delete()
    owner = {"connection": request.connection, "user": request.membership.user, "token": token[:64]}
    try:
        with transaction.atomic():
            claimed = Submission.objects.create(**owner)
    except IntegrityError as error:
        # None: the first has failed at this very moment, and took its claim back.
        first = Submission.objects.filter(**owner).first()
        raise AlreadySent(first.result if first else "") from error
    try:
        result = make()
    except (PermissionDenied, Undecryptable):  # nothing was sent
        claimed.delete()
        raise
    except CloudError as error:
        if not outcome_unknown(error):
            claimed.delete()
        raise
    Submission.objects.filter(pk=claimed.pk).update(result=result)
    return result


def outcome_unknown(error: CloudError) -> bool:
    """Whether the thing may have been made although no answer said so."""
    try:
        described = operation(error.operation)
    except (
        UnknownOperation
    ):  # not of the platform's: the object store, where bringing a file again is harmless
        return False
    if described.access is Access.READ or described.idempotent:
        return False
    return isinstance(error, BadAnswer) or (isinstance(error, Unavailable) and error.sent)
