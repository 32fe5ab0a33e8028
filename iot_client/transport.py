"""The network connections of a client. They stay open between calls."""

from __future__ import annotations

import contextlib
import http.client
import io
import ipaddress
import select
import socket
import ssl
import threading
import time
import urllib.request
import zlib
from collections import deque
from collections.abc import Iterator
from typing import Any, cast
from urllib.parse import urlsplit

import httpcore
import httpx

KEEP_ALIVE_SECONDS = 50.0
"""A new TLS connection costs more than the call itself."""
CONNECT_SECONDS = 5.0
MAX_CONNECTIONS, MAX_IDLE_CONNECTIONS = 64, 32
_CHUNK = 64 * 1024


def new_transport(endpoint: str) -> httpx.BaseTransport:
    """A transport for an endpoint (`https://host[:port]`) that keeps its connections open. Threads can share it.

    It uses the proxy of the environment (`HTTPS_PROXY`, `NO_PROXY`, …), except for addresses of this machine.
    """
    proxy = _proxy_for(endpoint)
    if proxy is None:
        return DirectTransport(endpoint)
    limits = httpx.Limits(
        max_connections=MAX_CONNECTIONS,
        max_keepalive_connections=MAX_IDLE_CONNECTIONS,
        keepalive_expiry=KEEP_ALIVE_SECONDS,
    )
    transport = httpx.HTTPTransport(proxy=proxy, limits=limits)
    transport._pool._network_backend = _TimedBackend()  # type: ignore[attr-defined]  # httpx has no option for it
    return transport


