"""Distribution of products and devices from one instance to another."""

from __future__ import annotations

import urllib.request
from typing import Any

from iot_emulator.distribution import PUBLIC_INSTANCE
from tests.conformance.devices import UNKNOWN_PRODUCT
from tests.conformance.platform import INSTANCES, KEY_ID, PreparedPlatform, column
from tests.conformance.rows import Request, Row

TARGET_INSTANCE, OTHER_INSTANCE = INSTANCES
PROVISIONING = "iot.provisioning."
UNKNOWN_JOB = ({"JobId": "nothing"}, f"{PROVISIONING}TaskNotExist")
WRONG_ACCOUNT = f"{PROVISIONING}UidAndTaskNotMatch"
INVALID_PAGES = [
    ({"PageSize": 0}, "iot.common.InvalidPageParams"),
    ({"CurrentPage": 0}, "iot.common.InvalidPageParams"),
]


def build_device_job(platform: PreparedPlatform) -> Request:
    """Build the request of a job for two of three devices."""
    return {
        "ProductKey": platform.register_devices(),
        "DeviceName": ["dev-1", "dev-3"],
        "SourceInstanceId": PUBLIC_INSTANCE,
        "TargetInstanceConfig": [{"TargetInstanceId": TARGET_INSTANCE}],
        "TargetUid": KEY_ID,
        "TargetAliyunId": KEY_ID,
        "Strategy": 0,
    }


def build_product_job(platform: PreparedPlatform) -> Request:
    return {
        "ProductKey": platform.create_product(),
        "SourceInstanceId": PUBLIC_INSTANCE,
        "TargetInstanceId": TARGET_INSTANCE,
        "TargetUid": KEY_ID,
        "TargetAliyunId": KEY_ID,
    }


def create_finished_job(platform: PreparedPlatform) -> Request:
    """Create a finished job for devices."""
    response = platform.call("CreateDeviceDistributeJob", **build_device_job(platform))
    platform.clock.advance(10)
    platform.emulator.run_due_work()
    return {"JobId": response["JobId"]}


def list_distributed_devices(platform: PreparedPlatform, product_key: str) -> list[str]:
    """List the product's devices in the target instance."""
    platform.clock.advance(10)
    response = platform.call("QueryDevice", ProductKey=product_key, IotInstanceId=TARGET_INSTANCE)
    return sorted(column(response["Data"].get("DeviceInfo") or [], "DeviceName"))


def download(url: str) -> bytes:
    assert url.startswith("http://127.0.0.1")
    with urllib.request.urlopen(url) as download_response:
        return download_response.read()


def select_parameters(request: Request, *names: str) -> dict[str, Any]:
    return {name: request[name] for name in names}


