"""Uploads a file to object storage, at the address that GenerateOTAUploadURL or GenerateDeviceNameListURL returned.

The file is read once, in pieces, and its MD5 is calculated at the same time. Memory use does not depend on its size.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import IO, Any

import httpx

from iot_client.errors import (
    AccessDenied,
    BadResponse,
    CloudError,
    InvalidParameter,
    LimitExceeded,
    Unavailable,
    error_from_body,
    excerpt,
    parse_error_fields,
    read_request_id,
)
from iot_client.transport import build_timeouts, new_transport, read_body

OPERATION = "PostObject"
_MAX_ERROR_BYTES = 64 * 1024
_SECONDS, _BYTES_PER_SECOND = 60.0, 100_000
"""An upload may take this long, and one second more for so many bytes. A slower connection is not usable for files."""
_ERRORS_BY_CODE: Mapping[str, type[CloudError]] = {
    "EntityTooLarge": LimitExceeded,
    "EntityTooSmall": InvalidParameter,
    "SignatureDoesNotMatch": AccessDenied,
    "InvalidAccessKeyId": AccessDenied,
}


@dataclass(frozen=True, slots=True)
class UploadForm:
    """The address of an upload and its form fields: the platform's signature over a policy."""

    host: str
    key: str
    key_id: str
    policy: str
    signature: str

    @classmethod
    def from_response(cls, data: Mapping[str, Any]) -> UploadForm:
        """The form in the `Data` of the platform's response. Raises BadResponse if its address is not valid."""
        host = str(data.get("Host", ""))
        try:
            url = httpx.URL(host)
        except httpx.InvalidURL:
            url = httpx.URL("")
        if url.scheme not in ("http", "https") or not url.host or not data.get("Key"):
            raise BadResponse("Client.BadResponse", f"upload address {host[:200]!r}", operation=OPERATION)
        return cls(
            host=host,
            key=str(data["Key"]),
            key_id=str(data.get("OSSAccessKeyId") or data.get("AccessKeyId") or ""),
            policy=str(data.get("Policy", "")),
            signature=str(data.get("Signature", "")),
        )


@dataclass(frozen=True, slots=True)
class StoredFile:
    """An uploaded file: size in bytes, and MD5 in lower-case hex."""

    size: int
    md5: str


class _HashedFile:
    """A file whose MD5 is calculated as it is read. Reading it again from the start also restarts the MD5."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._restart()

    def _restart(self) -> None:
        self.md5 = hashlib.md5(
            usedforsecurity=False
        )  # the platform compares it; it protects against damage only
        self.size = 0

    def read(self, count: int = -1) -> bytes:
        piece = self._file.read(count)
        self.md5.update(piece)
        self.size += len(piece)
        return piece

    def seek(self, offset: int, whence: int = 0) -> int:
        if (offset, whence) == (0, 0):
            self._restart()
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()


def upload_file(
    form: UploadForm,
    file: IO[bytes],
    *,
    transport: httpx.BaseTransport | None = None,
    timeout: float | None = None,
) -> StoredFile:
    """Upload a seekable file, from its start, to object storage as a form upload.

    `transport`: None is the real network. `timeout`: seconds for the whole upload; by default they fit its size. Raises AccessDenied (the
    address was rejected, often because it is older than a minute), LimitExceeded (too large), Unavailable, BadResponse.
    Uploading the same file again, with a new address, is safe.
    """
    hashed_file = _HashedFile(file)
    fields = {
        "key": form.key,
        "policy": form.policy,
        "OSSAccessKeyId": form.key_id,
        "signature": form.signature,
        "success_action_status": "200",
    }
    # The file is the last field: object storage checks the other fields first.
    request = httpx.Request(
        "POST",
        form.host,
        data=fields,
        files={"file": ("file", hashed_file)},  # type: ignore[dict-item]
        headers={"accept-encoding": "gzip"},
    )
    size = int(request.headers["content-length"])
    request.extensions["timeout"] = build_timeouts(timeout or _SECONDS + size / _BYTES_PER_SECOND)
    network = transport or new_transport(form.host)
    try:
        response = network.handle_request(request)  # follows no redirect: its target was not checked
        try:
            body = read_body(response, _MAX_ERROR_BYTES)  # enough for an error
        finally:
            response.close()
    except (httpx.ConnectError, httpx.ConnectTimeout) as error:
        raise Unavailable("Client.StoreUnreachable", str(error), operation=OPERATION, sent=False) from error
    except httpx.DecodingError as error:
        raise BadResponse("Client.BadResponse", str(error), operation=OPERATION) from error
    except httpx.HTTPError as error:
        raise Unavailable("Client.StoreTimeout", type(error).__name__, operation=OPERATION) from error
    finally:
        if transport is None:
            network.close()
    if not 200 <= response.status_code < 300:
        raise _build_error(response.status_code, body)
    stored = StoredFile(hashed_file.size, hashed_file.md5.hexdigest())
    tag = response.headers.get("ETag", "").strip('"').lower()
    if re.fullmatch(r"[0-9a-f]{32}", tag) and tag != stored.md5:
        raise Unavailable("Client.StoreDamaged", f"{tag} is not {stored.md5}", operation=OPERATION)
    return stored


def _build_error(status: int, body: bytes) -> CloudError:
    fields = parse_error_fields(body)
    error_class = _ERRORS_BY_CODE.get(str((fields or {}).get("Code", "")))
    if fields is not None and error_class is not None:
        return error_class(
            str(fields["Code"]),
            str(fields.get("Message", "")),
            operation=OPERATION,
            request_id=read_request_id(fields),
            http_status=status,
            response=fields,
        )
    if fields is None and status < 500:
        return BadResponse("Client.BadResponse", excerpt(body), operation=OPERATION, http_status=status)
    return error_from_body(body, operation=OPERATION, http_status=status)
