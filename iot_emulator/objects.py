"""The object store for update packages and device lists.

It implements the HTTP that the platform's upload operations need (GenerateOTAUploadURL, GenerateDeviceNameListURL): form
uploads that are checked against a signed policy, and downloads by signed URL. Errors are XML, as from the platform's
object storage. Contents are files beside the emulator's database and are never in memory as a whole; size, MD5 and
upload time of an object are in the database.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import secrets
import shutil
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import parse_qs, quote, unquote, urlsplit
from xml.sax.saxutils import escape

from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.http import parse_options_header
from werkzeug.sansio.multipart import Data, Epilogue, Field, File, MultipartDecoder, NeedData

from iot_emulator.clock import Clock
from iot_emulator.formats import format_utc
from iot_emulator.store import Store

if TYPE_CHECKING:
    from iot_emulator.app import Emulator

PATH = "/oss"
BUCKET = "iotx-ota"
UPLOAD_WINDOW_MS = 60_000
CHUNK = 256 * 1024
FIELD_LIMIT = 64 * 1024
DRAIN_LIMIT = 64 * 1024 * 1024

SCHEMA = """
CREATE TABLE IF NOT EXISTS object_credentials (
    key_id TEXT PRIMARY KEY,
    secret TEXT NOT NULL
);
INSERT INTO object_credentials (key_id, secret)
    SELECT 'STS.' || lower(hex(randomblob(8))), lower(hex(randomblob(24)))
    WHERE NOT EXISTS (SELECT 1 FROM object_credentials);
CREATE TABLE IF NOT EXISTS objects (
    key TEXT PRIMARY KEY,
    size INTEGER NOT NULL,
    md5 TEXT NOT NULL,
    created INTEGER NOT NULL,
    claimed INTEGER NOT NULL DEFAULT 0
);
"""

StartResponse = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class StoredObject:
    """A stored object: size in bytes, MD5 in lowercase hex, upload time in milliseconds since the epoch."""

    key: str
    size: int
    md5: str
    created: int


@dataclass(frozen=True, slots=True)
class UploadForm:
    """The signed fields of a form upload."""

    key: str
    key_id: str
    policy: str
    signature: str


class StoreError(Exception):
    """An error, sent as XML."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


def store_url(base_url: str) -> str:
    """Return the URL of the store, which is the `Host` in the responses of the upload operations."""
    return base_url.rstrip("/") + PATH


def read_credentials(db: sqlite3.Connection) -> tuple[str, str]:
    """Return the key ID and secret of the store. They are generated with the database and belong to no account."""
    key_id, secret = db.execute("SELECT key_id, secret FROM object_credentials LIMIT 1").fetchone()
    return str(key_id), str(secret)


def sign(secret: str, text: str) -> str:
    """Return the HMAC-SHA1 of `text` in Base64, the signature of policies and URLs."""
    return base64.b64encode(hmac.new(secret.encode(), text.encode(), hashlib.sha1).digest()).decode()


def create_upload_form(db: sqlite3.Connection, key: str, now: int, max_size: int) -> UploadForm:
    """Return fields that allow an upload of at most `max_size` bytes under `key` for one minute from `now` (ms)."""
    key_id, secret = read_credentials(db)
    policy = {
        "expiration": format_utc(now + UPLOAD_WINDOW_MS),
        "conditions": [["content-length-range", 0, max_size], ["eq", "$key", key]],
    }
    encoded = base64.b64encode(json.dumps(policy, separators=(",", ":")).encode()).decode()
    return UploadForm(key, key_id, encoded, sign(secret, encoded))


def sign_url(db: sqlite3.Connection, base_url: str, key: str, now: int, seconds: int = 3600) -> str:
    """Return a download URL of `key` that is valid for `seconds` from `now` (ms)."""
    key_id, secret = read_credentials(db)
    expires = now // 1000 + seconds
    signature = quote(sign(secret, _download_text(key, str(expires))), safe="")
    return (
        f"{store_url(base_url)}/{quote(key)}?Expires={expires}&OSSAccessKeyId={key_id}&Signature={signature}"
    )


def key_from_url(url: str) -> str | None:
    """Return the key in the URL of an object, or None if it is not a URL of this store.

    Only the path is compared, because the emulator can have several host names.
    """
    parts = urlsplit(url)
    prefix = PATH + "/"
    if parts.scheme not in ("http", "https") or not parts.path.startswith(prefix):
        return None
    return unquote(parts.path.removeprefix(prefix)) or None


