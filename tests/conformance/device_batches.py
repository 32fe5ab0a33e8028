"""Batch registration of devices, gateways and sub-devices, device files."""

from __future__ import annotations

import hashlib
import hmac
import json

from tests.conformance.devices import (
    INVALID_PAGES,
    MISSING_NAME,
    NO_DEVICE,
    UNKNOWN_DEVICES,
    UNKNOWN_PRODUCT,
    register_named_device,
)
from tests.conformance.platform import PreparedPlatform, column, device_identity
from tests.conformance.rows import Request, Response, Row

DAY = 86_400
UNKNOWN_APPLICATION = ({"ApplyId": 7}, "iot.device.DeviceApplyIsNotFound")


def create_valid_application(platform: PreparedPlatform) -> Request:
    """Create an application with valid names."""
    key = platform.create_product()
    response = platform.call("BatchCheckDeviceNames", ProductKey=key, DeviceName=["dev-1", "dev-2"])
    platform.clock.advance(5)
    return {"ProductKey": key, "ApplyId": response["Data"]["ApplyId"]}


def create_invalid_application(platform: PreparedPlatform) -> Request:
    """Create an application with a name that already exists."""
    key = platform.register_devices("dev-1")
    response = platform.call("BatchCheckDeviceNames", ProductKey=key, DeviceName=["dev-1", "dev-2"])
    platform.clock.advance(5)
    return {"ProductKey": key, "ApplyId": response["Data"]["ApplyId"]}


def create_registered_application(platform: PreparedPlatform) -> Request:
    key = platform.create_product()
    return {"ProductKey": key, "ApplyId": platform.register_batch(key, "dev-1", "dev-2", "dev-3")}


def read_application_status(platform: PreparedPlatform, request: Request, response: Response) -> str:
    """Read the status of an application after it has finished."""
    platform.clock.advance(5)
    apply_id = response["Data"]["ApplyId"]
    return platform.call(
        "QueryBatchRegisterDeviceStatus", ProductKey=request["ProductKey"], ApplyId=apply_id
    )["Data"]["Status"]


def build_topology_item(device: dict[str, str]) -> dict[str, str]:
    """Build an item for BatchAddThingTopo, signed with the secret of the sub-device."""
    fields = {
        "clientId": "c1",
        "deviceName": device["DeviceName"],
        "productKey": device["ProductKey"],
        "timestamp": "1",
    }
    content = "".join(f"{name}{value}" for name, value in sorted(fields.items()))
    return {
        "ProductKey": device["ProductKey"],
        "DeviceName": device["DeviceName"],
        "ClientId": "c1",
        "Timestamp": "1",
        "SignMethod": "hmacSha256",
        "Sign": hmac.new(device["DeviceSecret"].encode(), content.encode(), hashlib.sha256).hexdigest(),
    }


def register_gateway(platform: PreparedPlatform) -> Request:
    """Register an online gateway; returns the parameters that identify it."""
    device = platform.register_device(platform.create_gateway_product(), "gateway-1")
    platform.set_device_status("gateway-1")
    platform.set_version("gateway-1")
    return {"ProductKey": device["ProductKey"], "DeviceName": "gateway-1"}


def register_topology(platform: PreparedPlatform) -> tuple[Request, Request]:
    """Register a gateway with two sub-devices; returns the identities of the gateway and the first sub-device."""
    gateway = register_gateway(platform)
    first = platform.register_device()
    second = platform.register_device(first["ProductKey"], "dev-2")
    platform.call(
        "BatchAddThingTopo",
        GwProductKey=gateway["ProductKey"],
        GwDeviceName=gateway["DeviceName"],
        TopoAddItem=[build_topology_item(first), build_topology_item(second)],
    )
    return gateway, device_identity({"ProductKey": first["ProductKey"], "DeviceName": "dev-1"})


def list_sub_devices(platform: PreparedPlatform, gateway: Request) -> list[str]:
    response = platform.call("GetThingTopo", **gateway, PageNo=1, PageSize=10)
    return sorted(column(response["Data"]["List"]["deviceInfo"], "DeviceName"))


def gateway_identity(request: Request) -> Request:
    return {"ProductKey": request["GwProductKey"], "DeviceName": request["GwDeviceName"]}


def register_device_with_files(platform: PreparedPlatform) -> Request:
    """Register a device that has been online long enough to have two files."""
    request = register_named_device(platform, "ONLINE")
    platform.clock.advance(8 * DAY)
    return request


def list_files(platform: PreparedPlatform, request: Request) -> list[str]:
    return column(
        platform.call("QueryDeviceFileList", **device_identity(request))["Data"]["FileSummary"], "FileId"
    )


UNKNOWN_FILE = ({"FileId": "none"}, "iot.common.FileNotExist")
MISSING_GATEWAY_NAME = {
    "GwProductKey": "iot.prod.NullProductKey",
    "GwDeviceName": "iot.device.NullDeviceName",
}

