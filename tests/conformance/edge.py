"""Edge instances: what they hold, and bringing it to the gateway."""

from __future__ import annotations

from typing import Any

from tests.conformance.devices import NO_DEVICE, ONE
from tests.conformance.platform import PreparedPlatform, column
from tests.conformance.rows import Asked, Row

MODBUS, OPCUA = "5b1f7a34c6d84f0e9a2d6c1b7e3f8a01", "8d2c4e67f9a14b3c8e5f0d9a1c7b6e02"
PAGE = {"CurrentPage": 1, "PageSize": 30}
BAD_PARAM = "iot.common.InvalidParam"
BAD_PAGES = [({"PageSize": 31}, "iot.common.InvalidPageParams")]  # numbers below 1 count as 1
NO_EDGE = ({"InstanceId": "nothing"}, "iot.edge.InstanceNotExist")
NOT_BOUND = "iot.edge.InstanceDriverNotExist"
TOO_MANY = ({"IotIds": ["x"] * 21}, "iot.common.ParameterSizeLimit")
NO_IDS = {"IotIds": "MissingIotIds"}
NOBODY = ({"IotIds": ["nothing"]}, NO_DEVICE)
UNTOLD = ("RoleArn", "RoleAttachTime", "RoleAttachTimestamp", "RoleName", "Type")


def edge(platform: PreparedPlatform, name: str = "plant-1", **params: Any) -> Asked:
    return {"InstanceId": platform.call("CreateEdgeInstance", Name=name, **params)["InstanceId"]}


def gateway(platform: PreparedPlatform) -> str:
    """The IotId of a gateway that is online."""
    made = platform.device(platform.gateways(), "gateway-1")
    platform.hold("gateway-1")
    return made["IotId"]


def ready(platform: PreparedPlatform) -> Asked:
    """An edge instance with a gateway that is online, and a driver."""
    asked = edge(platform, Tags="room:1,floor:2", Spec=30)
    platform.call("BindGatewayToEdgeInstance", **asked, IotId=gateway(platform))
    platform.call(
        "BindDriverToEdgeInstance", **asked, DriverId=MODBUS, DriverVersion="1.0.0", OrderId="order-1"
    )
    return asked


def bound(platform: PreparedPlatform) -> Asked:
    """The same with a device of that driver; with the device."""
    asked = ready(platform)
    iot_ids = [platform.device()["IotId"]]
    platform.call("BatchBindDeviceToEdgeInstanceWithDriver", **asked, DriverId=MODBUS, IotIds=iot_ids)
    return asked | {"IotIds": iot_ids}


def configured(platform: PreparedPlatform) -> Asked:
    """The same with a configuration of the device."""
    asked = bound(platform)
    platform.call(
        "BatchSetEdgeInstanceDeviceConfig",
        InstanceId=asked["InstanceId"],
        DeviceConfigs=[{"IotId": asked["IotIds"][0], "Content": '{"a":1}'}],
    )
    return asked


def tuned(platform: PreparedPlatform) -> Asked:
    """A driver with a configuration."""
    asked = only(ready(platform), "InstanceId") | {"DriverId": MODBUS}
    configs = [{"Format": "KV", "Content": "baud=9600", "Key": "serial"}]
    platform.call("SetEdgeInstanceDriverConfigs", **asked, Configs=configs)
    return asked


def deployed(platform: PreparedPlatform) -> Asked:
    """A deployment that is done."""
    asked = only(bound(platform), "InstanceId")
    told = platform.call("CreateEdgeInstanceDeployment", **asked, Type="deploy")
    platform.clock.advance(60)
    platform.emulator.run_due_work()
    return asked | {"DeploymentId": told["DeploymentId"]}


def only(asked: Asked, *names: str) -> Asked:
    return {name: asked[name] for name in names}


def info(platform: PreparedPlatform, asked: Asked) -> dict[str, Any]:
    return platform.call("GetEdgeInstance", InstanceId=asked["InstanceId"])["Data"]


def listed(platform: PreparedPlatform) -> list[str]:
    return column(platform.call("QueryEdgeInstance", **PAGE)["Data"].get("InstanceList") or [], "InstanceId")


def drivers(platform: PreparedPlatform, asked: Asked) -> list[str]:
    told = platform.call("QueryEdgeInstanceDriver", InstanceId=asked["InstanceId"], **PAGE)["Data"]
    return column(told.get("DriverList") or [], "DriverId")


