"""The object store that receives update packages and device lists.

It speaks the part of an object store's HTTP that the platform's upload operations need (GenerateOTAUploadURL,
GenerateDeviceNameListURL): a form upload checked against a signed policy, and a download by signed address. Errors are the
store's own XML. Bytes go to files beside the emulator's database and never into memory as a whole; what is
known about an object (size, MD5, when it came) is a row.
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

from console.emulator.clock import Clock
from console.emulator.formats import utc
from console.emulator.store import Store

if TYPE_CHECKING:
    from console.emulator.app import Emulator

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
    """What the store knows of one object: size in bytes, MD5 in lower-case hex, arrival in ms."""

    key: str
    size: int
    md5: str
    created: int


@dataclass(frozen=True, slots=True)
class UploadForm:
    """The signed fields that a form upload must carry."""

    key: str
    key_id: str
    policy: str
    signature: str


class StoreError(Exception):
    """A refusal, answered as the store's XML error."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


def host(base_url: str) -> str:
    """The store's address, the `Host` of the upload operations: the emulator's own with the store's path."""
    return base_url.rstrip("/") + PATH


def credentials(db: sqlite3.Connection) -> tuple[str, str]:
    """The store's own key id and secret; made with the database, never an account's."""
    key_id, secret = db.execute("SELECT key_id, secret FROM object_credentials LIMIT 1").fetchone()
    return str(key_id), str(secret)


def sign(secret: str, text: str) -> str:
    """HMAC-SHA1 of `text`, base64: how the store signs policies and addresses."""
    return base64.b64encode(hmac.new(secret.encode(), text.encode(), hashlib.sha1).digest()).decode()


def upload_form(db: sqlite3.Connection, key: str, now: int, max_size: int) -> UploadForm:
    """Fields that allow one upload of at most `max_size` bytes under `key` within a minute of `now` (ms)."""
    key_id, secret = credentials(db)
    policy = {
        "expiration": utc(now + UPLOAD_WINDOW_MS),
        "conditions": [["content-length-range", 0, max_size], ["eq", "$key", key]],
    }
    encoded = base64.b64encode(json.dumps(policy, separators=(",", ":")).encode()).decode()
    return UploadForm(key, key_id, encoded, sign(secret, encoded))


def signed_url(db: sqlite3.Connection, base_url: str, key: str, now: int, seconds: int = 3600) -> str:
    """A download address of `key`, good for `seconds` from `now` (ms)."""
    key_id, secret = credentials(db)
    expires = now // 1000 + seconds
    signature = quote(sign(secret, _download_text(key, str(expires))), safe="")
    return f"{host(base_url)}/{quote(key)}?Expires={expires}&OSSAccessKeyId={key_id}&Signature={signature}"


def key_of(url: str) -> str | None:
    """The key in an object's address, or None when `url` is no address of this store.

    Only the path counts: the emulator may be reached by several names.
    """
    parts = urlsplit(url)
    prefix = PATH + "/"
    if parts.scheme not in ("http", "https") or not parts.path.startswith(prefix):
        return None
    return unquote(parts.path.removeprefix(prefix)) or None


def find(db: sqlite3.Connection, key: str) -> StoredObject | None:
    """The object under `key`, or None."""
    row = db.execute("SELECT key, size, md5, created FROM objects WHERE key = ?", (key,)).fetchone()
    return StoredObject(*row) if row else None


def claim(db: sqlite3.Connection, key: str) -> None:
    """Keep the object: unclaimed ones are swept after a day."""
    db.execute("UPDATE objects SET claimed = 1 WHERE key = ?", (key,))


def of(emulator: Emulator) -> ObjectStore:
    """The emulator's object store: its files lie beside the database."""
    path = emulator.store.path
    return ObjectStore(path.with_name(path.name + ".objects"), emulator.store, emulator.clock)


