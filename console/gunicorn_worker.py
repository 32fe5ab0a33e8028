"""The worker of gunicorn: its threads receive complete requests only, so that slow clients occupy no thread.

The worker `gthread` gives each connection to a thread at once, and the thread waits for the rest of the request. A few
unfinished requests then occupy all threads. This worker collects requests in its event loop. A client that does not read its
responses occupies no thread either: they wait in the send buffer of its socket, and its next request until they are sent.
"""

from __future__ import annotations

import contextlib
import fcntl
import re
import struct
import termios
import time
from functools import partial
from selectors import EVENT_READ
from socket import SHUT_RD, SHUT_WR, SO_SNDBUF, SOL_SOCKET, socket
from typing import Any

from gunicorn.http.unreader import SocketUnreader
from gunicorn.workers.gthread import TConn, ThreadWorker

# The time for a request: its headers, and its body if that is collected.
REQUEST_SECONDS = 60.0
# The time in which a thread must be able to read or write the next bytes.
STALL_SECONDS = 30.0
MAX_HEADER_BYTES = 64 * 1024
# More than DATA_UPLOAD_MAX_MEMORY_SIZE: larger bodies are uploads. The console refuses them unread unless the user may upload.
MAX_COLLECTED_BODY_BYTES = 3 * 1024 * 1024
# A thread reads an upload itself. A sender that is slower than this is disconnected, after REQUEST_SECONDS at the earliest.
UPLOAD_BYTES_PER_SECOND = 64 * 1024
# Of a streamed response, a thread sends the next piece when the client has read enough. It waits for STALL_SECONDS in all for a
# client that is slower than this.
DOWNLOAD_BYTES_PER_SECOND = 16 * 1024
# A page or a static file fits into it. The system may have a lower limit (net.core.wmem_max).
SEND_BUFFER_BYTES = 512 * 1024
# What all unfinished requests of the process may occupy. The oldest are dropped for new ones.
MAX_TOTAL_BYTES = 64 * 1024 * 1024

_LENGTH = re.compile(rb"^content-length:[ \t]*(\d{1,18})[ \t]*$", re.IGNORECASE)
_CONTINUE = re.compile(rb"^expect:[ \t]*100-continue[ \t]*$", re.IGNORECASE)
_CLOSED = b"Connection: close\r\nContent-Length: 0\r\n\r\n"
_TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\n" + _CLOSED
_LENGTH_REQUIRED = b"HTTP/1.1 411 Length Required\r\n" + _CLOSED


