"""The network connections of a client, with servers that respond correctly, wrongly, or not at all."""

from __future__ import annotations

import gzip
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from iot_client.client import Client, Credentials
from iot_client.errors import BadResponse, InvalidParameter, Unavailable
from iot_client.retry import NO_RETRY
from iot_client.transport import DirectTransport, build_timeouts, new_transport
from tests.iot_client.servers import OK, FinalResponse, ScriptedServer, build_response


@contextmanager
def start_server(
    *responses: bytes | Callable[[], bytes], timeout: float = 5, **options: ssl.SSLContext
) -> Iterator[tuple[Client, ScriptedServer]]:
    server = ScriptedServer(*responses, **options)
    scheme = "https" if options.get("tls") else "http"
    with Client(
        Credentials("id", "secret"),
        endpoint=f"{scheme}://127.0.0.1:{server.port}",
        timeout=timeout,
        retry=NO_RETRY,
    ) as client:
        yield client, server
    server.close()


def test_successive_calls_share_a_connection() -> None:
    with start_server(build_response(), build_response(), build_response()) as (client, server):
        for _ in range(3):
            assert client.call("QueryProduct", ProductKey="a1")["Success"]
        assert server.connections == 1
        assert server.requests[0].startswith(b"POST /?Action=QueryProduct&")
        assert (
            server.requests[0].count(b"\r\nhost: 127.0.0.1")
            == server.requests[0].lower().count(b"\r\nhost:")
            == 1
        )


def test_a_connection_closed_while_idle_is_not_reused() -> None:
    with start_server(build_response(), build_response()) as (client, server):
        client.call("CreateProduct", ProductName="Meters", NodeType=0)
        server.close_connections()
        client.call("CreateProduct", ProductName="Lights", NodeType=0)
        assert server.connections == 2


@pytest.mark.parametrize("header", ["Connection: close", ""])
def test_a_connection_that_the_server_will_close_is_not_kept(header: str) -> None:
    old = build_response().replace(b"HTTP/1.1", b"HTTP/1.0") if not header else build_response(OK, header)
    with start_server(old, build_response()) as (client, server):
        client.call("QueryProduct", ProductKey="a1")
        client.call("QueryProduct", ProductKey="a1")
        assert server.connections == 2


def test_chunked_and_compressed_responses_are_read() -> None:
    pieces = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"".join(
        b"%x\r\n%s\r\n" % (len(piece), piece) for piece in (OK[:5], OK[5:], b"")
    )
    with start_server(pieces, build_response(gzip.compress(OK), "Content-Encoding: gzip")) as (
        client,
        server,
    ):
        assert client.call("QueryProduct", ProductKey="a1")["RequestId"] == "R"
        assert client.call("QueryProduct", ProductKey="a1")["RequestId"] == "R"
        assert server.connections == 1


@pytest.mark.parametrize(
    ("data", "code", "error_class"),
    [
        (FinalResponse(b""), "Client.Dropped", Unavailable),
        (FinalResponse(b"HTTP/1.1 "), "Client.Dropped", Unavailable),
        (FinalResponse(b"220 mail.example.com ESMTP\r\n\r\n"), "Client.Dropped", Unavailable),
        (FinalResponse(build_response(OK, length=1000)), "Client.Dropped", Unavailable),
        (
            FinalResponse(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n20\r\n{"),
            "Client.Dropped",
            Unavailable,
        ),
        # Read completely, so the connection is reused. A server that closes it now would race with the next call.
        (build_response(b"not gzip", "Content-Encoding: gzip"), "Client.BadResponse", BadResponse),
    ],
)
def test_an_incomplete_or_missing_response_counts_as_sent(
    data: bytes, code: str, error_class: type[Exception]
) -> None:
    with start_server(data, build_response()) as (client, _):
        with pytest.raises(error_class) as failure:
            client.call("QueryProduct", ProductKey="a1")
        assert failure.value.code == code
        assert getattr(failure.value, "sent", True)
        assert client.call("QueryProduct", ProductKey="a1")["Success"]


def test_a_missing_response_times_out() -> None:
    with start_server(lambda: time.sleep(2) or FinalResponse(), timeout=0.2) as (client, _):
        started = time.monotonic()
        with pytest.raises(Unavailable) as failure:
            client.call("QueryProduct", ProductKey="a1")
        assert (failure.value.code, failure.value.sent) == ("Client.Timeout", True)
        assert time.monotonic() - started < 1.5


def test_a_request_to_an_invalid_host_name_is_never_sent() -> None:
    credentials = Credentials("id", "secret")
    with Client(credentials, endpoint="http://nowhere.invalid", retry=NO_RETRY) as client:
        with pytest.raises(Unavailable) as failure:
            client.call("QueryProduct", ProductKey="a1")
        assert (failure.value.code, failure.value.sent) == ("Client.Unreachable", False)
    with pytest.raises(InvalidParameter, match="InvalidEndpoint"):
        Client(credentials, endpoint=f"http://{'x' * 64}.invalid", retry=NO_RETRY)


def test_waiting_for_a_free_connection_times_out() -> None:
    server = ScriptedServer(*[build_response()] * 100)
    transport = DirectTransport(f"http://127.0.0.1:{server.port}")
    request = httpx.Request(
        "POST",
        f"http://127.0.0.1:{server.port}/",
        content=b"",
        extensions={"timeout": build_timeouts(5) | {"pool": 0.05}},
    )
    responses = [transport.handle_request(request) for _ in range(64)]
    with pytest.raises(httpx.PoolTimeout):
        transport.handle_request(request)
    for response in responses:
        response.read()
        response.close()
    assert transport.handle_request(request).read() == OK
    transport.close()
    server.close()


def test_a_closed_transport_keeps_no_connection() -> None:
    with start_server(build_response(), build_response()) as (client, server):
        client.call("QueryProduct", ProductKey="a1")
        client.close()
        client.call("QueryProduct", ProductKey="a1")
        assert server.connections == 2


def test_the_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "proxy.example.com:3128")
    monkeypatch.setenv("NO_PROXY", "inside.example.com")
    assert isinstance(new_transport("http://iot.example.com"), httpx.HTTPTransport)
    for direct in ("http://127.0.0.1:80", "http://localhost", "http://inside.example.com"):
        assert isinstance(new_transport(direct), DirectTransport)


def test_a_tls_connection_is_reused(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate)
    with start_server(build_response(), build_response(), tls=tls) as (client, server):
        for _ in range(2):
            assert client.call("QueryProduct", ProductKey="a1")["Success"]
        assert server.connections == 1


def test_an_untrusted_certificate_is_rejected_before_anything_is_sent(certificate: Path) -> None:
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate)
    with start_server(build_response(), tls=tls) as (client, server):
        with pytest.raises(Unavailable) as failure:
            client.call("QueryProduct", ProductKey="a1")
        assert (failure.value.code, failure.value.sent) == ("Client.Unreachable", False)
        assert server.requests == []
