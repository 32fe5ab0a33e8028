"""Runs the generated curl and Python code against an emulator: reads and writes have the same effect as in the explorer."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest

from console.explorer.code import LANGUAGES, CodeCall, find_language
from iot_client.catalogue import operation
from iot_client.client import Client, Credentials
from iot_emulator import create_app

pytestmark = pytest.mark.processes
KEY_ID, KEY_SECRET = "LTAIcodekey", "a secret with 'quotes' and $"
TRICKY = [
    "quo\"te's",
    "back\\slash \\n",
    "line\nbreak\ttab",
    "冷库 ❄ é",
    "$HOME ${x} #{y} `id` $(id)",
    "%41 + & = ; ~ * ?? ??=",
]


class SilentRequestHandler(WSGIRequestHandler):
    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    app = create_app(
        tmp_path_factory.mktemp("emulator") / "e.sqlite3", keys={KEY_ID: KEY_SECRET}, quotas=False
    )
    server = make_server("127.0.0.1", 0, app, handler_class=SilentRequestHandler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()
    app.close()


@pytest.fixture
def cloud(platform: str) -> Iterator[Client]:
    with Client(Credentials(KEY_ID, KEY_SECRET), endpoint=f"http://{platform}") as client:
        yield client


@pytest.fixture
def product(cloud: Client) -> str:
    name = f"Code_{os.urandom(4).hex()}"
    created = cloud.call(
        "CreateProduct", ProductName=name, NodeType=0, AliyunCommodityCode="iothub_senior", DataFormat=1
    )
    return str(created["ProductKey"])


def run_code(
    slug: str, text: str, folder: Path, path: str = os.environ["PATH"], token: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run code from a file."""
    script = folder / f"call.{slug}"
    script.write_text(text, encoding="utf-8")
    command = {"curl": ["sh"], "python": [sys.executable], "node": ["node"]}[slug]
    keys = {"ALIBABA_CLOUD_ACCESS_KEY_ID": KEY_ID, "ALIBABA_CLOUD_ACCESS_KEY_SECRET": KEY_SECRET}
    keys |= {"ALIBABA_CLOUD_SECURITY_TOKEN": token} if token else {}
    environment = {"PATH": path, "LANG": "C.UTF-8", "NO_PROXY": "127.0.0.1", **keys}
    return subprocess.run(
        [*command, str(script)], env=environment, capture_output=True, text=True, timeout=60
    )


@pytest.fixture(params=["curl", "python"])
def call(request: pytest.FixtureRequest, platform: str, tmp_path: Path) -> Callable[..., dict[str, Any]]:
    if request.param == "curl" and not (shutil.which("curl") and shutil.which("openssl")):
        pytest.skip("no curl or openssl is installed")

    def make(name: str, **params: Any) -> dict[str, Any]:
        code = find_language(request.param).write(
            CodeCall(operation(name), params, "cn-shanghai", platform, scheme="http")
        )
        assert KEY_SECRET not in code
        assert KEY_ID not in code
        result = run_code(request.param, code, tmp_path)
        assert result.returncode == 0, result.stderr + result.stdout
        response: dict[str, Any] = json.loads(result.stdout)
        return response

    return make


def test_no_command_of_the_script_has_the_secret_in_its_arguments(platform, product, tmp_path):
    """All users of a machine can read the arguments in the process list."""
    folder, seen = tmp_path / "bin", tmp_path / "seen"
    folder.mkdir()
    for name in ("openssl", "curl", "cut", "date"):
        if not (real := shutil.which(name)):
            pytest.skip(f"no {name} is installed")
        wrapper = folder / name
        wrapper.write_text(f'#!/bin/sh\nprintf "%s\\n" "$0 $*" >> {seen}\nexec {real} "$@"\n')
        wrapper.chmod(0o755)
    code = find_language("curl").write(
        CodeCall(operation("QueryProduct"), {"ProductKey": product}, "cn-shanghai", platform, scheme="http")
    )
    for token in ("", "token-of-no-worth"):
        result = run_code("curl", code, tmp_path, path=f"{folder}:{os.environ['PATH']}", token=token)
        assert json.loads(result.stdout)["Success"] is True, result.stderr + result.stdout
    commands = seen.read_text()
    assert "openssl dgst" in commands
    assert "curl --silent" in commands
    assert KEY_SECRET not in commands
    assert "token-of-no-worth" not in commands


def test_a_read_returns_a_response(call, product):
    response = call("QueryProduct", ProductKey=product)
    assert response["Success"] is True
    assert response["Data"]["ProductKey"] == product


def test_a_read_with_a_list_and_numbers(call, product, cloud):
    for name in ("device-one", "device-two"):
        cloud.call("RegisterDevice", ProductKey=product, DeviceName=name)
    response = call("BatchGetDeviceState", ProductKey=product, DeviceName=["device-one", "device-two"])
    assert {d["DeviceName"] for d in response["DeviceStatusList"]["DeviceStatus"]} == {
        "device-one",
        "device-two",
    }
    assert call("QueryDevice", ProductKey=product, PageSize=1, CurrentPage=2)["Total"] == 2


def test_a_write_with_booleans_and_any_text_arrives_as_it_was_typed(call, cloud):
    for number, text in enumerate(TRICKY):
        name = f"Code_{number}_{os.urandom(4).hex()}"
        created = call(
            "CreateProduct",
            ProductName=name,
            NodeType=0,
            AliyunCommodityCode="iothub_senior",
            DataFormat=1,
            PublishAuto=True,
            Description=text,
        )
        assert created["Success"] is True
        product_data = cloud.call("QueryProduct", ProductKey=created["ProductKey"])["Data"]
        assert (product_data["ProductName"], product_data["Description"]) == (name, text)


def test_a_write_with_a_list_of_structures(call, product, cloud):
    tags = [{"TagKey": "room", "TagValue": "101"}, {"TagKey": "floor", "TagValue": "two-2"}]
    assert call("CreateProductTags", ProductKey=product, ProductTag=tags)["Success"] is True
    stored_tags = cloud.call("ListProductTags", ProductKey=product)["Data"]["ProductTag"]
    assert sorted((tag["TagKey"], tag["TagValue"]) for tag in stored_tags) == [
        ("floor", "two-2"),
        ("room", "101"),
    ]


def test_parameters_in_the_body_are_sent(call, product):
    response = call("BatchCheckDeviceNames", ProductKey=product, DeviceName=["fine-name", "bad name"])
    assert "bad name" in json.dumps(response, ensure_ascii=False)


def test_a_call_that_is_too_long_for_a_url_is_sent(call, product, cloud):
    names = [f"device-{number:04}" for number in range(900)]
    assert call("BatchCheckDeviceNames", ProductKey=product, DeviceName=names)["Success"] is True


def test_an_operation_without_an_sdk_request_is_sent(call):
    response = call("BatchGetDeviceDriver", InstanceId="none", IotIds=["x"])
    assert response["Success"] is False
    assert response["Code"]


def test_a_refused_call_says_so(call):
    response = call("QueryProduct", ProductKey="a1missing000")
    assert response["Success"] is False


def test_there_are_eight_languages_those_with_an_sdk_first():
    assert [each.slug for each in LANGUAGES] == [
        "python",
        "java",
        "node",
        "go",
        "php",
        "csharp",
        "cpp",
        "curl",
    ]
