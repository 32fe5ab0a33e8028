"""Error codes of thing operations for a parameter with an invalid range, length, format or value."""

from __future__ import annotations

from collections.abc import Mapping

_TIMES = {"StartTime": "iot.device.InvalidTimeBucket", "EndTime": "iot.device.InvalidTimeBucket"}

# By group and parameter.
CODES: Mapping[str, Mapping[str, str]] = {
    "tsl-models": {"ScriptType": "iot.prod.InvalidScriptType"},
    "tsl-use": {
        **_TIMES,
        "Identifier.N": "iot.device.TooManyDevicePropertiesPerTime",
        "DeviceName.N": "iot.device.DeviceCountExceeded",
    },
}

# Parameters that the handlers check, with more specific codes.
CHECKED_BY_HANDLER = frozenset(
    (
        ("CreateThingModel", "ThingModelJson"),
        ("UpdateThingModel", "ThingModelJson"),
        ("ImportThingModelTsl", "TslStr"),
        ("SetDeviceProperty", "Items"),
        ("SetDevicesProperty", "Items"),
        ("SetDeviceDesiredProperty", "Items"),
        ("InvokeThingService", "Args"),
        ("InvokeThingsService", "Args"),
        ("UpdateDeviceShadow", "ShadowMessage"),
    )
)
