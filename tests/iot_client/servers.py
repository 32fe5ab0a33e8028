"""Servers in place of the platform: one that sends given bytes, and some that are slow."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable

OK = b'{"Success":true,"RequestId":"R"}'


def build_response(body: bytes = OK, *headers: str, length: int | None = None) -> bytes:
    lines = ["HTTP/1.1 200 OK", f"Content-Length: {len(body) if length is None else length}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


class FinalResponse(bytes):
    """A response after which the server closes the connection."""


class ScriptedServer:
    """A server that sends the next response to each request, on any connection. `connections` counts the connections."""

    def __init__(self, *responses: bytes | Callable[[], bytes], tls: ssl.SSLContext | None = None) -> None:
        self.responses = list(responses)
        self.connections = 0
        self.requests: list[bytes] = []
        self._open: list[socket.socket] = []
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
                if self._tls is not None:
                    connection = self._tls.wrap_socket(connection, server_side=True)
            except ssl.SSLError:
                continue
            except OSError:
                return
            self.connections += 1
            self._open.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            while request := self._read_request(connection):
                self.requests.append(request)
                response = self.responses.pop(0)
                data = response if isinstance(response, bytes) else response()
                connection.sendall(data)
                if isinstance(data, FinalResponse):
                    return

    @staticmethod
    def _read_request(connection: socket.socket) -> bytes:
        data = b""
        try:
            while b"\r\n\r\n" not in data and (piece := connection.recv(65_536)):
                data += piece
        except OSError:
            return b""
        return data

    def close_connections(self) -> None:
        """Close the open connections, as a server does with idle connections."""
        for connection in self._open:
            connection.shutdown(socket.SHUT_RDWR)
        time.sleep(0.05)  # until the client has noticed

    def close(self) -> None:
        self._listener.close()


DRIP_SECONDS = 0.02


class DrippingServer(ScriptedServer):
    """A server that sends its response byte by byte. To a CONNECT it responds at once, as a proxy."""

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            while (request := self._read_request(connection)).startswith(b"CONNECT"):
                connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                if self._tls_after_connect is not None:
                    connection = self._tls_after_connect.wrap_socket(connection, server_side=True)
            self.requests.append(request)
            for byte in self.responses[0]:
                connection.sendall(bytes([byte]))
                time.sleep(DRIP_SECONDS)

    _tls_after_connect: ssl.SSLContext | None = None


class StalledServer(ScriptedServer):
    """A server that receives so slowly that an upload does not end."""

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            while connection.recv(4096):
                time.sleep(DRIP_SECONDS)