ROWS = [
    Row(
        "BatchCheckDeviceNames",
        lambda platform: {
            "ProductKey": platform.register_devices("dev-1"),
            "DeviceNameList": [{"DeviceName": "dev-1"}, {"DeviceName": "dev-2", "DeviceNickname": "Keller"}],
        },
        "an application is created, and the existing name is returned",
        lambda platform, request, response: (
            response["Data"]["RepeatedDeviceNameList"]["RepeatDevieNameList"] == ["dev-1"]
            and read_application_status(platform, request, response) == "CHECK_FAILED"
        ),
        missing={"DeviceNameList": "iot.device.NoneDeviceNameElement"},
        invalid=[
            ({"DeviceNameList": [{"DeviceName": "b d"}]}, "iot.device.InvalidFormattedDeviceName"),
            (
                {"DeviceNameList": [{"DeviceName": "dev-2", "DeviceNickname": "x"}]},
                "iot.device.InvalidDeviceNickNameExisted",
            ),
            ({"DeviceNameList": [{"DeviceName": "dev-2"}] * 2}, "iot.device.AlreadyExistedDeviceName"),
        ],
        not_found=[UNKNOWN_PRODUCT],
        absent_fields={
            "Data.InvalidDetailList.InvalidDetailList[].DeviceName",
            "Data.InvalidDetailList.InvalidDetailList[].ErrorMsg",
            "Data.InvalidDetailList.InvalidDetailList[].NickName",
            "Data.InvalidDeviceNameList.InvalidDeviceName[]",
            "Data.InvalidDeviceNicknameList.InvalidDeviceNickname[]",
        },
    ),
    Row(
        "BatchCheckDeviceNames",
        lambda platform: {
            "ProductKey": platform.create_product(),
            "DeviceNameList": [{"DeviceName": "b d"}, {"DeviceName": "dev-2", "DeviceNickname": "x"}],
        },
        "invalid names and nicknames are returned",
        lambda platform, request, response: (
            response["Data"]["InvalidDeviceNameList"] == {"InvalidDeviceName": ["b d"]}
            and response["Data"]["InvalidDeviceNicknameList"] == {"InvalidDeviceNickname": ["x"]}
        ),
        code="iot.device.InvalidFormattedDeviceName",
        absent_fields={"Data.ApplyId", "Data.RepeatedDeviceNameList.RepeatDevieNameList[]"},
    ),
    Row(
        "BatchRegisterDeviceWithApplyId",
        create_valid_application,
        "the devices are registered after a short time",
        lambda platform, request, response: (
            read_application_status(platform, request, response) == "CREATE_SUCCESS"
            and platform.list_devices(request["ProductKey"]) == ["dev-2", "dev-1"]
        ),
        invalid=[
            (
                lambda platform, request: create_invalid_application(platform),
                "iot.device.IncorrentDeviceApplyInfo",
            )
        ],
        not_found=[UNKNOWN_APPLICATION, UNKNOWN_PRODUCT],
        other_account_code="iot.prod.NotExistedProduct",
    ),
    Row(
        "BatchRegisterDevice",
        lambda platform: {"ProductKey": platform.create_product(), "Count": 7},
        "seven devices with random names are registered after a short time",
        lambda platform, request, response: (
            read_application_status(platform, request, response) == "CREATE_SUCCESS"
            and len(platform.list_devices(request["ProductKey"])) == 7
        ),
        invalid=[
            ({"Count": 0}, "iot.device.DeviceCountExceeded"),
            ({"Count": 10_001}, "iot.device.DeviceCountExceeded"),
        ],
        not_found=[UNKNOWN_PRODUCT],
    ),
    Row(
        "QueryBatchRegisterDeviceStatus",
        create_invalid_application,
        "the check fails because of the existing name",
        lambda platform, request, response: (
            response["Data"]["Status"] == "CHECK_FAILED"
            and response["Data"]["InvalidList"]["Name"] == ["dev-1"]
        ),
        not_found=[UNKNOWN_APPLICATION, UNKNOWN_PRODUCT],
        other_account_code="iot.prod.NotExistedProduct",
        absent_fields={"Data.ValidList.Name[]"},
    ),
    Row(
        "QueryBatchRegisterDeviceStatus",
        create_registered_application,
        "all devices are registered",
        lambda platform, request, response: (
            (response["Data"]["Status"], response["Data"]["ValidList"]["Name"])
            == ("CREATE_SUCCESS", ["dev-1", "dev-2", "dev-3"])
        ),
        absent_fields={
            "Data.InvalidList.Name[]",
            "Data.InvalidDetailList.invalidDetailList[].DeviceName",
            "Data.InvalidDetailList.invalidDetailList[].ErrorMsg",
            "Data.InvalidDetailList.invalidDetailList[].NickName",
        },
    ),
    Row(
        "QueryPageByApplyId",
        lambda platform: {
            "ApplyId": create_registered_application(platform)["ApplyId"],
            "PageSize": 2,
            "CurrentPage": 2,
        },
        "the registered devices with their secrets, by pages",
        lambda platform, request, response: (
            column(response["ApplyDeviceList"]["ApplyDeviceInfo"], "DeviceName") == ["dev-3"]
        ),
        invalid=[*INVALID_PAGES, ({"PageSize": 51}, "iot.common.InvalidPageParams")],
        not_found=[UNKNOWN_APPLICATION],
    ),
    Row(
        "GetGatewayBySubDevice",
        lambda platform: register_topology(platform)[1],
        "the gateway of a device",
        lambda platform, request, response: response["Data"]["DeviceName"] == "gateway-1",
        missing=MISSING_NAME,
        not_found=UNKNOWN_DEVICES,
    ),
    Row(
        "GetThingTopo",
        lambda platform: register_topology(platform)[0] | {"PageNo": 1, "PageSize": 10},
        "the sub-devices of a gateway",
        lambda platform, request, response: (
            sorted(column(response["Data"]["List"]["deviceInfo"], "DeviceName")) == ["dev-1", "dev-2"]
        ),
        missing=MISSING_NAME,
        invalid=[
            ({"PageSize": 51}, "iot.common.InvalidPageParams"),
            ({"PageNo": 0}, "iot.common.InvalidPageParams"),
        ],
        not_found=UNKNOWN_DEVICES,
        extra_fields={"Data.NextToken"},
    ),
    Row(
        "NotifyAddThingTopo",
        lambda platform: {
            "GwProductKey": (gateway := register_gateway(platform))["ProductKey"],
            "GwDeviceName": gateway["DeviceName"],
            "DeviceListStr": json.dumps(
                [{"productKey": platform.register_devices("dev-1"), "deviceName": "dev-1"}]
            ),
        },
        "the online gateway adds the device",
        lambda platform, request, response: (
            list_sub_devices(platform, gateway_identity(request)) == ["dev-1"]
        ),
        missing=MISSING_GATEWAY_NAME,
        invalid=[({"DeviceListStr": "{}"}, "iot.common.InvalidFormattedParameter")],
        not_found=[
            ({"GwDeviceName": "nobody"}, NO_DEVICE),
            ({"DeviceListStr": '[{"iotId": "none"}]'}, NO_DEVICE),
        ],
    ),
    Row(
        "BatchAddThingTopo",
        lambda platform: {
            "GwProductKey": (gateway := register_gateway(platform))["ProductKey"],
            "GwDeviceName": gateway["DeviceName"],
            "TopoAddItem": [build_topology_item(platform.register_device())],
        },
        "the device is a sub-device of the gateway",
        lambda platform, request, response: (
            list_sub_devices(platform, gateway_identity(request)) == ["dev-1"]
        ),
        missing={"TopoAddItem": "MissingTopoAddItem"},
        invalid=[
            (
                lambda platform, request: {"TopoAddItem": [{**request["TopoAddItem"][0], "Sign": "0" * 64}]},
                "iot.device.VerifyDeviceFailed",
            ),
            (
                lambda platform, request: {
                    "TopoAddItem": [{**request["TopoAddItem"][0], "SignMethod": "none"}]
                },
                "iot.common.InvalidFormattedParameter",
            ),
            (
                lambda platform, request: {"TopoAddItem": request["TopoAddItem"] * 11},
                "iot.common.InvalidFormattedParameter",
            ),
        ],
        not_found=[({"GwDeviceName": "nobody"}, NO_DEVICE)],
    ),
    Row(
        "RemoveThingTopo",
        lambda platform: register_topology(platform)[1],
        "the device has no gateway",
        lambda platform, request, response: (
            platform.error_code("GetGatewayBySubDevice", **request) == "iot.device.QueryTopoRelationFailed"
        ),
        missing=MISSING_NAME,
        not_found=UNKNOWN_DEVICES,
    ),
    Row(
        "QueryDeviceFileList",
        lambda platform: register_device_with_files(platform) | {"CurrentPage": 1, "PageSize": 1},
        "newest first, by pages",
        lambda platform, request, response: (
            response["Total"] == 2 and len(response["Data"]["FileSummary"]) == 1
        ),
        missing=MISSING_NAME,
        invalid=[*INVALID_PAGES, ({"PageSize": 201}, "iot.common.InvalidPageParams")],
        not_found=UNKNOWN_DEVICES,
    ),
    Row(
        "QueryDeviceFile",
        lambda platform: (
            (request := register_device_with_files(platform)) | {"FileId": list_files(platform, request)[0]}
        ),
        "one file, with its download URL",
        lambda platform, request, response: response["Data"]["DownloadUrl"].startswith(
            f"http://{platform.server.address}/oss/"
        ),
        missing=MISSING_NAME,
        not_found=[*UNKNOWN_DEVICES, UNKNOWN_FILE],
    ),
    Row(
        "DeleteDeviceFile",
        lambda platform: (
            (request := register_device_with_files(platform)) | {"FileId": list_files(platform, request)[0]}
        ),
        "the file is deleted",
        lambda platform, request, response: (
            request["FileId"] not in list_files(platform, request) and len(list_files(platform, request)) == 1
        ),
        missing=MISSING_NAME,
        not_found=[*UNKNOWN_DEVICES, UNKNOWN_FILE],
    ),
]