class Deadline(float):
    """The seconds that a request may take, from the creation of this object to the last byte of the response.

    As a number it is a timeout for any transport. The transports of this module wait at each read and write only for the time
    that is left, so a server cannot hold a request longer by sending one byte after the other.
    """

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def left(self) -> float:
        """The seconds left. Raises TimeoutError after the deadline."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError("the deadline has passed")
        return left


def build_timeouts(seconds: float) -> dict[str, float]:
    """The `timeout` extension of a request that may take `seconds` from now on."""
    return dict.fromkeys(("connect", "read", "write", "pool"), Deadline(seconds))


def read_body(response: httpx.Response, limit: int) -> bytes:
    """The decoded body of a response, cut after `limit` bytes. No more than that is decoded, whatever the server sends.

    The body can be plain, or compressed once with gzip or deflate. Raises httpx.DecodingError for another encoding, for several
    encodings, and for a body that is damaged or incomplete; and the errors of the transport.
    """
    encoding = response.headers.get("content-encoding", "").strip().lower()
    if encoding not in ("", "identity", "gzip", "x-gzip", "deflate"):
        raise httpx.DecodingError(f"the response has the encoding {encoding[:100]!r}, which is not supported")
    chunks = cast(httpx.SyncByteStream, response.stream)
    pieces = iter(chunks) if encoding in ("", "identity") else _decompress(chunks, limit)
    body = bytearray()
    for piece in pieces:
        body += piece
        if len(body) >= limit:
            break
    return bytes(body[:limit])


def _decompress(chunks: httpx.SyncByteStream, limit: int) -> Iterator[bytes]:
    """Yields the decompressed data in pieces of at most `limit` bytes."""
    decoder = zlib.decompressobj(zlib.MAX_WBITS | 32)  # recognizes gzip and zlib by their headers
    is_empty = True
    try:
        for chunk in chunks:
            while chunk and not decoder.eof:
                is_empty = False
                yield decoder.decompress(chunk, limit)
                chunk = decoder.unconsumed_tail
    except zlib.error as error:
        raise httpx.DecodingError(f"the response is not compressed as it says: {error}") from error
    if not (decoder.eof or is_empty):
        raise httpx.DecodingError("the compressed response is incomplete")


class DirectTransport(httpx.BaseTransport):
    """HTTP/1.1 to one host without a proxy, with the connections of the standard library. The last used connection is reused first.

    It exists for speed: httpx parses HTTP in Python code, and its pool checks every idle connection at each call. This took
    half the time of a call, and more with many threads (`python -m tests.bench client`).
    Raises the exceptions of httpx's own transport.
    """

    def __init__(self, endpoint: str) -> None:
        parts = urlsplit(endpoint)
        self._host, self._port = parts.hostname or "", parts.port
        self._tls = httpx.create_ssl_context() if parts.scheme == "https" else None
        self._idle: deque[tuple[http.client.HTTPConnection, float]] = deque()
        self._slots = threading.BoundedSemaphore(MAX_CONNECTIONS)
        self._closed = False

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """The response. Its connection is kept when the body is read and closed."""
        timeout = request.extensions["timeout"]
        deadline: Deadline = timeout["read"]
        if not self._slots.acquire(timeout=timeout["pool"]):
            raise httpx.PoolTimeout("all connections are in use")
        connection: http.client.HTTPConnection | None = None
        try:
            connection = self._take_idle() or self._connect(deadline)
            cast(_TimedSocket, connection.sock).deadline = deadline
            with _network_errors():
                connection.putrequest(
                    request.method, request.url.raw_path.decode(), skip_host=True, skip_accept_encoding=True
                )
                for name, value in request.headers.raw:
                    connection.putheader(name, value)
                # A server may refuse a request before it has received all of it. Its response says why.
                with contextlib.suppress(BrokenPipeError, ConnectionResetError, ssl.SSLEOFError):
                    connection.endheaders(cast(httpx.SyncByteStream, request.stream))
                response = connection.getresponse()
        except BaseException:
            self._release(connection, usable=False)
            raise
        return httpx.Response(
            response.status, headers=response.getheaders(), stream=_Body(self, connection, response)
        )

    def close(self) -> None:
        """Close the idle connections. Connections in use are closed when their responses are read."""
        self._closed = True
        while self._idle:
            self._idle.pop()[0].close()

    def _take_idle(self) -> http.client.HTTPConnection | None:
        """An idle connection, or None. Connections that are too old, or that the server closed, are dropped."""
        while True:
            try:
                connection, since = self._idle.pop()
            except IndexError:
                return None
            if time.monotonic() - since < KEEP_ALIVE_SECONDS and not _is_readable(connection):
                return connection
            connection.close()

    def _connect(self, deadline: Deadline) -> http.client.HTTPConnection:
        try:
            seconds = min(deadline.left(), CONNECT_SECONDS)
            connection = (
                http.client.HTTPConnection(self._host, self._port, timeout=seconds)
                if self._tls is None
                else http.client.HTTPSConnection(self._host, self._port, timeout=seconds, context=self._tls)
            )
            connection.connect()
            connection.sock = cast(socket.socket, _TimedSocket(connection.sock, deadline))
        except TimeoutError as error:
            raise httpx.ConnectTimeout(str(error)) from error
        except (OSError, UnicodeError) as error:  # an invalid host name is a UnicodeError
            raise httpx.ConnectError(str(error)) from error
        return connection

    def _release(self, connection: http.client.HTTPConnection | None, *, usable: bool) -> None:
        self._slots.release()
        if connection is None:
            return
        if usable and not self._closed and len(self._idle) < MAX_IDLE_CONNECTIONS:
            self._idle.append((connection, time.monotonic()))
        else:
            connection.close()


class _TimedSocket:
    """The socket of a connection for http.client. Its reads and writes end at the deadline of the current request."""

    def __init__(self, wrapped: socket.socket, deadline: Deadline) -> None:
        self._wrapped = wrapped
        self.deadline = deadline

    def sendall(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            self.limit_wait()
            rest = rest[self._wrapped.send(rest) :]

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(_TimedReader(self, self._wrapped.makefile("rb", buffering=0)))

    def limit_wait(self) -> None:
        """Let the next read or write wait until the deadline. Raises TimeoutError after it."""
        self._wrapped.settimeout(self.deadline.left())

    def fileno(self) -> int:
        return self._wrapped.fileno()

    def close(self) -> None:
        self._wrapped.close()


class _TimedReader(io.RawIOBase):
    """What a connection receives, read until the deadline of the current request."""

    def __init__(self, timed: _TimedSocket, raw: socket.SocketIO) -> None:
        self._timed, self._raw = timed, raw

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._timed.limit_wait()
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()  # http.client may have closed the socket, which stays open until this
        super().close()


class _Body(httpx.SyncByteStream):
    """The body of a response, read on demand."""

    def __init__(
        self,
        transport: DirectTransport,
        connection: http.client.HTTPConnection,
        response: http.client.HTTPResponse,
    ) -> None:
        self._transport = transport
        self._connection: http.client.HTTPConnection | None = connection
        self._response = response

    def __iter__(self) -> Iterator[bytes]:
        with _network_errors():
            while chunk := self._response.read(_CHUNK):
                yield chunk
        if self._response.length:
            raise httpx.RemoteProtocolError("the response is incomplete")

    def close(self) -> None:
        """Keep the connection if the response was read completely and the server keeps it open."""
        connection, self._connection = self._connection, None
        if connection is not None:
            is_complete = self._response.isclosed() and not self._response.length
            self._transport._release(connection, usable=is_complete and not self._response.will_close)


@contextlib.contextmanager
def _network_errors() -> Iterator[None]:
    """Convert the standard library's errors on an open connection to httpx's errors."""
    try:
        yield
    except TimeoutError as error:
        raise httpx.ReadTimeout(str(error)) from error
    except http.client.HTTPException as error:
        raise httpx.RemoteProtocolError(str(error) or type(error).__name__) from error
    except OSError as error:
        raise httpx.ReadError(str(error)) from error


class _TimedBackend(httpcore.SyncBackend):
    """The network for the connections of httpx through a proxy. Their reads and writes end at the deadline of the request, which
    httpx passes to each of them as the timeout."""

    def connect_tcp(  # type: ignore[override]  # the other arguments are passed on
        self, host: str, port: int, timeout: float | None = None, **options: Any
    ) -> _TimedStream:
        seconds = min(_time_left(timeout), CONNECT_SECONDS)
        return _TimedStream(super().connect_tcp(host, port, seconds, **options))


class _TimedStream(httpcore.NetworkStream):
    def __init__(self, wrapped: httpcore.NetworkStream) -> None:
        self._wrapped = wrapped

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._wrapped.read(max_bytes, _time_left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        for start in range(0, len(buffer), _CHUNK):
            self._wrapped.write(buffer[start : start + _CHUNK], _time_left(timeout))

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> _TimedStream:
        return _TimedStream(self._wrapped.start_tls(ssl_context, server_hostname, _time_left(timeout)))

    def get_extra_info(self, info: str) -> Any:
        return self._wrapped.get_extra_info(info)

    def close(self) -> None:
        self._wrapped.close()


def _time_left(timeout: float | None) -> float:
    try:
        return cast(Deadline, timeout).left()
    except TimeoutError as error:
        raise httpcore.ReadTimeout(str(error)) from error


def _is_readable(connection: http.client.HTTPConnection) -> bool:
    """Whether an idle connection has data to read. No request is open, so this means that the server closed it."""
    poll = select.poll()
    poll.register(connection.sock, select.POLLIN)
    return bool(poll.poll(0))


def _proxy_for(endpoint: str) -> str | None:
    parts = urlsplit(endpoint)
    host = parts.hostname or ""
    if host == "localhost" or _is_loopback(host) or urllib.request.proxy_bypass(host):
        return None
    proxies = urllib.request.getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    return proxy if proxy is None or "://" in proxy else f"http://{proxy}"


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