def devices(platform: PreparedPlatform, asked: Asked) -> list[str]:
    told = platform.call("QueryEdgeInstanceDevice", InstanceId=asked["InstanceId"], **PAGE)["Data"]
    return column(told.get("DeviceList") or [], "IotId")


def contents(platform: PreparedPlatform, asked: Asked) -> list[str]:
    """The configurations of a driver."""
    told = platform.call(
        "BatchGetEdgeInstanceDriverConfigs", InstanceId=asked["InstanceId"], DriverIds=[asked["DriverId"]]
    )
    return [item["Content"] for entry in told["DriverConfigList"] for item in entry.get("ConfigList") or []]


def device_contents(platform: PreparedPlatform, edge_id: str, iot_ids: list[str]) -> list[str]:
    told = platform.call("BatchGetEdgeInstanceDeviceConfig", InstanceId=edge_id, IotIds=iot_ids)
    return [item["Config"]["Content"] for item in told.get("DeviceConfigList") or []]


def deployment(platform: PreparedPlatform, edge_id: str, deployment_id: str) -> dict[str, Any]:
    return platform.call("GetEdgeInstanceDeployment", InstanceId=edge_id, DeploymentId=deployment_id)["Data"]


INSTANCES = [
    Row(
        "CreateEdgeInstance",
        lambda w: {"Name": "plant-1", "Tags": "room:1", "Spec": 20},
        "it is listed",
        lambda w, asked, told: listed(w)[0] == told["InstanceId"],
        bad=[
            ({"Name": "a b"}, BAD_PARAM),
            ({"Spec": 15}, BAD_PARAM),
            ({"Tags": "room"}, BAD_PARAM),
            (lambda w, asked: edge(w, "taken") and {"Name": "taken"}, "iot.edge.InstanceNameExist"),
        ],
    ),
    Row(
        "DeleteEdgeInstance",
        edge,
        "it is gone",
        lambda w, asked, told: asked["InstanceId"] not in listed(w),
        bad=[(lambda w, asked: only(bound_elsewhere(w), "InstanceId"), "iot.edge.InstanceHasDriver")],
        absent=[NO_EDGE],
    ),
    Row(
        "UpdateEdgeInstance",
        lambda w: edge(w) | {"Name": "plant-2", "BizEnable": False, "Tags": "room:2", "Spec": 30},
        "name, tags and edition change",
        lambda w, asked, told: (
            (info(w, asked)["Name"], info(w, asked)["BizEnable"], info(w, asked)["Spec"])
            == ("plant-2", False, 30)
        ),
        bad=[({"Name": "a b"}, BAD_PARAM), ({"Tags": "room"}, BAD_PARAM), ({"Spec": 15}, BAD_PARAM)],
        absent=[NO_EDGE],
    ),
    Row(
        "GetEdgeInstance",
        lambda w: only(deployed(w), "InstanceId"),
        "with the state of its latest deployment",
        lambda w, asked, told: (
            (told["Data"]["Name"], told["Data"]["LatestDeploymentStatus"]) == ("plant-1", 2)
        ),
        absent=[NO_EDGE],
        without={f"Data.{name}" for name in UNTOLD},
    ),
    Row(
        "QueryEdgeInstance",
        lambda w: deployed(w) and PAGE | {"Name": "plant-1"},
        "those of a name",
        lambda w, asked, told: told["Data"]["Total"] == 1,
        bad=BAD_PAGES,
        without={f"Data.InstanceList[].{name}" for name in UNTOLD},
    ),
    Row(
        "BindGatewayToEdgeInstance",
        lambda w: edge(w) | {"IotId": gateway(w)},
        "the gateway is the instance's",
        lambda w, asked, told: (
            column(w.call("QueryEdgeInstanceGateway", InstanceId=asked["InstanceId"])["GatewayList"], "IotId")
            == [asked["IotId"]]
        ),
        missing={"IotId": "iot.prod.NullProductKey"},
        bad=[(lambda w, asked: {"IotId": w.device()["IotId"]}, BAD_PARAM)],
        absent=[NO_EDGE, ONE[1]],
    ),
    Row(
        "QueryEdgeInstanceGateway",
        lambda w: only(ready(w), "InstanceId"),
        "the instance's gateway",
        lambda w, asked, told: column(told["GatewayList"], "DeviceName") == ["gateway-1"],
        absent=[NO_EDGE],
    ),
    Row(
        "BindDriverToEdgeInstance",
        lambda w: edge(w) | {"DriverId": OPCUA},
        "it is listed",
        lambda w, asked, told: drivers(w, asked) == [OPCUA],
        absent=[NO_EDGE, ({"DriverId": "modbus"}, "iot.edge.DriverNotExist")],
    ),
    Row(
        "UnbindDriverFromEdgeInstance",
        lambda w: ready(w) | {"DriverId": MODBUS},
        "it is gone",
        lambda w, asked, told: drivers(w, asked) == [],
        absent=[NO_EDGE, ({"DriverId": "modbus"}, "iot.edge.DriverNotExist")],
    ),
    Row(
        "QueryEdgeInstanceDriver",
        lambda w: ready(w) | PAGE,
        "the instance's drivers",
        lambda w, asked, told: column(told["Data"]["DriverList"], "DriverId") == [MODBUS],
        bad=BAD_PAGES,
        absent=[NO_EDGE],
    ),
    Row(
        "SetEdgeInstanceDriverConfigs",
        lambda w: tuned(w) | {"Configs": [{"Format": "JSON", "Content": '{"test":123}'}]},
        "they take the place of the old ones",
        lambda w, asked, told: contents(w, asked) == ['{"test":123}'],
        missing={"Configs": "MissingConfigs"},
        bad=[
            ({"Configs": [{"Format": "XML", "Content": "x"}]}, BAD_PARAM),
            ({"Configs": [{"Format": "KV"}]}, BAD_PARAM),
        ],
        absent=[NO_EDGE, ({"DriverId": OPCUA}, NOT_BOUND)],
    ),
    Row(
        "ClearEdgeInstanceDriverConfigs",
        tuned,
        "none is left",
        lambda w, asked, told: contents(w, asked) == [],
        absent=[NO_EDGE, ({"DriverId": OPCUA}, NOT_BOUND)],
    ),
    Row(
        "BatchGetEdgeInstanceDriverConfigs",
        lambda w: only(tuned(w), "InstanceId") | {"DriverIds": [MODBUS]},
        "a driver's configurations",
        lambda w, asked, told: told["DriverConfigList"][0]["ConfigList"][0]["Content"] == "baud=9600",
        missing={"DriverIds": "MissingDriverIds"},
        bad=[({"DriverIds": [MODBUS] * 21}, "iot.common.ParameterSizeLimit")],
        absent=[NO_EDGE],
    ),
]

