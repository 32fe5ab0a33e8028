"""The console calls only addresses of CLOUD_ENDPOINTS: checked in the form, at every call and at every upload."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx
import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import Client

from console.audit.models import AuditRecord
from console.connections import clients, endpoints
from console.connections.models import Connection
from iot_client import object_storage
from iot_client.client import Client as CloudClient
from iot_client.client import Credentials
from iot_client.errors import BadResponse, CloudError, InvalidParameter
from tests.conftest import Organization
from tests.connections.forms import ADD, EDIT, TEST, UNCHANGED, VALID, read_errors
from tests.console_process import CHECKOUT
from tests.recorded_calls import RecordedNetwork

SignIn = Callable[[str], Client]
LIST = [
    "*.aliyuncs.com",
    "api.example.com:8443",
    "http://127.0.0.1:8601",
    "http://[::1]:8601",
    "*.cloud.test:444",
]


def is_allowed(endpoint: str) -> bool:
    try:
        endpoints.check_endpoint(endpoint, "cn-shanghai")
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
def test_an_address_on_the_list_is_allowed(settings: Any, endpoint: str) -> None:
    settings.CLOUD_ENDPOINTS = LIST
    assert is_allowed(endpoint)


@pytest.mark.parametrize(
    "endpoint",
    [
        # a different name that looks similar
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
        # a name that is not in plain form
        "https://iot.cn-shanghai.aliyuncs.com.",
        "https://iot..aliyuncs.com",
        "https://.aliyuncs.com",
        "https://iot.cn-shanghai.aliyuncs。com",
        "https://iot.cn-shanghai.aliyuncſ.com",
        "https://ıot.aliyuncs.com",
        "https://例え.aliyuncs.com",
        # a different scheme or port
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
        # this machine, its network, and the metadata service of a cloud server, in all spellings
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
def test_an_address_not_on_the_list_is_refused(settings: Any, endpoint: str) -> None:
    settings.CLOUD_ENDPOINTS = LIST
    assert not is_allowed(endpoint)


@pytest.mark.parametrize(
    "entry", ["*", "*.", "", "http://*.test", "https://a/path", "ftp://a", "a.*.test", "user@a"]
)
def test_an_invalid_entry_of_the_list_is_reported(settings: Any, entry: str) -> None:
    settings.CLOUD_ENDPOINTS = [entry]
    with pytest.raises(ImproperlyConfigured, match="CLOUD_ENDPOINTS"):
        endpoints.check_setting()


def test_no_process_starts_with_an_invalid_list() -> None:
    result = subprocess.run(
        [sys.executable, "manage.py", "check"],
        cwd=CHECKOUT,
        env={**os.environ, "CLOUD_ENDPOINTS": "*", "DJANGO_SETTINGS_MODULE": "console.settings"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode != 0
    assert "CLOUD_ENDPOINTS contains '*'" in result.stderr


def test_by_default_only_hosts_of_the_platform_are_allowed() -> None:
    names = {name: value for name, value in os.environ.items() if name != "CLOUD_ENDPOINTS"}
    result = subprocess.run(
        [sys.executable, "-c", "from console import settings; print(settings.CLOUD_ENDPOINTS)"],
        cwd=CHECKOUT,
        env=names,
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout.strip() == "['*.aliyuncs.com']"


# -- the form ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "endpoint", ["http://127.0.0.1:6379", "http://169.254.169.254", "https://evil.example"]
)
def test_the_form_refuses_a_forbidden_address_at_its_field_and_sends_nothing(
    network: RecordedNetwork, org: Organization, sign_in: SignIn, endpoint: str
) -> None:
    client = sign_in("owner")
    for address, data in ((ADD, VALID), (EDIT, UNCHANGED)):
        for options in ({}, {"skip_test": "on"}):
            response = client.post(address, {**data, "endpoint": endpoint, **options})
            assert "CLOUD_ENDPOINTS" in read_errors(response, "endpoint")
            assert endpoint in response.content.decode(), "the input is lost"
    assert network.calls == []


def test_a_region_whose_default_address_is_not_on_the_list_is_refused_at_its_field(
    network: RecordedNetwork, org: Organization, sign_in: SignIn, settings: Any
) -> None:
    settings.CLOUD_ENDPOINTS = ["http://emulator.test"]
    response = sign_in("owner").post(ADD, {**VALID, "endpoint": "", "skip_test": "on"})
    assert "CLOUD_ENDPOINTS" in read_errors(response, "region")
    assert network.calls == []


def test_the_form_stores_the_normalized_address(
    network: RecordedNetwork, org: Organization, sign_in: SignIn
) -> None:
    sign_in("owner").post(ADD, {**VALID, "endpoint": " HTTP://Emulator.Test:80/ "})
    assert Connection.objects.get(slug="production").endpoint == "http://emulator.test"


# -- a stored address --------------------------------------------------------------------------------------------------


@pytest.fixture
def forbidden_connection(org: Organization) -> Connection:
    """A connection whose address was removed from the list after it was saved."""
    Connection.objects.filter(pk=org.connection.pk).update(endpoint="http://10.0.0.8:8500")
    return Connection.objects.get(pk=org.connection.pk)


def test_a_stored_address_that_was_removed_from_the_list_is_reported_and_never_called(
    network: RecordedNetwork, forbidden_connection: Connection, org: Organization, sign_in: SignIn
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
    assert network.calls == []


def test_a_write_to_a_forbidden_address_is_recorded_as_failed(
    network: RecordedNetwork, forbidden_connection: Connection, org: Organization
) -> None:
    gateway = replace(org, connection=forbidden_connection).gateway()
    with pytest.raises(endpoints.EndpointRefused):
        gateway.call("CreateProduct", ProductName="meter", NodeType=0)
    record = AuditRecord.objects.get(operation="CreateProduct")
    assert (record.outcome, record.code) == ("failed", "Client.EndpointRefused")
    assert network.calls == []


def test_a_connection_with_a_forbidden_address_can_be_opened_and_fixed(
    network: RecordedNetwork, forbidden_connection: Connection, org: Organization, sign_in: SignIn
) -> None:
    client = sign_in("owner")
    response = client.post(TEST, headers={"HX-Request": "true"})
    assert "CLOUD_ENDPOINTS" in response["HX-Trigger"]
    assert network.calls == []
    assert client.get(EDIT).status_code == 200
    assert client.post(EDIT, UNCHANGED).status_code == 302
    assert client.get(org.url("products/")).status_code == 200


# -- uploads -----------------------------------------------------------------------------------------------------------


class Store(httpx.BaseTransport):
    """An object store that returns given responses and records the requested URLs."""

    def __init__(self, *responses: httpx.Response) -> None:
        self.responses = list(responses)
        self.urls: list[str] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.read()
        self.urls.append(str(request.url))
        return self.responses.pop(0)


@pytest.mark.parametrize(
    ("host", "code"),
    [
        ("https://bucket.evil.example", "Client.StoreRefused"),
        ("http://bucket.oss-cn-shanghai.aliyuncs.com", "Client.StoreRefused"),
        ("http://169.254.169.254", "Client.StoreRefused"),
        ("http://127.0.0.1:6379", "Client.StoreRefused"),
        ("https://user@bucket.aliyuncs.com", "Client.BadResponse"),
        ("https://evil.example/bucket.aliyuncs.com", "Client.StoreRefused"),
        ("https://bucket.aliyuncs.com\\@evil.example/", "Client.BadResponse"),
        ("https://bucket.aliyuncs.com?x=@evil.example", "Client.BadResponse"),
        ("https://bucket.aliyuncs.com/\n@evil.example", "Client.BadResponse"),
        ("", "Client.BadResponse"),
        ("bucket.aliyuncs.com", "Client.BadResponse"),
        ("file:///etc/passwd", "Client.BadResponse"),
    ],
)
def test_a_file_is_uploaded_only_to_a_store_on_the_list(
    org: Organization, monkeypatch: pytest.MonkeyPatch, host: str, code: str
) -> None:
    store = Store()
    monkeypatch.setattr(clients, "transport_for", lambda connection: store)
    with pytest.raises(CloudError) as caught:
        clients.upload_file(org.connection, {"Host": host, "Key": "a.bin"}, io.BytesIO(b"x"))
    assert caught.value.code == code
    assert store.urls == []


def test_a_file_is_uploaded_to_a_store_of_the_platform(
    org: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(httpx.Response(200))
    monkeypatch.setattr(clients, "transport_for", lambda connection: store)
    data = {"Host": "https://bucket.oss-cn-shanghai.aliyuncs.com", "Key": "a.bin"}
    assert clients.upload_file(org.connection, data, io.BytesIO(b"x")).size == 1


# -- redirects ---------------------------------------------------------------------------------------------------------

REDIRECT = {"Location": "http://169.254.169.254/latest/"}


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_redirect_is_followed(status: int) -> None:
    platform = Store(httpx.Response(status, headers=REDIRECT))
    with pytest.raises(BadResponse):
        CloudClient(Credentials("k", "s"), transport=platform).call("QueryProduct", ProductKey="a1")
    assert len(platform.urls) == 1
    store = Store(httpx.Response(status, headers=REDIRECT))
    form = object_storage.UploadForm.from_response({"Host": "https://bucket.aliyuncs.com", "Key": "a.bin"})
    with pytest.raises(BadResponse):
        object_storage.upload_file(form, io.BytesIO(b"x"), transport=store)
    assert len(store.urls) == 1


def test_an_endless_response_of_the_store_is_not_read_completely() -> None:
    class Endless(httpx.SyncByteStream):
        size = 0

        def __iter__(self) -> Any:
            while True:
                self.size += 1024
                yield b"x" * 1024

    stream = Endless()
    form = object_storage.UploadForm.from_response({"Host": "https://bucket.aliyuncs.com", "Key": "a.bin"})
    with pytest.raises(BadResponse):
        object_storage.upload_file(
            form, io.BytesIO(b"x"), transport=Store(httpx.Response(403, stream=stream))
        )
    assert stream.size < 200_000
