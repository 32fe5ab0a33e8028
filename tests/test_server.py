"""gunicorn with the configuration of the image, in front of real sockets: slow clients, forwarded headers."""

from __future__ import annotations

import hashlib
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import httpx
import pytest

from tests.console_process import CHECKOUT

pytestmark = pytest.mark.processes

SLOW_CLIENTS = 60


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, int]]:
    """Host and port of a server that is started as in the image, on an empty database."""
    home = tmp_path_factory.mktemp("server") / "home"
    environment = {
        "PATH": os.environ["PATH"],
        "SECRET_KEY": "k3" * 30,
        "FIELD_ENCRYPTION_KEYS": "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
        "FLEETDESK_HOME": str(home),
        "INSECURE_HTTP": "true",
        "DEBUG": "true",
        "DJANGO_SETTINGS_MODULE": "console.settings",
    }
    subprocess.run([sys.executable, "manage.py", "migrate", "-v0"], cwd=CHECKOUT, env=environment, check=True)
    with run_gunicorn("console.wsgi", environment) as running:
        for _ in range(8):  # the first pages of a process take longer
            open_sign_in_page(running)
        yield running


@contextmanager
def run_gunicorn(application: str, environment: dict[str, str]) -> Iterator[tuple[str, int]]:
    """Run the application with the configuration of the project. Yields host and port when it responds."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [
        *(sys.executable, "-m", "gunicorn", application, "--bind", f"127.0.0.1:{port}"),
        *("--workers", "2", "--threads", "8", "--log-level", "warning"),
    ]
    process = subprocess.Popen(command, cwd=CHECKOUT, env=environment)
    try:
        deadline = time.monotonic() + 60
        while not _responds(port):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.1)
        yield "127.0.0.1", port
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(40)


def _responds(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/healthz", trust_env=False, timeout=20).status_code == 200
    except httpx.HTTPError:
        return False


def open_sign_in_page(address: tuple[str, int]) -> None:
    host, port = address
    response = httpx.get(f"http://{host}:{port}/accounts/login/", trust_env=False, timeout=10)
    assert response.status_code == 200


def is_dropped(client: socket.socket) -> bool:
    try:
        return client.recv(1) == b""
    except ConnectionError:
        return True


def exchange(address: tuple[str, int], request: bytes) -> bytes:
    """Send a request and return the first part of the response, until 5 seconds pass without one."""
    with socket.create_connection(address, timeout=5) as client:
        client.sendall(request)
        return client.recv(64 * 1024)


@pytest.mark.parametrize(
    "beginning",
    [
        b"",
        b"\r\n\r\n",
        b"GET /accounts/login/ HTTP/1.1\r\nHost: localhost\r\nX-Slow: ",
        b"POST /accounts/login/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 200\r\n\r\nlogin=",
        b"POST /accounts/login/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000000\r\n\r\nlogin=",
        b"POST /accounts/login/ HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nlo",
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        b"POST /accounts/login/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nContent-Length: 9\r\n\r\n",
    ],
    ids=["nothing", "empty lines", "headers", "body", "upload", "chunks", "never closed", "malformed"],
)
def test_clients_that_send_no_complete_request_delay_nobody(
    address: tuple[str, int], beginning: bytes
) -> None:
    with ExitStack() as slow:
        for _ in range(SLOW_CLIENTS):
            client = slow.enter_context(socket.create_connection(address))
            client.sendall(beginning)
        time.sleep(0.5)
        started = time.monotonic()
        for _ in range(6):
            open_sign_in_page(address)
        assert time.monotonic() - started < 5


def test_unfinished_bodies_occupy_limited_memory(address: tuple[str, int]) -> None:
    head = b"POST /accounts/login/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3000000\r\n\r\n"
    with ExitStack() as slow:
        clients = [slow.enter_context(socket.create_connection(address)) for _ in range(SLOW_CLIENTS)]
        for client in clients:
            client.settimeout(30)
            with suppress(ConnectionError):  # it was dropped already
                client.sendall(head + b"x" * 2_900_000)
        open_sign_in_page(address)
        connected = set(clients)
        deadline = time.monotonic() + 30
        while True:  # until the workers have read what the system has buffered
            assert time.monotonic() < deadline
            readable, _, _ = select.select(list(connected), [], [], 1)
            connected -= {client for client in readable if is_dropped(client)}
            if not readable and len(connected) < SLOW_CLIENTS:
                break
        assert connected


def test_a_request_that_arrives_in_pieces_is_answered(address: tuple[str, int]) -> None:
    pieces = [
        b"GET /healthz HT",
        b"TP/1.1\r\nHost: local",
        b"host\r\nContent-Length: 4\r\n\r",
        b"\nab",
        b"cd",
    ]
    with socket.create_connection(address, timeout=5) as client:
        for piece in pieces:
            client.sendall(piece)
            time.sleep(0.05)
        assert client.recv(1024).startswith(b"HTTP/1.1 200")
        # The connection is kept, and two requests at once get two responses.
        client.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n" * 2)
        received = b""
        while received.count(b"HTTP/1.1 200") < 2:
            part = client.recv(1024)
            assert part
            received += part


@pytest.mark.parametrize(
    ("request_text", "status"),
    [
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Large: " + b"x" * 70_000, b"431"),
        (b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n", b"411"),
        (b"POST / HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n", b"100"),
    ],
)
def test_what_cannot_be_collected_gets_a_response_at_once(
    address: tuple[str, int], request_text: bytes, status: bytes
) -> None:
    assert exchange(address, request_text).startswith(b"HTTP/1.1 " + status)


def test_a_body_that_is_refused_unread_gets_its_response(address: tuple[str, int]) -> None:
    host, port = address
    url = f"http://{host}:{port}/accounts/login/"
    response = httpx.post(url, content=b"x" * 20_000_000, trust_env=False, timeout=20)
    assert response.status_code == 413


APP = """
import hashlib

