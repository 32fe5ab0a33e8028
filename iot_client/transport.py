"""The network connections of a client. They stay open between calls."""

from __future__ import annotations

import contextlib
import http.client
import ipaddress
import select
import threading
import time
import urllib.request
from collections import deque
from collections.abc import Iterator
from urllib.parse import urlsplit

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
    return httpx.HTTPTransport(proxy=proxy, limits=limits)


def build_timeouts(seconds: float) -> dict[str, float]:
    """The timeouts of a call whose response may take `seconds`."""
    connect = min(seconds, CONNECT_SECONDS)
    return {"connect": connect, "read": seconds, "write": seconds, "pool": seconds}


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
        if not self._slots.acquire(timeout=timeout["pool"]):
            raise httpx.PoolTimeout("all connections are in use")
        connection: http.client.HTTPConnection | None = None
        try:
            connection = self._take_idle() or self._connect(timeout["connect"])
            connection.sock.settimeout(timeout["read"])
            with _network_errors():
                connection.putrequest(
                    request.method, request.url.raw_path.decode(), skip_host=True, skip_accept_encoding=True
                )
                for name, value in request.headers.raw:
                    connection.putheader(name, value)
                connection.endheaders(request.read())
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

    def _connect(self, seconds: float) -> http.client.HTTPConnection:
        connection = (
            http.client.HTTPConnection(self._host, self._port, timeout=seconds)
            if self._tls is None
            else http.client.HTTPSConnection(self._host, self._port, timeout=seconds, context=self._tls)
        )
        try:
            connection.connect()
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
