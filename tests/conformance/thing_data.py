"""Data of devices with a thing model, commands to them, and device shadows."""

from __future__ import annotations

import json

from iot_emulator.devices_schema import NewDevice, insert_devices
from tests.conformance.devices import MISSING_NAME, NO_DEVICE, UNKNOWN_DEVICES
from tests.conformance.platform import KEY_ID, PreparedPlatform, column, device_identity
from tests.conformance.rows import Request, Row
from tests.conformance.things import create_modeled_product

DAY = 86_400_000
FAILED = "iot.device.SetDevicePropertyFailed"
UNKNOWN_PROPERTY = "iot.device.NoneDeviceProperties"
INVALID_JSON = "iot.device.InvalidFormattedDevicePropertiesString"
INVALID_PAGE_SIZE = ({"PageSize": 0}, "iot.common.InvalidPageParams")
REVERSED_PERIOD = (
    lambda platform, request: {"EndTime": request["StartTime"] - 1},
    "iot.check.ParameterIsNotLessThanMax",
)
EXPIRED_PERIOD = ({"StartTime": 1_600_000_000_000}, "iot.device.InvalidTimeBucket")
INVALID_PERIODS = [INVALID_PAGE_SIZE, REVERSED_PERIOD, EXPIRED_PERIOD]
INVALID_ASC = ({"Asc": 2}, "iot.common.InvalidFormattedParameter")


def register_gateway(platform: PreparedPlatform) -> Request:
    """Register an online gateway of the standard category that was activated 40 days ago."""
    key = create_modeled_product(platform, CategoryKey="GeneralGateway", NodeType=1)
    since = platform.clock.now() - 40 * DAY
    # The simulated data depends on the IotId, which the platform would choose at random.
    device = NewDevice("gateway", "", "ONLINE", since, since, since, iot_id="gatewayC000000000000000100")
    with platform.emulator.store.write() as db:
        insert_devices(db, KEY_ID, "", key, [device], since)
    return {"ProductKey": key, "DeviceName": "gateway"}


def change_to_inactive_device(platform: PreparedPlatform, request: Request) -> Request:
    """Change the request to a device that was never online."""
    platform.register_device(request["ProductKey"], "sleeper")
    return {"DeviceName": ["sleeper"] if isinstance(request["DeviceName"], list) else "sleeper"}


def change_to_product_without_model(platform: PreparedPlatform, request: Request) -> Request:
    """Change the request to a device of a product without a thing model."""
    return {"ProductKey": platform.register_devices("plain"), "DeviceName": "plain"}


def build_history_request(platform: PreparedPlatform, days: int = 29, **params: object) -> Request:
    """Build a request for the history of the gateway."""
    request = register_gateway(platform)
    now = platform.clock.now()
    return request | {"StartTime": now - days * DAY, "EndTime": now, "Asc": 1, "PageSize": 10} | params


def build_device_list_request(platform: PreparedPlatform) -> Request:
    request = register_gateway(platform)
    return {"ProductKey": request["ProductKey"], "DeviceName": ["gateway"]}


def register_used_gateway(platform: PreparedPlatform) -> Request:
    """Register a gateway with one property just set and one service just called."""
    request = register_gateway(platform)
    platform.call("SetDeviceProperty", **request, Items='{"HeartbeatInterval":30}')
    platform.call("InvokeThingService", **request, Identifier="Ping", Args='{"Host":"a"}')
    platform.clock.advance(5)
    return request


def read_value(platform: PreparedPlatform, request: Request, identifier: str) -> str | None:
    """Read the current value of a property of the gateway."""
    response = platform.call(
        "QueryDevicePropertyStatus", ProductKey=request["ProductKey"], DeviceName="gateway"
    )
    for info in response["Data"]["List"]["PropertyStatusInfo"]:
        if info["Identifier"] == identifier:
            return info.get("Value")
    return None


def read_call_inputs(platform: PreparedPlatform, request: Request, identifier: str) -> list[str]:
    """Read the inputs of the calls of a gateway service in the last minute."""
    now = platform.clock.advance(5)
    response = platform.call(
        "QueryDeviceServiceData",
        ProductKey=request["ProductKey"],
        DeviceName="gateway",
        Identifier=identifier,
        StartTime=now - 60_000,
        EndTime=now + 60_000,
        PageSize=10,
        Asc=0,
    )
    return column(response["Data"]["List"]["ServiceInfo"], "InputData")


