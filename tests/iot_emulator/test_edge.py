"""Edge instances: gateways, drivers, devices, their limits, and deployments."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest

from iot_client import catalogue
from iot_emulator import Emulator
from iot_emulator.edge import devices as edge_devices
from iot_emulator.edge import drivers as edge_drivers
from iot_emulator.edge import instances as edge_instances
from iot_emulator.operations import HANDLERS
from tests.iot_emulator.clients import Api, create_api
from tests.iot_emulator.shapes import deviations

PAGE = {"CurrentPage": 1, "PageSize": 30}
MODBUS, OPCUA = list(edge_drivers.OFFICIAL)[:2]
WAITING, RUNNING, SUCCEEDED, FAILED = 0, 1, 2, 3


@dataclass(frozen=True)
class EdgeSetup:
    """An account with gateways and meters, and shortcuts for the operations of edge instances."""

    api: Api
    emulator: Emulator
    gateways: str
    meters: str

    def create(self, name: str = "edge_setup-1", **params: Any) -> str:
        return self.api.call("CreateEdgeInstance", Name=name, **params)["InstanceId"]

    def get(self, edge: str) -> dict[str, Any]:
        return self.api.call("GetEdgeInstance", InstanceId=edge)["Data"]

    def iot_id(self, name: str) -> str:
        with self.emulator.store.read() as db:
            return db.execute("SELECT iot_id FROM devices WHERE name = ?", (name,)).fetchone()[0]

    def set_status(self, name: str, status: str) -> None:
        """Set the status of a device and keep it; otherwise it changes with time."""
        with self.emulator.store.write() as db:
            db.execute("UPDATE devices SET status = ?, due = NULL WHERE name = ?", (status, name))

    def create_ready(self, name: str = "edge_setup-1", gateway: str = "gateway-1") -> str:
        """Create an edge instance with an online gateway and a driver; return its ID."""
        edge = self.create(name)
        self.set_status(gateway, "ONLINE")
        self.api.call("BindGatewayToEdgeInstance", InstanceId=edge, IotId=self.iot_id(gateway))
        self.api.call("BindDriverToEdgeInstance", InstanceId=edge, DriverId=MODBUS)
        return edge

    def bind(self, edge: str, *names: str, driver: str = MODBUS) -> list[str]:
        iot_ids = [self.iot_id(name) for name in names]
        self.api.call(
            "BatchBindDeviceToEdgeInstanceWithDriver", InstanceId=edge, DriverId=driver, IotIds=iot_ids
        )
        return iot_ids

    def device_names(self, edge: str) -> list[str]:
        response = self.api.call("QueryEdgeInstanceDevice", InstanceId=edge, **PAGE)["Data"]
        return [device["DeviceName"] for device in response["DeviceList"]]

    def deploy(self, edge: str, kind: str = "deploy") -> str:
        return self.api.call("CreateEdgeInstanceDeployment", InstanceId=edge, Type=kind)["DeploymentId"]

    def deployment(self, edge: str, deployment_id: str) -> dict[str, Any]:
        return self.api.call("GetEdgeInstanceDeployment", InstanceId=edge, DeploymentId=deployment_id)["Data"]


@pytest.fixture
def edge_setup(api: Api, emulator: Emulator) -> EdgeSetup:
    gateways = api.create_product("Gateways", NodeType=1)
    meters = api.create_product("Meters")
    api.register_devices(gateways, "gateway-1", "gateway-2")
    api.register_devices(meters, *(f"meter-{n}" for n in range(1, 6)))
    return EdgeSetup(api, emulator, gateways, meters)


class TestInstances:
    def test_an_edge_instance_is_created_changed_and_deleted(self, edge_setup: EdgeSetup) -> None:
        edge = edge_setup.create("厂房-1", Tags="room:1,floor:2", Spec=30)
        edge_instance = edge_setup.get(edge)
        assert (
            edge_instance["InstanceId"],
            edge_instance["Name"],
            edge_instance["Tags"],
            edge_instance["Spec"],
        ) == (
            edge,
            "厂房-1",
            "room:1,floor:2",
            30,
        )
        assert edge_instance["BizEnable"] is True
        assert "LatestDeploymentStatus" not in edge_instance
        assert edge_instance["GmtCreate"] == edge_instance["GmtModified"] == "2026-09-21 22:13:40"
        edge_setup.api.clock.advance(60)
        edge_setup.api.call("UpdateEdgeInstance", InstanceId=edge, Name="edge_setup-2", BizEnable=False)
        updated = edge_setup.get(edge)
        assert (updated["Name"], updated["Tags"], updated["Spec"], updated["BizEnable"]) == (
            "edge_setup-2",
            "room:1,floor:2",
            30,
            False,
        )
        assert updated["GmtModifiedTimestamp"] == edge_instance["GmtCreateTimestamp"] + 60_000
        edge_setup.api.call("UpdateEdgeInstance", InstanceId=edge, Name="edge_setup-2", Tags="")
        assert edge_setup.get(edge)["Tags"] == ""
        edge_setup.api.call("DeleteEdgeInstance", InstanceId=edge)
        assert edge_setup.api.error_code("GetEdgeInstance", InstanceId=edge) == "iot.edge.InstanceNotExist"

    def test_the_default_edition_is_standard(self, edge_setup: EdgeSetup) -> None:
        assert edge_setup.get(edge_setup.create())["Spec"] == 20

    @pytest.mark.parametrize(
        ("params", "code"),
        [
            ({}, "MissingName"),
            ({"Name": "x" * 21}, "iot.common.InvalidParam"),
            ({"Name": "十一个汉字长的名字太长了"}, "iot.common.InvalidParam"),
            ({"Name": "a b"}, "iot.common.InvalidParam"),
            ({"Name": "a", "Spec": 15}, "iot.common.InvalidParam"),
            ({"Name": "a", "Tags": "room"}, "iot.common.InvalidParam"),
            ({"Name": "a", "Tags": "房间:1"}, "iot.common.InvalidParam"),
            ({"Name": "a", "Tags": f"{'k' * 21}:1"}, "iot.common.InvalidParam"),
            ({"Name": "a", "Tags": "room:"}, "iot.common.InvalidParam"),
            ({"Name": "a", "Tags": "room:1,room:2"}, "iot.common.InvalidParam"),
            ({"Name": "a", "Tags": "room:十一个汉字长的名字太长了"}, "iot.common.InvalidParam"),
        ],
    )
    def test_invalid_edge_instances_are_refused(
        self, edge_setup: EdgeSetup, params: dict[str, Any], code: str
    ) -> None:
        assert edge_setup.api.error_code("CreateEdgeInstance", **params) == code

    def test_names_are_unique_in_the_account(self, edge_setup: EdgeSetup, other_api: Api) -> None:
        edge_setup.create("edge_setup-1")
        second = edge_setup.create("edge_setup-2")
        assert (
            edge_setup.api.error_code("CreateEdgeInstance", Name="edge_setup-1")
            == "iot.edge.InstanceNameExist"
        )
        assert (
            edge_setup.api.error_code("UpdateEdgeInstance", InstanceId=second, Name="edge_setup-1")
            == "iot.edge.InstanceNameExist"
        )
        other_api.call("CreateEdgeInstance", Name="edge_setup-1")

    def test_an_account_has_a_maximum_number_of_edge_instances(
        self, edge_setup: EdgeSetup, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(edge_instances, "MAX_INSTANCES", 1)
        edge_setup.create("edge_setup-1")
        assert edge_setup.api.error_code("CreateEdgeInstance", Name="b") == "iot.edge.InstanceNumLimitation"

    def test_edge_instances_are_listed_newest_first(self, edge_setup: EdgeSetup) -> None:
        for n in range(12):
            edge_setup.create(f"edge_setup-{n}")
            edge_setup.api.clock.advance(1)
        response = edge_setup.api.call("QueryEdgeInstance", CurrentPage=0, PageSize=3)["Data"]
        assert (response["Total"], response["PageSize"], response["CurrentPage"]) == (12, 10, 1)
        assert [edge["Name"] for edge in response["InstanceList"]] == [
            f"edge_setup-{n}" for n in range(11, 1, -1)
        ]
        second = edge_setup.api.call("QueryEdgeInstance", CurrentPage=2, PageSize=10)["Data"]
        assert [edge["Name"] for edge in second["InstanceList"]] == ["edge_setup-1", "edge_setup-0"]
        by_name = edge_setup.api.call("QueryEdgeInstance", Name="edge_setup-7", **PAGE)["Data"]
        assert [edge["Name"] for edge in by_name["InstanceList"]] == ["edge_setup-7"]
        assert (
            edge_setup.api.error_code("QueryEdgeInstance", CurrentPage=1, PageSize=31)
            == "iot.common.InvalidPageParams"
        )
        assert edge_setup.api.error_code("QueryEdgeInstance", CurrentPage=1) == "MissingPageSize"

    def test_an_edge_instance_that_is_in_use_cannot_be_deleted(self, edge_setup: EdgeSetup) -> None:
        edge = edge_setup.create_ready()
        edge_setup.bind(edge, "meter-1")
        assert (
            edge_setup.api.error_code("DeleteEdgeInstance", InstanceId=edge) == "iot.edge.InstanceHasDevice"
        )
        edge_setup.api.call(
            "BatchUnbindDeviceFromEdgeInstance", InstanceId=edge, IotIds=[edge_setup.iot_id("meter-1")]
        )
        assert (
            edge_setup.api.error_code("DeleteEdgeInstance", InstanceId=edge) == "iot.edge.InstanceHasDriver"
        )
        edge_setup.api.call("UnbindDriverFromEdgeInstance", InstanceId=edge, DriverId=MODBUS)
        edge_setup.deploy(edge)
        assert (
            edge_setup.api.error_code("DeleteEdgeInstance", InstanceId=edge) == "iot.edge.InstanceIsRunning"
        )
        edge_setup.api.clock.advance(60)
        edge_setup.api.call("DeleteEdgeInstance", InstanceId=edge)
        edge_setup.create_ready("edge_setup-3")  # its gateway can be used again

    @pytest.mark.parametrize(
        "operation", [name for name in HANDLERS if catalogue.operation(name).group == "edge"]
    )
    def test_an_edge_instance_of_another_account_is_unknown(
        self, edge_setup: EdgeSetup, other_api: Api, operation: str
    ) -> None:
        if operation in ("CreateEdgeInstance", "QueryEdgeInstance"):
            assert other_api.call("QueryEdgeInstance", **PAGE)["Data"]["Total"] == 0
            return
        edge = edge_setup.create_ready()
        params: dict[str, Any] = {
            "CurrentPage": 1,
            "PageSize": 10,
            "Name": "x",
            "DriverId": MODBUS,
            "DriverIds": [MODBUS],
            "IotIds": ["x"],
            "IotId": "x",
            "Type": "deploy",
            "DeploymentId": "x",
            "Configs": [{"Format": "KV", "Content": "x"}],
            "DeviceConfigs": [{"IotId": "x", "Content": "x"}],
        }
        bases = {parameter.base for parameter in catalogue.operation(operation).parameters.values()}
        params_of_operation = {name: value for name, value in params.items() if name in bases}
        assert (
            other_api.error_code(operation, InstanceId=edge, **params_of_operation)
            == "iot.edge.InstanceNotExist"
        )
        assert (
            edge_setup.api.error_code(operation, InstanceId="nothing", **params_of_operation)
            == "iot.edge.InstanceNotExist"
        )
        assert edge_setup.api.error_code(operation, **params_of_operation) == "MissingInstanceId"


class TestGateways:
    def test_an_edge_instance_has_one_gateway(self, edge_setup: EdgeSetup) -> None:
        edge, second = edge_setup.create(), edge_setup.create("edge_setup-2")
        assert edge_setup.api.call("QueryEdgeInstanceGateway", InstanceId=edge)["GatewayList"] == []
        by_name = {"ProductKey": edge_setup.gateways, "DeviceName": "gateway-1"}
        for _ in range(2):
            edge_setup.api.call("BindGatewayToEdgeInstance", InstanceId=edge, **by_name)
        (gateway,) = edge_setup.api.call("QueryEdgeInstanceGateway", InstanceId=edge)["GatewayList"]
        assert (gateway["ProductKey"], gateway["DeviceName"]) == (edge_setup.gateways, "gateway-1")
        assert gateway["IotId"] == edge_setup.iot_id("gateway-1")
        taken = "iot.edge.InstanceAlreadyBindGateway"
        assert edge_setup.api.error_code("BindGatewayToEdgeInstance", InstanceId=second, **by_name) == taken
        assert (
            edge_setup.api.error_code(
                "BindGatewayToEdgeInstance", InstanceId=edge, IotId=edge_setup.iot_id("gateway-2")
            )
            == taken
        )

    def test_invalid_calls_are_refused(self, edge_setup: EdgeSetup) -> None:
        edge = edge_setup.create()

        def code(**params: Any) -> str:
            return edge_setup.api.error_code("BindGatewayToEdgeInstance", InstanceId=edge, **params)

        assert code(IotId=edge_setup.iot_id("meter-1")) == "iot.common.InvalidParam"
        assert code(IotId="nothing") == "iot.device.NotExistedDevice"
        assert code() == "iot.prod.NullProductKey"
        assert code(ProductKey=edge_setup.gateways) == "iot.device.NullDeviceName"

    def test_a_deleted_gateway_is_removed(self, edge_setup: EdgeSetup) -> None:
        edge = edge_setup.create_ready()
        edge_setup.api.call("DeleteDevice", ProductKey=edge_setup.gateways, DeviceName="gateway-1")
        assert edge_setup.api.call("QueryEdgeInstanceGateway", InstanceId=edge)["GatewayList"] == []


class TestDrivers:
    def drivers(self, edge_setup: EdgeSetup, edge: str) -> dict[str, str]:
        response = edge_setup.api.call("QueryEdgeInstanceDriver", InstanceId=edge, **PAGE)["Data"]
        assert response["Total"] == len(response["DriverList"])
        return {driver["DriverId"]: driver["DriverVersion"] for driver in response["DriverList"]}

    def configs(self, edge_setup: EdgeSetup, edge: str, *driver_ids: str) -> dict[str, list[dict[str, str]]]:
        response = edge_setup.api.call(
            "BatchGetEdgeInstanceDriverConfigs", InstanceId=edge, DriverIds=driver_ids
        )
        return {item["DriverId"]: item["ConfigList"] for item in response["DriverConfigList"]}

    def test_a_driver_is_bound_in_another_version_and_unbound(self, edge_setup: EdgeSetup) -> None:
        edge = edge_setup.create()
        own = "0123456789abcdef" * 2
        for driver, version in ((MODBUS, None), (own, "2.1.0"), (MODBUS, "1.2.0")):
            edge_setup.api.call(
                "BindDriverToEdgeInstance", InstanceId=edge, DriverId=driver, DriverVersion=version
            )
        assert self.drivers(edge_setup, edge) == {MODBUS: "1.2.0", own: "2.1.0"}
        for _ in range(2):
            edge_setup.api.call("UnbindDriverFromEdgeInstance", InstanceId=edge, DriverId=own)
        assert self.drivers(edge_setup, edge) == {MODBUS: "1.2.0"}

    def test_invalid_calls_are_refused(self, edge_setup: EdgeSetup, monkeypatch: pytest.MonkeyPatch) -> None:
        edge = edge_setup.create_ready()
        bind = "BindDriverToEdgeInstance"
        assert edge_setup.api.error_code(bind, InstanceId=edge) == "MissingDriverId"
        assert (
            edge_setup.api.error_code(bind, InstanceId=edge, DriverId="modbus") == "iot.edge.DriverNotExist"
        )
        monkeypatch.setattr(edge_drivers, "MAX_DRIVERS", 1)
        edge_setup.api.call(bind, InstanceId=edge, DriverId=MODBUS)
        assert (
            edge_setup.api.error_code(bind, InstanceId=edge, DriverId=OPCUA)
            == "iot.edge.InstanceDriverLimitation"
        )
        edge_setup.bind(edge, "meter-1")
        unbind = "UnbindDriverFromEdgeInstance"
        assert (
            edge_setup.api.error_code(unbind, InstanceId=edge, DriverId=MODBUS) == "iot.edge.DriverHasDevice"
        )
        assert (
            edge_setup.api.error_code(unbind, InstanceId=edge, DriverId="modbus") == "iot.edge.DriverNotExist"
        )

    def test_new_configurations_replace_the_old_ones(self, edge_setup: EdgeSetup) -> None:
        edge = edge_setup.create_ready()
        one = [{"Format": "JSON", "Content": '{"test":123}'}]
        two = [
            {"Format": "KV", "Content": "baud=9600", "Key": "serial"},
            {"Format": "FILE", "Content": "https://bucket.oss-cn-shanghai.aliyuncs.com/c.txt", "Key": "file"},
        ]
        for configs in (one, two):
            edge_setup.api.call(
                "SetEdgeInstanceDriverConfigs", InstanceId=edge, DriverId=MODBUS, Configs=configs
            )
            configs_by_driver = self.configs(edge_setup, edge, OPCUA, MODBUS)
            assert list(configs_by_driver) == [MODBUS]
            assert [
                {k: v for k, v in item.items() if k != "ConfigId"} for item in configs_by_driver[MODBUS]
            ] == configs
            assert len({item["ConfigId"] for item in configs_by_driver[MODBUS]}) == len(configs)
        edge_setup.api.call("ClearEdgeInstanceDriverConfigs", InstanceId=edge, DriverId=MODBUS)
        assert self.configs(edge_setup, edge, MODBUS) == {MODBUS: []}

    @pytest.mark.parametrize(
        ("configs", "code"),
        [
            (None, "MissingConfigs"),
            ([{"Format": "XML", "Content": "x"}], "iot.common.InvalidParam"),
            ([{"Format": "KV"}], "iot.common.InvalidParam"),
            ([{"Content": "x"}], "iot.common.InvalidParam"),
            ([{"Format": "JSON", "Content": "no"}], "iot.common.InvalidParam"),
            ([{"Format": "KV", "Content": "a"}] * 2, "iot.common.InvalidParam"),
        ],
    )
    def test_invalid_configurations_are_refused(self, edge_setup: EdgeSetup, configs: Any, code: str) -> None:
        edge = edge_setup.create_ready()
        assert (
            edge_setup.api.error_code(
                "SetEdgeInstanceDriverConfigs", InstanceId=edge, DriverId=MODBUS, Configs=configs
            )
            == code
        )

    def test_configurations_need_a_bound_driver(self, edge_setup: EdgeSetup) -> None:
        edge = edge_setup.create_ready()
        missing = "iot.edge.InstanceDriverNotExist"
        config = [{"Format": "KV", "Content": "a"}]
        pair = {"InstanceId": edge, "DriverId": OPCUA}
        assert edge_setup.api.error_code("SetEdgeInstanceDriverConfigs", **pair, Configs=config) == missing
        assert edge_setup.api.error_code("ClearEdgeInstanceDriverConfigs", **pair) == missing
        assert edge_setup.api.error_code("QueryDeviceByDriver", **pair, **PAGE) == missing
        assert (
            edge_setup.api.error_code("ClearEdgeInstanceDriverConfigs", InstanceId=edge) == "MissingDriverId"
        )
        many = "BatchGetEdgeInstanceDriverConfigs"
        assert edge_setup.api.error_code(many, InstanceId=edge) == "MissingDriverIds"
        assert (
            edge_setup.api.error_code(many, InstanceId=edge, DriverIds=[MODBUS] * 21)
            == "iot.common.ParameterSizeLimit"
        )


class TestDevices:
    def test_a_device_is_bound_moved_to_another_driver_and_unbound(self, edge_setup: EdgeSetup) -> None:
        edge = edge_setup.create_ready()
        edge_setup.api.call("BindDriverToEdgeInstance", InstanceId=edge, DriverId=OPCUA)
        one, two = edge_setup.bind(edge, "meter-1", "meter-2")
        edge_setup.bind(edge, "meter-2", driver=OPCUA)
        assert edge_setup.device_names(edge) == ["meter-2", "meter-1"]
        drivers = edge_setup.api.call("BatchGetDeviceDriver", InstanceId=edge, IotIds=[two, "nothing", one])
        assert drivers["DeviceDriverList"] == [
            {"IotId": two, "DriverId": OPCUA},
            {"IotId": one, "DriverId": MODBUS},
        ]
        under = edge_setup.api.call("QueryDeviceByDriver", InstanceId=edge, DriverId=OPCUA, **PAGE)["Data"]
        assert (under["Total"], under["DeviceList"]) == (
            1,
            [{"IotId": two, "ProductKey": edge_setup.meters, "DeviceName": "meter-2"}],
        )
        for _ in range(2):
            edge_setup.api.call("BatchUnbindDeviceFromEdgeInstance", InstanceId=edge, IotIds=[one])
        assert edge_setup.device_names(edge) == ["meter-2"]
        edge_setup.api.call("DeleteDevice", ProductKey=edge_setup.meters, DeviceName="meter-2")
        assert edge_setup.device_names(edge) == []

    def test_a_device_is_in_one_edge_instance_only(self, edge_setup: EdgeSetup) -> None:
        first, second = edge_setup.create_ready(), edge_setup.create_ready("edge_setup-2", "gateway-2")
        edge_setup.bind(first, "meter-1")
        ids = [edge_setup.iot_id(name) for name in ("meter-2", "meter-1")]
        bind = "BatchBindDeviceToEdgeInstanceWithDriver"
        code = edge_setup.api.error_code(bind, InstanceId=second, DriverId=MODBUS, IotIds=ids)
        assert code == "iot.edge.InstanceAlreadyBindDevice"
        assert edge_setup.device_names(second) == []  # all or none

    def test_invalid_calls_are_refused(self, edge_setup: EdgeSetup, monkeypatch: pytest.MonkeyPatch) -> None:
        edge = edge_setup.create_ready()

        def code(driver: str = MODBUS, **params: Any) -> str:
            return edge_setup.api.error_code(
                "BatchBindDeviceToEdgeInstanceWithDriver", InstanceId=edge, DriverId=driver, **params
            )

        assert code() == "MissingIotIds"
        assert code(IotIds=["x"] * 21) == "iot.common.ParameterSizeLimit"
        assert code(IotIds=["nothing"]) == "iot.device.NotExistedDevice"
        assert code(IotIds=[edge_setup.iot_id("gateway-2")]) == "iot.common.InvalidParam"
        assert code(OPCUA, IotIds=[edge_setup.iot_id("meter-1")]) == "iot.edge.InstanceDriverNotExist"
        monkeypatch.setattr(edge_devices, "MAX_DEVICES", 1)
        two = [edge_setup.iot_id("meter-1"), edge_setup.iot_id("meter-2")]
        assert code(IotIds=two) == "iot.edge.InstanceDeviceLimitation"
        unbind = "BatchUnbindDeviceFromEdgeInstance"
        assert edge_setup.api.error_code(unbind, InstanceId=edge) == "MissingIotIds"
        assert (
            edge_setup.api.error_code(unbind, InstanceId=edge, IotIds=["x"]) == "iot.device.NotExistedDevice"
        )

    def test_configurations_are_stored_listed_and_removed(self, edge_setup: EdgeSetup) -> None:
        edge = edge_setup.create_ready()
        one, two, three = edge_setup.bind(edge, "meter-1", "meter-2", "meter-3")
        texts = {one: '{"a": 1}', two: "oss://bucket/key", three: "a=1"}
        edge_setup.api.call(
            "BatchSetEdgeInstanceDeviceConfig",
            InstanceId=edge,
            DeviceConfigs=[{"IotId": iot_id, "Content": text} for iot_id, text in texts.items()],
        )

        def read_configs(*iot_ids: str) -> list[tuple[str, str, str]]:
            response = edge_setup.api.call(
                "BatchGetEdgeInstanceDeviceConfig", InstanceId=edge, IotIds=list(iot_ids)
            )
            return [
                (item["IotId"], item["Config"]["Format"], item["Config"]["Content"])
                for item in response["DeviceConfigList"]
            ]

        assert read_configs(three, one, two) == [
            (three, "KV", "a=1"),
            (one, "JSON", '{"a": 1}'),
            (two, "FILE", "oss://bucket/key"),
        ]
        edge_setup.api.call("BatchClearEdgeInstanceDeviceConfig", InstanceId=edge, IotIds=[one, two])
        assert read_configs(one, two, three) == [(three, "KV", "a=1")]

    def test_invalid_configurations_are_refused(self, edge_setup: EdgeSetup) -> None:
        edge = edge_setup.create_ready()
        (one,) = edge_setup.bind(edge, "meter-1")
        other_device = edge_setup.iot_id("meter-2")

        def code(configs: Any) -> str:
            return edge_setup.api.error_code(
                "BatchSetEdgeInstanceDeviceConfig", InstanceId=edge, DeviceConfigs=configs
            )

        assert code(None) == "MissingDeviceConfigs"
        assert code([{"IotId": one}]) == "iot.common.InvalidParam"
        assert code([{"IotId": one, "Content": "a"}] * 21) == "iot.common.ParameterSizeLimit"
        both = [{"IotId": one, "Content": "a"}, {"IotId": other_device, "Content": "a"}]
        assert code(both) == "iot.edge.InstanceDeviceNotExist"
        clear, get = "BatchClearEdgeInstanceDeviceConfig", "BatchGetEdgeInstanceDeviceConfig"
        assert edge_setup.api.error_code(clear, InstanceId=edge) == "MissingIotIds"
        assert (
            edge_setup.api.error_code(clear, InstanceId=edge, IotIds=[other_device])
            == "iot.edge.InstanceDeviceNotExist"
        )
        assert (
            edge_setup.api.error_code(get, InstanceId=edge, IotIds=["x"] * 21)
            == "iot.common.ParameterSizeLimit"
        )
        assert edge_setup.api.call(get, InstanceId=edge, IotIds=[one])["DeviceConfigList"] == []


class TestDeployments:
    def test_a_deployment_passes_its_stages_and_is_stored(self, edge_setup: EdgeSetup) -> None:
        edge = edge_setup.create_ready()
        edge_setup.bind(edge, "meter-1")
        deployment_id = edge_setup.deploy(edge)
        statuses = []
        for _ in range(12):
            data = edge_setup.deployment(edge, deployment_id)
            (task,) = data["TaskList"]
            if not statuses or statuses[-1] != (data["Status"], task["Stage"]):
                statuses.append((data["Status"], task["Stage"]))
            assert edge_setup.get(edge)["LatestDeploymentStatus"] == data["Status"] == task["Status"]
            edge_setup.api.clock.advance(1)
        assert statuses == [(WAITING, 0), (RUNNING, 8), (RUNNING, 16), (RUNNING, 24), (SUCCEEDED, 32)]
        assert task["GatewayId"] == edge_setup.iot_id("gateway-1")
        assert data["GmtCompletedTimestamp"] - data["GmtCreateTimestamp"] == 8000
        snapshots = task["ResourceSnapshotList"]
        assert [(s["ResourceType"], s["OperateType"], s["Stage"]) for s in snapshots] == [
            ("gateway_config", 0, 32),
            ("driver", 0, 32),
            ("device_config", 0, 32),
        ]
        lines = json.loads(snapshots[1]["Log"])
        assert [line["stage"] for line in lines] == [0, 8, 16, 24, 32]
        assert {line["resourceId"] for line in lines} == {MODBUS}
        assert edge_setup.get(edge)["LatestDeploymentType"] == "deploy"

    def test_a_deployment_ends_at_the_right_time_after_a_large_clock_step(
        self, edge_setup: EdgeSetup
    ) -> None:
        edge = edge_setup.create_ready()
        deployment_id = edge_setup.deploy(edge)
        edge_setup.api.clock.advance(86_400)
        data = edge_setup.deployment(edge, deployment_id)
        assert data["Status"] == SUCCEEDED
        assert data["GmtCompletedTimestamp"] - data["GmtCreateTimestamp"] == 8000

    def test_removed_resources_are_removed_from_the_gateway(self, edge_setup: EdgeSetup) -> None:
        edge = edge_setup.create_ready()
        edge_setup.deploy(edge)
        edge_setup.api.clock.advance(60)
        edge_setup.api.call("UnbindDriverFromEdgeInstance", InstanceId=edge, DriverId=MODBUS)
        edge_setup.api.call("BindDriverToEdgeInstance", InstanceId=edge, DriverId=OPCUA)

        def deploy_resources(kind: str) -> list[tuple[str, int]]:
            deployment_id = edge_setup.deploy(edge, kind)
            edge_setup.api.clock.advance(60)
            (task,) = edge_setup.deployment(edge, deployment_id)["TaskList"]
            return [(s["ResourceId"], s["OperateType"]) for s in task["ResourceSnapshotList"]]

        assert deploy_resources("deploy") == [("gateway_config", 0), (OPCUA, 0), (MODBUS, 1)]
        assert deploy_resources("reset") == [("gateway_config", 1), (OPCUA, 1)]
        assert edge_setup.get(edge)["LatestDeploymentType"] == "reset"

    def test_a_deployment_waits_for_an_offline_gateway_and_then_fails(self, edge_setup: EdgeSetup) -> None:
        edge = edge_setup.create_ready()
        edge_setup.set_status("gateway-1", "OFFLINE")
        first = edge_setup.deploy(edge)
        edge_setup.api.clock.advance(200)
        assert edge_setup.deployment(edge, first)["Status"] == RUNNING
        edge_setup.set_status("gateway-1", "ONLINE")
        edge_setup.api.clock.advance(10)
        assert edge_setup.deployment(edge, first)["Status"] == SUCCEEDED
        edge_setup.set_status("gateway-1", "OFFLINE")
        second = edge_setup.deploy(edge)
        edge_setup.api.clock.advance(400)
        data = edge_setup.deployment(edge, second)
        duration = data["GmtCompletedTimestamp"] - data["GmtCreateTimestamp"]
        assert (data["Status"], duration) == (FAILED, 308_000)
        assert data["TaskList"][0]["Stage"] == 24
        assert "not online" in data["TaskList"][0]["ResourceSnapshotList"][0]["Log"]

    def test_a_closed_deployment_fails_in_its_stage(self, edge_setup: EdgeSetup) -> None:
        edge = edge_setup.create_ready()
        deployment_id = edge_setup.deploy(edge)
        edge_setup.api.clock.advance(2)
        for _ in range(2):
            edge_setup.api.call("CloseEdgeInstanceDeployment", InstanceId=edge)
        edge_setup.api.clock.advance(60)
        data = edge_setup.deployment(edge, deployment_id)
        assert (data["Status"], data["TaskList"][0]["Stage"]) == (FAILED, 8)
        edge_setup.deploy(edge)

    def test_invalid_calls_are_refused(self, edge_setup: EdgeSetup) -> None:
        edge = edge_setup.create()

        def code(**params: Any) -> str:
            return edge_setup.api.error_code("CreateEdgeInstanceDeployment", InstanceId=edge, **params)

        assert code(Type="deploy") == "iot.edge.InstanceHasNoGateway"
        assert code() == "MissingType"
        assert code(Type="undeploy") == "iot.common.InvalidParam"
        edge = edge_setup.create_ready("edge_setup-2")
        edge_setup.deploy(edge)
        assert code(Type="reset") == "iot.edge.InstanceIsRunning"
        get = "GetEdgeInstanceDeployment"
        assert edge_setup.api.error_code(get, InstanceId=edge) == "MissingDeploymentId"
        assert (
            edge_setup.api.error_code(get, InstanceId=edge, DeploymentId="nothing")
            == "iot.edge.DeploymentNotExist"
        )

    def test_the_history_is_newest_first_and_filtered_by_time(self, edge_setup: EdgeSetup) -> None:
        edge = edge_setup.create_ready()
        ids = []
        for kind in ("deploy", "reset", "deploy"):
            ids.append(edge_setup.deploy(edge, kind))
            edge_setup.api.clock.advance(3600)

        def history(**params: Any) -> list[str]:
            name = "QueryEdgeInstanceHistoricDeployment"
            data = edge_setup.api.call(name, InstanceId=edge, **PAGE, **params)["Data"]
            assert data["Total"] == len(data["DeploymentList"])
            return [item["DeploymentId"] for item in data["DeploymentList"]]

        assert history() == ids[::-1]
        first = edge_setup.deployment(edge, ids[0])["GmtCreateTimestamp"]
        assert history(StartTime=first + 1) == [ids[2], ids[1]]
        assert history(StartTime=first, EndTime=first + 3_600_000) == [ids[1], ids[0]]
        name = "QueryEdgeInstanceHistoricDeployment"
        assert (
            edge_setup.api.error_code(name, InstanceId=edge, **PAGE, StartTime=2, EndTime=1)
            == "iot.check.ParameterIsNotLessThanMax"
        )
        assert (
            edge_setup.api.error_code(name, InstanceId=edge, **PAGE, StartTime=-1)
            == "iot.common.InvalidParam"
        )
        assert edge_setup.api.error_code(name, InstanceId=edge, CurrentPage=1) == "MissingPageSize"


def test_responses_have_the_structure_of_the_reference(edge_setup: EdgeSetup) -> None:
    edge = edge_setup.create_ready()
    ids = edge_setup.bind(edge, "meter-1")
    config = [{"Format": "KV", "Content": "a", "Key": "b"}]
    edge_setup.api.call("SetEdgeInstanceDriverConfigs", InstanceId=edge, DriverId=MODBUS, Configs=config)
    edge_setup.api.call(
        "BatchSetEdgeInstanceDeviceConfig",
        InstanceId=edge,
        DeviceConfigs=[{"IotId": ids[0], "Content": "a"}],
    )
    deployment_id = edge_setup.deploy(edge)
    edge_setup.api.clock.advance(60)
    calls: dict[str, dict[str, Any]] = {
        "GetEdgeInstance": {"InstanceId": edge},
        "QueryEdgeInstance": PAGE,
        "QueryEdgeInstanceGateway": {"InstanceId": edge},
        "QueryEdgeInstanceDriver": {"InstanceId": edge, **PAGE},
        "BatchGetEdgeInstanceDriverConfigs": {"InstanceId": edge, "DriverIds": [MODBUS]},
        "QueryEdgeInstanceDevice": {"InstanceId": edge, **PAGE},
        "BatchGetDeviceDriver": {"InstanceId": edge, "IotIds": ids},
        "BatchGetEdgeInstanceDeviceConfig": {"InstanceId": edge, "IotIds": ids},
        "GetEdgeInstanceDeployment": {"InstanceId": edge, "DeploymentId": deployment_id},
        "QueryEdgeInstanceHistoricDeployment": {"InstanceId": edge, **PAGE},
    }
    for name, params in calls.items():
        known = dict(catalogue.operation(name).response)
        response = edge_setup.api.call(name, **params)
        assert deviations(response, "", known) == [], name
        assert response["Code"] == "Success"
        xml = create_api(edge_setup.emulator, format="XML").call(name, **params)
        assert xml | {"RequestId": ""} == response | {"RequestId": ""}, name


def test_an_empty_list_of_an_edge_instance_is_visible_in_xml(edge_setup: EdgeSetup) -> None:
    edge = edge_setup.create_ready()
    one, _ = edge_setup.bind(edge, "meter-1", "meter-2")
    xml = create_api(edge_setup.emulator, format="XML")
    response = xml.call("BatchGetEdgeInstanceDeviceConfig", InstanceId=edge, IotIds=[one])
    assert response["DeviceConfigList"] == []


class TestSample:
    """The edge instances of the sample fleet."""

    def test_three_edge_instances_have_deployments_in_every_status(
        self, api: Api, emulator: Emulator
    ) -> None:
        emulator.seed(devices=400)
        edges = {e["Name"]: e for e in api.call("QueryEdgeInstance", **PAGE)["Data"]["InstanceList"]}
        latest = {name: edge["LatestDeploymentStatus"] for name, edge in edges.items()}
        assert latest == {"Starlight_Court": SUCCEEDED, "Jinji_Lake": RUNNING, "Canal_Mansions": WAITING}
        first = edges["Starlight_Court"]
        assert (first["Spec"], first["RoleName"]) == (30, "edge-reports")
        edge = {"InstanceId": first["InstanceId"]}
        assert len(api.call("QueryEdgeInstanceGateway", **edge)["GatewayList"]) == 1
        drivers = api.call("QueryEdgeInstanceDriver", **edge, **PAGE)["Data"]["DriverList"]
        assert len(drivers) == 2
        devices = api.call("QueryEdgeInstanceDevice", **edge, **PAGE)["Data"]["DeviceList"]
        assert devices
        ids = [device["IotId"] for device in devices][:20]
        assert api.call("BatchGetEdgeInstanceDeviceConfig", **edge, IotIds=ids)["DeviceConfigList"]
        history = api.call("QueryEdgeInstanceHistoricDeployment", **edge, **PAGE)["Data"]["DeploymentList"]
        assert {(item["Type"], item["Status"]) for item in history} == {
            ("deploy", SUCCEEDED),
            ("deploy", FAILED),
            ("reset", SUCCEEDED),
        }

    def test_waiting_deployments_continue(self, api: Api, emulator: Emulator) -> None:
        emulator.seed(devices=400)
        edges = {e["Name"]: e for e in api.call("QueryEdgeInstance", **PAGE)["Data"]["InstanceList"]}
        api.clock.advance(86_400 * 40)

        def status(name: str) -> int:
            edge = api.call("GetEdgeInstance", InstanceId=edges[name]["InstanceId"])
            return edge["Data"]["LatestDeploymentStatus"]

        assert status("Jinji_Lake") == FAILED
        assert status("Canal_Mansions") in (SUCCEEDED, FAILED)
        api.call("CloseEdgeInstanceDeployment", InstanceId=edges["Jinji_Lake"]["InstanceId"])

    @pytest.mark.parametrize("devices", [1, 30])
    def test_a_small_fleet_has_at_most_three_edge_instances(
        self, api: Api, emulator: Emulator, devices: int
    ) -> None:
        emulator.seed(devices=devices)
        assert api.call("QueryEdgeInstance", **PAGE)["Data"]["Total"] <= 3
