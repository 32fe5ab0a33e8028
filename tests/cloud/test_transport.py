"""The network under a client, against servers that behave well, badly, or not at all."""

from __future__ import annotations

import datetime
import gzip
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from console.cloud.client import Client, Credentials
from console.cloud.errors import BadAnswer, InvalidParameter, Unavailable
from console.cloud.retry import NO_RETRY
from console.cloud.transport import DirectTransport, new_transport, timeouts

OK = b'{"Success":true,"RequestId":"R"}'


def answer(body: bytes = OK, *headers: str, length: int | None = None) -> bytes:
    lines = ["HTTP/1.1 200 OK", f"Content-Length: {len(body) if length is None else length}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


class Last(bytes):
    """An answer after which the server hangs up."""


class Script:
    """A server that gives each request the next answer, whatever its connection. `connections` counts those."""

    def __init__(self, *answers: bytes | Callable[[], bytes], tls: ssl.SSLContext | None = None) -> None:
        self.answers = list(answers)
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
            threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection: socket.socket) -> None:
        with connection:
            while request := self._request(connection):
                self.requests.append(request)
                following = self.answers.pop(0)
                data = following if isinstance(following, bytes) else following()
                connection.sendall(data)
                if isinstance(data, Last):
                    return

    @staticmethod
    def _request(connection: socket.socket) -> bytes:
        data = b""
        try:
            while b"\r\n\r\n" not in data and (piece := connection.recv(65_536)):
                data += piece
        except OSError:
            return b""
        return data

    def hang_up(self) -> None:
        """Close the connections that are open, as a server does with idle ones."""
        for connection in self._open:
            connection.shutdown(socket.SHUT_RDWR)
        time.sleep(0.05)  # until the other side has heard of it

    def close(self) -> None:
        self._listener.close()


@contextmanager
def served(
    *answers: bytes | Callable[[], bytes], timeout: float = 5, **options: ssl.SSLContext
) -> Iterator[tuple[Client, Script]]:
    script = Script(*answers, **options)
    scheme = "https" if options.get("tls") else "http"
    with Client(
        Credentials("id", "secret"),
        endpoint=f"{scheme}://127.0.0.1:{script.port}",
        timeout=timeout,
        retry=NO_RETRY,
    ) as client:
        yield client, script
    script.close()


def test_calls_after_each_other_share_a_connection() -> None:
    with served(answer(), answer(), answer()) as (client, script):
        for _ in range(3):
            assert client.call("QueryProduct", ProductKey="a1")["Success"]
        assert script.connections == 1
        assert script.requests[0].startswith(b"POST /?Action=QueryProduct&")
        assert (
            script.requests[0].count(b"\r\nhost: 127.0.0.1")
            == script.requests[0].lower().count(b"\r\nhost:")
            == 1
        )


def test_a_connection_that_was_closed_while_idle_is_not_used_again() -> None:
    with served(answer(), answer()) as (client, script):
        client.call("CreateProduct", ProductName="Meters", NodeType=0)
        script.hang_up()
        client.call("CreateProduct", ProductName="Lights", NodeType=0)
        assert script.connections == 2


@pytest.mark.parametrize("header", ["Connection: close", ""])
def test_a_connection_that_the_server_will_close_is_not_kept(header: str) -> None:
    old = answer().replace(b"HTTP/1.1", b"HTTP/1.0") if not header else answer(OK, header)
    with served(old, answer()) as (client, script):
        client.call("QueryProduct", ProductKey="a1")
        client.call("QueryProduct", ProductKey="a1")
        assert script.connections == 2


def test_an_answer_in_pieces_and_one_that_is_compressed() -> None:
    pieces = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"".join(
        b"%x\r\n%s\r\n" % (len(piece), piece) for piece in (OK[:5], OK[5:], b"")
    )
    with served(pieces, answer(gzip.compress(OK), "Content-Encoding: gzip")) as (client, script):
        assert client.call("QueryProduct", ProductKey="a1")["RequestId"] == "R"
        assert client.call("QueryProduct", ProductKey="a1")["RequestId"] == "R"
        assert script.connections == 1


