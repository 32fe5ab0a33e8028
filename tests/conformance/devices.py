"""Devices: one by one, several at once, and lists of them."""

from __future__ import annotations

import json
from typing import Any

from console.cloud.catalogue import operation
from tests.conformance.platform import PreparedPlatform, column, identity
from tests.conformance.rows import Asked, Row
from tests.conformance.sdk import leaves

UNKNOWN_PRODUCT = ({"ProductKey": "a1Unknown00"}, "iot.prod.NotExistedProduct")
NO_DEVICE = "iot.device.NotExistedDevice"
UNKNOWN_DEVICE = ({"DeviceName": "nobody"}, NO_DEVICE)
UNKNOWN_ID = ({"IotId": "none", "ProductKey": None, "DeviceName": None}, NO_DEVICE)
HALF = {"ProductKey": "iot.prod.NullProductKey", "DeviceName": "iot.device.NullDeviceName"}
BAD_PAGE = [
    ({"CurrentPage": 0}, "iot.common.InvalidPageParams"),
    ({"PageSize": 0}, "iot.common.InvalidPageParams"),
]


def one(platform: PreparedPlatform, status: str = "", **params: Any) -> Asked:
    """A device named by product key and name; online and of version 1.0.0 if a status is given."""
    made = platform.device(**params)
    if status:
        platform.hold(made["DeviceName"], status)
        platform.version(made["DeviceName"])
    return identity({"ProductKey": made["ProductKey"], "DeviceName": made["DeviceName"]})


def by_id(platform: PreparedPlatform, **params: Any) -> Asked:
    return {"IotId": platform.device(**params)["IotId"]}


def tagged(platform: PreparedPlatform, **params: Any) -> Asked:
    asked = one(platform, **params)
    platform.call("SaveDeviceProp", **asked, Props=json.dumps({"city": "Ulm", "floor": "3"}))
    return asked


def props(platform: PreparedPlatform, asked: Asked) -> dict[str, str]:
    return json.loads(platform.call("QueryDeviceProp", **identity(asked))["Props"])


def disabled(platform: PreparedPlatform) -> Asked:
    asked = one(platform, "ONLINE")
    platform.call("DisableThing", **asked)
    return asked


def with_client_ids(platform: PreparedPlatform) -> Asked:
    asked = by_id(platform)
    platform.hold("dev-1")
    return asked


def client_ids(platform: PreparedPlatform, asked: Asked) -> list[str]:
    told = platform.call("QueryClientIds", IotId=asked["IotId"])
    return column(told["Data"].get("DynamicRegClientIds") or [], "ClientId")


def searched(platform: PreparedPlatform) -> Asked:
    """A device with everything that a search tells."""
    asked = tagged(platform, Nickname="Meter")
    platform.hold("dev-1")
    platform.version("dev-1")
    platform.grouped(platform.group(), asked["ProductKey"], "dev-1")
    return asked


ONE = [UNKNOWN_DEVICE, UNKNOWN_ID]

