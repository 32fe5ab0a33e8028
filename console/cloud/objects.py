"""The object store beside the platform: bringing a file to the address that GenerateOTAUploadURL or
GenerateDeviceNameListURL gave.

The file is read once, in pieces, and its MD5 taken on the way: memory stays flat whatever its size.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import IO, Any

import httpx

from console.cloud.errors import (
    AccessDenied,
    BadAnswer,
    CloudError,
    InvalidParameter,
    LimitExceeded,
    Unavailable,
    error_fields,
    error_from_body,
    excerpt,
)

OPERATION = "PostObject"
WINDOW_SECONDS = 60  # an address may be used for a minute: the store checks it when the file begins to come
_LARGEST_REFUSAL = 64 * 1024  # bytes
_TIMEOUT = httpx.Timeout(60.0, connect=10.0)
_OURS: Mapping[str, type[CloudError]] = {
    "EntityTooLarge": LimitExceeded,
    "EntityTooSmall": InvalidParameter,
    "SignatureDoesNotMatch": AccessDenied,
    "InvalidAccessKeyId": AccessDenied,
}


@dataclass(frozen=True, slots=True)
class UploadForm:
    """Where a file may be brought to, and what the store wants to see: the platform's own signature over a policy."""

    host: str
    key: str
    key_id: str
    policy: str
    signature: str

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> UploadForm:
        """From the `Data` of the platform's answer. Raises BadAnswer when the address is not one."""
        host = str(data.get("Host", ""))
        try:
            url = httpx.URL(host)
        except httpx.InvalidURL:
            url = httpx.URL("")
        if url.scheme not in ("http", "https") or not url.host or not data.get("Key"):
            raise BadAnswer("Client.BadAnswer", f"upload address {host[:200]!r}", operation=OPERATION)
        return cls(
            host=host,
            key=str(data["Key"]),
            key_id=str(data.get("OSSAccessKeyId") or data.get("AccessKeyId") or ""),
            policy=str(data.get("Policy", "")),
            signature=str(data.get("Signature", "")),
        )


@dataclass(frozen=True, slots=True)
class Stored:
    """A file that the store has taken: bytes, and MD5 in lower-case hex."""

    size: int
    md5: str


class _Measured:
    """A file that is hashed as it is read. Reading it from its start again starts the hash again."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._start()

    def _start(self) -> None:
        self.md5 = hashlib.md5(
            usedforsecurity=False
        )  # what the platform compares with; it guards against damage only
        self.size = 0

    def read(self, count: int = -1) -> bytes:
        piece = self._file.read(count)
        self.md5.update(piece)
        self.size += len(piece)
        return piece

    def seek(self, offset: int, whence: int = 0) -> int:
        if (offset, whence) == (0, 0):
            self._start()
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()


def put(
    form: UploadForm,
    file: IO[bytes],
    *,
    transport: httpx.BaseTransport | None = None,
    timeout: httpx.Timeout = _TIMEOUT,
) -> Stored:
    """Bring a seekable file, from its start, to the store as a form upload.

    `transport`: None is the real network. `timeout` is for each piece, not for the whole. Raises AccessDenied (the address
    was refused, often because it is older than a minute), LimitExceeded (too large), Unavailable, BadAnswer. Sending the
    same file again is harmless, with a new address.
    """
    measured = _Measured(file)
    fields = {
        "key": form.key,
        "policy": form.policy,
        "OSSAccessKeyId": form.key_id,
        "signature": form.signature,
        "success_action_status": "200",
    }
    try:
        with (
            httpx.Client(transport=transport, timeout=timeout, trust_env=transport is None) as client,
            # The file comes last: the store checks the fields before it takes a byte. A redirect is not followed: the
            # address was checked, the one it leads to was not.
            client.stream(
                "POST",
                form.host,
                data=fields,
                files={"file": ("file", measured)},  # type: ignore[dict-item]
                follow_redirects=False,
            ) as answer,
        ):
            body = _beginning(answer)
    except (httpx.ConnectError, httpx.ConnectTimeout) as error:
        raise Unavailable("Client.StoreUnreachable", str(error), operation=OPERATION, sent=False) from error
    except httpx.HTTPError as error:
        raise Unavailable("Client.StoreTimeout", type(error).__name__, operation=OPERATION) from error
    if not 200 <= answer.status_code < 300:
        raise _refusal(answer.status_code, body)
    stored = Stored(measured.size, measured.md5.hexdigest())
    tag = answer.headers.get("ETag", "").strip('"').lower()
    if re.fullmatch(r"[0-9a-f]{32}", tag) and tag != stored.md5:
        raise Unavailable("Client.StoreDamaged", f"{tag} is not {stored.md5}", operation=OPERATION)
    return stored


def _beginning(answer: httpx.Response) -> bytes:
    """As much of an answer as a refusal can have; what a wrong address sends without end is not read on."""
    body = b""
    for piece in answer.iter_bytes():
        body += piece
        if len(body) > _LARGEST_REFUSAL:
            break
    return body[:_LARGEST_REFUSAL]


def _refusal(status: int, body: bytes) -> CloudError:
    fields = error_fields(body)
    kind = _OURS.get(str((fields or {}).get("Code", "")))
    if fields is not None and kind is not None:
        return kind(
            str(fields["Code"]),
            str(fields.get("Message", "")),
            operation=OPERATION,
            request_id=str(fields.get("RequestId") or ""),
            http_status=status,
            answer=fields,
        )
    if fields is None and status < 500:
        return BadAnswer("Client.BadAnswer", excerpt(body), operation=OPERATION, http_status=status)
    return error_from_body(body, operation=OPERATION, http_status=status)