def find_object(db: sqlite3.Connection, key: str) -> StoredObject | None:
    """Return the object under `key`, or None."""
    row = db.execute("SELECT key, size, md5, created FROM objects WHERE key = ?", (key,)).fetchone()
    return StoredObject(*row) if row else None


def mark_object_used(db: sqlite3.Connection, key: str) -> None:
    """Mark an object as used. Unused objects are deleted after a day."""
    db.execute("UPDATE objects SET claimed = 1 WHERE key = ?", (key,))


def open_store(emulator: Emulator) -> ObjectStore:
    """Return the object store of an emulator. Its files are beside the database."""
    path = emulator.store.path
    return ObjectStore(path.with_name(path.name + ".objects"), emulator.store, emulator.clock)


def serve_objects(
    emulator: Emulator, environ: dict[str, Any], start_response: StartResponse
) -> Iterable[bytes]:
    """Handle a request under `/oss`."""
    return open_store(emulator)(environ, start_response)


class ObjectStore:
    """The files of the store, and a WSGI callable for requests under `/oss`."""

    def __init__(self, directory: Path, store: Store, clock: Clock) -> None:
        self.directory = directory
        self._store = store
        self._clock = clock

    def path(self, key: str) -> Path:
        """Return the path of the file of `key`. Its name is a hash, so no key can lead out of the directory."""
        digest = hashlib.sha256(key.encode()).hexdigest()
        return self.directory / digest[:2] / digest

    def put(self, db: sqlite3.Connection, key: str, data: bytes, now: int) -> StoredObject:
        """Store `data` under `key` without an upload, and mark it as used."""
        path = self.path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        stored = StoredObject(key, len(data), hashlib.md5(data, usedforsecurity=False).hexdigest(), now)
        self._insert(db, stored)
        mark_object_used(db, key)
        return stored

    def delete(self, db: sqlite3.Connection, key: str) -> None:
        """Delete an object, if it exists."""
        db.execute("DELETE FROM objects WHERE key = ?", (key,))
        self.path(key).unlink(missing_ok=True)

    def clear(self) -> None:
        """Delete all files. The rows are deleted with the database."""
        shutil.rmtree(self.directory, ignore_errors=True)

    def delete_unused(self, db: sqlite3.Connection, now: int, keep_ms: int = 86_400_000) -> None:
        """Delete uploads older than `keep_ms` that are not used."""
        old = "SELECT key FROM objects WHERE claimed = 0 AND created < ? LIMIT 100"
        for (key,) in db.execute(old, (now - keep_ms,)).fetchall():
            self.delete(db, key)

    def read_lines(self, key: str) -> Iterator[str]:
        """Return the lines of a stored text without line ends and byte order mark."""
        with self.path(key).open(encoding="utf-8-sig", errors="replace", newline=None) as file:
            for line in file:
                yield line.rstrip("\n")

    def __call__(self, environ: Mapping[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Handle one request: POST to the root is an upload, GET or HEAD of a key a download."""
        key = environ.get("PATH_INFO", "").encode("latin-1").decode("utf-8", "replace")
        key = key.removeprefix(PATH).lstrip("/")
        method = environ.get("REQUEST_METHOD", "GET")
        try:
            if method == "POST" and not key:
                return self._upload(environ, start_response)
            if method in ("GET", "HEAD") and key:
                return self._download(environ, start_response, key, body=method == "GET")
            raise StoreError(405, "MethodNotAllowed", "Use POST to upload, and GET or HEAD to download.")
        except StoreError as error:
            return _send_error(error, start_response)

    def _upload(self, environ: Mapping[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        with self._store.read() as db:
            key_id, secret = read_credentials(db)
        upload = _Upload(self, key_id, secret, self._clock.now())
        self.directory.mkdir(parents=True, exist_ok=True)
        body = _read_chunks(environ)
        try:
            for event in _parse_form(environ, body):
                upload.receive(event)
            stored = upload.finish()
            target = self.path(stored.key)
            target.parent.mkdir(parents=True, exist_ok=True)
            os.replace(upload.temporary, target)
        except StoreError:
            _read_rest(body)
            raise
        finally:
            upload.close()
        with self._store.write() as db:
            self._insert(db, stored)
        requested_status = upload.fields.get("success_action_status", "204")
        status = int(requested_status) if requested_status in ("200", "201", "204") else 204
        headers = [("ETag", f'"{stored.md5.upper()}"'), ("Content-Length", "0")]
        start_response(_status_line(status), headers)
        return [b""]

    def _download(
        self, environ: Mapping[str, Any], start_response: StartResponse, key: str, *, body: bool
    ) -> Iterable[bytes]:
        query = {name: values[0] for name, values in parse_qs(environ.get("QUERY_STRING", "")).items()}
        with self._store.read() as db:
            key_id, secret = read_credentials(db)
            stored = find_object(db, key)
        self._check_download(query, key, key_id, secret)
        if stored is None or not self.path(key).exists():
            raise StoreError(404, "NoSuchKey", "The object does not exist.")
        headers = [
            ("Content-Type", "application/octet-stream"),
            ("Content-Length", str(stored.size)),
            ("ETag", f'"{stored.md5.upper()}"'),
        ]
        start_response(_status_line(200), headers)
        return _read_file(self.path(key)) if body else [b""]

    def _check_download(self, query: Mapping[str, str], key: str, key_id: str, secret: str) -> None:
        expires = query.get("Expires", "")
        if not expires.isdigit() or "Signature" not in query:
            raise StoreError(403, "AccessDenied", "Downloads need a signed URL.")
        if query.get("OSSAccessKeyId") != key_id:
            raise StoreError(403, "InvalidAccessKeyId", "The AccessKey ID does not exist.")
        if not hmac.compare_digest(sign(secret, _download_text(key, expires)), query["Signature"]):
            raise _signature_mismatch()
        if int(expires) * 1000 < self._clock.now():
            raise StoreError(403, "AccessDenied", "The signed URL has expired.")

    @staticmethod
    def _insert(db: sqlite3.Connection, stored: StoredObject) -> None:
        db.execute(
            "INSERT INTO objects (key, size, md5, created) VALUES (?, ?, ?, ?) "
            "ON CONFLICT (key) DO UPDATE SET size = excluded.size, md5 = excluded.md5, created = excluded.created",
            (stored.key, stored.size, stored.md5, stored.created),
        )


class _Upload:
    """A form upload. Its fields come first and are checked before the file is received."""

    def __init__(self, store: ObjectStore, key_id: str, secret: str, now: int) -> None:
        self.fields: dict[str, str] = {}
        self.temporary = store.directory / f".{secrets.token_hex(12)}.part"
        self._key_id, self._secret, self._now = key_id, secret, now
        self._field: str | None = None
        self._file: IO[bytes] | None = None
        self._min_size, self._max_size = 0, 0
        self._size = 0
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._is_complete = False

    def receive(self, event: object) -> None:
        """Handle the next part of the form. Raises StoreError for an invalid form."""
        if isinstance(event, Field | File):
            self._field = (event.name or "").lower()
            if self._field == "file":
                self._open_file()
            elif self._file is not None:
                self._field = None  # fields after the file are ignored: the policy was checked before it
            elif self._field in self.fields:
                raise _malformed_form()
            else:
                self.fields[self._field] = ""
        elif isinstance(event, Data) and self._field is not None:
            if self._field == "file":
                self._write(event.data)
                self._is_complete = not event.more_data
            elif len(self.fields[self._field]) + len(event.data) > FIELD_LIMIT:
                raise StoreError(400, "FieldItemTooLong", f"The form field '{self._field}' is too long.")
            else:
                self.fields[self._field] += event.data.decode("utf-8", "replace")

    def finish(self) -> StoredObject:
        """Return the received object. Call this after the last part of the form."""
        if self._file is None or not self._is_complete:
            raise _wrong_number_of_files()
        if self._size < self._min_size:
            raise StoreError(400, "EntityTooSmall", "The file is smaller than the policy allows.")
        self._file.close()
        return StoredObject(self.fields["key"], self._size, self._md5.hexdigest(), self._now)

    def close(self) -> None:
        """Close and delete the temporary file."""
        if self._file is not None:
            self._file.close()
        with suppress(FileNotFoundError):
            self.temporary.unlink()

    def _open_file(self) -> None:
        if self._file is not None:
            raise _wrong_number_of_files()
        self._check_fields()
        self._file = self.temporary.open("wb")

    def _write(self, data: bytes | bytearray) -> None:
        if self._file is None:
            return
        self._size += len(data)
        if self._size > self._max_size:
            raise StoreError(400, "EntityTooLarge", "The file is larger than the policy allows.")
        self._md5.update(data)
        self._file.write(data)

    def _check_fields(self) -> None:
        for name in ("key", "policy", "signature", "ossaccesskeyid"):
            if not self.fields.get(name):
                raise StoreError(403, "AccessDenied", f"The form field '{name}' is required.")
        if self.fields["ossaccesskeyid"] != self._key_id:
            raise StoreError(403, "InvalidAccessKeyId", "The AccessKey ID does not exist.")
        if not hmac.compare_digest(sign(self._secret, self.fields["policy"]), self.fields["signature"]):
            raise _signature_mismatch()
        policy = _decode_policy(self.fields["policy"])
        if datetime.fromisoformat(policy["expiration"]).timestamp() * 1000 < self._now:
            raise StoreError(403, "AccessDenied", "The policy has expired.")
        for condition in policy["conditions"]:
            if condition[0] == "content-length-range":
                self._min_size, self._max_size = int(condition[1]), int(condition[2])
            elif self.fields.get(condition[1].removeprefix("$").lower()) != condition[2]:
                raise StoreError(403, "AccessDenied", "A form field does not match the policy.")


def _parse_form(environ: Mapping[str, Any], body: Iterator[bytes | None]) -> Iterator[object]:
    """Decode the multipart form of a request while it arrives, with one chunk in memory at a time."""
    kind, options = parse_options_header(environ.get("CONTENT_TYPE", ""))
    boundary = options.get("boundary", "")
    if kind != "multipart/form-data" or not boundary:
        raise StoreError(412, "PreconditionFailed", "The upload must be a multipart/form-data form.")
    decoder = MultipartDecoder(boundary.encode("latin-1", "replace"), 4 * CHUNK, max_parts=50)
    try:
        for chunk in body:
            decoder.receive_data(chunk)
            while not isinstance(event := decoder.next_event(), NeedData | Epilogue):
                yield event
            if isinstance(event, Epilogue):
                return
    except (ValueError, RequestEntityTooLarge) as error:
        raise _malformed_form() from error
    raise _malformed_form()


def _read_chunks(environ: Mapping[str, Any]) -> Iterator[bytes | None]:
    """Return the body of a request in chunks, then None."""
    stream: IO[bytes] = environ["wsgi.input"]
    length = environ.get("CONTENT_LENGTH") or ""
    left = int(length) if length.isdigit() else None
    while left is None or left > 0:
        chunk = stream.read(CHUNK if left is None else min(CHUNK, left))
        if not chunk:
            break
        if left is not None:
            left -= len(chunk)
        yield chunk
    yield None


def _read_rest(body: Iterator[bytes | None]) -> None:
    """Read the rest of a refused body. Otherwise a client that is still sending gets a broken connection, no response."""
    left = DRAIN_LIMIT
    for chunk in body:
        left -= len(chunk or b"")
        if left <= 0:
            return


def _decode_policy(text: str) -> dict[str, Any]:
    """Decode a policy. Its signature was checked, so it has the structure that `create_upload_form` gave it."""
    policy: dict[str, Any] = json.loads(base64.b64decode(text))
    return policy


def _download_text(key: str, expires: str) -> str:
    return f"GET\n\n\n{expires}\n/{BUCKET}/{key}"


def _read_file(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            yield chunk


def _malformed_form() -> StoreError:
    return StoreError(400, "MalformedPOSTRequest", "The multipart/form-data form cannot be read.")


def _wrong_number_of_files() -> StoreError:
    return StoreError(400, "IncorrectNumberOfFilesInPostRequest", "The form must contain exactly one file.")


def _signature_mismatch() -> StoreError:
    return StoreError(403, "SignatureDoesNotMatch", "The signature is wrong.")


def _status_line(status: int) -> str:
    return f"{status} {HTTPStatus(status).phrase}"


def _send_error(error: StoreError, start_response: StartResponse) -> Iterable[bytes]:
    body = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<Error><Code>{error.code}</Code><Message>{escape(error.message)}</Message>"
        f"<RequestId>{secrets.token_hex(12).upper()}</RequestId><HostId>{BUCKET}</HostId></Error>"
    ).encode()
    headers = [("Content-Type", "application/xml"), ("Content-Length", str(len(body)))]
    start_response(_status_line(error.status), headers)
    return [body]
