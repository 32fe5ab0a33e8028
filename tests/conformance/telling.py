"""What devices with a thing model have told, and are told; and their shadows."""

from __future__ import annotations

import json

from console.emulator.devices_schema import NewDevice, insert_devices
from tests.conformance.devices import HALF, NO_DEVICE, ONE
from tests.conformance.platform import KEY_ID, PreparedPlatform, column, identity
from tests.conformance.rows import Asked, Row
from tests.conformance.things import senior

DAY = 86_400_000
FAILED = "iot.device.SetDevicePropertyFailed"
NO_PROPERTY = "iot.device.NoneDeviceProperties"
BAD_JSON = "iot.device.InvalidFormattedDevicePropertiesString"
BAD_SIZE = ({"PageSize": 0}, "iot.common.InvalidPageParams")
BACKWARDS = (lambda w, asked: {"EndTime": asked["StartTime"] - 1}, "iot.check.ParameterIsNotLessThanMax")
LONG_AGO = ({"StartTime": 1_600_000_000_000}, "iot.device.InvalidTimeBucket")
TIMES = [BAD_SIZE, BACKWARDS, LONG_AGO]
BAD_ASC = ({"Asc": 2}, "iot.common.InvalidFormattedParameter")


def gateway(platform: PreparedPlatform) -> Asked:
    """A gateway of the standard category, online, with forty days of life behind it."""
    key = senior(platform, CategoryKey="GeneralGateway", NodeType=1)
    since = platform.clock.now() - 40 * DAY
    # What a device has told follows from its id, which the platform would make up.
    made = NewDevice("gateway", "", "ONLINE", since, since, since, iot_id="gatewayC000000000000000100")
    with platform.emulator.store.write() as db:
        insert_devices(db, KEY_ID, "", key, [made], since)
    return {"ProductKey": key, "DeviceName": "gateway"}


def sleeper(platform: PreparedPlatform, asked: Asked) -> Asked:
    """A change of the request to a device that was never online."""
    platform.device(asked["ProductKey"], "sleeper")
    return {"DeviceName": ["sleeper"] if isinstance(asked["DeviceName"], list) else "sleeper"}


def basic(platform: PreparedPlatform, asked: Asked) -> Asked:
    """A change of the request to a device of a product without a thing model."""
    return {"ProductKey": platform.devices("plain"), "DeviceName": "plain"}


def past(platform: PreparedPlatform, days: int = 29, **params: object) -> Asked:
    """A request about what the gateway has told."""
    asked = gateway(platform)
    now = platform.clock.now()
    return asked | {"StartTime": now - days * DAY, "EndTime": now, "Asc": 1, "PageSize": 10} | params


def several(platform: PreparedPlatform) -> Asked:
    asked = gateway(platform)
    return {"ProductKey": asked["ProductKey"], "DeviceName": ["gateway"]}


def told_twice(platform: PreparedPlatform) -> Asked:
    """A gateway that was given a property and called a service a moment ago, so that there is something of each."""
    asked = gateway(platform)
    platform.call("SetDeviceProperty", **asked, Items='{"HeartbeatInterval":30}')
    platform.call("InvokeThingService", **asked, Identifier="Ping", Args='{"Host":"a"}')
    platform.clock.advance(5)
    return asked


def value(platform: PreparedPlatform, asked: Asked, identifier: str) -> str | None:
    """The present value of a property of the gateway."""
    told = platform.call("QueryDevicePropertyStatus", ProductKey=asked["ProductKey"], DeviceName="gateway")
    for info in told["Data"]["List"]["PropertyStatusInfo"]:
        if info["Identifier"] == identifier:
            return info.get("Value")
    return None


def called(platform: PreparedPlatform, asked: Asked, identifier: str) -> list[str]:
    """The inputs with which a service of the gateway was called within the last minutes."""
    now = platform.clock.advance(5)
    told = platform.call(
        "QueryDeviceServiceData",
        ProductKey=asked["ProductKey"],
        DeviceName="gateway",
        Identifier=identifier,
        StartTime=now - 60_000,
        EndTime=now + 60_000,
        PageSize=10,
        Asc=0,
    )
    return column(told["Data"]["List"]["ServiceInfo"], "InputData")


