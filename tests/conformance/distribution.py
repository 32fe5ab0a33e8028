"""Products and devices brought from one instance to another."""

from __future__ import annotations

import urllib.request
from typing import Any

from console.emulator.distribution import PUBLIC_INSTANCE
from tests.conformance.devices import UNKNOWN_PRODUCT
from tests.conformance.platform import INSTANCES, KEY_ID, PreparedPlatform, column
from tests.conformance.rows import Asked, Row

THERE, ELSEWHERE = INSTANCES
PROVISIONING = "iot.provisioning."
NO_JOB = ({"JobId": "nothing"}, f"{PROVISIONING}TaskNotExist")
NOT_MINE = f"{PROVISIONING}UidAndTaskNotMatch"
BAD_PAGES = [
    ({"PageSize": 0}, "iot.common.InvalidPageParams"),
    ({"CurrentPage": 0}, "iot.common.InvalidPageParams"),
]


def devices_of(platform: PreparedPlatform) -> Asked:
    """What a job for two of three devices is made of."""
    return {
        "ProductKey": platform.devices(),
        "DeviceName": ["dev-1", "dev-3"],
        "SourceInstanceId": PUBLIC_INSTANCE,
        "TargetInstanceConfig": [{"TargetInstanceId": THERE}],
        "TargetUid": KEY_ID,
        "TargetAliyunId": KEY_ID,
        "Strategy": 0,
    }


def product_of(platform: PreparedPlatform) -> Asked:
    return {
        "ProductKey": platform.product(),
        "SourceInstanceId": PUBLIC_INSTANCE,
        "TargetInstanceId": THERE,
        "TargetUid": KEY_ID,
        "TargetAliyunId": KEY_ID,
    }


def done(platform: PreparedPlatform) -> Asked:
    """A job for devices that is done."""
    told = platform.call("CreateDeviceDistributeJob", **devices_of(platform))
    platform.clock.advance(10)
    platform.emulator.run_due_work()
    return {"JobId": told["JobId"]}


def there(platform: PreparedPlatform, product_key: str) -> list[str]:
    """The devices of the product in the instance that they were brought to."""
    platform.clock.advance(10)
    told = platform.call("QueryDevice", ProductKey=product_key, IotInstanceId=THERE)
    return sorted(column(told["Data"].get("DeviceInfo") or [], "DeviceName"))


def loaded(url: str) -> bytes:
    assert url.startswith("http://127.0.0.1")
    with urllib.request.urlopen(url) as answer:
        return answer.read()


def only(asked: Asked, *names: str) -> dict[str, Any]:
    return {name: asked[name] for name in names}


ROWS = [
    Row(
        "CreateDeviceDistributeJob",
        devices_of,
        "after a while the devices are in the other instance",
        lambda w, asked, told: there(w, asked["ProductKey"]) == ["dev-1", "dev-3"],
        missing={
            "ProductKey": "MissingProductKey",
            "DeviceName": "MissingDeviceName",
            "SourceInstanceId": "MissingSourceInstanceId",
            "TargetInstanceConfig": "MissingTargetInstanceConfig",
        },
        bad=[
            ({"Strategy": 7}, f"{PROVISIONING}ErrorStrategy"),
            ({"TargetInstanceConfig": [{"TargetInstanceId": PUBLIC_INSTANCE}]}, "iot.system.InstanceIdSame"),
            ({"TargetUid": None, "TargetAliyunId": None}, f"{PROVISIONING}TargetAccountParamsError"),
        ],
        absent=[
            UNKNOWN_PRODUCT,
            ({"TargetUid": "nobody"}, f"{PROVISIONING}AccountNotFound"),
            ({"SourceInstanceId": "iot-none"}, f"{PROVISIONING}SourceInstanceNotFound"),
            (
                {"TargetInstanceConfig": [{"TargetInstanceId": "iot-none"}]},
                f"{PROVISIONING}TargetInstanceNotFound",
            ),
        ],
        alien=f"{PROVISIONING}NotCrossTenantId",
    ),
    Row(
        "CreateProductDistributeJob",
        product_of,
        "after a while the product is in the other instance too",
        lambda w, asked, told: there(w, asked["ProductKey"]) == [],
        missing={"ProductKey": "MissingProductKey", "TargetInstanceId": "MissingTargetInstanceId"},
        bad=[({"TargetInstanceId": PUBLIC_INSTANCE}, "iot.system.InstanceIdSame")],
        absent=[UNKNOWN_PRODUCT, ({"TargetInstanceId": "iot-none"}, f"{PROVISIONING}TargetInstanceNotFound")],
        alien=f"{PROVISIONING}NotCrossTenantId",
    ),
    Row(
        "QueryDeviceDistributeDetail",
        done,
        "the file with each device's result",
        lambda w, asked, told: b"dev-1" in loaded(told["File"]),
        missing={"JobId": "MissingJobId"},
        absent=[NO_JOB],
        alien=NOT_MINE,
    ),
    Row(
        "QueryDeviceDistributeJob",
        done,
        "the job is done",
        lambda w, asked, told: (told["Data"]["Status"], told["Data"]["Total"]) == (2, 2),
        missing={"JobId": "MissingJobId"},
        absent=[NO_JOB],
        alien=NOT_MINE,
    ),
    Row(
        "ListDeviceDistributeJob",
        lambda w: [done(w), done_again(w)] and {"PageSize": 1, "TargetUid": KEY_ID},
        "newest first, with the token of the next page",
        lambda w, asked, told: (
            told["Data"]["Total"] == 2
            and column(
                w.call("ListDeviceDistributeJob", **asked, NextToken=told["Data"]["NextToken"])["Data"][
                    "JobInfo"
                ]["items"],
                "JobId",
            )
            != column(told["Data"]["JobInfo"]["items"], "JobId")
        ),
        bad=[*BAD_PAGES, ({"NextToken": "x"}, "iot.device.PageTokenIsIllegal")],
    ),
    Row(
        "DeleteDeviceDistributeJob",
        done,
        "it is gone",
        lambda w, asked, told: (
            w.refused("QueryDeviceDistributeJob", **asked) == f"{PROVISIONING}TaskNotExist"
        ),
        missing={"JobId": "MissingJobId"},
        absent=[NO_JOB],
        alien=NOT_MINE,
    ),
    Row(
        "ListDistributedDevice",
        lambda w: done(w) and {"CurrentPage": 1, "PageSize": 10, "TargetUid": KEY_ID},
        "the devices that were brought",
        lambda w, asked, told: (
            sorted(column(told["Data"]["Info"]["items"], "DeviceName")) == ["dev-1", "dev-3"]
        ),
        bad=BAD_PAGES,
    ),
    Row(
        "ListDistributedProduct",
        lambda w: done(w) and {"CurrentPage": 1, "PageSize": 10, "TargetInstanceId": THERE},
        "the product came along",
        lambda w, asked, told: told["Data"]["Total"] == 1,
        bad=BAD_PAGES,
    ),
]


def done_again(platform: PreparedPlatform) -> Asked:
    """A second job, for other devices."""
    key = platform.devices("more-1")
    told = platform.call("CreateDeviceDistributeJob", **devices_of_another(key))
    platform.clock.advance(10)
    return {"JobId": told["JobId"]}


def devices_of_another(key: str) -> Asked:
    return {
        "ProductKey": key,
        "DeviceName": ["more-1"],
        "SourceInstanceId": PUBLIC_INSTANCE,
        "TargetInstanceConfig": [{"TargetInstanceId": ELSEWHERE}],
        "TargetUid": KEY_ID,
        "Strategy": 0,
    }
