"""Makes sure that a form is carried out once: a double click, a reload or two tabs create one device, package or batch.

Each form contains its own token. The first request with a token claims it by a row in the database. A later request finds
that row, and in it the id of the object that the first one created.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import timedelta

from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction
from django.utils import timezone

from console.accounts.encryption import Undecryptable
from console.audit.masking import clean_text
from console.connections.http import CloudRequest
from console.connections.models import Submission
from iot_client.catalogue import Access, UnknownOperation, operation
from iot_client.errors import CloudError

_KEEP = timedelta(days=7)


class AlreadySubmitted(Exception):
    """The form was submitted before. `result` is the id of the created object, "" while it is unknown."""

    def __init__(self, result: str) -> None:
        super().__init__(result)
        self.result = result


def new_token() -> str:
    """A token for a new form."""
    return secrets.token_urlsafe(24)


def submit_once(request: CloudRequest, token: str, create: Callable[[], str]) -> str:
    """Call `create` and return its result, the id of the created object. Raises AlreadySubmitted if the token was used before.

    If `create` raises an error after which certainly nothing was created, the token can be used again. If no response was
    received, the token stays used: only a person can check what was created.
    """
    Submission.objects.filter(at__lt=timezone.now() - _KEEP).delete()
    key = {"connection": request.connection, "user": request.membership.user, "token": clean_text(token, 64)}
    try:
        with transaction.atomic():
            submission = Submission.objects.create(**key)
    except IntegrityError as error:
        # None: the first request has just failed and released the token.
        first = Submission.objects.filter(**key).first()
        raise AlreadySubmitted(first.result if first else "") from error
    try:
        result = create()
    except (PermissionDenied, Undecryptable):  # nothing was sent
        submission.delete()
        raise
    except CloudError as error:
        if not is_outcome_unknown(error):
            submission.delete()
        raise
    Submission.objects.filter(pk=submission.pk).update(result=result)
    return result


def is_outcome_unknown(error: CloudError) -> bool:
    """Whether the object may have been created although no response confirmed it."""
    try:
        definition = operation(error.operation)
    except UnknownOperation:  # an upload to the object store, which can be repeated without harm
        return False
    if definition.access is Access.READ or definition.idempotent:
        return False
    return error.is_outcome_unknown