DEVICES = [
    Row(
        "BatchBindDeviceToEdgeInstanceWithDriver",
        lambda w: ready(w) | {"DriverId": MODBUS, "IotIds": [w.device()["IotId"]]},
        "the device is the instance's",
        lambda w, asked, told: devices(w, asked) == asked["IotIds"],
        missing=NO_IDS,
        bad=[TOO_MANY],
        absent=[NO_EDGE, NOBODY, ({"DriverId": OPCUA}, NOT_BOUND)],
    ),
    Row(
        "BatchUnbindDeviceFromEdgeInstance",
        bound,
        "the instance has none",
        lambda w, asked, told: devices(w, asked) == [],
        missing=NO_IDS,
        bad=[TOO_MANY],
        absent=[NO_EDGE, NOBODY],
    ),
    Row(
        "QueryEdgeInstanceDevice",
        lambda w: only(bound(w), "InstanceId") | PAGE,
        "the instance's devices",
        lambda w, asked, told: column(told["Data"]["DeviceList"], "DeviceName") == ["dev-1"],
        bad=BAD_PAGES,
        absent=[NO_EDGE],
    ),
    Row(
        "BatchGetDeviceDriver",
        bound,
        "the driver of a device",
        lambda w, asked, told: column(told["DeviceDriverList"], "DriverId") == [MODBUS],
        missing=NO_IDS,
        absent=[NO_EDGE],
    ),
    Row(
        "QueryDeviceByDriver",
        lambda w: only(bound(w), "InstanceId") | {"DriverId": MODBUS} | PAGE,
        "the devices of a driver",
        lambda w, asked, told: told["Data"]["Total"] == 1,
        bad=BAD_PAGES,
        absent=[NO_EDGE, ({"DriverId": OPCUA}, NOT_BOUND)],
        beyond={"Data.DeviceList[].ProductKey", "Data.DeviceList[].DeviceName"},
    ),
    Row(
        "BatchSetEdgeInstanceDeviceConfig",
        lambda w: (
            only(asked := configured(w), "InstanceId")
            | {"DeviceConfigs": [{"IotId": asked["IotIds"][0], "Content": "a=1"}]}
        ),
        "it takes the place of the old one",
        lambda w, asked, told: (
            device_contents(w, asked["InstanceId"], [asked["DeviceConfigs"][0]["IotId"]]) == ["a=1"]
        ),
        missing={"DeviceConfigs": "MissingDeviceConfigs"},
        bad=[
            (lambda w, asked: {"DeviceConfigs": [{"IotId": asked["DeviceConfigs"][0]["IotId"]}]}, BAD_PARAM),
            (
                lambda w, asked: {"DeviceConfigs": asked["DeviceConfigs"] * 21},
                "iot.common.ParameterSizeLimit",
            ),
        ],
        absent=[
            NO_EDGE,
            (
                lambda w, asked: {"DeviceConfigs": [{"IotId": w.device()["IotId"], "Content": "a"}]},
                "iot.edge.InstanceDeviceNotExist",
            ),
        ],
    ),
    Row(
        "BatchClearEdgeInstanceDeviceConfig",
        configured,
        "none is left",
        lambda w, asked, told: device_contents(w, asked["InstanceId"], asked["IotIds"]) == [],
        missing=NO_IDS,
        bad=[TOO_MANY],
        absent=[
            NO_EDGE,
            (lambda w, asked: {"IotIds": [w.device()["IotId"]]}, "iot.edge.InstanceDeviceNotExist"),
        ],
    ),
    Row(
        "BatchGetEdgeInstanceDeviceConfig",
        configured,
        "a device's configuration",
        lambda w, asked, told: (
            told["DeviceConfigList"][0]["Config"] == {"Format": "JSON", "Content": '{"a":1}'}
        ),
        missing=NO_IDS,
        bad=[TOO_MANY],
        absent=[NO_EDGE],
    ),
]

