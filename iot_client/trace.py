"""A record of one call: the request that was sent and the response that was received, without secrets."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import quote, quote_plus

MASKED = "***"
_SECRET_FIELDS = frozenset({"Signature", "SecurityToken"})
# The response to a rejected signature contains the whole string to sign, with the security token.
_STRING_TO_SIGN = re.compile(rb'(server string to sign is:?)[^"<]*')


@dataclass
class Trace:
    """Passed to `Client.call`, it records the last attempt: the request and the response.

    `format`: the requested response format. `query` and `form` are the fields of the request, `url` and `headers` the request
    as sent, all with the signature and the security token masked and the AccessKey ID shortened.
    `attempts`: how often the request was sent. `status` is None if there was no response. `seconds`: from sending the request
    to the end of the response. `body`: the raw response without the AccessKey's secrets. The gateway masks secrets of devices.
    `is_body_hidden`: the body is not shown, because it is unreadable and may contain a secret.
    `waited_seconds`, `quota`, `remaining`: set by the gateway: time in the queue, calls per second, calls left this second.
    """

    format: Literal["JSON", "XML"] = "JSON"
    method: str = ""
    url: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    query: dict[str, str] = field(default_factory=dict)
    form: dict[str, str] = field(default_factory=dict)
    attempts: int = 0
    status: int | None = None
    seconds: float = 0.0
    body: bytes = field(default=b"", repr=False)
    is_body_hidden: bool = False
    waited_seconds: float = 0.0
    quota: int = 0
    remaining: int | None = None

    def record_request(
        self,
        method: str,
        address: str,
        headers: Iterable[tuple[str, str]],
        query: Mapping[str, str],
        form: Mapping[str, str],
    ) -> None:
        """Record a request before it is sent, without its secrets. `address`: the URL before the query."""
        self.attempts += 1
        self.status, self.body, self.is_body_hidden = None, b"", False
        self.method, self.headers = method, dict(headers)
        self.query, self.form = mask_fields(query), mask_fields(form)
        self.url = f"{address}?{_encode(self.query)}" if query else address

    def record_response(self, status: int, body: bytes, secrets: Iterable[str]) -> None:
        """Record a response. `secrets` (of the AccessKey) are masked wherever they occur in the body."""
        body = _STRING_TO_SIGN.sub(rb"\1 " + MASKED.encode(), body)
        for secret in filter(None, secrets):
            for spelling in {secret, quote(secret, safe="-_.~"), quote_plus(secret)}:
                body = body.replace(spelling.encode(), MASKED.encode())
        self.status, self.body = status, body


def mask_fields(fields: Mapping[str, str]) -> dict[str, str]:
    """The fields of a request with its secrets masked."""
    return {name: _mask_value(name, value) for name, value in fields.items()}


def _mask_value(name: str, value: str) -> str:
    if name in _SECRET_FIELDS:
        return MASKED
    if name == "AccessKeyId":
        return f"{value[:4]}{MASKED}{value[-3:]}" if len(value) > 10 else MASKED
    return value


def _encode(fields: Mapping[str, str]) -> str:
    return "&".join(
        f"{quote_plus(name)}={quote_plus(value, safe='*' if MASKED in value else '')}"
        for name, value in fields.items()
    )
