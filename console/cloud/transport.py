"""The network under a client: connections that are kept open between calls."""

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
MOST_CONNECTIONS, MOST_KEPT = 64, 32
_CHUNK = 64 * 1024


def new_transport(endpoint: str) -> httpx.BaseTransport:
    """A transport for an endpoint (`https://host[:port]`) that keeps its connections. It may be shared by threads.

    The proxy of the environment (`HTTPS_PROXY`, `NO_PROXY`, …) is used, except for addresses of this machine.
    """
    proxy = _proxy_for(endpoint)
    if proxy is None:
        return DirectTransport(endpoint)
    limits = httpx.Limits(
        max_connections=MOST_CONNECTIONS,
        max_keepalive_connections=MOST_KEPT,
        keepalive_expiry=KEEP_ALIVE_SECONDS,
    )
    return httpx.HTTPTransport(proxy=proxy, limits=limits)


def timeouts(seconds: float) -> dict[str, float]:
    """The timeouts for a call that may take `seconds` to be answered."""
    connect = min(seconds, CONNECT_SECONDS)
    return {"connect": connect, "read": seconds, "write": seconds, "pool": seconds}


class DirectTransport(httpx.BaseTransport):
    """HTTP/1.1 to one host, without a proxy, by the standard library's connections; the latest used is used first.

    It is here for speed: httpx reads HTTP by Python code, and its pool asks every idle connection at each call how it
    is. Half the time of a call went there, and more with many threads (`python -m tests.bench client`).
    Raises what httpx's own transport raises.
    """

    def __init__(self, endpoint: str) -> None:
        parts = urlsplit(endpoint)
        self._host, self._port = parts.hostname or "", parts.port
        self._tls = httpx.create_ssl_context() if parts.scheme == "https" else None
        self._idle: deque[tuple[http.client.HTTPConnection, float]] = deque()
        self._places = threading.BoundedSemaphore(MOST_CONNECTIONS)
        self._closed = False

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """The answer; its connection is kept once the body is read and closed."""
        timeout = request.extensions["timeout"]
        if not self._places.acquire(timeout=timeout["pool"]):
            raise httpx.PoolTimeout("all connections are in use")
        connection: http.client.HTTPConnection | None = None
        try:
            connection = self._kept() or self._connect(timeout["connect"])
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
            self._give_back(connection, usable=False)
            raise
        return httpx.Response(
            response.status, headers=response.getheaders(), stream=_Body(self, connection, response)
        )

    def close(self) -> None:
        """Close the idle connections, and those in use when their answers are read."""
        self._closed = True
        while self._idle:
            self._idle.pop()[0].close()

    def _kept(self) -> http.client.HTTPConnection | None:
        """An open connection, or None; those that are too old, or were closed by the other side, are dropped."""
        while True:
            try:
                connection, since = self._idle.pop()
            except IndexError:
                return None
            if time.monotonic() - since < KEEP_ALIVE_SECONDS and not _readable(connection):
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
        except (OSError, UnicodeError) as error:  # a name that cannot be a host's is a UnicodeError
            raise httpx.ConnectError(str(error)) from error
        return connection

    def _give_back(self, connection: http.client.HTTPConnection | None, *, usable: bool) -> None:
        self._places.release()
        if connection is None:
            return
        if usable and not self._closed and len(self._idle) < MOST_KEPT:
            self._idle.append((connection, time.monotonic()))
        else:
            connection.close()


class _Body(httpx.SyncByteStream):
    """The body of an answer, read as it is asked for."""

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
            raise httpx.RemoteProtocolError("the answer ended before its end")

    def close(self) -> None:
        """Keep the connection if the answer was read to its end, and the other side keeps it too."""
        connection, self._connection = self._connection, None
        if connection is not None:
            whole = self._response.isclosed() and not self._response.length
            self._transport._give_back(connection, usable=whole and not self._response.will_close)


@contextlib.contextmanager
def _network_errors() -> Iterator[None]:
    """The standard library's errors, once connected, as httpx's."""
    try:
        yield
    except TimeoutError as error:
        raise httpx.ReadTimeout(str(error)) from error
    except http.client.HTTPException as error:
        raise httpx.RemoteProtocolError(str(error) or type(error).__name__) from error
    except OSError as error:
        raise httpx.ReadError(str(error)) from error


def _readable(connection: http.client.HTTPConnection) -> bool:
    """Whether something has come on an idle connection: its end, for nothing was asked."""
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
