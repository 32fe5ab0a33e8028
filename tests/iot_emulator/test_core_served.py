"""The emulator as a server: its command, start and stop, and the vendor's SDKs as clients."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from alibabacloud_iot20180120 import models
from alibabacloud_iot20180120.client import Client as CurrentSdk
from alibabacloud_tea_openapi.models import Config
from aliyunsdkcore.acs_exception.exceptions import ServerException
from aliyunsdkcore.client import AcsClient
from aliyunsdkiot.request.v20180120 import (
    CreateProductRequest,
    QueryDeviceRequest,
    QueryProductListRequest,
    RegisterDeviceRequest,
)

from iot_client.client import Client, Credentials
from iot_client.errors import Unavailable
from iot_client.retry import RetryPolicy
from tests.iot_emulator.served import ROOT, start_emulator, stop_emulator

from .clients import KEY_ID, KEY_SECRET
from .test_core import signed_fields

pytestmark = pytest.mark.processes


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("served")
    process, url, _ = start_emulator(
        folder,
        "--pace",
        "instant",
        "--no-quotas",
        "--control-token",
        "control-token",
        EMULATOR_KEYS=f"{KEY_ID}:{KEY_SECRET}",
    )
    yield url
    stop_emulator(process)


@pytest.fixture
def client(address: str) -> Iterator[Client]:
    with Client(Credentials(KEY_ID, KEY_SECRET), endpoint=address, retry=RetryPolicy(attempts=1)) as client:
        yield client


def create_product(client: Client) -> str:
    name = f"product_{time.monotonic_ns()}"[-30:]
    return client.call("CreateProduct", ProductName=name, NodeType=0)["ProductKey"]


class TestCommand:
    def test_a_key_is_generated_and_printed_if_none_is_given(self, tmp_path: Path) -> None:
        process, address, lines = start_emulator(tmp_path, EMULATOR_KEYS="")
        match = re.fullmatch(r"AccessKey ID (\S+), AccessKey secret (\S+)", lines[0])
        assert match
        with Client(Credentials(match[1], match[2]), endpoint=address) as client:
            assert client.call("QueryProductList", CurrentPage=1)["Success"] is True
        assert stop_emulator(process, signal.SIGINT) == 0

    def test_sigterm_stops_the_server(self, tmp_path: Path) -> None:
        process, address, lines = start_emulator(tmp_path, "--key", "a:b", EMULATOR_KEYS="c:d")
        assert len(lines) == 1  # keys in the options are not printed
        for key_id, secret in (("a", "b"), ("c", "d")):
            with Client(Credentials(key_id, secret), endpoint=address) as client:
                assert client.call("QueryProductList", CurrentPage=1)["Success"] is True
        assert stop_emulator(process) == 0
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"{address}/_emulator/health", trust_env=False)

    def test_a_port_in_use_is_reported(self, tmp_path: Path) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            done = subprocess.run(
                [sys.executable, "-m", "iot_emulator", "--port", str(taken.getsockname()[1])],
                cwd=tmp_path,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
        assert done.returncode == 1
        assert "Cannot listen" in done.stderr
        assert "Traceback" not in done.stderr

    @pytest.mark.parametrize("key", ["nosecret", ":x", "x:"])
    def test_an_invalid_key_is_reported(self, tmp_path: Path, key: str) -> None:
        with pytest.raises(AssertionError, match="ID:SECRET"):
            start_emulator(tmp_path, "--key", key)


class TestOverHttp:
    def test_a_whole_thing_model_fits_in_the_query(self, address: str) -> None:
        query = str(
            httpx.QueryParams(
                signed_fields("CreateProduct", ProductName="Meters", NodeType=0, Description="x" * 150_000)
            )
        )
        with urllib.request.urlopen(urllib.request.Request(f"{address}/?{query}", data=b"")) as response:
            assert json.loads(response.read())["Code"] == "iot.prod.LongProductDesc"

    def test_ten_thousand_names_register_in_one_call(self, client: Client) -> None:
        key = create_product(client)
        names = [f"dev-{n}" for n in range(10_000)]
        apply_id = client.call("BatchCheckDeviceNames", ProductKey=key, DeviceName=names)["Data"]["ApplyId"]
        for status in ("CHECK_SUCCESS", "CREATE_SUCCESS"):
            data = client.call("QueryBatchRegisterDeviceStatus", ProductKey=key, ApplyId=apply_id)["Data"]
            assert (data["Status"], len(data["ValidList"]["Name"])) == (status, 10_000)
            if status == "CHECK_SUCCESS":
                client.call("BatchRegisterDeviceWithApplyId", ProductKey=key, ApplyId=apply_id)

    def test_an_injected_drop_closes_the_connection(self, address: str, client: Client) -> None:
        fault = {"operation": "QueryProductList", "kind": "drop"}
        headers = {"authorization": "Bearer control-token"}
        httpx.post(
            f"{address}/_emulator/faults", headers=headers, json=fault, trust_env=False
        ).raise_for_status()
        with pytest.raises(Unavailable) as error:
            client.call("QueryProductList", CurrentPage=1)
        assert error.value.sent is True
        assert client.call("QueryProductList", CurrentPage=1)["Success"] is True


class TestCurrentSdk:
    """alibabacloud_iot20180120, with both signature schemes."""

    @pytest.fixture(params=[None, "v2"], ids=["acs3", "sha1"])
    def sdk(self, request: pytest.FixtureRequest, address: str) -> CurrentSdk:
        config = Config(
            access_key_id=KEY_ID,
            access_key_secret=KEY_SECRET,
            endpoint=address.removeprefix("http://"),
            protocol="http",
        )
        if request.param:
            config.signature_algorithm = request.param
        return CurrentSdk(config)

    def test_products_and_devices_are_parsed(self, sdk: CurrentSdk) -> None:
        name = f"sdk_{time.monotonic_ns()}"[-30:]
        product = sdk.create_product(models.CreateProductRequest(product_name=name, node_type=0)).body
        assert product.success is True
        assert product.data.product_key == product.product_key
        product_list = sdk.query_product_list(
            models.QueryProductListRequest(current_page=1, page_size=50)
        ).body
        assert name in [item.product_name for item in product_list.data.list.product_info]
        device = sdk.register_device(
            models.RegisterDeviceRequest(
                product_key=product.product_key, device_name="meter-1", nickname="Keller"
            )
        ).body.data
        page = sdk.query_device(models.QueryDeviceRequest(product_key=product.product_key)).body
        assert [(d.device_name, d.iot_id, d.nickname) for d in page.data.device_info] == [
            ("meter-1", device.iot_id, "Keller")
        ]
        assert (page.total, page.page, page.page_count, page.next_token) == (1, 1, 1, "")
        detail = sdk.query_device_detail(models.QueryDeviceDetailRequest(iot_id=device.iot_id)).body.data
        assert (detail.status, detail.product_name, detail.owner) == ("UNACTIVE", name, True)
        states = sdk.batch_get_device_state(models.BatchGetDeviceStateRequest(iot_id=[device.iot_id])).body
        assert states.device_status_list.device_status[0].status == "UNACTIVE"
        tags = [models.CreateProductTagsRequestProductTag(tag_key="city", tag_value="Ulm")]
        sdk.create_product_tags(
            models.CreateProductTagsRequest(product_key=product.product_key, product_tag=tags)
        )
        product_tags = sdk.list_product_tags(
            models.ListProductTagsRequest(product_key=product.product_key)
        ).body.data
        assert [(tag.tag_key, tag.tag_value) for tag in product_tags.product_tag] == [("city", "Ulm")]
        result = sdk.query_device_by_sql(
            models.QueryDeviceBySQLRequest(
                sql=f'SELECT * FROM device WHERE product_key = "{product.product_key}"'
            )
        ).body
        assert [d.device_name for d in result.data] == ["meter-1"]

    def test_a_batch_registration_is_parsed(self, sdk: CurrentSdk) -> None:
        name = f"sdk_{time.monotonic_ns()}"[-30:]
        key = sdk.create_product(models.CreateProductRequest(product_name=name, node_type=0)).body.product_key
        first_check = sdk.batch_check_device_names(
            models.BatchCheckDeviceNamesRequest(product_key=key, device_name=["dev-1", "dev-2"])
        ).body
        apply_id = first_check.data.apply_id
        query = models.QueryBatchRegisterDeviceStatusRequest(product_key=key, apply_id=apply_id)
        assert sdk.query_batch_register_device_status(query).body.data.valid_list.name == ["dev-1", "dev-2"]
        sdk.batch_register_device_with_apply_id(
            models.BatchRegisterDeviceWithApplyIdRequest(product_key=key, apply_id=apply_id)
        )
        assert sdk.query_batch_register_device_status(query).body.data.status == "CREATE_SUCCESS"
        devices = sdk.query_page_by_apply_id(models.QueryPageByApplyIdRequest(apply_id=apply_id)).body
        assert [d.device_name for d in devices.apply_device_list.apply_device_info] == ["dev-1", "dev-2"]
        second_check = sdk.batch_check_device_names(
            models.BatchCheckDeviceNamesRequest(product_key=key, device_name=["dev-1", "dev-3"])
        ).body
        assert second_check.data.repeated_device_name_list.repeat_devie_name_list == ["dev-1"]

    def test_groups_are_parsed(self, sdk: CurrentSdk) -> None:
        name = f"group_{time.monotonic_ns()}"[-30:]
        group_data = sdk.create_device_group(models.CreateDeviceGroupRequest(group_name=name)).body.data
        group_list = sdk.query_device_group_list(models.QueryDeviceGroupListRequest(group_name=name)).body
        assert [group.group_id for group in group_list.data.group_info] == [group_data.group_id]
        info = sdk.query_device_group_info(
            models.QueryDeviceGroupInfoRequest(group_id=group_data.group_id)
        ).body.data
        assert (info.group_name, info.device_count) == (name, 0)

    def test_an_error_of_the_service_is_in_the_body(self, sdk: CurrentSdk) -> None:
        body = sdk.query_product(models.QueryProductRequest(product_key="none")).body
        assert (body.success, body.code) == (False, "iot.prod.NotExistedProduct")

    def test_an_error_of_the_gateway_raises(self, sdk: CurrentSdk) -> None:
        with pytest.raises(Exception, match="MissingProductKey"):
            sdk.query_product(models.QueryProductRequest())


class TestOriginalSdk:
    """aliyun-python-sdk-core with aliyun-python-sdk-iot: SHA1 only."""

    @pytest.fixture
    def sdk(self, address: str) -> AcsClient:
        client = AcsClient(KEY_ID, KEY_SECRET, "cn-shanghai")
        client.set_max_retry_num(0)
        client.add_endpoint("cn-shanghai", "Iot", address.removeprefix("http://"))
        return client

    @staticmethod
    def send(sdk: AcsClient, request: Any, **fields: Any) -> dict[str, Any]:
        request.set_protocol_type("http")
        request.set_accept_format("json")
        for name, value in fields.items():
            getattr(request, f"set_{name}")(value)
        response: dict[str, Any] = json.loads(sdk.do_action_with_exception(request))
        return response

    def test_products_and_devices_are_parsed(self, sdk: AcsClient) -> None:
        name = f"old_{time.monotonic_ns()}"[-30:]
        key = self.send(sdk, CreateProductRequest.CreateProductRequest(), ProductName=name, NodeType=0)[
            "ProductKey"
        ]
        product_list = self.send(sdk, QueryProductListRequest.QueryProductListRequest(), CurrentPage=1)
        assert name in [item["ProductName"] for item in product_list["Data"]["List"]["ProductInfo"]]
        self.send(sdk, RegisterDeviceRequest.RegisterDeviceRequest(), ProductKey=key, DeviceName="meter-1")
        page = self.send(
            sdk, QueryDeviceRequest.QueryDeviceRequest(), ProductKey=key, PageSize=10, CurrentPage=1
        )
        assert [device["DeviceName"] for device in page["Data"]["DeviceInfo"]] == ["meter-1"]

    def test_characters_that_the_sdk_does_not_encode_are_verified(self, sdk: AcsClient) -> None:
        response = self.send(
            sdk, CreateProductRequest.CreateProductRequest(), ProductName="a b+c*d'e(f)~g/中", NodeType=0
        )
        assert response["Code"] == "iot.prod.InvalidFormattedProductName"

    def test_a_wrong_secret_raises_with_the_code(self, address: str) -> None:
        sdk = AcsClient(KEY_ID, "wrong", "cn-shanghai")
        sdk.add_endpoint("cn-shanghai", "Iot", address.removeprefix("http://"))
        with pytest.raises(ServerException) as error:
            self.send(sdk, QueryProductListRequest.QueryProductListRequest(), CurrentPage=1)
        assert error.value.get_error_code() in ("SignatureDoesNotMatch", "InvalidAccessKeySecret")