ROWS = [
    Row(
        "RegisterDevice",
        lambda w: {
            "ProductKey": w.product(NetType="LORA", JoinPermissionId="8"),
            "DeviceName": "dev-1",
            "Nickname": "Keller_links",
            "LoraNodeType": "USERDEFINED",
            "DevEui": "e8",
            "JoinEui": "e9",
            "AppKey": "f0",
        },
        "the device is listed",
        lambda w, asked, told: w.listed(asked["ProductKey"]) == ["dev-1"],
        bad=[
            ({"DeviceName": "a/b/c"}, "iot.device.InvalidFormattedDeviceName"),
            ({"Nickname": "x"}, "iot.device.InvalidDeviceNickNameExisted"),
            ({"LoraNodeType": "OTHER"}, "iot.common.InvalidFormattedParameter"),
            (lambda w, asked: {"ProductKey": w.devices("dev-1")}, "iot.device.AlreadyExistedDeviceName"),
        ],
        absent=[UNKNOWN_PRODUCT],
    ),
    Row(
        "QueryClientIds",
        with_client_ids,
        "a device that has been online has one",
        absent=[({"IotId": "none"}, NO_DEVICE)],
    ),
    Row(
        "TransformClientId",
        lambda w: (asked := with_client_ids(w)) | {"ClientId": client_ids(w, asked)[0]},
        "that one is the only one",
        lambda w, asked, told: client_ids(w, asked) == [asked["ClientId"]],
        bad=[({"ClientId": "none"}, "iot.common.InvalidFormattedParameter")],
        absent=[({"IotId": "none"}, NO_DEVICE)],
    ),
    Row(
        "DeleteClientIds",
        lambda w: (asked := with_client_ids(w)) and client_ids(w, asked) and asked,
        "none is left",
        lambda w, asked, told: client_ids(w, asked) == [],
        absent=[({"IotId": "none"}, NO_DEVICE)],
    ),
    Row(
        "QueryDeviceInfo",
        lambda w: one(w, Nickname="Keller"),
        "tells the secret that the registration told",
        lambda w, asked, told: (
            (told["Data"]["Nickname"], len(told["Data"]["DeviceSecret"])) == ("Keller", 32)
        ),
        missing=HALF,
        absent=ONE,
    ),
    Row(
        "QueryDeviceDetail",
        lambda w: one(w, "ONLINE", Nickname="Keller"),
        "an online device with its version and address",
        lambda w, asked, told: (
            (told["Data"]["Status"], told["Data"]["FirmwareVersion"]) == ("ONLINE", "1.0.0")
        ),
        missing=HALF,
        absent=ONE,
    ),
    Row(
        "BatchQueryDeviceDetail",
        lambda w: {"ProductKey": w.devices("dev-1", "dev-2"), "DeviceName": ["dev-2", "dev-9", "dev-1"]},
        "those that exist, in the order asked",
        lambda w, asked, told: column(told["Data"]["Data"], "DeviceName") == ["dev-2", "dev-1"],
        bad=[({"DeviceName": [f"dev-{n}" for n in range(101)]}, "iot.device.InvalidFormattedDeviceName")],
        absent=[UNKNOWN_PRODUCT, ({"DeviceName": ["nobody"]}, NO_DEVICE)],
    ),
    Row(
        "QueryDevice",
        lambda w: {"ProductKey": w.devices(Nickname="Meter"), "PageSize": 2, "CurrentPage": 1},
        "newest first, with the token of the next page",
        lambda w, asked, told: (
            column(told["Data"]["DeviceInfo"], "DeviceName") == ["dev-3", "dev-2"]
            and column(
                w.call("QueryDevice", **asked | {"CurrentPage": 2, "NextToken": told["NextToken"]})["Data"][
                    "DeviceInfo"
                ],
                "DeviceName",
            )
            == ["dev-1"]
        ),
        bad=[
            *BAD_PAGE,
            ({"PageSize": 51}, "iot.common.InvalidPageParams"),
            ({"CurrentPage": 10_000}, "iot.common.InvalidPageParams"),
            ({"NextToken": "nonsense"}, "iot.device.PageTokenIsIllegal"),
        ],
        absent=[UNKNOWN_PRODUCT],
        without={"Data.DeviceInfo[].DeviceType"},  # the reference: not returned
    ),
    Row(
        "DeleteDevice",
        one,
        "it is gone",
        lambda w, asked, told: w.listed(asked["ProductKey"]) == [],
        missing=HALF,
        absent=ONE,
    ),
    Row(
        "GetDeviceStatus",
        lambda w: one(w, "OFFLINE"),
        "as it is",
        lambda w, asked, told: told["Data"]["Status"] == "OFFLINE",
        missing=HALF,
        absent=ONE,
    ),
    Row(
        "BatchGetDeviceState",
        lambda w: (
            [w.devices("dev-1", "dev-2"), w.hold("dev-1"), w.hold("dev-2", "OFFLINE")]
            and {
                "ProductKey": w.call("QueryProductList", CurrentPage=1)["Data"]["List"]["ProductInfo"][0][
                    "ProductKey"
                ]
            }
            | {"DeviceName": ["dev-1", "dev-2"]}
        ),
        "the states of two devices",
        lambda w, asked, told: (
            column(told["DeviceStatusList"]["DeviceStatus"], "Status") == ["ONLINE", "OFFLINE"]
        ),
        missing=HALF,
        bad=[({"DeviceName": [f"dev-{n}" for n in range(51)]}, "iot.device.InvalidFormattedDeviceName")],
        absent=[UNKNOWN_PRODUCT, ({"IotId": ["none"], "ProductKey": None, "DeviceName": None}, NO_DEVICE)],
    ),
    Row(
        "DisableThing",
        lambda w: one(w, "ONLINE"),
        "its status is DISABLE",
        lambda w, asked, told: w.status(asked) == "DISABLE",
        missing=HALF,
        absent=ONE,
    ),
    Row(
        "EnableThing",
        disabled,
        "it is offline until it connects",
        lambda w, asked, told: w.status(asked) == "OFFLINE",
        missing=HALF,
        absent=ONE,
    ),
    Row(
        "ResetThing",
        lambda w: one(w, "ONLINE"),
        "it is as if it had never been activated",
        lambda w, asked, told: w.status(asked) == "UNACTIVE",
        missing=HALF,
        absent=ONE,
    ),
    Row(
        "BatchUpdateDeviceNickname",
        lambda w: {"DeviceNicknameInfo": [{**one(w), "Nickname": "New_name"}]},
        "the nickname is told",
        lambda w, asked, told: (
            w.call("QueryDeviceInfo", **identity(asked["DeviceNicknameInfo"][0]))["Data"]["Nickname"]
            == "New_name"
        ),
        missing={"DeviceNicknameInfo": "iot.device.InvalidDeviceNickNameExisted"},
        bad=[
            (
                lambda w, asked: {
                    "DeviceNicknameInfo": [{**asked["DeviceNicknameInfo"][0], "Nickname": "x"}]
                },
                "iot.device.InvalidDeviceNickNameExisted",
            )
        ],
        absent=[({"DeviceNicknameInfo": [{"IotId": "none", "Nickname": "New_name"}]}, NO_DEVICE)],
    ),
    Row(
        "SaveDeviceProp",
        lambda w: tagged(w) | {"Props": json.dumps({"city": "Bonn"})},
        "one tag changes, the other stays",
        lambda w, asked, told: props(w, asked) == {"city": "Bonn", "floor": "3"},
        missing=HALF,
        bad=[
            ({"Props": "not json"}, "iot.device.InvalidFormattedDevicePropertiesString"),
            ({"Props": "{}"}, "iot.device.NullDevicePropertiesString"),
            ({"Props": json.dumps({"k": "x" * 5200})}, "iot.device.LongDevicePropertiesString"),
        ],
        absent=ONE,
    ),
    Row(
        "QueryDeviceProp",
        tagged,
        "all tags of a device",
        lambda w, asked, told: json.loads(told["Props"]) == {"city": "Ulm", "floor": "3"},
        missing=HALF,
        absent=ONE,
    ),
    Row(
        "DeleteDeviceProp",
        lambda w: tagged(w) | {"PropKey": "city"},
        "one tag goes, the other stays",
        lambda w, asked, told: props(w, asked) == {"floor": "3"},
        missing=HALF,
        absent=ONE,
    ),
    Row(
        "QueryDeviceByTags",
        lambda w: (
            tagged(w)
            and {"Tag": [{"TagKey": "city", "TagValue": "Ulm"}, {"TagKey": "floor", "TagValue": "3"}]}
        ),
        "the device with all of the tags",
        lambda w, asked, told: told["Total"] == 1,
        missing={"Tag": "MissingTag"},
        bad=[
            *BAD_PAGE,
            (
                {"Tag": [{"TagKey": f"k{n}", "TagValue": "v"} for n in range(11)]},
                "iot.common.InvalidFormattedParameter",
            ),
        ],
    ),
    Row(
        "QueryDeviceStatistics",
        lambda w: {"ProductKey": [w.devices("dev-1", "dev-2"), w.hold("dev-1")] and products(w)[0]},
        "all, active and online ones are counted",
        lambda w, asked, told: told["Data"] == {"deviceCount": 2, "activeCount": 1, "onlineCount": 1},
        absent=[UNKNOWN_PRODUCT, ({"GroupId": "none"}, "iot.group.NotExistedGroup")],
    ),
    Row(
        "QueryDeviceByStatus",
        lambda w: (
            [w.devices("dev-1", "dev-2", Nickname="Meter"), w.hold("dev-1")]
            and {"ProductKey": products(w)[0], "Status": 1}
        ),
        "the ones that are online",
        lambda w, asked, told: column(told["Data"]["SimpleDeviceInfo"], "DeviceName") == ["dev-1"],
        bad=[*BAD_PAGE, ({"Status": 2}, "iot.common.InvalidFormattedParameter")],
        absent=[UNKNOWN_PRODUCT],
    ),
    Row(
        "QueryDeviceBySQL",
        lambda w: (
            searched(w)
            and {
                "SQL": 'SELECT * FROM device WHERE name = "dev-1" AND status = "ONLINE" ORDER BY gmt_create DESC LIMIT 5'
            }
        ),
        "a device with its tags, groups and versions",
        lambda w, asked, told: (
            told["Data"][0]["OTAModules"] == [{"ModuleName": "default", "FirmwareVersion": "1.0.0"}]
        ),
        bad=[
            ({"SQL": "DELETE FROM device"}, "iot.devicesearch.InvalidSQLError"),
            ({"SQL": "SELECT * FROM device WHERE secret = 'x'"}, "iot.devicesearch.InvalidSQLFieldError"),
            (
                {"SQL": "SELECT * FROM device WHERE name = 'x' LIMIT 51"},
                "iot.devicesearch.InvalidSQLOffsetError",
            ),
        ],
        without={"TotalCount"},
    ),
    Row(
        "QueryDeviceBySQL",
        lambda w: searched(w) and {"SQL": 'SELECT COUNT(*) FROM device WHERE status = "ONLINE"'},
        "devices counted",
        lambda w, asked, told: told["TotalCount"] == 1,
        without={
            path for path in leaves(operation("QueryDeviceBySQL").response) if path.startswith("Data[]")
        },
    ),
    Row(
        "ListOTAModuleVersionsByDevice",
        lambda w: one(w, "ONLINE") | {"CurrentPage": 1, "PageSize": 10},
        "the version that the device told",
        lambda w, asked, told: told["Data"]["SimpleOTAModuleInfo"][0]["ModuleVersion"] == "1.0.0",
        missing=HALF,
        bad=[*BAD_PAGE, ({"PageSize": 201}, "iot.common.InvalidPageParams")],
        absent=ONE,
    ),
]


def products(platform: PreparedPlatform) -> list[str]:
    told = platform.call("QueryProductList", CurrentPage=1)
    return column(told["Data"]["List"]["ProductInfo"], "ProductKey")