@pytest.mark.parametrize(
    ("data", "code", "kind"),
    [
        (Last(b""), "Client.Dropped", Unavailable),
        (Last(b"HTTP/1.1 "), "Client.Dropped", Unavailable),
        (Last(b"220 mail.example.com ESMTP\r\n\r\n"), "Client.Dropped", Unavailable),
        (Last(answer(OK, length=1000)), "Client.Dropped", Unavailable),
        (
            Last(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n20\r\n{"),
            "Client.Dropped",
            Unavailable,
        ),
        # Read to its end, so the connection is used again: a server that hung up now would race with the next call.
        (answer(b"not gzip", "Content-Encoding: gzip"), "Client.BadAnswer", BadAnswer),
    ],
)
def test_half_an_answer_or_none_is_told_as_sent(data: bytes, code: str, kind: type[Exception]) -> None:
    with served(data, answer()) as (client, _):
        with pytest.raises(kind) as failure:
            client.call("QueryProduct", ProductKey="a1")
        assert failure.value.code == code
        assert getattr(failure.value, "sent", True)
        assert client.call("QueryProduct", ProductKey="a1")["Success"]


def test_an_answer_that_does_not_come_is_waited_for_so_long() -> None:
    with served(lambda: time.sleep(2) or Last(), timeout=0.2) as (client, _):
        started = time.monotonic()
        with pytest.raises(Unavailable) as failure:
            client.call("QueryProduct", ProductKey="a1")
        assert (failure.value.code, failure.value.sent) == ("Client.Timeout", True)
        assert time.monotonic() - started < 1.5


def test_a_name_that_is_no_host_s_was_never_sent_to() -> None:
    credentials = Credentials("id", "secret")
    with Client(credentials, endpoint="http://nowhere.invalid", retry=NO_RETRY) as client:
        with pytest.raises(Unavailable) as failure:
            client.call("QueryProduct", ProductKey="a1")
        assert (failure.value.code, failure.value.sent) == ("Client.Unreachable", False)
    with pytest.raises(InvalidParameter, match="InvalidEndpoint"):
        Client(credentials, endpoint=f"http://{'x' * 64}.invalid", retry=NO_RETRY)


def test_when_all_connections_are_in_use_the_wait_ends() -> None:
    script = Script(*[answer()] * 100)
    transport = DirectTransport(f"http://127.0.0.1:{script.port}")
    request = httpx.Request(
        "POST",
        f"http://127.0.0.1:{script.port}/",
        content=b"",
        extensions={"timeout": timeouts(5) | {"pool": 0.05}},
    )
    held = [transport.handle_request(request) for _ in range(64)]
    with pytest.raises(httpx.PoolTimeout):
        transport.handle_request(request)
    for response in held:
        response.read()
        response.close()
    assert transport.handle_request(request).read() == OK
    transport.close()
    script.close()


def test_a_closed_transport_keeps_nothing() -> None:
    with served(answer(), answer()) as (client, script):
        client.call("QueryProduct", ProductKey="a1")
        client.close()
        client.call("QueryProduct", ProductKey="a1")
        assert script.connections == 2


def test_a_proxy_is_used_where_the_environment_names_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "proxy.example.com:3128")
    monkeypatch.setenv("NO_PROXY", "inside.example.com")
    assert isinstance(new_transport("http://iot.example.com"), httpx.HTTPTransport)
    for direct in ("http://127.0.0.1:80", "http://localhost", "http://inside.example.com"):
        assert isinstance(new_transport(direct), DirectTransport)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of this machine's address, with its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "certificate.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return path


def test_a_secure_connection_is_kept_too(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate)
    with served(answer(), answer(), tls=tls) as (client, script):
        for _ in range(2):
            assert client.call("QueryProduct", ProductKey="a1")["Success"]
        assert script.connections == 1


def test_a_certificate_that_nobody_vouches_for_is_refused_before_anything_is_sent(certificate: Path) -> None:
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate)
    with served(answer(), tls=tls) as (client, script):
        with pytest.raises(Unavailable) as failure:
            client.call("QueryProduct", ProductKey="a1")
        assert (failure.value.code, failure.value.sent) == ("Client.Unreachable", False)
        assert script.requests == []