def desired(platform: PreparedPlatform) -> Asked:
    asked = gateway(platform)
    platform.call("SetDeviceDesiredProperty", **asked, Items='{"LogLevel":3}', Versions="{}")
    return asked


def wished(platform: PreparedPlatform, asked: Asked) -> dict[str, str]:
    told = platform.call("QueryDeviceDesiredProperty", **identity(asked), Identifier=["LogLevel"])
    return {
        info["Identifier"]: info["Value"]
        for info in told["Data"]["List"]["DesiredPropertyInfo"]
        if "Value" in info
    }


def shadow(version: int, **state: int) -> str:
    return json.dumps({"method": "update", "state": {"desired": state}, "version": version})


def shadowed(platform: PreparedPlatform) -> Asked:
    asked = {"ProductKey": platform.devices("dev-1"), "DeviceName": "dev-1"}
    platform.call("UpdateDeviceShadow", **asked, ShadowMessage=shadow(1, level=5))
    return asked


NO_DEVICES = ({"DeviceName": ["gateway", "nobody"]}, NO_DEVICE)
TOO_MANY_DEVICES = ({"DeviceName": [f"d{n}" for n in range(101)]}, "iot.device.DeviceCountExceeded")
NO_SERVICE = ({"Identifier": "Nothing"}, "iot.device.InvokeThingServiceFailed")
BASIC = (basic, "iot.prod.NotSeniorProduct")

