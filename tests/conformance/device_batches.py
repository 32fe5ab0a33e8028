"""Devices by the thousand, on gateways, and their files."""

from __future__ import annotations

import hashlib
import hmac
import json

from tests.conformance.devices import BAD_PAGE, HALF, NO_DEVICE, ONE, UNKNOWN_PRODUCT, one
from tests.conformance.platform import PreparedPlatform, column, identity
from tests.conformance.rows import Asked, Row, Told

DAY = 86_400
NO_APPLY = ({"ApplyId": 7}, "iot.device.DeviceApplyIsNotFound")


def checked(platform: PreparedPlatform) -> Asked:
    """An application whose names are found good."""
    key = platform.product()
    told = platform.call("BatchCheckDeviceNames", ProductKey=key, DeviceName=["dev-1", "dev-2"])
    platform.clock.advance(5)
    return {"ProductKey": key, "ApplyId": told["Data"]["ApplyId"]}


def taken(platform: PreparedPlatform) -> Asked:
    """An application of which a name is not free."""
    key = platform.devices("dev-1")
    told = platform.call("BatchCheckDeviceNames", ProductKey=key, DeviceName=["dev-1", "dev-2"])
    platform.clock.advance(5)
    return {"ProductKey": key, "ApplyId": told["Data"]["ApplyId"]}


def done(platform: PreparedPlatform) -> Asked:
    key = platform.product()
    return {"ProductKey": key, "ApplyId": platform.apply(key, "dev-1", "dev-2", "dev-3")}


def state(platform: PreparedPlatform, asked: Asked, told: Told) -> str:
    """The state of an application, after the time that it takes."""
    platform.clock.advance(5)
    apply_id = told["Data"]["ApplyId"]
    return platform.call("QueryBatchRegisterDeviceStatus", ProductKey=asked["ProductKey"], ApplyId=apply_id)[
        "Data"
    ]["Status"]


def item(device: dict[str, str]) -> dict[str, str]:
    """A sub-device as BatchAddThingTopo wants it, signed with the device's own secret."""
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


def gateway(platform: PreparedPlatform) -> Asked:
    """A gateway that is online, and named."""
    made = platform.device(platform.gateways(), "gateway-1")
    platform.hold("gateway-1")
    platform.version("gateway-1")
    return {"ProductKey": made["ProductKey"], "DeviceName": "gateway-1"}


def joined(platform: PreparedPlatform) -> tuple[Asked, Asked]:
    """A gateway with two sub-devices; the gateway, and the first of them."""
    above = gateway(platform)
    first = platform.device()
    second = platform.device(first["ProductKey"], "dev-2")
    platform.call(
        "BatchAddThingTopo",
        GwProductKey=above["ProductKey"],
        GwDeviceName=above["DeviceName"],
        TopoAddItem=[item(first), item(second)],
    )
    return above, identity({"ProductKey": first["ProductKey"], "DeviceName": "dev-1"})


def below(platform: PreparedPlatform, above: Asked) -> list[str]:
    told = platform.call("GetThingTopo", **above, PageNo=1, PageSize=10)
    return sorted(column(told["Data"]["List"]["deviceInfo"], "DeviceName"))


def named_above(asked: Asked) -> Asked:
    return {"ProductKey": asked["GwProductKey"], "DeviceName": asked["GwDeviceName"]}


def with_files(platform: PreparedPlatform) -> Asked:
    """A device that has been online long enough for two files."""
    asked = one(platform, "ONLINE")
    platform.clock.advance(8 * DAY)
    return asked


def files(platform: PreparedPlatform, asked: Asked) -> list[str]:
    return column(platform.call("QueryDeviceFileList", **identity(asked))["Data"]["FileSummary"], "FileId")


NO_FILE = ({"FileId": "none"}, "iot.common.FileNotExist")
GATEWAY_HALF = {"GwProductKey": "iot.prod.NullProductKey", "GwDeviceName": "iot.device.NullDeviceName"}

