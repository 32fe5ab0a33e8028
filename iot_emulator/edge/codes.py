"""Error codes of the edge operations. Codes that the API reference does not list are from the platform's public list of
edge computing errors."""

from __future__ import annotations

from collections.abc import Mapping

INVALID = "iot.common.InvalidParam"
TOO_MANY = "iot.common.ParameterSizeLimit"
NO_INSTANCE = "iot.edge.InstanceNotExist"
NAME_TAKEN = "iot.edge.InstanceNameExist"
TOO_MANY_INSTANCES = "iot.edge.InstanceNumLimitation"
GATEWAY_BOUND = "iot.edge.InstanceAlreadyBindGateway"
NO_GATEWAY = "iot.edge.InstanceHasNoGateway"
RUNNING = "iot.edge.InstanceIsRunning"
HAS_DEVICES = "iot.edge.InstanceHasDevice"
HAS_DRIVERS = "iot.edge.InstanceHasDriver"
TOO_MANY_DEVICES = "iot.edge.InstanceDeviceLimitation"
TOO_MANY_DRIVERS = "iot.edge.InstanceDriverLimitation"
# Invented: these codes are in no public list.
NO_DRIVER = "iot.edge.DriverNotExist"
DRIVER_NOT_BOUND = "iot.edge.InstanceDriverNotExist"
DRIVER_IN_USE = "iot.edge.DriverHasDevice"
DEVICE_BOUND = "iot.edge.InstanceAlreadyBindDevice"
DEVICE_NOT_BOUND = "iot.edge.InstanceDeviceNotExist"
NO_DEPLOYMENT = "iot.edge.DeploymentNotExist"

CODES: Mapping[str, Mapping[str, str]] = {
    "edge": {
        **dict.fromkeys(
            ("Name", "Spec", "Tags", "Type", "BizEnable", "Configs", "StartTime", "EndTime"), INVALID
        ),
        "IotIds": TOO_MANY,
        "DriverIds": TOO_MANY,
    }
}
# The handler has different codes for too many and for invalid configurations.
CHECKED_BY_HANDLER = frozenset({("BatchSetEdgeInstanceDeviceConfig", "DeviceConfigs")})
