"""Edge instances: their contents and deployments."""

from __future__ import annotations

from typing import Any

from tests.conformance.devices import NO_DEVICE, UNKNOWN_DEVICES
from tests.conformance.platform import PreparedPlatform, column
from tests.conformance.rows import Request, Row

MODBUS, OPCUA = "5b1f7a34c6d84f0e9a2d6c1b7e3f8a01", "8d2c4e67f9a14b3c8e5f0d9a1c7b6e02"
PAGE = {"CurrentPage": 1, "PageSize": 30}
INVALID_PARAMETER = "iot.common.InvalidParam"
INVALID_PAGES = [({"PageSize": 31}, "iot.common.InvalidPageParams")]  # page numbers below 1 are treated as 1
UNKNOWN_INSTANCE = ({"InstanceId": "nothing"}, "iot.edge.InstanceNotExist")
DRIVER_NOT_BOUND = "iot.edge.InstanceDriverNotExist"
TOO_MANY_DEVICES = ({"IotIds": ["x"] * 21}, "iot.common.ParameterSizeLimit")
MISSING_DEVICES = {"IotIds": "MissingIotIds"}
UNKNOWN_DEVICE = ({"IotIds": ["nothing"]}, NO_DEVICE)
ABSENT_FIELDS = ("RoleArn", "RoleAttachTime", "RoleAttachTimestamp", "RoleName", "Type")


def create_edge_instance(platform: PreparedPlatform, name: str = "plant-1", **params: Any) -> Request:
    return {"InstanceId": platform.call("CreateEdgeInstance", Name=name, **params)["InstanceId"]}


def register_gateway(platform: PreparedPlatform) -> str:
    """Register an online gateway; returns its IotId."""
    device = platform.register_device(platform.create_gateway_product(), "gateway-1")
    platform.set_device_status("gateway-1")
    return device["IotId"]


def create_instance_with_driver(platform: PreparedPlatform) -> Request:
    """Create an edge instance with an online gateway and a driver."""
    request = create_edge_instance(platform, Tags="room:1,floor:2", Spec=30)
    platform.call("BindGatewayToEdgeInstance", **request, IotId=register_gateway(platform))
    platform.call(
        "BindDriverToEdgeInstance", **request, DriverId=MODBUS, DriverVersion="1.0.0", OrderId="order-1"
    )
    return request


def create_instance_with_device(platform: PreparedPlatform) -> Request:
    """Create an edge instance with a device of its driver; the request contains the device."""
    request = create_instance_with_driver(platform)
    iot_ids = [platform.register_device()["IotId"]]
    platform.call("BatchBindDeviceToEdgeInstanceWithDriver", **request, DriverId=MODBUS, IotIds=iot_ids)
    return request | {"IotIds": iot_ids}


def create_instance_with_device_config(platform: PreparedPlatform) -> Request:
    """Create an edge instance whose device has a configuration."""
    request = create_instance_with_device(platform)
    platform.call(
        "BatchSetEdgeInstanceDeviceConfig",
        InstanceId=request["InstanceId"],
        DeviceConfigs=[{"IotId": request["IotIds"][0], "Content": '{"a":1}'}],
    )
    return request


def create_instance_with_driver_config(platform: PreparedPlatform) -> Request:
    """Create an edge instance whose driver has a configuration."""
    request = select_parameters(create_instance_with_driver(platform), "InstanceId") | {"DriverId": MODBUS}
    configs = [{"Format": "KV", "Content": "baud=9600", "Key": "serial"}]
    platform.call("SetEdgeInstanceDriverConfigs", **request, Configs=configs)
    return request


def create_deployed_instance(platform: PreparedPlatform) -> Request:
    """Create an edge instance with a completed deployment."""
    request = select_parameters(create_instance_with_device(platform), "InstanceId")
    response = platform.call("CreateEdgeInstanceDeployment", **request, Type="deploy")
    platform.clock.advance(60)
    platform.emulator.run_due_work()
    return request | {"DeploymentId": response["DeploymentId"]}


