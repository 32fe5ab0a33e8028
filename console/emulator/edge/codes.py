"""The codes with which edge operations refuse a parameter. Where the reference names none for this family, they are those
that the platform's public error list gives for edge computing."""

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
# Not in any list that could be read: made up after the others.
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
# Its handler tells too many from bad ones.
OWN = frozenset({("BatchSetEdgeInstanceDeviceConfig", "DeviceConfigs")})
