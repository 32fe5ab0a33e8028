"""Which addresses the console calls: those of CLOUD_ENDPOINTS, asked at the form, at every call and at every upload."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import Client

from console.access.models import AuditRecord
from console.cloud import objects
from console.cloud.client import Client as CloudClient
from console.cloud.client import Credentials
from console.cloud.errors import BadAnswer, CloudError, InvalidParameter
from console.connections import clients, endpoints
from console.connections.models import Connection
from tests.conftest import Organization
from tests.connections.conftest import Watched
from tests.connections.test_pages import ADD, EDIT, GOOD, TEST, UNCHANGED, said
from tests.console_process import CHECKOUT

SignIn = Callable[[str], Client]
LIST = [
    "*.aliyuncs.com",
    "api.example.com:8443",
    "http://127.0.0.1:8601",
    "http://[::1]:8601",
    "*.cloud.test:444",
]


def allowed(endpoint: str) -> bool:
    try:
        endpoints.demand(endpoint, "cn-shanghai")
    except (InvalidParameter, endpoints.EndpointRefused):
        return False
    return True


@pytest.mark.parametrize(
    "endpoint",
    [
        "iot.cn-shanghai.aliyuncs.com",
        "https://iot.cn-shanghai.aliyuncs.com/",
        "https://IoT.CN-Shanghai.AliYunCS.com",
        "https://iot.cn-shanghai.aliyuncs.com:443",
        "https://a.b.c.aliyuncs.com",
        "api.example.com:8443",
        "https://API.example.com:08443",
        "http://127.0.0.1:8601",
        "http://[::1]:8601",
        "http://[0:0:0:0:0:0:0:1]:8601",
        "x.cloud.test:444",
    ],
)
def test_what_the_list_has_is_called(settings: Any, endpoint: str) -> None:
    settings.CLOUD_ENDPOINTS = LIST
    assert allowed(endpoint)


@pytest.mark.parametrize(
    "endpoint",
    [
        # another name, however like it
        "https://aliyuncs.com",
        "https://evil-aliyuncs.com",
        "https://iot.aliyuncs.com.evil.test",
        "https://iot.aliyuncs.com@evil.test",
        "https://evil.test/iot.aliyuncs.com",
        "https://evil.test#.aliyuncs.com",
        "https://evil.test?.aliyuncs.com",
        "https://evil.test\\.aliyuncs.com",
        "https://evil.test\t.aliyuncs.com",
        "https://evil.test\n.aliyuncs.com",
        "https://evil.test%2f.aliyuncs.com",
        "https://evil.test:443:.aliyuncs.com",
        # a name that is not written plainly
        "https://iot.cn-shanghai.aliyuncs.com.",
        "https://iot..aliyuncs.com",
        "https://.aliyuncs.com",
        "https://iot.cn-shanghai.aliyuncs。com",
        "https://iot.cn-shanghai.aliyuncſ.com",
        "https://ıot.aliyuncs.com",
        "https://例え.aliyuncs.com",
        # another scheme or port
        "http://iot.cn-shanghai.aliyuncs.com",
        "ftp://iot.cn-shanghai.aliyuncs.com",
        "file:///etc/passwd",
        "gopher://127.0.0.1:8601",
        "//iot.cn-shanghai.aliyuncs.com",
        "https://iot.cn-shanghai.aliyuncs.com:22",
        "https://iot.cn-shanghai.aliyuncs.com:0",
        "https://iot.cn-shanghai.aliyuncs.com:65536",
        "https://x.cloud.test",
        "api.example.com",
        "http://api.example.com:8443",
        # this machine, its network, and the metadata of a cloud's machine, in all their spellings
        "http://127.0.0.1",
        "http://127.0.0.1:8602",
        "https://127.0.0.1:8601",
        "http://localhost:8601",
        "http://127.1:8601",
        "http://2130706433:8601",
        "http://0x7f000001:8601",
        "http://0177.0.0.1:8601",
        "http://[::ffff:127.0.0.1]:8601",
        "http://[::1%25eth0]:8601",
        "http://[::1]",
        "http://0.0.0.0:8601",
        "http://100.100.100.200",
        "http://169.254.169.254",
        "http://10.0.0.1",
    ],
)
def test_what_the_list_has_not_is_not_called(settings: Any, endpoint: str) -> None:
    settings.CLOUD_ENDPOINTS = LIST
    assert not allowed(endpoint)


@pytest.mark.parametrize(
    "entry", ["*", "*.", "", "http://*.test", "https://a/path", "ftp://a", "a.*.test", "user@a"]
)
def test_a_list_that_cannot_be_read_is_told(settings: Any, entry: str) -> None:
    settings.CLOUD_ENDPOINTS = [entry]
    with pytest.raises(ImproperlyConfigured, match="CLOUD_ENDPOINTS"):
        endpoints.check_setting()


def test_no_process_starts_with_a_list_that_cannot_be_read() -> None:
    ended = subprocess.run(
        [sys.executable, "manage.py", "check"],
        cwd=CHECKOUT,
        env={**os.environ, "CLOUD_ENDPOINTS": "*", "DJANGO_SETTINGS_MODULE": "console.settings"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode != 0
    assert "CLOUD_ENDPOINTS holds '*'" in ended.stderr


def test_without_a_setting_only_the_platforms_own_names_are_called() -> None:
    names = {name: value for name, value in os.environ.items() if name != "CLOUD_ENDPOINTS"}
    asked = subprocess.run(
        [sys.executable, "-c", "from console import settings; print(settings.CLOUD_ENDPOINTS)"],
        cwd=CHECKOUT,
        env=names,
        capture_output=True,
        text=True,
        check=True,
    )
    assert asked.stdout.strip() == "['*.aliyuncs.com']"


# -- the form ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "endpoint", ["http://127.0.0.1:6379", "http://169.254.169.254", "https://evil.example"]
)
def test_the_form_refuses_it_at_its_field_and_sends_nothing(
    upstream: Watched, org: Organization, sign_in: SignIn, endpoint: str
) -> None:
    client = sign_in("owner")
    for address, data in ((ADD, GOOD), (EDIT, UNCHANGED)):
        for against_advice in ({}, {"untested": "on"}):
            answer = client.post(address, {**data, "endpoint": endpoint, **against_advice})
            assert "CLOUD_ENDPOINTS" in said(answer, "endpoint")
            assert endpoint in answer.content.decode(), "what was typed is gone"
    assert upstream.operations == []


def test_a_region_whose_own_address_is_not_on_the_list_is_refused_at_its_field(
    upstream: Watched, org: Organization, sign_in: SignIn, settings: Any
) -> None:
    settings.CLOUD_ENDPOINTS = ["http://emulator.test"]
    answer = sign_in("owner").post(ADD, {**GOOD, "endpoint": "", "untested": "on"})
    assert "CLOUD_ENDPOINTS" in said(answer, "region")
    assert upstream.operations == []


def test_the_form_keeps_the_address_as_it_will_be_called(
    upstream: Watched, org: Organization, sign_in: SignIn
) -> None:
    sign_in("owner").post(ADD, {**GOOD, "endpoint": " HTTP://Emulator.Test:80/ "})
    assert Connection.objects.get(slug="production").endpoint == "http://emulator.test"


# -- a stored address --------------------------------------------------------------------------------------------------


@pytest.fixture
def forbidden(org: Organization) -> Connection:
    """A connection whose address was taken off the list after it was saved, and whose client is in use."""
    Connection.objects.filter(pk=org.connection.pk).update(endpoint="http://10.0.0.8:8500")
    return Connection.objects.get(pk=org.connection.pk)


def test_a_stored_address_that_the_list_no_longer_has_is_told_on_a_page_and_never_called(
    upstream: Watched, forbidden: Connection, org: Organization, sign_in: SignIn
) -> None:
    client = sign_in("owner")
    page = client.get(org.url("products/"))
    assert page.status_code == 502
    assert "Client.EndpointRefused" in page.content.decode()
    assert "CLOUD_ENDPOINTS" in page.content.decode()
    part = client.get(org.url("products/"), headers={"HX-Request": "true"})
    assert "CLOUD_ENDPOINTS" in part.content.decode()
    packages = client.get(org.url("ota/packages/"), headers={"HX-Request": "true"})
    assert "CLOUD_ENDPOINTS" in packages["X-Message"]
    assert upstream.operations == []


def test_a_write_to_it_is_recorded_as_one_that_failed(
    upstream: Watched, forbidden: Connection, org: Organization
) -> None:
    gateway = org.gateway()
    gateway.connection = forbidden
    with pytest.raises(endpoints.EndpointRefused):
        gateway.call("CreateProduct", ProductName="meter", NodeType=0)
    record = AuditRecord.objects.get(operation="CreateProduct")
    assert (record.outcome, record.code) == ("failed", "Client.EndpointRefused")
    assert upstream.operations == []


def test_its_connection_can_still_be_opened_and_mended(
    upstream: Watched, forbidden: Connection, org: Organization, sign_in: SignIn
) -> None:
    client = sign_in("owner")
    told = client.post(TEST, headers={"HX-Request": "true"})
    assert "CLOUD_ENDPOINTS" in told["HX-Trigger"]
    assert upstream.operations == []
    assert client.get(EDIT).status_code == 200
    assert client.post(EDIT, UNCHANGED).status_code == 302
    assert client.get(org.url("products/")).status_code == 200


# -- uploads -----------------------------------------------------------------------------------------------------------


class Store(httpx.BaseTransport):
    """An object store that answers what it is told to, and counts who comes."""

    def __init__(self, *answers: httpx.Response) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.read()
        self.asked.append(str(request.url))
        return self.answers.pop(0)


@pytest.mark.parametrize(
    ("host", "code"),
    [
        ("https://bucket.evil.example", "Client.StoreRefused"),
        ("http://bucket.oss-cn-shanghai.aliyuncs.com", "Client.StoreRefused"),
        ("http://169.254.169.254", "Client.StoreRefused"),
        ("http://127.0.0.1:6379", "Client.StoreRefused"),
        ("https://user@bucket.aliyuncs.com", "Client.BadAnswer"),
        ("https://evil.example/bucket.aliyuncs.com", "Client.StoreRefused"),
        ("https://bucket.aliyuncs.com\\@evil.example/", "Client.BadAnswer"),
        ("https://bucket.aliyuncs.com?x=@evil.example", "Client.BadAnswer"),
        ("https://bucket.aliyuncs.com/\n@evil.example", "Client.BadAnswer"),
        ("", "Client.BadAnswer"),
        ("bucket.aliyuncs.com", "Client.BadAnswer"),
        ("file:///etc/passwd", "Client.BadAnswer"),
    ],
)
def test_a_file_goes_only_to_a_store_of_the_list(
    org: Organization, monkeypatch: pytest.MonkeyPatch, host: str, code: str
) -> None:
    store = Store()
    monkeypatch.setattr(clients, "transport_for", lambda connection: store)
    with pytest.raises(CloudError) as caught:
        clients.bring(org.connection, {"Host": host, "Key": "a.bin"}, io.BytesIO(b"x"))
    assert caught.value.code == code
    assert store.asked == []


def test_a_file_goes_to_a_store_of_the_platforms_own(
    org: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(httpx.Response(200))
    monkeypatch.setattr(clients, "transport_for", lambda connection: store)
    data = {"Host": "https://bucket.oss-cn-shanghai.aliyuncs.com", "Key": "a.bin"}
    assert clients.bring(org.connection, data, io.BytesIO(b"x")).size == 1


# -- redirects ---------------------------------------------------------------------------------------------------------

AWAY = {"Location": "http://169.254.169.254/latest/"}


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_redirect_is_followed(status: int) -> None:
    platform = Store(httpx.Response(status, headers=AWAY))
    with pytest.raises(BadAnswer):
        CloudClient(Credentials("k", "s"), transport=platform).call("QueryProduct", ProductKey="a1")
    assert len(platform.asked) == 1
    store = Store(httpx.Response(status, headers=AWAY))
    form = objects.UploadForm.of({"Host": "https://bucket.aliyuncs.com", "Key": "a.bin"})
    with pytest.raises(BadAnswer):
        objects.put(form, io.BytesIO(b"x"), transport=store)
    assert len(store.asked) == 1


def test_an_answer_of_the_store_without_end_is_not_read_to_it() -> None:
    class Endless(httpx.SyncByteStream):
        given = 0

        def __iter__(self) -> Any:
            while True:
                self.given += 1024
                yield b"x" * 1024

    stream = Endless()
    form = objects.UploadForm.of({"Host": "https://bucket.aliyuncs.com", "Key": "a.bin"})
    with pytest.raises(BadAnswer):
        objects.put(form, io.BytesIO(b"x"), transport=Store(httpx.Response(403, stream=stream)))
    assert stream.given < 200_000