def set_desired_value(platform: PreparedPlatform) -> Request:
    request = register_gateway(platform)
    platform.call("SetDeviceDesiredProperty", **request, Items='{"LogLevel":3}', Versions="{}")
    return request


def read_desired_values(platform: PreparedPlatform, request: Request) -> dict[str, str]:
    response = platform.call(
        "QueryDeviceDesiredProperty", **device_identity(request), Identifier=["LogLevel"]
    )
    return {
        info["Identifier"]: info["Value"]
        for info in response["Data"]["List"]["DesiredPropertyInfo"]
        if "Value" in info
    }


def build_shadow_message(version: int, **state: int) -> str:
    return json.dumps({"method": "update", "state": {"desired": state}, "version": version})


def create_shadow(platform: PreparedPlatform) -> Request:
    request = {"ProductKey": platform.register_devices("dev-1"), "DeviceName": "dev-1"}
    platform.call("UpdateDeviceShadow", **request, ShadowMessage=build_shadow_message(1, level=5))
    return request


UNKNOWN_DEVICE_LIST = ({"DeviceName": ["gateway", "nobody"]}, NO_DEVICE)
TOO_MANY_DEVICES = ({"DeviceName": [f"d{n}" for n in range(101)]}, "iot.device.DeviceCountExceeded")
UNKNOWN_SERVICE = ({"Identifier": "Nothing"}, "iot.device.InvokeThingServiceFailed")
WITHOUT_MODEL = (change_to_product_without_model, "iot.prod.NotSeniorProduct")

