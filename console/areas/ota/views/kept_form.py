"""The values of a form between its steps, so that a review can be loaded again. They are kept for a few hours, for the user who
submitted them."""

from __future__ import annotations

from urllib.parse import urlencode

from django.core.cache import cache
from django.http import QueryDict

from console.connections.http import CloudRequest

_SECONDS = 4 * 3600


def keep_values(request: CloudRequest, token: str, values: list[tuple[str, str]]) -> None:
    """Keep the values of the form with this token."""
    cache.set(_key(request, token), urlencode(values), _SECONDS)


def read_values(request: CloudRequest, token: str) -> QueryDict | None:
    """Return the values of the form with this token; None if they are not kept."""
    kept = cache.get(_key(request, token)) if token else None
    return None if kept is None else QueryDict(kept)


def _key(request: CloudRequest, token: str) -> str:
    return f"batch-form:{request.connection.pk}:{request.membership.user_id}:{token[:64]}"
