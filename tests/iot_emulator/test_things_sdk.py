"""The operations of thing models and shadows, called by the official SDK: its response models have their fields set, and
the responses match the reference."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest
from alibabacloud_iot20180120 import models
from alibabacloud_iot20180120.client import Client as Sdk
from alibabacloud_tea_openapi.models import Config
from alibabacloud_tea_util.models import RuntimeOptions

from iot_client.catalogue import operation, operations
from tests.iot_emulator.clients import KEY_ID, KEY_SECRET
from tests.iot_emulator.shapes import deviations
from tests.iot_emulator.thing_setup import DAY, SAMPLE, ThingSetup, build_property

GROUPS = ("tsl-models", "tsl-use", "device-shadows")
THING_OPERATIONS = [name for name, op in operations().items() if op.group in GROUPS]


class _Quiet(WSGIRequestHandler):
    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def sdk(emulator) -> Iterator[Sdk]:
    server = make_server("127.0.0.1", 0, emulator, handler_class=_Quiet)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    config = Config(access_key_id=KEY_ID, access_key_secret=KEY_SECRET, protocol="http")
    config.endpoint = f"127.0.0.1:{server.server_port}"
    yield Sdk(config)
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def things(api, emulator, clock) -> ThingSetup:
    return ThingSetup(api, emulator, clock)


def build_requests(things: ThingSetup) -> dict[str, dict[str, Any]]:
    """Build one request per operation, in an order in which all succeed."""
    gateways = things.create_product("Gateways", CategoryKey="GeneralGateway", NodeType=1)
    iot_id = things.register_device(gateways, "gateway")
    model = {
        "properties": [build_property("Level", extendConfig='{"identifier":"Level"}')],
        "services": SAMPLE["services"],
    }
    key, target = things.create_product("Edited_One", DataFormat=0), things.create_product("Target_One")
    now = things.clock.now()
    span = {"start_time": now - 29 * DAY, "end_time": now + 5_000}
    listed = {**span, "asc": 1, "page_size": 10, "iot_id": iot_id}
    product = {"product_key": key}
    device = {"product_key": gateways, "device_name": "gateway"}
    named = {"product_key": gateways, "device_name": ["gateway"]}
    shadow = {"method": "update", "state": {"desired": {"a": 1}}, "version": 1}
    return {
        "CreateThingModel": {**product, "thing_model_json": json.dumps(model)},
        "UpdateThingModel": {
            **product,
            "thing_model_json": json.dumps({"properties": [build_property("Level")]}),
        },
        "PublishThingModel": {**product, "model_version": "v1", "description": "first"},
        "QueryThingModel": product,
        "QueryThingModelPublished": product,
        "GetThingModelTsl": product,
        "GetThingModelTslPublished": product,
        "ListThingModelVersion": product,
        "QueryThingModelExtendConfig": product,
        "QueryThingModelExtendConfigPublished": product,
        "CopyThingModel": {
            "source_product_key": key,
            "target_product_key": target,
            "source_model_version": "v1",
        },
        "DeleteThingModel": {**product, "property_identifier": ["Level"]},
        "ImportThingModelTsl": {**product, "tsl_str": '{"properties":[]}'},
        "CreateThingScript": {**product, "script_content": "a", "script_type": "JavaScript"},
        "UpdateThingScript": {**product, "script_content": "b", "script_type": "JavaScript"},
        "GetThingScript": product,
        "ListThingTemplates": {},
        "GetThingTemplate": {"category_key": "Lighting"},
        "SetDeviceProperty": {**device, "items": '{"HeartbeatInterval":30}'},
        "SetDevicesProperty": {**named, "items": '{"HeartbeatInterval":40}'},
        "InvokeThingService": {**device, "identifier": "Ping", "args": '{"Host":"a"}'},
        "InvokeThingsService": {**named, "identifier": "Restart", "args": "{}"},
        "SetDeviceDesiredProperty": {**device, "items": '{"LogLevel":3}', "versions": "{}"},
        "QueryDeviceDesiredProperty": device,
        "QueryDevicePropertyStatus": device,
        "QueryDevicePropertyData": {**listed, "identifier": "CpuUsage"},
        "QueryDevicePropertiesData": {**listed, **device, "identifier": ["CpuUsage", "Uptime"]},
        "QueryDeviceEventData": listed,
        "QueryDeviceServiceData": listed,
        "QueryDeviceOriginalPropertyStatus": {**device, "asc": 1, "page_size": 5},
        "QueryDeviceOriginalPropertyData": {**listed, "identifier": "CpuUsage"},
        "QueryDeviceOriginalEventData": {**listed, "identifier": "SubDeviceLost"},
        "QueryDeviceOriginalServiceData": {**listed, "identifier": "Ping"},
        "UpdateDeviceShadow": {**device, "shadow_message": json.dumps(shadow)},
        "GetDeviceShadow": device,
    }


def to_snake_case(name: str) -> str:
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name).lstrip("_")


# Fields that are not in every response: of errors, and of pages that are not the last one.
OPTIONAL_FIELDS = {"Code", "ErrorMessage"}
LAST_PAGE_FIELDS = {"Data.NextPageToken", "Data.nextPageToken"}


def list_set_fields(value: Any, path: str = "") -> set[str]:
    """List the paths of a response that have a value, `[]` after a list."""
    if isinstance(value, dict):
        return {
            found
            for name, item in value.items()
            for found in list_set_fields(item, f"{path}.{name}" if path else name)
        }
    if isinstance(value, list):
        return {path + "[]"} | {found for item in value for found in list_set_fields(item, path + "[]")}
    return {path} if value not in (None, "") else set()


def test_the_sdk_reads_every_response_with_its_fields_set(things, sdk, clock):
    requests = build_requests(things)
    assert sorted(requests) == sorted(THING_OPERATIONS)
    runtime = RuntimeOptions()
    for name, fields in requests.items():
        request = getattr(models, f"{name}Request")(**fields)
        body = getattr(sdk, f"{to_snake_case(name)}_with_options")(request, runtime).body
        assert body.success is True, (name, body.code, body.error_message)
        op = operation(name)
        response = body.to_map()
        leaves = (
            {p for p in op.response if op.response[p] not in ("Struct", "List")}
            - OPTIONAL_FIELDS
            - LAST_PAGE_FIELDS
        )
        assert leaves - list_set_fields(response) == set(), name
        clock.advance(1)


def test_responses_have_the_fields_and_types_of_the_reference(things, clock):
    for name, fields in build_requests(things).items():
        params = {
            "".join(part.capitalize() for part in key.split("_")): value for key, value in fields.items()
        }
        response = things.call(name, **params)
        assert deviations(response, "", dict(operation(name).response)) == [], name
        clock.advance(1)
