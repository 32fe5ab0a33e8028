"""Requests that wait for a platform: how many threads of a web process they may occupy."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from django.db import connections
from django.http import HttpResponse
from django.test import Client

from console.audit.models import AuditRecord
from console.connections import clients, waiting
from console.connections.models import Connection
from tests.conftest import Organization
from tests.recorded_calls import RecordedNetwork

pytestmark = pytest.mark.django_db(transaction=True)
THREADS = 8
Get = Callable[..., "Future[HttpResponse]"]


class Platform(httpx.BaseTransport):
    """The network to a platform that does not respond until `resume` is called."""

    def __init__(self, under: httpx.BaseTransport) -> None:
        self._under = under
        self._resumed = threading.Event()
        self.waiting = 0

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.waiting += 1
        self._resumed.wait(60)
        return self._under.handle_request(request)

    def resume(self) -> None:
        self._resumed.set()


@pytest.fixture
def web_process(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """This process has the limits of a web process with 8 threads."""
    waiting.limit_waiting(THREADS)
    yield
    waiting.limit_waiting(0)


@pytest.fixture
def hanging(
    network: RecordedNetwork, org: Organization, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> Iterator[Platform]:
    """The platform of the connection `sandbox`, which hangs. That of other connections responds."""
    settings.CLOUD_CACHE_SECONDS = 0
    platform = Platform(network)
    sandbox = org.connection.pk
    monkeypatch.setattr(
        clients, "transport_for", lambda connection: platform if connection.pk == sandbox else network
    )
    yield platform
    platform.resume()


@pytest.fixture
def get(hanging: Platform, sign_in: Callable[[str], Client]) -> Iterator[Get]:
    """Starts to open a page, as the operator or as the user of a role, in a thread of its own."""

    def send(cookies: Any, url: str) -> HttpResponse:
        client = Client()
        client.cookies = cookies
        try:
            return client.get(url)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(20) as pool:
        yield lambda url, role="operator": pool.submit(send, sign_in(role).cookies, url)
        hanging.resume()


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_half_of_the_threads_wait_for_a_platform_that_hangs_and_other_requests_are_refused(
    web_process: None, org: Organization, get: Get, hanging: Platform, sign_in: Callable[[str], Client]
) -> None:
    pages = [get(org.url("products/")) for _ in range(THREADS)]
    wait_until(lambda: sum(page.done() for page in pages) == THREADS // 2)
    refused = [page.result() for page in pages if page.done()]
    assert {page.status_code for page in refused} == {503}
    assert "The platform is responding slowly." in refused[0].content.decode()

    started = time.monotonic()
    assert sign_in("operator").get(org.url("products/")).status_code == 503
    assert time.monotonic() - started < 1  # without a wait, because nothing moves

    hanging.resume()
    assert sorted(page.result(20).status_code for page in pages) == [200] * 4 + [503] * 4


def test_other_connections_are_open_while_one_platform_hangs(
    web_process: None, org: Organization, get: Get, hanging: Platform
) -> None:
    # This page makes several calls at the same time. They must leave threads of the pool to the other connection.
    pages = [get(org.url()) for _ in range(THREADS)]
    wait_until(lambda: any(page.done() for page in pages))
    assert get("/globex/plant/", "outsider").result(10).status_code == 200


def test_a_quarter_of_the_threads_is_free_while_several_platforms_hang(
    web_process: None,
    org: Organization,
    get: Get,
    hanging: Platform,
    sign_in: Callable[[str], Client],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Connection.objects.filter(pk=org.connection.pk).update(name="First")
    account = {
        name: getattr(org.connection, name) for name in ("endpoint", "access_key_id", "access_key_secret")
    }
    Connection.objects.create(team=org.team, slug="second", name="Second", **account)
    monkeypatch.setattr(clients, "transport_for", lambda connection: hanging)
    pages = [get(f"/acme/{slug}/products/") for slug in ("sandbox", "second") for _ in range(4)]
    wait_until(lambda: sum(page.done() for page in pages) == 2)
    assert get("/globex/plant/products/", "outsider").result(5).status_code == 503


def test_requests_wait_for_their_turn_while_the_platform_responds(
    web_process: None, org: Organization, get: Get, network: RecordedNetwork, hanging: Platform
) -> None:
    hanging.resume()
    network.before["QueryProductList"] = lambda: time.sleep(0.1)
    pages = [get(org.url("products/")) for _ in range(THREADS * 2)]
    assert {page.result(30).status_code for page in pages} == {200}


def test_a_write_that_is_refused_is_not_sent_and_recorded_as_failed(
    web_process: None, org: Organization, get: Get, hanging: Platform, sign_in: Callable[[str], Client]
) -> None:
    pages = [get(org.url("products/")) for _ in range(THREADS)]
    wait_until(lambda: sum(page.done() for page in pages) == THREADS // 2)
    sent = hanging.waiting
    values = {
        "ProductName": "SmartMeter",
        "NodeType": "0",
        "AliyunCommodityCode": "iothub_senior",
        "DataFormat": "1",
    }
    response = sign_in("administrator").post(org.url("explorer/CreateProduct/"), values)
    assert "The platform is responding slowly." in response.content.decode()
    record = AuditRecord.objects.get(operation="CreateProduct")
    assert (record.outcome, record.code) == (AuditRecord.Outcome.FAILED, "Client.PlatformBusy")
    assert hanging.waiting == sent


def test_a_process_without_web_threads_has_no_limit(org: Organization, get: Get, hanging: Platform) -> None:
    pages = [get(org.url("products/")) for _ in range(THREADS)]
    wait_until(lambda: hanging.waiting >= THREADS)
    hanging.resume()
    assert {page.result(20).status_code for page in pages} == {200}
