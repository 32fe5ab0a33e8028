"""Devices: single operations, operations on several devices, and lists."""

from __future__ import annotations

import json
from typing import Any

from iot_client.catalogue import operation
from tests.conformance.platform import PreparedPlatform, column, device_identity
from tests.conformance.rows import Request, Row
from tests.conformance.sdk import leaf_paths

UNKNOWN_PRODUCT = ({"ProductKey": "a1Unknown00"}, "iot.prod.NotExistedProduct")
NO_DEVICE = "iot.device.NotExistedDevice"
UNKNOWN_DEVICE = ({"DeviceName": "nobody"}, NO_DEVICE)
UNKNOWN_IOT_ID = ({"IotId": "none", "ProductKey": None, "DeviceName": None}, NO_DEVICE)
MISSING_NAME = {"ProductKey": "iot.prod.NullProductKey", "DeviceName": "iot.device.NullDeviceName"}
INVALID_PAGES = [
    ({"CurrentPage": 0}, "iot.common.InvalidPageParams"),
    ({"PageSize": 0}, "iot.common.InvalidPageParams"),
]


def register_named_device(platform: PreparedPlatform, status: str = "", **params: Any) -> Request:
    """Register a device; with a `status`, set it and version 1.0.0. Returns ProductKey and DeviceName."""
    device = platform.register_device(**params)
    if status:
        platform.set_device_status(device["DeviceName"], status)
        platform.set_version(device["DeviceName"])
    return device_identity({"ProductKey": device["ProductKey"], "DeviceName": device["DeviceName"]})


def register_device_by_id(platform: PreparedPlatform, **params: Any) -> Request:
    return {"IotId": platform.register_device(**params)["IotId"]}


def register_tagged_device(platform: PreparedPlatform, **params: Any) -> Request:
    request = register_named_device(platform, **params)
    platform.call("SaveDeviceProp", **request, Props=json.dumps({"city": "Ulm", "floor": "3"}))
    return request


def read_tags(platform: PreparedPlatform, request: Request) -> dict[str, str]:
    return json.loads(platform.call("QueryDeviceProp", **device_identity(request))["Props"])


def register_disabled_device(platform: PreparedPlatform) -> Request:
    request = register_named_device(platform, "ONLINE")
    platform.call("DisableThing", **request)
    return request


def register_online_device(platform: PreparedPlatform) -> Request:
    request = register_device_by_id(platform)
    platform.set_device_status("dev-1")
    return request


def read_client_ids(platform: PreparedPlatform, request: Request) -> list[str]:
    response = platform.call("QueryClientIds", IotId=request["IotId"])
    return column(response["Data"].get("DynamicRegClientIds") or [], "ClientId")


def register_searchable_device(platform: PreparedPlatform) -> Request:
    """Register a device with tags, group, nickname and version."""
    request = register_tagged_device(platform, Nickname="Meter")
    platform.set_device_status("dev-1")
    platform.set_version("dev-1")
    platform.add_to_group(platform.create_group(), request["ProductKey"], "dev-1")
    return request


UNKNOWN_DEVICES = [UNKNOWN_DEVICE, UNKNOWN_IOT_ID]