def serve(emulator: Emulator, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
    """The route under `/oss`."""
    return of(emulator)(environ, start_response)


class ObjectStore:
    """The store's files, and its HTTP side as a WSGI callable mounted under `/oss`."""

    def __init__(self, directory: Path, store: Store, clock: Clock) -> None:
        self.directory = directory
        self._store = store
        self._clock = clock

    def path(self, key: str) -> Path:
        """Where the bytes of `key` are. Named by a digest, so that no key can leave the directory."""
        digest = hashlib.sha256(key.encode()).hexdigest()
        return self.directory / digest[:2] / digest

    def put(self, db: sqlite3.Connection, key: str, data: bytes, now: int) -> StoredObject:
        """Store `data` under `key` at once, claimed: for the sample fleet and tests."""
        path = self.path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        found = StoredObject(key, len(data), hashlib.md5(data, usedforsecurity=False).hexdigest(), now)
        self._record(db, found)
        claim(db, key)
        return found

    def delete(self, db: sqlite3.Connection, key: str) -> None:
        """Remove an object; removing what is not there is fine."""
        db.execute("DELETE FROM objects WHERE key = ?", (key,))
        self.path(key).unlink(missing_ok=True)

    def clear(self) -> None:
        """Remove all files; the rows go with the database's."""
        shutil.rmtree(self.directory, ignore_errors=True)

    def sweep(self, db: sqlite3.Connection, now: int, keep_ms: int = 86_400_000) -> None:
        """Remove uploads that nothing was made of within `keep_ms`."""
        old = "SELECT key FROM objects WHERE claimed = 0 AND created < ? LIMIT 100"
        for (key,) in db.execute(old, (now - keep_ms,)).fetchall():
            self.delete(db, key)

    def lines(self, key: str) -> Iterator[str]:
        """The lines of a stored text, without their ends; a byte order mark is dropped."""
        with self.path(key).open(encoding="utf-8-sig", errors="replace", newline=None) as file:
            for line in file:
                yield line.rstrip("\n")

    def __call__(self, environ: Mapping[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request: POST to the root uploads, GET or HEAD of a key downloads."""
        key = environ.get("PATH_INFO", "").encode("latin-1").decode("utf-8", "replace")
        key = key.removeprefix(PATH).lstrip("/")
        method = environ.get("REQUEST_METHOD", "GET")
        try:
            if method == "POST" and not key:
                return self._upload(environ, start_response)
            if method in ("GET", "HEAD") and key:
                return self._download(environ, start_response, key, body=method == "GET")
            raise StoreError(
                405, "MethodNotAllowed", "The specified method is not allowed against this resource."
            )
        except StoreError as error:
            return _answer_error(error, start_response)

    def _upload(self, environ: Mapping[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        with self._store.read() as db:
            key_id, secret = credentials(db)
        upload = _Upload(self, key_id, secret, self._clock.now())
        self.directory.mkdir(parents=True, exist_ok=True)
        body = _body(environ)
        try:
            for event in _events(environ, body):
                upload.take(event)
            found = upload.finish()
            target = self.path(found.key)
            target.parent.mkdir(parents=True, exist_ok=True)
            os.replace(upload.temporary, target)
        except StoreError:
            _drain(body)
            raise
        finally:
            upload.close()
        with self._store.write() as db:
            self._record(db, found)
        wanted = upload.fields.get("success_action_status", "204")
        status = int(wanted) if wanted in ("200", "201", "204") else 204
        headers = [("ETag", f'"{found.md5.upper()}"'), ("Content-Length", "0")]
        start_response(_status_line(status), headers)
        return [b""]

    def _download(
        self, environ: Mapping[str, Any], start_response: StartResponse, key: str, *, body: bool
    ) -> Iterable[bytes]:
        query = {name: values[0] for name, values in parse_qs(environ.get("QUERY_STRING", "")).items()}
        with self._store.read() as db:
            key_id, secret = credentials(db)
            found = find(db, key)
        self._check_download(query, key, key_id, secret)
        if found is None or not self.path(key).exists():
            raise StoreError(404, "NoSuchKey", "The specified key does not exist.")
        headers = [
            ("Content-Type", "application/octet-stream"),
            ("Content-Length", str(found.size)),
            ("ETag", f'"{found.md5.upper()}"'),
        ]
        start_response(_status_line(200), headers)
        return _read(self.path(key)) if body else [b""]

    def _check_download(self, query: Mapping[str, str], key: str, key_id: str, secret: str) -> None:
        expires = query.get("Expires", "")
        if not expires.isdigit() or "Signature" not in query:
            raise StoreError(
                403, "AccessDenied", "You have no right to access this object because of bucket acl."
            )
        if query.get("OSSAccessKeyId") != key_id:
            raise StoreError(403, "InvalidAccessKeyId", "The access key id you provided does not exist.")
        if not hmac.compare_digest(sign(secret, _download_text(key, expires)), query["Signature"]):
            raise _signature_refused()
        if int(expires) * 1000 < self._clock.now():
            raise StoreError(403, "AccessDenied", "Request has expired.")

    @staticmethod
    def _record(db: sqlite3.Connection, found: StoredObject) -> None:
        db.execute(
            "INSERT INTO objects (key, size, md5, created) VALUES (?, ?, ?, ?) "
            "ON CONFLICT (key) DO UPDATE SET size = excluded.size, md5 = excluded.md5, created = excluded.created",
            (found.key, found.size, found.md5, found.created),
        )


class _Upload:
    """One form upload in flight: fields come first and are checked before a byte of the file is kept."""

    def __init__(self, store: ObjectStore, key_id: str, secret: str, now: int) -> None:
        self.fields: dict[str, str] = {}
        self.temporary = store.directory / f".{secrets.token_hex(12)}.part"
        self._key_id, self._secret, self._now = key_id, secret, now
        self._field: str | None = None
        self._file: IO[bytes] | None = None
        self._low, self._high = 0, 0
        self._size = 0
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._complete = False

    def take(self, event: object) -> None:
        """Use the next part of the form. Raises StoreError when the form is refused."""
        if isinstance(event, Field | File):
            self._field = (event.name or "").lower()
            if self._field == "file":
                self._open()
            else:
                self.fields[self._field] = ""
        elif isinstance(event, Data) and self._field is not None:
            if self._field == "file":
                self._write(event.data)
                self._complete = not event.more_data
            elif len(self.fields[self._field]) + len(event.data) > FIELD_LIMIT:
                raise StoreError(400, "FieldItemTooLong", f"The form field '{self._field}' is too long.")
            else:
                self.fields[self._field] += event.data.decode("utf-8", "replace")

    def finish(self) -> StoredObject:
        """The received object, once its form has ended."""
        if self._file is None or not self._complete:
            raise StoreError(
                400, "IncorrectNumberOfFilesInPostRequest", "POST requires exactly one file upload."
            )
        if self._size < self._low:
            raise StoreError(
                400, "EntityTooSmall", "Your proposed upload is smaller than the minimum allowed size."
            )
        self._file.close()
        return StoredObject(self.fields["key"], self._size, self._md5.hexdigest(), self._now)

    def close(self) -> None:
        """Leave nothing behind."""
        if self._file is not None:
            self._file.close()
        with suppress(FileNotFoundError):
            self.temporary.unlink()

    def _open(self) -> None:
        if self._file is not None:
            raise StoreError(
                400, "IncorrectNumberOfFilesInPostRequest", "POST requires exactly one file upload."
            )
        self._check_fields()
        self._file = self.temporary.open("wb")

    def _write(self, data: bytes | bytearray) -> None:
        if self._file is None:
            return
        self._size += len(data)
        if self._size > self._high:
            raise StoreError(400, "EntityTooLarge", "Your proposed upload exceeds the maximum allowed size.")
        self._md5.update(data)
        self._file.write(data)

    def _check_fields(self) -> None:
        for name in ("key", "policy", "signature", "ossaccesskeyid"):
            if not self.fields.get(name):
                raise StoreError(403, "AccessDenied", f"Bucket POST must contain the field '{name}'.")
        if self.fields["ossaccesskeyid"] != self._key_id:
            raise StoreError(403, "InvalidAccessKeyId", "The access key id you provided does not exist.")
        if not hmac.compare_digest(sign(self._secret, self.fields["policy"]), self.fields["signature"]):
            raise _signature_refused()
        policy = _decode_policy(self.fields["policy"])
        if datetime.fromisoformat(policy["expiration"]).timestamp() * 1000 < self._now:
            raise StoreError(403, "AccessDenied", "Invalid according to Policy: Policy expired.")
        for condition in policy["conditions"]:
            if condition[0] == "content-length-range":
                self._low, self._high = int(condition[1]), int(condition[2])
            elif self.fields.get(condition[1].removeprefix("$").lower()) != condition[2]:
                raise StoreError(403, "AccessDenied", "Invalid according to Policy: Policy Condition failed.")


def _events(environ: Mapping[str, Any], body: Iterator[bytes | None]) -> Iterator[object]:
    """The multipart form of a request, decoded as it arrives; one chunk is in memory at a time."""
    kind, options = parse_options_header(environ.get("CONTENT_TYPE", ""))
    boundary = options.get("boundary", "")
    if kind != "multipart/form-data" or not boundary:
        raise StoreError(
            412, "PreconditionFailed", "Bucket POST must be of the enclosure-type multipart/form-data."
        )
    decoder = MultipartDecoder(boundary.encode("latin-1", "replace"), 4 * CHUNK, max_parts=50)
    try:
        for chunk in body:
            decoder.receive_data(chunk)
            while not isinstance(event := decoder.next_event(), NeedData | Epilogue):
                yield event
            if isinstance(event, Epilogue):
                return
    except (ValueError, RequestEntityTooLarge) as error:
        raise _malformed() from error
    raise _malformed()


def _body(environ: Mapping[str, Any]) -> Iterator[bytes | None]:
    """The request's body in chunks, then None."""
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


def _drain(body: Iterator[bytes | None]) -> None:
    """Read on after a refusal: a client still sending would otherwise see a broken connection, not the answer."""
    left = DRAIN_LIMIT
    for chunk in body:
        left -= len(chunk or b"")
        if left <= 0:
            return


def _decode_policy(text: str) -> dict[str, Any]:
    """The policy as signed. Its signature was checked, so its shape is the one `upload_form` gives."""
    policy: dict[str, Any] = json.loads(base64.b64decode(text))
    return policy


def _download_text(key: str, expires: str) -> str:
    return f"GET\n\n\n{expires}\n/{BUCKET}/{key}"


def _read(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            yield chunk


def _malformed() -> StoreError:
    return StoreError(
        400, "MalformedPOSTRequest", "The body of your POST request is not well-formed multipart/form-data."
    )


def _signature_refused() -> StoreError:
    message = "The request signature we calculated does not match the signature you provided."
    return StoreError(403, "SignatureDoesNotMatch", message)


def _status_line(status: int) -> str:
    return f"{status} {HTTPStatus(status).phrase}"


def _answer_error(error: StoreError, start_response: StartResponse) -> Iterable[bytes]:
    body = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<Error><Code>{error.code}</Code><Message>{escape(error.message)}</Message>"
        f"<RequestId>{secrets.token_hex(12).upper()}</RequestId><HostId>{BUCKET}</HostId></Error>"
    ).encode()
    headers = [("Content-Type", "application/xml"), ("Content-Length", str(len(body)))]
    start_response(_status_line(error.status), headers)
    return [body]