def select_parameters(request: Request, *names: str) -> Request:
    return {name: request[name] for name in names}


def read_instance(platform: PreparedPlatform, request: Request) -> dict[str, Any]:
    return platform.call("GetEdgeInstance", InstanceId=request["InstanceId"])["Data"]


def list_instances(platform: PreparedPlatform) -> list[str]:
    return column(platform.call("QueryEdgeInstance", **PAGE)["Data"].get("InstanceList") or [], "InstanceId")


def list_drivers(platform: PreparedPlatform, request: Request) -> list[str]:
    response = platform.call("QueryEdgeInstanceDriver", InstanceId=request["InstanceId"], **PAGE)["Data"]
    return column(response.get("DriverList") or [], "DriverId")


def list_instance_devices(platform: PreparedPlatform, request: Request) -> list[str]:
    response = platform.call("QueryEdgeInstanceDevice", InstanceId=request["InstanceId"], **PAGE)["Data"]
    return column(response.get("DeviceList") or [], "IotId")


def read_driver_configs(platform: PreparedPlatform, request: Request) -> list[str]:
    """Read the configurations of a driver."""
    response = platform.call(
        "BatchGetEdgeInstanceDriverConfigs", InstanceId=request["InstanceId"], DriverIds=[request["DriverId"]]
    )
    return [
        item["Content"] for entry in response["DriverConfigList"] for item in entry.get("ConfigList") or []
    ]


def read_device_configs(platform: PreparedPlatform, edge_id: str, iot_ids: list[str]) -> list[str]:
    response = platform.call("BatchGetEdgeInstanceDeviceConfig", InstanceId=edge_id, IotIds=iot_ids)
    return [item["Config"]["Content"] for item in response.get("DeviceConfigList") or []]


def read_deployment(platform: PreparedPlatform, edge_id: str, deployment_id: str) -> dict[str, Any]:
    return platform.call("GetEdgeInstanceDeployment", InstanceId=edge_id, DeploymentId=deployment_id)["Data"]