DEPLOYMENTS = [
    Row(
        "CreateEdgeInstanceDeployment",
        lambda w: only(bound(w), "InstanceId") | {"Type": "deploy"},
        "after a while it has succeeded",
        lambda w, asked, told: (
            w.clock.advance(60) and deployment(w, asked["InstanceId"], told["DeploymentId"])["Status"] == 2
        ),
        bad=[
            ({"Type": "undeploy"}, BAD_PARAM),
            (lambda w, asked: edge(w, "bare"), "iot.edge.InstanceHasNoGateway"),
        ],
        absent=[NO_EDGE],
    ),
    Row(
        "CloseEdgeInstanceDeployment",
        lambda w: (
            [
                asked := only(bound(w), "InstanceId"),
                w.call("CreateEdgeInstanceDeployment", **asked, Type="deploy"),
            ]
            and asked
        ),
        "the one that was going on has failed",
        lambda w, asked, told: info(w, asked)["LatestDeploymentStatus"] == 3,
        absent=[NO_EDGE],
    ),
    Row(
        "GetEdgeInstanceDeployment",
        deployed,
        "with its task, and what of each thing became",
        lambda w, asked, told: (
            column(told["Data"]["TaskList"][0]["ResourceSnapshotList"], "ResourceType")[:2]
            == ["gateway_config", "driver"]
        ),
        absent=[NO_EDGE, ({"DeploymentId": "nothing"}, "iot.edge.DeploymentNotExist")],
    ),
    Row(
        "QueryEdgeInstanceHistoricDeployment",
        lambda w: only(deployed(w), "InstanceId") | PAGE,
        "all that there were",
        lambda w, asked, told: column(told["Data"]["DeploymentList"], "Status") == [2],
        bad=[
            *BAD_PAGES,
            ({"StartTime": 2, "EndTime": 1}, "iot.check.ParameterIsNotLessThanMax"),
            ({"StartTime": -1}, BAD_PARAM),
        ],
        absent=[NO_EDGE],
    ),
]

ROWS = [*INSTANCES, *DEVICES, *DEPLOYMENTS]


def bound_elsewhere(platform: PreparedPlatform) -> Asked:
    """Another edge instance, with a driver."""
    asked = edge(platform, "plant-9")
    platform.call("BindDriverToEdgeInstance", **asked, DriverId=OPCUA)
    return asked