ROWS = [
    Row(
        "CreateDeviceDistributeJob",
        build_device_job,
        "the devices are in the target instance after a short time",
        lambda platform, request, response: (
            list_distributed_devices(platform, request["ProductKey"]) == ["dev-1", "dev-3"]
        ),
        missing={
            "ProductKey": "MissingProductKey",
            "DeviceName": "MissingDeviceName",
            "SourceInstanceId": "MissingSourceInstanceId",
            "TargetInstanceConfig": "MissingTargetInstanceConfig",
        },
        invalid=[
            ({"Strategy": 7}, f"{PROVISIONING}ErrorStrategy"),
            ({"TargetInstanceConfig": [{"TargetInstanceId": PUBLIC_INSTANCE}]}, "iot.system.InstanceIdSame"),
            ({"TargetUid": None, "TargetAliyunId": None}, f"{PROVISIONING}TargetAccountParamsError"),
        ],
        not_found=[
            UNKNOWN_PRODUCT,
            ({"TargetUid": "nobody"}, f"{PROVISIONING}AccountNotFound"),
            ({"SourceInstanceId": "iot-none"}, f"{PROVISIONING}SourceInstanceNotFound"),
            (
                {"TargetInstanceConfig": [{"TargetInstanceId": "iot-none"}]},
                f"{PROVISIONING}TargetInstanceNotFound",
            ),
        ],
        other_account_code=f"{PROVISIONING}NotCrossTenantId",
    ),
    Row(
        "CreateProductDistributeJob",
        build_product_job,
        "the product is in the target instance after a short time",
        lambda platform, request, response: list_distributed_devices(platform, request["ProductKey"]) == [],
        missing={"ProductKey": "MissingProductKey", "TargetInstanceId": "MissingTargetInstanceId"},
        invalid=[({"TargetInstanceId": PUBLIC_INSTANCE}, "iot.system.InstanceIdSame")],
        not_found=[
            UNKNOWN_PRODUCT,
            ({"TargetInstanceId": "iot-none"}, f"{PROVISIONING}TargetInstanceNotFound"),
        ],
        other_account_code=f"{PROVISIONING}NotCrossTenantId",
    ),
    Row(
        "QueryDeviceDistributeDetail",
        create_finished_job,
        "the file with each device's result",
        lambda platform, request, response: b"dev-1" in download(response["File"]),
        missing={"JobId": "MissingJobId"},
        not_found=[UNKNOWN_JOB],
        other_account_code=WRONG_ACCOUNT,
    ),
    Row(
        "QueryDeviceDistributeJob",
        create_finished_job,
        "the job is completed",
        lambda platform, request, response: (response["Data"]["Status"], response["Data"]["Total"]) == (2, 2),
        missing={"JobId": "MissingJobId"},
        not_found=[UNKNOWN_JOB],
        other_account_code=WRONG_ACCOUNT,
    ),
    Row(
        "ListDeviceDistributeJob",
        lambda platform: (
            [create_finished_job(platform), create_second_job(platform)]
            and {"PageSize": 1, "TargetUid": KEY_ID}
        ),
        "newest first, with the token of the next page",
        lambda platform, request, response: (
            response["Data"]["Total"] == 2
            and column(
                platform.call("ListDeviceDistributeJob", **request, NextToken=response["Data"]["NextToken"])[
                    "Data"
                ]["JobInfo"]["items"],
                "JobId",
            )
            != column(response["Data"]["JobInfo"]["items"], "JobId")
        ),
        invalid=[*INVALID_PAGES, ({"NextToken": "x"}, "iot.device.PageTokenIsIllegal")],
    ),
    Row(
        "DeleteDeviceDistributeJob",
        create_finished_job,
        "the job is deleted",
        lambda platform, request, response: (
            platform.error_code("QueryDeviceDistributeJob", **request) == f"{PROVISIONING}TaskNotExist"
        ),
        missing={"JobId": "MissingJobId"},
        not_found=[UNKNOWN_JOB],
        other_account_code=WRONG_ACCOUNT,
    ),
    Row(
        "ListDistributedDevice",
        lambda platform: (
            create_finished_job(platform) and {"CurrentPage": 1, "PageSize": 10, "TargetUid": KEY_ID}
        ),
        "the distributed devices",
        lambda platform, request, response: (
            sorted(column(response["Data"]["Info"]["items"], "DeviceName")) == ["dev-1", "dev-3"]
        ),
        invalid=INVALID_PAGES,
    ),
    Row(
        "ListDistributedProduct",
        lambda platform: (
            create_finished_job(platform)
            and {"CurrentPage": 1, "PageSize": 10, "TargetInstanceId": TARGET_INSTANCE}
        ),
        "the product was distributed too",
        lambda platform, request, response: response["Data"]["Total"] == 1,
        invalid=INVALID_PAGES,
    ),
]


def create_second_job(platform: PreparedPlatform) -> Request:
    """Create a second job, for other devices."""
    key = platform.register_devices("more-1")
    response = platform.call("CreateDeviceDistributeJob", **build_second_device_job(key))
    platform.clock.advance(10)
    return {"JobId": response["JobId"]}


def build_second_device_job(key: str) -> Request:
    return {
        "ProductKey": key,
        "DeviceName": ["more-1"],
        "SourceInstanceId": PUBLIC_INSTANCE,
        "TargetInstanceConfig": [{"TargetInstanceId": OTHER_INSTANCE}],
        "TargetUid": KEY_ID,
        "Strategy": 0,
    }