INSTANCES = [
    Row(
        "CreateEdgeInstance",
        lambda platform: {"Name": "plant-1", "Tags": "room:1", "Spec": 20},
        "it is listed",
        lambda platform, request, response: list_instances(platform)[0] == response["InstanceId"],
        invalid=[
            ({"Name": "a b"}, INVALID_PARAMETER),
            ({"Spec": 15}, INVALID_PARAMETER),
            ({"Tags": "room"}, INVALID_PARAMETER),
            (
                lambda platform, request: create_edge_instance(platform, "taken") and {"Name": "taken"},
                "iot.edge.InstanceNameExist",
            ),
        ],
    ),
    Row(
        "DeleteEdgeInstance",
        create_edge_instance,
        "it is no longer listed",
        lambda platform, request, response: request["InstanceId"] not in list_instances(platform),
        invalid=[
            (
                lambda platform, request: select_parameters(create_other_instance(platform), "InstanceId"),
                "iot.edge.InstanceHasDriver",
            )
        ],
        not_found=[UNKNOWN_INSTANCE],
    ),
    Row(
        "UpdateEdgeInstance",
        lambda platform: (
            create_edge_instance(platform)
            | {"Name": "plant-2", "BizEnable": False, "Tags": "room:2", "Spec": 30}
        ),
        "name, tags and edition change",
        lambda platform, request, response: (
            (
                read_instance(platform, request)["Name"],
                read_instance(platform, request)["BizEnable"],
                read_instance(platform, request)["Spec"],
            )
            == ("plant-2", False, 30)
        ),
        invalid=[
            ({"Name": "a b"}, INVALID_PARAMETER),
            ({"Tags": "room"}, INVALID_PARAMETER),
            ({"Spec": 15}, INVALID_PARAMETER),
        ],
        not_found=[UNKNOWN_INSTANCE],
    ),
    Row(
        "GetEdgeInstance",
        lambda platform: select_parameters(create_deployed_instance(platform), "InstanceId"),
        "the instance, with the status of its latest deployment",
        lambda platform, request, response: (
            (response["Data"]["Name"], response["Data"]["LatestDeploymentStatus"]) == ("plant-1", 2)
        ),
        not_found=[UNKNOWN_INSTANCE],
        absent_fields={f"Data.{name}" for name in ABSENT_FIELDS},
    ),
    Row(
        "QueryEdgeInstance",
        lambda platform: create_deployed_instance(platform) and PAGE | {"Name": "plant-1"},
        "the instances with a name",
        lambda platform, request, response: response["Data"]["Total"] == 1,
        invalid=INVALID_PAGES,
        absent_fields={f"Data.InstanceList[].{name}" for name in ABSENT_FIELDS},
    ),
    Row(
        "BindGatewayToEdgeInstance",
        lambda platform: create_edge_instance(platform) | {"IotId": register_gateway(platform)},
        "the gateway belongs to the instance",
        lambda platform, request, response: (
            column(
                platform.call("QueryEdgeInstanceGateway", InstanceId=request["InstanceId"])["GatewayList"],
                "IotId",
            )
            == [request["IotId"]]
        ),
        missing={"IotId": "iot.prod.NullProductKey"},
        invalid=[
            (lambda platform, request: {"IotId": platform.register_device()["IotId"]}, INVALID_PARAMETER)
        ],
        not_found=[UNKNOWN_INSTANCE, UNKNOWN_DEVICES[1]],
    ),
    Row(
        "QueryEdgeInstanceGateway",
        lambda platform: select_parameters(create_instance_with_driver(platform), "InstanceId"),
        "the instance's gateway",
        lambda platform, request, response: column(response["GatewayList"], "DeviceName") == ["gateway-1"],
        not_found=[UNKNOWN_INSTANCE],
    ),
    Row(
        "BindDriverToEdgeInstance",
        lambda platform: create_edge_instance(platform) | {"DriverId": OPCUA},
        "it is listed",
        lambda platform, request, response: list_drivers(platform, request) == [OPCUA],
        not_found=[UNKNOWN_INSTANCE, ({"DriverId": "modbus"}, "iot.edge.DriverNotExist")],
    ),
    Row(
        "UnbindDriverFromEdgeInstance",
        lambda platform: create_instance_with_driver(platform) | {"DriverId": MODBUS},
        "it is no longer listed",
        lambda platform, request, response: list_drivers(platform, request) == [],
        not_found=[UNKNOWN_INSTANCE, ({"DriverId": "modbus"}, "iot.edge.DriverNotExist")],
    ),
    Row(
        "QueryEdgeInstanceDriver",
        lambda platform: create_instance_with_driver(platform) | PAGE,
        "the instance's drivers",
        lambda platform, request, response: column(response["Data"]["DriverList"], "DriverId") == [MODBUS],
        invalid=INVALID_PAGES,
        not_found=[UNKNOWN_INSTANCE],
    ),
    Row(
        "SetEdgeInstanceDriverConfigs",
        lambda platform: (
            create_instance_with_driver_config(platform)
            | {"Configs": [{"Format": "JSON", "Content": '{"test":123}'}]}
        ),
        "the new configurations replace the old ones",
        lambda platform, request, response: read_driver_configs(platform, request) == ['{"test":123}'],
        missing={"Configs": "MissingConfigs"},
        invalid=[
            ({"Configs": [{"Format": "XML", "Content": "x"}]}, INVALID_PARAMETER),
            ({"Configs": [{"Format": "KV"}]}, INVALID_PARAMETER),
        ],
        not_found=[UNKNOWN_INSTANCE, ({"DriverId": OPCUA}, DRIVER_NOT_BOUND)],
    ),
    Row(
        "ClearEdgeInstanceDriverConfigs",
        create_instance_with_driver_config,
        "no configuration exists",
        lambda platform, request, response: read_driver_configs(platform, request) == [],
        not_found=[UNKNOWN_INSTANCE, ({"DriverId": OPCUA}, DRIVER_NOT_BOUND)],
    ),
    Row(
        "BatchGetEdgeInstanceDriverConfigs",
        lambda platform: (
            select_parameters(create_instance_with_driver_config(platform), "InstanceId")
            | {"DriverIds": [MODBUS]}
        ),
        "a driver's configurations",
        lambda platform, request, response: (
            response["DriverConfigList"][0]["ConfigList"][0]["Content"] == "baud=9600"
        ),
        missing={"DriverIds": "MissingDriverIds"},
        invalid=[({"DriverIds": [MODBUS] * 21}, "iot.common.ParameterSizeLimit")],
        not_found=[UNKNOWN_INSTANCE],
    ),
]