ROWS = [
    Row(
        "RegisterDevice",
        lambda platform: {
            "ProductKey": platform.create_product(NetType="LORA", JoinPermissionId="8"),
            "DeviceName": "dev-1",
            "Nickname": "Keller_links",
            "LoraNodeType": "USERDEFINED",
            "DevEui": "e8",
            "JoinEui": "e9",
            "AppKey": "f0",
        },
        "the device is listed",
        lambda platform, request, response: platform.list_devices(request["ProductKey"]) == ["dev-1"],
        invalid=[
            ({"DeviceName": "a/b/c"}, "iot.device.InvalidFormattedDeviceName"),
            ({"Nickname": "x"}, "iot.device.InvalidDeviceNickNameExisted"),
            ({"LoraNodeType": "OTHER"}, "iot.common.InvalidFormattedParameter"),
            (
                lambda platform, request: {"ProductKey": platform.register_devices("dev-1")},
                "iot.device.AlreadyExistedDeviceName",
            ),
        ],
        not_found=[UNKNOWN_PRODUCT],
    ),
    Row(
        "QueryClientIds",
        register_online_device,
        "a device that was online has one client ID",
        not_found=[({"IotId": "none"}, NO_DEVICE)],
    ),
    Row(
        "TransformClientId",
        lambda platform: (
            (request := register_online_device(platform))
            | {"ClientId": read_client_ids(platform, request)[0]}
        ),
        "the client ID is the only one",
        lambda platform, request, response: read_client_ids(platform, request) == [request["ClientId"]],
        invalid=[({"ClientId": "none"}, "iot.common.InvalidFormattedParameter")],
        not_found=[({"IotId": "none"}, NO_DEVICE)],
    ),
    Row(
        "DeleteClientIds",
        lambda platform: (
            (request := register_online_device(platform)) and read_client_ids(platform, request) and request
        ),
        "the device has no client IDs",
        lambda platform, request, response: read_client_ids(platform, request) == [],
        not_found=[({"IotId": "none"}, NO_DEVICE)],
    ),
    Row(
        "QueryDeviceInfo",
        lambda platform: register_named_device(platform, Nickname="Keller"),
        "the nickname and secret of the device",
        lambda platform, request, response: (
            (response["Data"]["Nickname"], len(response["Data"]["DeviceSecret"])) == ("Keller", 32)
        ),
        missing=MISSING_NAME,
        not_found=UNKNOWN_DEVICES,
    ),
    Row(
        "QueryDeviceDetail",
        lambda platform: register_named_device(platform, "ONLINE", Nickname="Keller"),
        "an online device with its version and address",
        lambda platform, request, response: (
            (response["Data"]["Status"], response["Data"]["FirmwareVersion"]) == ("ONLINE", "1.0.0")
        ),
        missing=MISSING_NAME,
        not_found=UNKNOWN_DEVICES,
    ),
    Row(
        "BatchQueryDeviceDetail",
        lambda platform: {
            "ProductKey": platform.register_devices("dev-1", "dev-2"),
            "DeviceName": ["dev-2", "dev-9", "dev-1"],
        },
        "the existing devices, in the order of the request",
        lambda platform, request, response: (
            column(response["Data"]["Data"], "DeviceName") == ["dev-2", "dev-1"]
        ),
        invalid=[({"DeviceName": [f"dev-{n}" for n in range(101)]}, "iot.device.InvalidFormattedDeviceName")],
        not_found=[UNKNOWN_PRODUCT, ({"DeviceName": ["nobody"]}, NO_DEVICE)],
    ),
    Row(
        "QueryDevice",
        lambda platform: {
            "ProductKey": platform.register_devices(Nickname="Meter"),
            "PageSize": 2,
            "CurrentPage": 1,
        },
        "newest first, with the token of the next page",
        lambda platform, request, response: (
            column(response["Data"]["DeviceInfo"], "DeviceName") == ["dev-3", "dev-2"]
            and column(
                platform.call(
                    "QueryDevice", **request | {"CurrentPage": 2, "NextToken": response["NextToken"]}
                )["Data"]["DeviceInfo"],
                "DeviceName",
            )
            == ["dev-1"]
        ),
        invalid=[
            *INVALID_PAGES,
            ({"PageSize": 51}, "iot.common.InvalidPageParams"),
            ({"CurrentPage": 10_000}, "iot.common.InvalidPageParams"),
            ({"NextToken": "nonsense"}, "iot.device.PageTokenIsIllegal"),
        ],
        not_found=[UNKNOWN_PRODUCT],
        absent_fields={"Data.DeviceInfo[].DeviceType"},  # not returned, says the reference
    ),
    Row(
        "DeleteDevice",
        register_named_device,
        "the device is deleted",
        lambda platform, request, response: platform.list_devices(request["ProductKey"]) == [],
        missing=MISSING_NAME,
        not_found=UNKNOWN_DEVICES,
    ),
    Row(
        "GetDeviceStatus",
        lambda platform: register_named_device(platform, "OFFLINE"),
        "the status of a device",
        lambda platform, request, response: response["Data"]["Status"] == "OFFLINE",
        missing=MISSING_NAME,
        not_found=UNKNOWN_DEVICES,
    ),
    Row(
        "BatchGetDeviceState",
        lambda platform: (
            [
                platform.register_devices("dev-1", "dev-2"),
                platform.set_device_status("dev-1"),
                platform.set_device_status("dev-2", "OFFLINE"),
            ]
            and {
                "ProductKey": platform.call("QueryProductList", CurrentPage=1)["Data"]["List"]["ProductInfo"][
                    0
                ]["ProductKey"]
            }
            | {"DeviceName": ["dev-1", "dev-2"]}
        ),
        "the statuses of two devices",
        lambda platform, request, response: (
            column(response["DeviceStatusList"]["DeviceStatus"], "Status") == ["ONLINE", "OFFLINE"]
        ),
        missing=MISSING_NAME,
        invalid=[({"DeviceName": [f"dev-{n}" for n in range(51)]}, "iot.device.InvalidFormattedDeviceName")],
        not_found=[UNKNOWN_PRODUCT, ({"IotId": ["none"], "ProductKey": None, "DeviceName": None}, NO_DEVICE)],
    ),
    Row(
        "DisableThing",
        lambda platform: register_named_device(platform, "ONLINE"),
        "its status is DISABLE",
        lambda platform, request, response: platform.read_status(request) == "DISABLE",
        missing=MISSING_NAME,
        not_found=UNKNOWN_DEVICES,
    ),
    Row(
        "EnableThing",
        register_disabled_device,
        "the device is offline until it connects",
        lambda platform, request, response: platform.read_status(request) == "OFFLINE",
        missing=MISSING_NAME,
        not_found=UNKNOWN_DEVICES,
    ),
    Row(
        "ResetThing",
        lambda platform: register_named_device(platform, "ONLINE"),
        "the device is not activated",
        lambda platform, request, response: platform.read_status(request) == "UNACTIVE",
        missing=MISSING_NAME,
        not_found=UNKNOWN_DEVICES,
    ),
    Row(
        "BatchUpdateDeviceNickname",
        lambda platform: {
            "DeviceNicknameInfo": [{**register_named_device(platform), "Nickname": "New_name"}]
        },
        "the nickname changes",
        lambda platform, request, response: (
            platform.call("QueryDeviceInfo", **device_identity(request["DeviceNicknameInfo"][0]))["Data"][
                "Nickname"
            ]
            == "New_name"
        ),
        missing={"DeviceNicknameInfo": "iot.device.InvalidDeviceNickNameExisted"},
        invalid=[
            (
                lambda platform, request: {
                    "DeviceNicknameInfo": [{**request["DeviceNicknameInfo"][0], "Nickname": "x"}]
                },
                "iot.device.InvalidDeviceNickNameExisted",
            )
        ],
        not_found=[({"DeviceNicknameInfo": [{"IotId": "none", "Nickname": "New_name"}]}, NO_DEVICE)],
    ),
    Row(
        "SaveDeviceProp",
        lambda platform: register_tagged_device(platform) | {"Props": json.dumps({"city": "Bonn"})},
        "one tag changes, the other is kept",
        lambda platform, request, response: read_tags(platform, request) == {"city": "Bonn", "floor": "3"},
        missing=MISSING_NAME,
        invalid=[
            ({"Props": "not json"}, "iot.device.InvalidFormattedDevicePropertiesString"),
            ({"Props": "{}"}, "iot.device.NullDevicePropertiesString"),
            ({"Props": json.dumps({"k": "x" * 5200})}, "iot.device.LongDevicePropertiesString"),
        ],
        not_found=UNKNOWN_DEVICES,
    ),
    Row(
        "QueryDeviceProp",
        register_tagged_device,
        "all tags of a device",
        lambda platform, request, response: json.loads(response["Props"]) == {"city": "Ulm", "floor": "3"},
        missing=MISSING_NAME,
        not_found=UNKNOWN_DEVICES,
    ),
    Row(
        "DeleteDeviceProp",
        lambda platform: register_tagged_device(platform) | {"PropKey": "city"},
        "one tag is deleted, the other is kept",
        lambda platform, request, response: read_tags(platform, request) == {"floor": "3"},
        missing=MISSING_NAME,
        not_found=UNKNOWN_DEVICES,
    ),
    Row(
        "QueryDeviceByTags",
        lambda platform: (
            register_tagged_device(platform)
            and {"Tag": [{"TagKey": "city", "TagValue": "Ulm"}, {"TagKey": "floor", "TagValue": "3"}]}
        ),
        "the device with all of the tags",
        lambda platform, request, response: response["Total"] == 1,
        missing={"Tag": "MissingTag"},
        invalid=[
            *INVALID_PAGES,
            (
                {"Tag": [{"TagKey": f"k{n}", "TagValue": "v"} for n in range(11)]},
                "iot.common.InvalidFormattedParameter",
            ),
        ],
    ),
    Row(
        "QueryDeviceStatistics",
        lambda platform: {
            "ProductKey": [platform.register_devices("dev-1", "dev-2"), platform.set_device_status("dev-1")]
            and list_products(platform)[0]
        },
        "the numbers of all, active and online devices",
        lambda platform, request, response: (
            response["Data"] == {"deviceCount": 2, "activeCount": 1, "onlineCount": 1}
        ),
        not_found=[UNKNOWN_PRODUCT, ({"GroupId": "none"}, "iot.group.NotExistedGroup")],
    ),
    Row(
        "QueryDeviceByStatus",
        lambda platform: (
            [
                platform.register_devices("dev-1", "dev-2", Nickname="Meter"),
                platform.set_device_status("dev-1"),
            ]
            and {"ProductKey": list_products(platform)[0], "Status": 1}
        ),
        "the online devices",
        lambda platform, request, response: (
            column(response["Data"]["SimpleDeviceInfo"], "DeviceName") == ["dev-1"]
        ),
        invalid=[*INVALID_PAGES, ({"Status": 2}, "iot.common.InvalidFormattedParameter")],
        not_found=[UNKNOWN_PRODUCT],
    ),
    Row(
        "QueryDeviceBySQL",
        lambda platform: (
            register_searchable_device(platform)
            and {
                "SQL": 'SELECT * FROM device WHERE name = "dev-1" AND status = "ONLINE" ORDER BY gmt_create DESC LIMIT 5'
            }
        ),
        "a device with its tags, groups and versions",
        lambda platform, request, response: (
            response["Data"][0]["OTAModules"] == [{"ModuleName": "default", "FirmwareVersion": "1.0.0"}]
        ),
        invalid=[
            ({"SQL": "DELETE FROM device"}, "iot.devicesearch.InvalidSQLError"),
            ({"SQL": "SELECT * FROM device WHERE secret = 'x'"}, "iot.devicesearch.InvalidSQLFieldError"),
            (
                {"SQL": "SELECT * FROM device WHERE name = 'x' LIMIT 51"},
                "iot.devicesearch.InvalidSQLOffsetError",
            ),
        ],
        absent_fields={"TotalCount"},
    ),
    Row(
        "QueryDeviceBySQL",
        lambda platform: (
            register_searchable_device(platform)
            and {"SQL": 'SELECT COUNT(*) FROM device WHERE status = "ONLINE"'}
        ),
        "the number of devices",
        lambda platform, request, response: response["TotalCount"] == 1,
        absent_fields={
            path for path in leaf_paths(operation("QueryDeviceBySQL").response) if path.startswith("Data[]")
        },
    ),
    Row(
        "ListOTAModuleVersionsByDevice",
        lambda platform: register_named_device(platform, "ONLINE") | {"CurrentPage": 1, "PageSize": 10},
        "the version that the device reported",
        lambda platform, request, response: (
            response["Data"]["SimpleOTAModuleInfo"][0]["ModuleVersion"] == "1.0.0"
        ),
        missing=MISSING_NAME,
        invalid=[*INVALID_PAGES, ({"PageSize": 201}, "iot.common.InvalidPageParams")],
        not_found=UNKNOWN_DEVICES,
    ),
]


def list_products(platform: PreparedPlatform) -> list[str]:
    response = platform.call("QueryProductList", CurrentPage=1)
    return column(response["Data"]["List"]["ProductInfo"], "ProductKey")