ROWS = [
    Row(
        "BatchCheckDeviceNames",
        lambda w: {
            "ProductKey": w.devices("dev-1"),
            "DeviceNameList": [{"DeviceName": "dev-1"}, {"DeviceName": "dev-2", "DeviceNickname": "Keller"}],
        },
        "an application is opened, and the name that exists is told",
        lambda w, asked, told: (
            told["Data"]["RepeatedDeviceNameList"]["RepeatDevieNameList"] == ["dev-1"]
            and state(w, asked, told) == "CHECK_FAILED"
        ),
        missing={"DeviceNameList": "iot.device.NoneDeviceNameElement"},
        bad=[
            ({"DeviceNameList": [{"DeviceName": "b d"}]}, "iot.device.InvalidFormattedDeviceName"),
            (
                {"DeviceNameList": [{"DeviceName": "dev-2", "DeviceNickname": "x"}]},
                "iot.device.InvalidDeviceNickNameExisted",
            ),
            ({"DeviceNameList": [{"DeviceName": "dev-2"}] * 2}, "iot.device.AlreadyExistedDeviceName"),
        ],
        absent=[UNKNOWN_PRODUCT],
        without={
            "Data.InvalidDetailList.InvalidDetailList[].DeviceName",
            "Data.InvalidDetailList.InvalidDetailList[].ErrorMsg",
            "Data.InvalidDetailList.InvalidDetailList[].NickName",
            "Data.InvalidDeviceNameList.InvalidDeviceName[]",
            "Data.InvalidDeviceNicknameList.InvalidDeviceNickname[]",
        },
    ),
    Row(
        "BatchCheckDeviceNames",
        lambda w: {
            "ProductKey": w.product(),
            "DeviceNameList": [{"DeviceName": "b d"}, {"DeviceName": "dev-2", "DeviceNickname": "x"}],
        },
        "bad names and nicknames are named",
        lambda w, asked, told: (
            told["Data"]["InvalidDeviceNameList"] == {"InvalidDeviceName": ["b d"]}
            and told["Data"]["InvalidDeviceNicknameList"] == {"InvalidDeviceNickname": ["x"]}
        ),
        code="iot.device.InvalidFormattedDeviceName",
        without={"Data.ApplyId", "Data.RepeatedDeviceNameList.RepeatDevieNameList[]"},
    ),
    Row(
        "BatchRegisterDeviceWithApplyId",
        checked,
        "after a while the devices are there",
        lambda w, asked, told: (
            state(w, asked, told) == "CREATE_SUCCESS" and w.listed(asked["ProductKey"]) == ["dev-2", "dev-1"]
        ),
        bad=[(lambda w, asked: taken(w), "iot.device.IncorrentDeviceApplyInfo")],
        absent=[NO_APPLY, UNKNOWN_PRODUCT],
        alien="iot.prod.NotExistedProduct",
    ),
    Row(
        "BatchRegisterDevice",
        lambda w: {"ProductKey": w.product(), "Count": 7},
        "after a while seven devices of random names are there",
        lambda w, asked, told: (
            state(w, asked, told) == "CREATE_SUCCESS" and len(w.listed(asked["ProductKey"])) == 7
        ),
        bad=[
            ({"Count": 0}, "iot.device.DeviceCountExceeded"),
            ({"Count": 10_001}, "iot.device.DeviceCountExceeded"),
        ],
        absent=[UNKNOWN_PRODUCT],
    ),
    Row(
        "QueryBatchRegisterDeviceStatus",
        taken,
        "the check failed by the name that was taken",
        lambda w, asked, told: (
            told["Data"]["Status"] == "CHECK_FAILED" and told["Data"]["InvalidList"]["Name"] == ["dev-1"]
        ),
        absent=[NO_APPLY, UNKNOWN_PRODUCT],
        alien="iot.prod.NotExistedProduct",
        without={"Data.ValidList.Name[]"},
    ),
    Row(
        "QueryBatchRegisterDeviceStatus",
        done,
        "all devices are made",
        lambda w, asked, told: (
            (told["Data"]["Status"], told["Data"]["ValidList"]["Name"])
            == ("CREATE_SUCCESS", ["dev-1", "dev-2", "dev-3"])
        ),
        without={
            "Data.InvalidList.Name[]",
            "Data.InvalidDetailList.invalidDetailList[].DeviceName",
            "Data.InvalidDetailList.invalidDetailList[].ErrorMsg",
            "Data.InvalidDetailList.invalidDetailList[].NickName",
        },
    ),
    Row(
        "QueryPageByApplyId",
        lambda w: {"ApplyId": done(w)["ApplyId"], "PageSize": 2, "CurrentPage": 2},
        "the devices made, with their secrets, by pages",
        lambda w, asked, told: column(told["ApplyDeviceList"]["ApplyDeviceInfo"], "DeviceName") == ["dev-3"],
        bad=[*BAD_PAGE, ({"PageSize": 51}, "iot.common.InvalidPageParams")],
        absent=[NO_APPLY],
    ),
    Row(
        "GetGatewayBySubDevice",
        lambda w: joined(w)[1],
        "the gateway above a device",
        lambda w, asked, told: told["Data"]["DeviceName"] == "gateway-1",
        missing=HALF,
        absent=ONE,
    ),
    Row(
        "GetThingTopo",
        lambda w: joined(w)[0] | {"PageNo": 1, "PageSize": 10},
        "the devices below a gateway",
        lambda w, asked, told: (
            sorted(column(told["Data"]["List"]["deviceInfo"], "DeviceName")) == ["dev-1", "dev-2"]
        ),
        missing=HALF,
        bad=[
            ({"PageSize": 51}, "iot.common.InvalidPageParams"),
            ({"PageNo": 0}, "iot.common.InvalidPageParams"),
        ],
        absent=ONE,
        beyond={"Data.NextToken"},
    ),
    Row(
        "NotifyAddThingTopo",
        lambda w: {
            "GwProductKey": (above := gateway(w))["ProductKey"],
            "GwDeviceName": above["DeviceName"],
            "DeviceListStr": json.dumps([{"productKey": w.devices("dev-1"), "deviceName": "dev-1"}]),
        },
        "the gateway, being online, adds the device",
        lambda w, asked, told: below(w, named_above(asked)) == ["dev-1"],
        missing=GATEWAY_HALF,
        bad=[({"DeviceListStr": "{}"}, "iot.common.InvalidFormattedParameter")],
        absent=[
            ({"GwDeviceName": "nobody"}, NO_DEVICE),
            ({"DeviceListStr": '[{"iotId": "none"}]'}, NO_DEVICE),
        ],
    ),
    Row(
        "BatchAddThingTopo",
        lambda w: {
            "GwProductKey": (above := gateway(w))["ProductKey"],
            "GwDeviceName": above["DeviceName"],
            "TopoAddItem": [item(w.device())],
        },
        "the device is below the gateway",
        lambda w, asked, told: below(w, named_above(asked)) == ["dev-1"],
        missing={"TopoAddItem": "MissingTopoAddItem"},
        bad=[
            (
                lambda w, asked: {"TopoAddItem": [{**asked["TopoAddItem"][0], "Sign": "0" * 64}]},
                "iot.device.VerifyDeviceFailed",
            ),
            (
                lambda w, asked: {"TopoAddItem": [{**asked["TopoAddItem"][0], "SignMethod": "none"}]},
                "iot.common.InvalidFormattedParameter",
            ),
            (
                lambda w, asked: {"TopoAddItem": asked["TopoAddItem"] * 11},
                "iot.common.InvalidFormattedParameter",
            ),
        ],
        absent=[({"GwDeviceName": "nobody"}, NO_DEVICE)],
    ),
    Row(
        "RemoveThingTopo",
        lambda w: joined(w)[1],
        "the device has no gateway",
        lambda w, asked, told: (
            w.refused("GetGatewayBySubDevice", **asked) == "iot.device.QueryTopoRelationFailed"
        ),
        missing=HALF,
        absent=ONE,
    ),
    Row(
        "QueryDeviceFileList",
        lambda w: with_files(w) | {"CurrentPage": 1, "PageSize": 1},
        "newest first, by pages",
        lambda w, asked, told: told["Total"] == 2 and len(told["Data"]["FileSummary"]) == 1,
        missing=HALF,
        bad=[*BAD_PAGE, ({"PageSize": 201}, "iot.common.InvalidPageParams")],
        absent=ONE,
    ),
    Row(
        "QueryDeviceFile",
        lambda w: (asked := with_files(w)) | {"FileId": files(w, asked)[0]},
        "one of them, with an address to load it from",
        lambda w, asked, told: told["Data"]["DownloadUrl"].startswith(f"http://{w.server.address}/oss/"),
        missing=HALF,
        absent=[*ONE, NO_FILE],
    ),
    Row(
        "DeleteDeviceFile",
        lambda w: (asked := with_files(w)) | {"FileId": files(w, asked)[0]},
        "it is gone",
        lambda w, asked, told: asked["FileId"] not in files(w, asked) and len(files(w, asked)) == 1,
        missing=HALF,
        absent=[*ONE, NO_FILE],
    ),
]