ROWS = [
    Row(
        "SetDeviceProperty",
        lambda platform: register_gateway(platform) | {"Items": '{"HeartbeatInterval":30}'},
        "the device reports the value",
        lambda platform, request, response: (
            platform.clock.advance(5) and read_value(platform, request, "HeartbeatInterval") == "30"
        ),
        missing=MISSING_NAME,
        invalid=[
            ({"Items": "{"}, INVALID_JSON),
            ({"Items": '{"HeartbeatInterval":"soon"}'}, FAILED),
            (change_to_inactive_device, "iot.device.InactiveDevice"),
            WITHOUT_MODEL,
        ],
        not_found=[*UNKNOWN_DEVICES, ({"Items": '{"Nothing":1}'}, UNKNOWN_PROPERTY)],
    ),
    Row(
        "SetDevicesProperty",
        lambda platform: build_device_list_request(platform) | {"Items": '{"HeartbeatInterval":40}'},
        "the devices report the value",
        lambda platform, request, response: (
            platform.clock.advance(5) and read_value(platform, request, "HeartbeatInterval") == "40"
        ),
        invalid=[({"Items": "{"}, INVALID_JSON), TOO_MANY_DEVICES],
        not_found=[UNKNOWN_DEVICE_LIST, ({"ProductKey": "a1Unknown00"}, "iot.prod.NotExistedProduct")],
        other_account_code="iot.prod.NotExistedProduct",
    ),
    Row(
        "InvokeThingService",
        lambda platform: register_gateway(platform) | {"Identifier": "Ping", "Args": '{"Host":"a"}'},
        "the device responds, and the call is recorded",
        lambda platform, request, response: (
            json.loads(response["Data"]["Result"])
            and read_call_inputs(platform, request, "Ping") == ['{"Host":"a"}']
        ),
        missing=MISSING_NAME,
        invalid=[
            ({"Args": '{"Host":5}'}, "iot.device.InvokeThingServiceFailed"),
            (change_to_inactive_device, "iot.device.InactiveDevice"),
            WITHOUT_MODEL,
        ],
        not_found=[*UNKNOWN_DEVICES, UNKNOWN_SERVICE],
    ),
    Row(
        "InvokeThingsService",
        lambda platform: build_device_list_request(platform) | {"Identifier": "Restart", "Args": "{}"},
        "the call is recorded",
        lambda platform, request, response: len(read_call_inputs(platform, request, "Restart")) == 1,
        invalid=[({"Args": "{no"}, "iot.device.InvokeThingServiceFailed"), TOO_MANY_DEVICES],
        not_found=[UNKNOWN_DEVICE_LIST, UNKNOWN_SERVICE],
        other_account_code="iot.prod.NotExistedProduct",
    ),
    Row(
        "QueryDevicePropertyData",
        lambda platform: build_history_request(platform, Identifier="CpuUsage"),
        "oldest first, with the time of the next page",
        lambda platform, request, response: (
            (times := column(response["Data"]["List"]["PropertyInfo"], "Time")) == sorted(times)
            and (len(times), response["Data"]["NextValid"]) == (10, True)
        ),
        missing=MISSING_NAME,
        invalid=[*INVALID_PERIODS, INVALID_ASC],
        not_found=[*UNKNOWN_DEVICES, ({"Identifier": "Nothing"}, UNKNOWN_PROPERTY)],
    ),
    Row(
        "QueryDevicePropertiesData",
        lambda platform: build_history_request(platform, Identifier=["CpuUsage", "Uptime"]),
        "two properties' values",
        lambda platform, request, response: (
            sorted(column(response["PropertyDataInfos"]["PropertyDataInfo"], "Identifier"))
            == ["CpuUsage", "Uptime"]
        ),
        invalid=[
            *INVALID_PERIODS,
            ({"Identifier": ["CpuUsage"] * 2}, "iot.common.InvalidFormattedParameter"),
            ({"Identifier": [f"p{n}" for n in range(11)]}, "iot.device.TooManyDevicePropertiesPerTime"),
        ],
        not_found=[({"DeviceName": "nobody"}, NO_DEVICE), ({"Identifier": ["Nothing"]}, UNKNOWN_PROPERTY)],
    ),
    Row(
        "QueryDeviceEventData",
        build_history_request,
        "the events of a month, oldest first",
        lambda platform, request, response: (
            (times := column(response["Data"]["List"]["EventInfo"], "Time")) == sorted(times)
        ),
        missing=MISSING_NAME,
        invalid=[*INVALID_PERIODS, ({"EventType": "joy"}, "iot.common.InvalidFormattedParameter")],
        not_found=[*UNKNOWN_DEVICES, ({"Identifier": "Nothing"}, "iot.device.QueryDeviceEventHistoryFailed")],
    ),
    Row(
        "QueryDeviceServiceData",
        lambda platform: register_used_gateway(platform) | build_recent_period(platform),
        "the calls of services, newest first",
        lambda platform, request, response: (
            column(response["Data"]["List"]["ServiceInfo"], "Identifier")[0] == "Ping"
        ),
        missing=MISSING_NAME,
        invalid=INVALID_PERIODS,
        not_found=[
            *UNKNOWN_DEVICES,
            ({"Identifier": "Nothing"}, "iot.device.QueryDeviceServiceHistoryFailed"),
        ],
    ),
    Row(
        "SetDeviceDesiredProperty",
        lambda platform: register_gateway(platform) | {"Items": '{"LogLevel":3}', "Versions": "{}"},
        "the desired value is stored with version 1",
        lambda platform, request, response: (
            read_desired_values(platform, request) in ({"LogLevel": "3"}, {})
            and json.loads(response["Data"]["Versions"])
        ),
        missing=MISSING_NAME,
        invalid=[
            ({"Items": "{"}, INVALID_JSON),
            ({"Items": '{"LogLevel":"loud"}'}, FAILED),
            ({"Versions": '{"LogLevel":7}'}, FAILED),
        ],
        not_found=[*UNKNOWN_DEVICES, ({"Items": '{"Nothing":1}'}, UNKNOWN_PROPERTY)],
    ),
    Row(
        "QueryDeviceDesiredProperty",
        set_desired_value,
        "the desired values",
        lambda platform, request, response: (
            "LogLevel" in column(response["Data"]["List"]["DesiredPropertyInfo"], "Identifier")
        ),
        missing=MISSING_NAME,
        invalid=[
            ({"Identifier": ["LogLevel"] * 2}, "iot.common.InvalidFormattedParameter"),
            ({"Identifier": [f"p{n}" for n in range(11)]}, "iot.device.TooManyDevicePropertiesPerTime"),
        ],
        not_found=[*UNKNOWN_DEVICES, ({"Identifier": ["Nothing"]}, UNKNOWN_PROPERTY)],
    ),
    Row(
        "QueryDevicePropertyStatus",
        register_gateway,
        "the current values of all properties",
        lambda platform, request, response: (
            "CpuUsage" in column(response["Data"]["List"]["PropertyStatusInfo"], "Identifier")
        ),
        missing=MISSING_NAME,
        invalid=[({"FunctionBlockId": "no"}, "iot.common.InvalidFormattedParameter"), WITHOUT_MODEL],
        not_found=UNKNOWN_DEVICES,
    ),
    Row(
        "QueryDeviceOriginalPropertyStatus",
        lambda platform: register_gateway(platform) | {"Asc": 1, "PageSize": 5},
        "the current original values, by pages",
        lambda platform, request, response: (
            response["Data"]["NextValid"] is True
            and column(
                platform.call(
                    "QueryDeviceOriginalPropertyStatus",
                    **request | {"NextPageToken": response["Data"]["NextPageToken"]},
                )["Data"]["List"]["PropertyStatusDataInfo"],
                "Identifier",
            )
            != column(response["Data"]["List"]["PropertyStatusDataInfo"], "Identifier")
        ),
        missing=MISSING_NAME,
        invalid=[
            INVALID_ASC,
            ({"PageSize": 51}, "iot.common.InvalidPageParams"),
            ({"NextPageToken": "nonsense"}, "iot.device.PageTokenIsIllegal"),
        ],
        not_found=UNKNOWN_DEVICES,
    ),
    Row(
        "QueryDeviceOriginalPropertyData",
        lambda platform: build_history_request(platform, Identifier="CpuUsage"),
        "a property's values, with the token of the next page",
        lambda platform, request, response: len(response["Data"]["List"]["PropertyInfo"]) == 10,
        missing=MISSING_NAME,
        invalid=[*INVALID_PERIODS, ({"NextPageToken": "nonsense"}, "iot.device.PageTokenIsIllegal")],
        not_found=[*UNKNOWN_DEVICES, ({"Identifier": "Nothing"}, "InvalidIdentifierInPropertyError")],
    ),
    Row(
        "QueryDeviceOriginalEventData",
        lambda platform: build_history_request(platform, Identifier="SubDeviceLost", PageSize=1),
        "an event's records, with the token of the next page",
        lambda platform, request, response: (
            column(response["Data"]["List"]["EventInfo"], "Identifier") == ["SubDeviceLost"]
        ),
        missing=MISSING_NAME,
        invalid=[*INVALID_PERIODS, ({"NextPageToken": "nonsense"}, "iot.device.PageTokenIsIllegal")],
        not_found=[*UNKNOWN_DEVICES, ({"Identifier": "Nothing"}, "iot.tsl.InvalidIdentifierInEventError")],
    ),
    Row(
        "QueryDeviceOriginalServiceData",
        lambda platform: (
            register_used_gateway(platform)
            | build_recent_period(platform)
            | {"Identifier": "Ping", "PageSize": 1}
        ),
        "a service's calls, with the token of the next page",
        lambda platform, request, response: (
            column(response["Data"]["List"]["ServiceInfo"], "Identifier") == ["Ping"]
        ),
        missing=MISSING_NAME,
        invalid=[*INVALID_PERIODS, ({"NextPageToken": "nonsense"}, "iot.device.PageTokenIsIllegal")],
        not_found=[*UNKNOWN_DEVICES, ({"Identifier": "Nothing"}, "InvalidIdentifierInServiceError")],
    ),
    Row(
        "UpdateDeviceShadow",
        lambda platform: (
            create_shadow(platform)
            | {"ShadowMessage": build_shadow_message(2, level=7), "DeltaUpdate": False}
        ),
        "the desired value is in the shadow",
        lambda platform, request, response: (
            '"level":7' in platform.call("GetDeviceShadow", **device_identity(request))["ShadowMessage"]
        ),
        invalid=[
            (
                {"ShadowMessage": build_shadow_message(1, level=7)},
                "iot.messagebroker.InvalidVersionValueInShadowMessage",
            ),
            ({"ShadowMessage": "x" * 16_385}, "iot.messagebroker.ShadowMessageLengthIsLarge"),
        ],
        not_found=[
            ({"DeviceName": "nobody"}, NO_DEVICE),
            ({"ProductKey": "a1Unknown00"}, "iot.prod.NotExistedProduct"),
        ],
        other_account_code="iot.prod.NotExistedProduct",
    ),
    Row(
        "GetDeviceShadow",
        create_shadow,
        "the document that was written",
        lambda platform, request, response: (
            json.loads(response["ShadowMessage"])["state"]["desired"] == {"level": 5}
        ),
        not_found=[
            ({"DeviceName": "nobody"}, NO_DEVICE),
            ({"ProductKey": "a1Unknown00"}, "iot.prod.NotExistedProduct"),
        ],
        other_account_code="iot.prod.NotExistedProduct",
    ),
]


def build_recent_period(platform: PreparedPlatform) -> Request:
    now = platform.clock.now()
    return {"StartTime": now - 29 * DAY, "EndTime": now + 1000, "Asc": 0, "PageSize": 10}