class BufferingWorker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no type information
    """Collects requests before a thread handles them.

    A connection of `pending_conns` is unfinished, or closing: it is ignored until the client has closed its side. gunicorn closes
    those whose `timeout` has passed. They are in the order of their time, which is the same for all.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._requests: dict[TConn, _Request] = {}
        self._upload_deadlines: dict[TConn, float] = {}

    def enqueue_req(self, conn: TConn) -> None:
        """Collect the next request of the connection. Its first bytes may have come with the last request."""
        request = _Request(conn.parser.unreader.take_buffered() if conn.parser else b"")
        if conn.parser is None:
            conn.sock.setsockopt(SOL_SOCKET, SO_SNDBUF, SEND_BUFFER_BYTES)
        self._requests[conn] = request
        self._wait_for_client(conn)
        self._continue(conn, request)
        self._make_room()

    def on_pending_socket_readable(self, conn: TConn, client: socket) -> None:
        if client.fileno() < 0:  # dropped since the event
            return
        try:
            data = client.recv(64 * 1024)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        request = self._requests.get(conn)
        if not data:
            self._drop(conn)
        elif request is not None:
            request.received += data
            self._continue(conn, request)
            self._make_room()

    def _continue(self, conn: TConn, request: _Request) -> None:
        refusal = request.read_head(conn.sock)
        if refusal:
            with contextlib.suppress(OSError):
                conn.sock.send(refusal)
            del self._requests[conn]
            _close_output(conn.sock)
        elif request.is_ready and not _count_unsent(conn.sock):
            self._forget(conn)
            conn.init()
            conn.data_ready = True
            conn.parser.unreader = _Unreader(conn.sock, request)
            conn.is_upload = request.is_upload
            if request.is_upload:
                seconds = REQUEST_SECONDS + request.body_length / UPLOAD_BYTES_PER_SECOND
                self._upload_deadlines[conn] = time.monotonic() + seconds
            super().enqueue_req(conn)

    def handle_request(self, req: Any, conn: TConn) -> Any:
        client = conn.sock
        client.settimeout(STALL_SECONDS)
        conn.sock = _ResponseSocket(client)
        try:
            return super().handle_request(req, conn)
        finally:
            conn.sock = client

    def _keepalive_after(self, conn: TConn, keepalive: bool) -> bool:
        """Do not wait in a thread for the rest of an upload that was refused."""
        return not conn.is_upload and super()._keepalive_after(conn, keepalive)

    def finish_request(self, conn: TConn, fs: Any) -> None:
        """As in `gthread`. But a connection that ends is closed in the event loop: waiting for it here would stop all others."""
        self._upload_deadlines.pop(conn, None)
        if not fs.cancelled() and fs.exception() is None and fs.result():
            super().finish_request(conn, fs)
            return
        _close_output(conn.sock)
        try:
            self._wait_for_client(conn)
        except (OSError, ValueError):  # a thread has closed it
            self.nr_conns -= 1
            conn.close()

    def murder_pending(self) -> None:
        super().murder_pending()
        if not self.alive:  # the worker stops: only requests that have begun are completed
            for conn in list(self.pending_conns):
                if conn not in self._requests or not self._requests[conn].received:
                    self._drop(conn)
        for conn in self._requests.keys() - set(self.pending_conns):
            del self._requests[conn]
        for conn, request in list(self._requests.items()):
            if request.is_ready:  # it waited for the last response to be sent
                self._continue(conn, request)
        now = time.monotonic()
        for conn in [conn for conn, deadline in self._upload_deadlines.items() if deadline < now]:
            del self._upload_deadlines[conn]
            with contextlib.suppress(OSError):
                conn.sock.shutdown(SHUT_RD)  # the thread that reads gets the end of the input

    def _wait_for_client(self, conn: TConn) -> None:
        conn.sock.setblocking(False)
        conn.timeout = time.monotonic() + REQUEST_SECONDS
        self.poller.register(conn.sock, EVENT_READ, partial(self.on_pending_socket_readable, conn))
        self.pending_conns.append(conn)

    def _forget(self, conn: TConn) -> None:
        self._requests.pop(conn, None)
        self.pending_conns.remove(conn)
        self.poller.unregister(conn.sock)

    def _drop(self, conn: TConn) -> None:
        self._forget(conn)
        self.nr_conns -= 1
        conn.close()

    def _make_room(self) -> None:
        total = sum(len(request.received) for request in self._requests.values())
        while total > MAX_TOTAL_BYTES or len(self.pending_conns) > self.worker_connections // 2:
            oldest = self.pending_conns[0]
            total -= len(self._requests[oldest].received) if oldest in self._requests else 0
            self._drop(oldest)


class _Request:
    """A request that is being received. gunicorn parses it again, and refuses what is malformed."""

    def __init__(self, received: bytes) -> None:
        self.received = bytearray(received)
        self.body_length = 0
        self._head_length = 0

    @property
    def is_upload(self) -> bool:
        return self.body_length > MAX_COLLECTED_BODY_BYTES

    @property
    def is_ready(self) -> bool:
        """Whether a thread can handle the request: all of it was received, or the headers of an upload."""
        if not self._head_length:
            return False
        return self.is_upload or len(self.received) >= self._head_length + self.body_length

    def read_head(self, client: socket) -> bytes:
        """Read the headers once all were received. Returns the response if the request cannot be accepted."""
        if self._head_length:
            return b""
        while self.received.startswith(
            b"\r\n"
        ):  # gunicorn ignores one empty line, and would wait for the rest
            del self.received[:2]
        end = self.received.find(b"\r\n\r\n", 0, MAX_HEADER_BYTES)
        if end < 0:
            return _TOO_LARGE if len(self.received) >= MAX_HEADER_BYTES else b""
        self._head_length = end + 4
        lines = self.received[:end].split(b"\r\n")
        # Django ignores a body without a length.
        if any(line.lower().startswith(b"transfer-encoding:") for line in lines):
            return _LENGTH_REQUIRED
        lengths = [int(match[1]) for line in lines if (match := _LENGTH.match(line))]
        self.body_length = max(lengths, default=0)
        if not self.is_ready and any(_CONTINUE.match(line) for line in lines):
            with contextlib.suppress(OSError):
                client.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        return b""


class _Unreader(SocketUnreader):  # type: ignore[misc]
    """Gives gunicorn what was received. A thread reads from the socket for an upload only."""

    def __init__(self, client: socket, request: _Request) -> None:
        super().__init__(client)
        self._reads_socket = request.is_upload
        self.unread(bytes(request.received))

    def chunk(self, size_hint: int | None = None) -> bytes:
        return bytes(super().chunk(size_hint)) if self._reads_socket else b""


class _ResponseSocket:
    """The socket of a client while it gets a response. Waiting for the client is limited for the whole response."""

    def __init__(self, client: socket) -> None:
        self._client = client
        self._seconds = STALL_SECONDS

    def sendall(self, data: bytes) -> None:
        """Send data. Raises TimeoutError if the client reads too slowly."""
        self._client.settimeout(max(self._seconds, 0.001))
        started = time.monotonic()
        self._client.sendall(data)
        self._seconds += len(data) / DOWNLOAD_BYTES_PER_SECOND - (time.monotonic() - started)
        self._seconds = min(self._seconds, STALL_SECONDS)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)


def _count_unsent(client: socket) -> int:
    """The bytes of responses that the client has not received yet."""
    try:
        return int(struct.unpack("i", fcntl.ioctl(client, termios.TIOCOUTQ, bytes(4)))[0])
    except OSError:  # closed, or a system that does not tell
        return 0


def _close_output(client: socket) -> None:
    with contextlib.suppress(OSError):
        client.shutdown(SHUT_WR)