DEVICES = [
    Row(
        "BatchBindDeviceToEdgeInstanceWithDriver",
        lambda platform: (
            create_instance_with_driver(platform)
            | {"DriverId": MODBUS, "IotIds": [platform.register_device()["IotId"]]}
        ),
        "the device belongs to the instance",
        lambda platform, request, response: list_instance_devices(platform, request) == request["IotIds"],
        missing=MISSING_DEVICES,
        invalid=[TOO_MANY_DEVICES],
        not_found=[UNKNOWN_INSTANCE, UNKNOWN_DEVICE, ({"DriverId": OPCUA}, DRIVER_NOT_BOUND)],
    ),
    Row(
        "BatchUnbindDeviceFromEdgeInstance",
        create_instance_with_device,
        "the instance has no devices",
        lambda platform, request, response: list_instance_devices(platform, request) == [],
        missing=MISSING_DEVICES,
        invalid=[TOO_MANY_DEVICES],
        not_found=[UNKNOWN_INSTANCE, UNKNOWN_DEVICE],
    ),
    Row(
        "QueryEdgeInstanceDevice",
        lambda platform: select_parameters(create_instance_with_device(platform), "InstanceId") | PAGE,
        "the instance's devices",
        lambda platform, request, response: column(response["Data"]["DeviceList"], "DeviceName") == ["dev-1"],
        invalid=INVALID_PAGES,
        not_found=[UNKNOWN_INSTANCE],
    ),
    Row(
        "BatchGetDeviceDriver",
        create_instance_with_device,
        "the driver of a device",
        lambda platform, request, response: column(response["DeviceDriverList"], "DriverId") == [MODBUS],
        missing=MISSING_DEVICES,
        not_found=[UNKNOWN_INSTANCE],
    ),
    Row(
        "QueryDeviceByDriver",
        lambda platform: (
            select_parameters(create_instance_with_device(platform), "InstanceId")
            | {"DriverId": MODBUS}
            | PAGE
        ),
        "the devices of a driver",
        lambda platform, request, response: response["Data"]["Total"] == 1,
        invalid=INVALID_PAGES,
        not_found=[UNKNOWN_INSTANCE, ({"DriverId": OPCUA}, DRIVER_NOT_BOUND)],
        extra_fields={"Data.DeviceList[].ProductKey", "Data.DeviceList[].DeviceName"},
    ),
    Row(
        "BatchSetEdgeInstanceDeviceConfig",
        lambda platform: (
            select_parameters(request := create_instance_with_device_config(platform), "InstanceId")
            | {"DeviceConfigs": [{"IotId": request["IotIds"][0], "Content": "a=1"}]}
        ),
        "the new configuration replaces the old one",
        lambda platform, request, response: (
            read_device_configs(platform, request["InstanceId"], [request["DeviceConfigs"][0]["IotId"]])
            == ["a=1"]
        ),
        missing={"DeviceConfigs": "MissingDeviceConfigs"},
        invalid=[
            (
                lambda platform, request: {
                    "DeviceConfigs": [{"IotId": request["DeviceConfigs"][0]["IotId"]}]
                },
                INVALID_PARAMETER,
            ),
            (
                lambda platform, request: {"DeviceConfigs": request["DeviceConfigs"] * 21},
                "iot.common.ParameterSizeLimit",
            ),
        ],
        not_found=[
            UNKNOWN_INSTANCE,
            (
                lambda platform, request: {
                    "DeviceConfigs": [{"IotId": platform.register_device()["IotId"], "Content": "a"}]
                },
                "iot.edge.InstanceDeviceNotExist",
            ),
        ],
    ),
    Row(
        "BatchClearEdgeInstanceDeviceConfig",
        create_instance_with_device_config,
        "no configuration exists",
        lambda platform, request, response: (
            read_device_configs(platform, request["InstanceId"], request["IotIds"]) == []
        ),
        missing=MISSING_DEVICES,
        invalid=[TOO_MANY_DEVICES],
        not_found=[
            UNKNOWN_INSTANCE,
            (
                lambda platform, request: {"IotIds": [platform.register_device()["IotId"]]},
                "iot.edge.InstanceDeviceNotExist",
            ),
        ],
    ),
    Row(
        "BatchGetEdgeInstanceDeviceConfig",
        create_instance_with_device_config,
        "a device's configuration",
        lambda platform, request, response: (
            response["DeviceConfigList"][0]["Config"] == {"Format": "JSON", "Content": '{"a":1}'}
        ),
        missing=MISSING_DEVICES,
        invalid=[TOO_MANY_DEVICES],
        not_found=[UNKNOWN_INSTANCE],
    ),
]

