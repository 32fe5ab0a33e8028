"""The client and a server that is slow, or that compresses what would fill the memory."""

from __future__ import annotations

import gzip
import io
import ssl
import time
import tracemalloc
import zlib
from pathlib import Path

import httpx
import pytest

from iot_client.client import Client, Credentials
from iot_client.errors import BadResponse, Unavailable
from iot_client.object_storage import UploadForm, upload_file
from iot_client.retry import NO_RETRY
from iot_client.transport import read_body
from tests.iot_client.servers import OK, DrippingServer, ScriptedServer, StalledServer, build_response

PIECES = {
    "status line": b"HTTP/1.1 200 OK",
    "headers": b"HTTP/1.1 200 OK\r\nServer: " + b"x" * 100,
    "many answers before the final one": b"HTTP/1.1 100 Continue\r\n\r\n" * 100,
    "body": build_response(b" " * 1000, length=1000),
    "chunks of the body": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\n \r\n" * 100,
    "trailers": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n" + b"a: b\r\n" * 100,
}


def measure_a_call(endpoint: str, timeout: float) -> float:
    """Make a call that must time out. Returns the seconds that it took."""
    with Client(Credentials("id", "secret"), endpoint=endpoint, timeout=timeout, retry=NO_RETRY) as client:
        started = time.monotonic()
        with pytest.raises(Unavailable) as failure:
            client.call("QueryProduct", ProductKey="a1")
        assert (failure.value.code, failure.value.sent) == ("Client.Timeout", True)
        return time.monotonic() - started


@pytest.mark.parametrize("part", PIECES)
def test_a_server_that_sends_byte_by_byte_cannot_hold_a_call_longer_than_its_timeout(part: str) -> None:
    server = DrippingServer(PIECES[part])
    assert 0.2 <= measure_a_call(f"http://127.0.0.1:{server.port}", timeout=0.2) < 1.5
    server.close()


@pytest.mark.parametrize("part", ["headers", "body"])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_the_timeout_of_a_call_through_a_proxy_is_the_same(
    part: str, scheme: str, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    proxy = DrippingServer(PIECES[part])
    proxy._tls_after_connect = tls
    monkeypatch.setenv(f"{scheme}_proxy", f"http://127.0.0.1:{proxy.port}")
    # No name is looked up: the proxy is the other side.
    endpoint = f"{scheme}://127.0.0.1" if scheme == "https" else "http://platform.example.com"
    monkeypatch.setattr("iot_client.transport._is_loopback", lambda host: False)
    assert 0.2 <= measure_a_call(endpoint, timeout=0.2) < 1.5
    assert len(proxy.requests) == 1
    proxy.close()


@pytest.mark.parametrize("server_class", [StalledServer, DrippingServer])
def test_an_upload_ends_at_its_deadline(server_class: type[ScriptedServer]) -> None:
    server = server_class(PIECES["headers"])
    form = UploadForm(f"http://127.0.0.1:{server.port}/store", "key", "id", "policy", "signature")
    started = time.monotonic()
    with pytest.raises(Unavailable) as failure:
        upload_file(form, io.BytesIO(b"x" * 20_000_000), timeout=0.2)
    assert (failure.value.code, failure.value.sent) == ("Client.StoreTimeout", True)
    assert time.monotonic() - started < 1.5
    server.close()


def test_the_deadline_of_an_upload_fits_its_size() -> None:
    limits: list[float] = []

    def respond(request: httpx.Request) -> httpx.Response:
        limits.append(request.extensions["timeout"]["read"])
        return httpx.Response(200)

    form = UploadForm("http://store.test", "key", "id", "policy", "signature")
    for size in (1, 10_000_000):
        upload_file(form, io.BytesIO(b"x" * size), transport=httpx.MockTransport(respond))
    assert [round(limit) for limit in limits] == [60, 160]


# --- compressed responses

ZEROS = gzip.compress(bytes(1_000_000))


def respond_once(body: bytes, encoding: str) -> httpx.MockTransport:
    return httpx.MockTransport(
        lambda request: httpx.Response(
            200, headers={"content-encoding": encoding}, stream=httpx.ByteStream(body)
        )
    )


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("gzip", gzip.compress(OK)),
        ("GZIP", gzip.compress(OK)),
        ("deflate", zlib.compress(OK)),
        ("identity", OK),
    ],
    ids=["gzip", "upper case", "deflate", "identity"],
)
def test_one_encoding_is_decoded(encoding: str, body: bytes) -> None:
    client = Client(Credentials("id", "secret"), transport=respond_once(body, encoding), retry=NO_RETRY)
    assert client.call("QueryProduct", ProductKey="a1")["RequestId"] == "R"


@pytest.mark.parametrize(
    ("encoding", "body", "message"),
    [
        ("gzip, gzip", gzip.compress(ZEROS), "encoding 'gzip, gzip'"),
        ("gzip, identity", gzip.compress(OK), "encoding 'gzip, identity'"),
        ("br", b"x", "encoding 'br'"),
        ("zstd", b"x", "encoding 'zstd'"),
        ("gzip", b"no gzip", "not compressed as it says"),
        ("gzip", gzip.compress(OK)[:-9], "incomplete"),
    ],
    ids=["twice", "with identity", "br", "zstd", "damaged", "incomplete"],
)
def test_another_encoding_several_and_damaged_ones_are_refused(
    encoding: str, body: bytes, message: str
) -> None:
    client = Client(Credentials("id", "secret"), transport=respond_once(body, encoding), retry=NO_RETRY)
    with pytest.raises(BadResponse, match=message):
        client.call("QueryProduct", ProductKey="a1")
    form = UploadForm("http://store.test", "key", "id", "policy", "signature")
    with pytest.raises(BadResponse, match=message):
        upload_file(form, io.BytesIO(b"x"), transport=respond_once(body, encoding))


@pytest.mark.parametrize("limit", [1, 1000, 999_999, 2_000_000])
def test_no_more_than_the_limit_is_decoded(limit: int) -> None:
    tracemalloc.start()
    response = httpx.Response(200, headers={"content-encoding": "gzip"}, stream=httpx.ByteStream(ZEROS))
    assert read_body(response, limit) == bytes(min(limit, 1_000_000))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 6 * limit + 100_000


def test_a_response_beyond_the_limit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("iot_client.client.MAX_RESPONSE_BYTES", 999_999)
    client = Client(Credentials("id", "secret"), transport=respond_once(ZEROS, "gzip"), retry=NO_RETRY)
    with pytest.raises(BadResponse, match="too large"):
        client.call("QueryProduct", ProductKey="a1")