ROWS = [
    Row(
        "SetDeviceProperty",
        lambda w: gateway(w) | {"Items": '{"HeartbeatInterval":30}'},
        "the device tells the value back",
        lambda w, asked, told: w.clock.advance(5) and value(w, asked, "HeartbeatInterval") == "30",
        missing=HALF,
        bad=[
            ({"Items": "{"}, BAD_JSON),
            ({"Items": '{"HeartbeatInterval":"soon"}'}, FAILED),
            (sleeper, "iot.device.InactiveDevice"),
            BASIC,
        ],
        absent=[*ONE, ({"Items": '{"Nothing":1}'}, NO_PROPERTY)],
    ),
    Row(
        "SetDevicesProperty",
        lambda w: several(w) | {"Items": '{"HeartbeatInterval":40}'},
        "the devices tell the value back",
        lambda w, asked, told: w.clock.advance(5) and value(w, asked, "HeartbeatInterval") == "40",
        bad=[({"Items": "{"}, BAD_JSON), TOO_MANY_DEVICES],
        absent=[NO_DEVICES, ({"ProductKey": "a1Unknown00"}, "iot.prod.NotExistedProduct")],
        alien="iot.prod.NotExistedProduct",
    ),
    Row(
        "InvokeThingService",
        lambda w: gateway(w) | {"Identifier": "Ping", "Args": '{"Host":"a"}'},
        "the device answers, and the call is recorded",
        lambda w, asked, told: (
            json.loads(told["Data"]["Result"]) and called(w, asked, "Ping") == ['{"Host":"a"}']
        ),
        missing=HALF,
        bad=[
            ({"Args": '{"Host":5}'}, "iot.device.InvokeThingServiceFailed"),
            (sleeper, "iot.device.InactiveDevice"),
            BASIC,
        ],
        absent=[*ONE, NO_SERVICE],
    ),
    Row(
        "InvokeThingsService",
        lambda w: several(w) | {"Identifier": "Restart", "Args": "{}"},
        "the call is recorded",
        lambda w, asked, told: len(called(w, asked, "Restart")) == 1,
        bad=[({"Args": "{no"}, "iot.device.InvokeThingServiceFailed"), TOO_MANY_DEVICES],
        absent=[NO_DEVICES, NO_SERVICE],
        alien="iot.prod.NotExistedProduct",
    ),
    Row(
        "QueryDevicePropertyData",
        lambda w: past(w, Identifier="CpuUsage"),
        "oldest first, with where to go on",
        lambda w, asked, told: (
            (times := column(told["Data"]["List"]["PropertyInfo"], "Time")) == sorted(times)
            and (len(times), told["Data"]["NextValid"]) == (10, True)
        ),
        missing=HALF,
        bad=[*TIMES, BAD_ASC],
        absent=[*ONE, ({"Identifier": "Nothing"}, NO_PROPERTY)],
    ),
    Row(
        "QueryDevicePropertiesData",
        lambda w: past(w, Identifier=["CpuUsage", "Uptime"]),
        "two properties' values",
        lambda w, asked, told: (
            sorted(column(told["PropertyDataInfos"]["PropertyDataInfo"], "Identifier"))
            == ["CpuUsage", "Uptime"]
        ),
        bad=[
            *TIMES,
            ({"Identifier": ["CpuUsage"] * 2}, "iot.common.InvalidFormattedParameter"),
            ({"Identifier": [f"p{n}" for n in range(11)]}, "iot.device.TooManyDevicePropertiesPerTime"),
        ],
        absent=[({"DeviceName": "nobody"}, NO_DEVICE), ({"Identifier": ["Nothing"]}, NO_PROPERTY)],
    ),
    Row(
        "QueryDeviceEventData",
        past,
        "the events of a month, oldest first",
        lambda w, asked, told: (times := column(told["Data"]["List"]["EventInfo"], "Time")) == sorted(times),
        missing=HALF,
        bad=[*TIMES, ({"EventType": "joy"}, "iot.common.InvalidFormattedParameter")],
        absent=[*ONE, ({"Identifier": "Nothing"}, "iot.device.QueryDeviceEventHistoryFailed")],
    ),
    Row(
        "QueryDeviceServiceData",
        lambda w: told_twice(w) | past_of_now(w),
        "the calls of services, newest first",
        lambda w, asked, told: column(told["Data"]["List"]["ServiceInfo"], "Identifier")[0] == "Ping",
        missing=HALF,
        bad=TIMES,
        absent=[*ONE, ({"Identifier": "Nothing"}, "iot.device.QueryDeviceServiceHistoryFailed")],
    ),
    Row(
        "SetDeviceDesiredProperty",
        lambda w: gateway(w) | {"Items": '{"LogLevel":3}', "Versions": "{}"},
        "the wish is kept, in its first version",
        lambda w, asked, told: (
            wished(w, asked) in ({"LogLevel": "3"}, {}) and json.loads(told["Data"]["Versions"])
        ),
        missing=HALF,
        bad=[
            ({"Items": "{"}, BAD_JSON),
            ({"Items": '{"LogLevel":"loud"}'}, FAILED),
            ({"Versions": '{"LogLevel":7}'}, FAILED),
        ],
        absent=[*ONE, ({"Items": '{"Nothing":1}'}, NO_PROPERTY)],
    ),
    Row(
        "QueryDeviceDesiredProperty",
        desired,
        "what is wished for",
        lambda w, asked, told: (
            "LogLevel" in column(told["Data"]["List"]["DesiredPropertyInfo"], "Identifier")
        ),
        missing=HALF,
        bad=[
            ({"Identifier": ["LogLevel"] * 2}, "iot.common.InvalidFormattedParameter"),
            ({"Identifier": [f"p{n}" for n in range(11)]}, "iot.device.TooManyDevicePropertiesPerTime"),
        ],
        absent=[*ONE, ({"Identifier": ["Nothing"]}, NO_PROPERTY)],
    ),
    Row(
        "QueryDevicePropertyStatus",
        gateway,
        "the present values of all properties",
        lambda w, asked, told: "CpuUsage" in column(told["Data"]["List"]["PropertyStatusInfo"], "Identifier"),
        missing=HALF,
        bad=[({"FunctionBlockId": "no"}, "iot.common.InvalidFormattedParameter"), BASIC],
        absent=ONE,
    ),
    Row(
        "QueryDeviceOriginalPropertyStatus",
        lambda w: gateway(w) | {"Asc": 1, "PageSize": 5},
        "the present values as the device told them, by pages",
        lambda w, asked, told: (
            told["Data"]["NextValid"] is True
            and column(
                w.call(
                    "QueryDeviceOriginalPropertyStatus",
                    **asked | {"NextPageToken": told["Data"]["NextPageToken"]},
                )["Data"]["List"]["PropertyStatusDataInfo"],
                "Identifier",
            )
            != column(told["Data"]["List"]["PropertyStatusDataInfo"], "Identifier")
        ),
        missing=HALF,
        bad=[
            BAD_ASC,
            ({"PageSize": 51}, "iot.common.InvalidPageParams"),
            ({"NextPageToken": "nonsense"}, "iot.device.PageTokenIsIllegal"),
        ],
        absent=ONE,
    ),
    Row(
        "QueryDeviceOriginalPropertyData",
        lambda w: past(w, Identifier="CpuUsage"),
        "a property's values, with the token of the next page",
        lambda w, asked, told: len(told["Data"]["List"]["PropertyInfo"]) == 10,
        missing=HALF,
        bad=[*TIMES, ({"NextPageToken": "nonsense"}, "iot.device.PageTokenIsIllegal")],
        absent=[*ONE, ({"Identifier": "Nothing"}, "InvalidIdentifierInPropertyError")],
    ),
    Row(
        "QueryDeviceOriginalEventData",
        lambda w: past(w, Identifier="SubDeviceLost", PageSize=1),
        "an event's records, with the token of the next page",
        lambda w, asked, told: column(told["Data"]["List"]["EventInfo"], "Identifier") == ["SubDeviceLost"],
        missing=HALF,
        bad=[*TIMES, ({"NextPageToken": "nonsense"}, "iot.device.PageTokenIsIllegal")],
        absent=[*ONE, ({"Identifier": "Nothing"}, "iot.tsl.InvalidIdentifierInEventError")],
    ),
    Row(
        "QueryDeviceOriginalServiceData",
        lambda w: told_twice(w) | past_of_now(w) | {"Identifier": "Ping", "PageSize": 1},
        "a service's calls, with the token of the next page",
        lambda w, asked, told: column(told["Data"]["List"]["ServiceInfo"], "Identifier") == ["Ping"],
        missing=HALF,
        bad=[*TIMES, ({"NextPageToken": "nonsense"}, "iot.device.PageTokenIsIllegal")],
        absent=[*ONE, ({"Identifier": "Nothing"}, "InvalidIdentifierInServiceError")],
    ),
    Row(
        "UpdateDeviceShadow",
        lambda w: shadowed(w) | {"ShadowMessage": shadow(2, level=7), "DeltaUpdate": False},
        "the wish is in the shadow",
        lambda w, asked, told: '"level":7' in w.call("GetDeviceShadow", **identity(asked))["ShadowMessage"],
        bad=[
            ({"ShadowMessage": shadow(1, level=7)}, "iot.messagebroker.InvalidVersionValueInShadowMessage"),
            ({"ShadowMessage": "x" * 16_385}, "iot.messagebroker.ShadowMessageLengthIsLarge"),
        ],
        absent=[
            ({"DeviceName": "nobody"}, NO_DEVICE),
            ({"ProductKey": "a1Unknown00"}, "iot.prod.NotExistedProduct"),
        ],
        alien="iot.prod.NotExistedProduct",
    ),
    Row(
        "GetDeviceShadow",
        shadowed,
        "what was written",
        lambda w, asked, told: json.loads(told["ShadowMessage"])["state"]["desired"] == {"level": 5},
        absent=[
            ({"DeviceName": "nobody"}, NO_DEVICE),
            ({"ProductKey": "a1Unknown00"}, "iot.prod.NotExistedProduct"),
        ],
        alien="iot.prod.NotExistedProduct",
    ),
]


def past_of_now(platform: PreparedPlatform) -> Asked:
    now = platform.clock.now()
    return {"StartTime": now - 29 * DAY, "EndTime": now + 1000, "Asc": 0, "PageSize": 10}