DEPLOYMENTS = [
    Row(
        "CreateEdgeInstanceDeployment",
        lambda platform: (
            select_parameters(create_instance_with_device(platform), "InstanceId") | {"Type": "deploy"}
        ),
        "the deployment succeeds after a short time",
        lambda platform, request, response: (
            platform.clock.advance(60)
            and read_deployment(platform, request["InstanceId"], response["DeploymentId"])["Status"] == 2
        ),
        invalid=[
            ({"Type": "undeploy"}, INVALID_PARAMETER),
            (
                lambda platform, request: create_edge_instance(platform, "bare"),
                "iot.edge.InstanceHasNoGateway",
            ),
        ],
        not_found=[UNKNOWN_INSTANCE],
    ),
    Row(
        "CloseEdgeInstanceDeployment",
        lambda platform: (
            [
                request := select_parameters(create_instance_with_device(platform), "InstanceId"),
                platform.call("CreateEdgeInstanceDeployment", **request, Type="deploy"),
            ]
            and request
        ),
        "the running deployment has failed",
        lambda platform, request, response: read_instance(platform, request)["LatestDeploymentStatus"] == 3,
        not_found=[UNKNOWN_INSTANCE],
    ),
    Row(
        "GetEdgeInstanceDeployment",
        create_deployed_instance,
        "the deployment, with its task and the result for each resource",
        lambda platform, request, response: (
            column(response["Data"]["TaskList"][0]["ResourceSnapshotList"], "ResourceType")[:2]
            == ["gateway_config", "driver"]
        ),
        not_found=[UNKNOWN_INSTANCE, ({"DeploymentId": "nothing"}, "iot.edge.DeploymentNotExist")],
    ),
    Row(
        "QueryEdgeInstanceHistoricDeployment",
        lambda platform: select_parameters(create_deployed_instance(platform), "InstanceId") | PAGE,
        "all deployments",
        lambda platform, request, response: column(response["Data"]["DeploymentList"], "Status") == [2],
        invalid=[
            *INVALID_PAGES,
            ({"StartTime": 2, "EndTime": 1}, "iot.check.ParameterIsNotLessThanMax"),
            ({"StartTime": -1}, INVALID_PARAMETER),
        ],
        not_found=[UNKNOWN_INSTANCE],
    ),
]

ROWS = [*INSTANCES, *DEVICES, *DEPLOYMENTS]


def create_other_instance(platform: PreparedPlatform) -> Request:
    """Create another edge instance with a driver."""
    request = create_edge_instance(platform, "plant-9")
    platform.call("BindDriverToEdgeInstance", **request, DriverId=OPCUA)
    return request
