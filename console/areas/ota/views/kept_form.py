"""The values of a form between its steps, so that a review can be loaded again. They are in the session: as Redis may be emptied at
any time, and other processes do not see what one of them keeps."""

from __future__ import annotations

from urllib.parse import urlencode

from django.http import QueryDict

from console.connections.http import CloudRequest

_SESSION_KEY = "batch_forms"
_MOST = 3  # forms of a session; each has up to 10,000 device names


def keep_values(request: CloudRequest, token: str, values: list[tuple[str, str]]) -> None:
    """Keep the values of the form with this token, and those of the last forms before it."""
    key = _key(request, token)
    others = {other: kept for other, kept in request.session.get(_SESSION_KEY, {}).items() if other != key}
    request.session[_SESSION_KEY] = dict([*others.items(), (key, urlencode(values))][-_MOST:])


def read_values(request: CloudRequest, token: str) -> QueryDict | None:
    """Return the values of the form with this token; None if they are not kept."""
    kept = request.session.get(_SESSION_KEY, {}).get(_key(request, token)) if token else None
    return None if kept is None else QueryDict(kept)


def _key(request: CloudRequest, token: str) -> str:
    return f"{request.connection.pk}:{token[:64]}"