def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [hashlib.sha256(environ["wsgi.input"].read()).hexdigest().encode()]
"""


def test_bodies_of_any_size_arrive_as_they_were_sent(tmp_path: Path) -> None:
    (tmp_path / "digest_app.py").write_text(APP)
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(tmp_path)}
    body = b"abcd" * 1_000_000
    head = b"POST / HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 4000000\r\n\r\n"
    with run_gunicorn("digest_app", environment) as (host, port):
        with httpx.Client(base_url=f"http://{host}:{port}", trust_env=False, timeout=20) as client:
            for size in (0, 1, 100_000, 3 * 1024 * 1024, 3 * 1024 * 1024 + 1, 20_000_000, 5):
                content = os.urandom(size)
                assert client.post("/", content=content).text == hashlib.sha256(content).hexdigest()
        with socket.create_connection((host, port), timeout=5) as upload:
            upload.sendall(head)
            assert b"100 Continue" in upload.recv(1024)
            upload.sendall(body)
            assert b"200 OK" in upload.recv(1024)


ENDLESS_APP = """
from console import gunicorn_worker

gunicorn_worker.STALL_SECONDS, gunicorn_worker.DOWNLOAD_BYTES_PER_SECOND = 3.0, 1_000_000

def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b""] if environ["PATH_INFO"] == "/healthz" else iter(lambda: b"x" * 16_000, b"")
"""


@pytest.mark.parametrize(("bytes_per_second", "ends"), [(250_000, True), (3_000_000, False)])
def test_a_download_ends_if_the_client_reads_it_slowly(
    tmp_path: Path, bytes_per_second: int, ends: bool
) -> None:
    (tmp_path / "endless_app.py").write_text(ENDLESS_APP)
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(tmp_path)}
    with run_gunicorn("endless_app", environment) as address, socket.create_connection(address) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        started, received = time.monotonic(), 0
        while (passed := time.monotonic() - started) < 9:
            if received < bytes_per_second * passed:
                data = client.recv(16_000)
                if not data:
                    break
                received += len(data)
            else:
                time.sleep(0.01)
        assert (passed < 9) is ends


WAITING_APP = """
import time
from console.connections.waiting import PlatformBusy, Waiter

def application(environ, start_response):
    status = "200 OK"
    try:
        with Waiter(1).wait("Test"):
            time.sleep(3)
    except PlatformBusy:
        status = "503 Service Unavailable"
    start_response(status, [("Content-Type", "text/plain")])
    return [b""]
"""


def test_half_of_the_configured_threads_may_wait_for_one_platform(tmp_path: Path) -> None:
    (tmp_path / "waiting_app.py").write_text(WAITING_APP)
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(tmp_path)}
    with run_gunicorn("waiting_app", environment) as (host, port), ThreadPoolExecutor(16) as pool:
        url = f"http://{host}:{port}/"
        pages = [pool.submit(httpx.get, url, trust_env=False, timeout=20) for _ in range(16)]
        statuses = [page.result().status_code for page in pages]
    assert 4 <= statuses.count(200) <= 8  # of two processes, if the second one got any
    assert statuses.count(503) == 16 - statuses.count(200)


@pytest.mark.parametrize("header", [b"SCRIPT_NAME: /x", b"PATH_INFO: /x", b"X-Forwarded-Proto: https"])
def test_headers_of_a_client_that_is_no_trusted_proxy_change_nothing(
    address: tuple[str, int], header: bytes
) -> None:
    request = b"GET /accounts/login/?next=/a HTTP/1.1\r\nHost: localhost\r\n%sConnection: close\r\n\r\n"
    with_header = exchange(address, request % (header + b"\r\n"))
    assert with_header.startswith(b"HTTP/1.1 200")
    assert b"/x/" not in with_header
    assert b"https://localhost" not in with_header


def test_clients_that_do_not_read_their_response_delay_nobody(address: tuple[str, int]) -> None:
    request = b"GET /static/vendor/uplot.js HTTP/1.1\r\nHost: localhost\r\n\r\n" * 100
    with ExitStack() as slow:
        for _ in range(SLOW_CLIENTS):
            client = slow.enter_context(socket.socket())
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
            client.connect(address)
            client.sendall(request)
        time.sleep(0.5)
        started = time.monotonic()
        for _ in range(6):
            open_sign_in_page(address)
        assert time.monotonic() - started < 5
