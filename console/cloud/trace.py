"""What one call looked like on the wire, for people who want to see it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import quote, quote_plus

MASKED = "***"
_SECRET = frozenset({"Signature", "SecurityToken"})
# A refused signature is answered with the whole string that was signed, security token and all.
_SIGNED_TEXT = re.compile(rb'(server string to sign is:?)[^"<]*')


@dataclass
class Trace:
    """Given to `Client.call`, it is filled with the last attempt: what was sent, and what came back.

    `format`: the form in which the answer is asked for. `query` and `form` are the fields that were sent, `url` and
    `headers` the request as it went out, everywhere with signature and security token masked and the key's id cut.
    `attempts`: how often it was sent. `status` is None when nothing came back. `seconds`: from sending to the answer's end.
    `body`: the answer as it came, without the keys' own secrets; secrets of devices are the gateway's to mask.
    `withheld`: the body is not shown, because it cannot be read and may hold a secret.
    `waited`, `quota`, `left`: the gateway's: seconds waited for a turn, calls a second, and how many of them are free.
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
    withheld: bool = False
    waited: float = 0.0
    quota: int = 0
    left: int | None = None

    def sent(
        self,
        method: str,
        address: str,
        headers: Iterable[tuple[str, str]],
        query: Mapping[str, str],
        form: Mapping[str, str],
    ) -> None:
        """Keep a request that is about to go out, without its secrets. `address`: the URL before its query."""
        self.attempts += 1
        self.status, self.body, self.withheld = None, b"", False
        self.method, self.headers = method, dict(headers)
        self.query, self.form = masked(query), masked(form)
        self.url = f"{address}?{_encoded(self.query)}" if query else address

    def received(self, status: int, body: bytes, secrets: Iterable[str]) -> None:
        """Keep an answer; `secrets` (of the keys) are taken out wherever they stand in it."""
        body = _SIGNED_TEXT.sub(rb"\1 " + MASKED.encode(), body)
        for secret in filter(None, secrets):
            for written in {secret, quote(secret, safe="-_.~"), quote_plus(secret)}:
                body = body.replace(written.encode(), MASKED.encode())
        self.status, self.body = status, body


def masked(fields: Mapping[str, str]) -> dict[str, str]:
    """The fields of a request as they may be shown."""
    return {name: _masked(name, value) for name, value in fields.items()}


def _masked(name: str, value: str) -> str:
    if name in _SECRET:
        return MASKED
    if name == "AccessKeyId":
        return f"{value[:4]}{MASKED}{value[-3:]}" if len(value) > 10 else MASKED
    return value


def _encoded(fields: Mapping[str, str]) -> str:
    return "&".join(
        f"{quote_plus(name)}={quote_plus(value, safe='*' if MASKED in value else '')}"
        for name, value in fields.items()
    )
