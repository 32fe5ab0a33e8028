"""Edge instances: what they hold, the limits of that, and bringing it to the gateway."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest

from console.cloud import catalogue
from console.emulator import Emulator
from console.emulator.edge import devices as edge_devices
from console.emulator.edge import drivers as edge_drivers
from console.emulator.edge import instances as edge_instances
from console.emulator.operations import HANDLERS
from tests.emulator.conftest import Api
from tests.emulator.test_ota_shapes import deviations

PAGE = {"CurrentPage": 1, "PageSize": 30}
MODBUS, OPCUA = list(edge_drivers.OFFICIAL)[:2]
INIT, GOING, SUCCEEDED, FAILED = 0, 1, 2, 3


@dataclass(frozen=True)
class Plant:
    """An account with a gateway and sub-devices, and edge instances made by hand."""

    api: Api
    emulator: Emulator
    gateways: str
    meters: str

    def edge(self, name: str = "plant-1", **params: Any) -> str:
        return self.api.call("CreateEdgeInstance", Name=name, **params)["InstanceId"]

    def get(self, edge: str) -> dict[str, Any]:
        return self.api.call("GetEdgeInstance", InstanceId=edge)["Data"]

    def iot_id(self, name: str) -> str:
        with self.emulator.store.read() as db:
            return db.execute("SELECT iot_id FROM devices WHERE name = ?", (name,)).fetchone()[0]

    def set_status(self, name: str, status: str) -> None:
        """Hold a device in a status, for it moves by itself otherwise."""
        with self.emulator.store.write() as db:
            db.execute("UPDATE devices SET status = ?, due = NULL WHERE name = ?", (status, name))

    def ready(self, name: str = "plant-1", gateway: str = "gateway-1") -> str:
        """An edge instance with a gateway that is online, and a driver."""
        edge = self.edge(name)
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

    def devices(self, edge: str) -> list[str]:
        answer = self.api.call("QueryEdgeInstanceDevice", InstanceId=edge, **PAGE)["Data"]
        return [device["DeviceName"] for device in answer["DeviceList"]]

    def deploy(self, edge: str, kind: str = "deploy") -> str:
        return self.api.call("CreateEdgeInstanceDeployment", InstanceId=edge, Type=kind)["DeploymentId"]

    def deployment(self, edge: str, deployment_id: str) -> dict[str, Any]:
        return self.api.call("GetEdgeInstanceDeployment", InstanceId=edge, DeploymentId=deployment_id)["Data"]


@pytest.fixture
def plant(api: Api, emulator: Emulator) -> Plant:
    gateways = api.product("Gateways", NodeType=1)
    meters = api.product("Meters")
    api.devices(gateways, "gateway-1", "gateway-2")
    api.devices(meters, *(f"meter-{n}" for n in range(1, 6)))
    return Plant(api, emulator, gateways, meters)


class TestInstances:
    def test_made_changed_and_deleted(self, plant: Plant) -> None:
        edge = plant.edge("厂房-1", Tags="room:1,floor:2", Spec=30)
        made = plant.get(edge)
        assert (made["InstanceId"], made["Name"], made["Tags"], made["Spec"]) == (
            edge,
            "厂房-1",
            "room:1,floor:2",
            30,
        )
        assert made["BizEnable"] is True
        assert "LatestDeploymentStatus" not in made
        assert made["GmtCreate"] == made["GmtModified"] == "2026-09-21 22:13:40"
        plant.api.clock.advance(60)
        plant.api.call("UpdateEdgeInstance", InstanceId=edge, Name="plant-2", BizEnable=False)
        changed = plant.get(edge)
        assert (changed["Name"], changed["Tags"], changed["Spec"], changed["BizEnable"]) == (
            "plant-2",
            "room:1,floor:2",
            30,
            False,
        )
        assert changed["GmtModifiedTimestamp"] == made["GmtCreateTimestamp"] + 60_000
        plant.api.call("UpdateEdgeInstance", InstanceId=edge, Name="plant-2", Tags="")
        assert plant.get(edge)["Tags"] == ""
        plant.api.call("DeleteEdgeInstance", InstanceId=edge)
        assert plant.api.refused("GetEdgeInstance", InstanceId=edge) == "iot.edge.InstanceNotExist"

    def test_the_standard_edition_unless_told(self, plant: Plant) -> None:
        assert plant.get(plant.edge())["Spec"] == 20

    @pytest.mark.parametrize(
        ("params", "code"),
        [
            ({}, "MissingName"),
            ({"Name": "x" * 21}, "iot.common.InvalidParam"),
            ({"Name": "十一个汉字长的名字太长了"}, "iot.common.InvalidParam"),
            ({"Name": "a b"}, "iot.common.InvalidParam"),
            ({"Name": "a", "Spec": 15}, "iot.common.InvalidParam"),
            ({"Name": "a", "Tags": "room"}, "iot.common.InvalidParam"),
            ({"Name": "a", "Tags": "room1:a"}, "iot.common.InvalidParam"),
            ({"Name": "a", "Tags": "room:"}, "iot.common.InvalidParam"),
            ({"Name": "a", "Tags": "room:1,room:2"}, "iot.common.InvalidParam"),
            ({"Name": "a", "Tags": "room:十一个汉字长的名字太长了"}, "iot.common.InvalidParam"),
        ],
    )
    def test_what_cannot_be_made(self, plant: Plant, params: dict[str, Any], code: str) -> None:
        assert plant.api.refused("CreateEdgeInstance", **params) == code

    def test_names_are_the_account_s_only_ones(self, plant: Plant, other: Api) -> None:
        plant.edge("plant-1")
        second = plant.edge("plant-2")
        assert plant.api.refused("CreateEdgeInstance", Name="plant-1") == "iot.edge.InstanceNameExist"
        assert (
            plant.api.refused("UpdateEdgeInstance", InstanceId=second, Name="plant-1")
            == "iot.edge.InstanceNameExist"
        )
        other.call("CreateEdgeInstance", Name="plant-1")

    def test_an_account_has_so_many(self, plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(edge_instances, "MAX_INSTANCES", 1)
        plant.edge("plant-1")
        assert plant.api.refused("CreateEdgeInstance", Name="b") == "iot.edge.InstanceNumLimitation"

    def test_listed_by_pages_newest_first(self, plant: Plant) -> None:
        for n in range(12):
            plant.edge(f"plant-{n}")
            plant.api.clock.advance(1)
        answer = plant.api.call("QueryEdgeInstance", CurrentPage=0, PageSize=3)["Data"]
        assert (answer["Total"], answer["PageSize"], answer["CurrentPage"]) == (12, 10, 1)
        assert [edge["Name"] for edge in answer["InstanceList"]] == [f"plant-{n}" for n in range(11, 1, -1)]
        second = plant.api.call("QueryEdgeInstance", CurrentPage=2, PageSize=10)["Data"]
        assert [edge["Name"] for edge in second["InstanceList"]] == ["plant-1", "plant-0"]
        named = plant.api.call("QueryEdgeInstance", Name="plant-7", **PAGE)["Data"]
        assert [edge["Name"] for edge in named["InstanceList"]] == ["plant-7"]
        assert (
            plant.api.refused("QueryEdgeInstance", CurrentPage=1, PageSize=31)
            == "iot.common.InvalidPageParams"
        )
        assert plant.api.refused("QueryEdgeInstance", CurrentPage=1) == "MissingPageSize"

    def test_what_it_holds_has_to_go_first(self, plant: Plant) -> None:
        edge = plant.ready()
        plant.bind(edge, "meter-1")
        assert plant.api.refused("DeleteEdgeInstance", InstanceId=edge) == "iot.edge.InstanceHasDevice"
        plant.api.call("BatchUnbindDeviceFromEdgeInstance", InstanceId=edge, IotIds=[plant.iot_id("meter-1")])
        assert plant.api.refused("DeleteEdgeInstance", InstanceId=edge) == "iot.edge.InstanceHasDriver"
        plant.api.call("UnbindDriverFromEdgeInstance", InstanceId=edge, DriverId=MODBUS)
        plant.deploy(edge)
        assert plant.api.refused("DeleteEdgeInstance", InstanceId=edge) == "iot.edge.InstanceIsRunning"
        plant.api.clock.advance(60)
        plant.api.call("DeleteEdgeInstance", InstanceId=edge)
        plant.ready("plant-3")  # its gateway is free again

    @pytest.mark.parametrize(
        "operation", [name for name in HANDLERS if catalogue.operation(name).group == "edge"]
    )
    def test_of_another_account_or_none_is_not_there(self, plant: Plant, other: Api, operation: str) -> None:
        if operation in ("CreateEdgeInstance", "QueryEdgeInstance"):
            assert other.call("QueryEdgeInstance", **PAGE)["Data"]["Total"] == 0
            return
        edge = plant.ready()
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
        wanted = {name: value for name, value in params.items() if name in bases}
        assert other.refused(operation, InstanceId=edge, **wanted) == "iot.edge.InstanceNotExist"
        assert plant.api.refused(operation, InstanceId="nothing", **wanted) == "iot.edge.InstanceNotExist"
        assert plant.api.refused(operation, **wanted) == "MissingInstanceId"


class TestGateways:
    def test_one_for_each_instance(self, plant: Plant) -> None:
        edge, second = plant.edge(), plant.edge("plant-2")
        assert plant.api.call("QueryEdgeInstanceGateway", InstanceId=edge)["GatewayList"] == []
        by_name = {"ProductKey": plant.gateways, "DeviceName": "gateway-1"}
        for _ in range(2):
            plant.api.call("BindGatewayToEdgeInstance", InstanceId=edge, **by_name)
        (gateway,) = plant.api.call("QueryEdgeInstanceGateway", InstanceId=edge)["GatewayList"]
        assert (gateway["ProductKey"], gateway["DeviceName"]) == (plant.gateways, "gateway-1")
        assert gateway["IotId"] == plant.iot_id("gateway-1")
        taken = "iot.edge.InstanceAlreadyBindGateway"
        assert plant.api.refused("BindGatewayToEdgeInstance", InstanceId=second, **by_name) == taken
        assert (
            plant.api.refused("BindGatewayToEdgeInstance", InstanceId=edge, IotId=plant.iot_id("gateway-2"))
            == taken
        )

    def test_refused(self, plant: Plant) -> None:
        edge = plant.edge()

        def code(**params: Any) -> str:
            return plant.api.refused("BindGatewayToEdgeInstance", InstanceId=edge, **params)

        assert code(IotId=plant.iot_id("meter-1")) == "iot.common.InvalidParam"
        assert code(IotId="nothing") == "iot.device.NotExistedDevice"
        assert code() == "iot.prod.NullProductKey"
        assert code(ProductKey=plant.gateways) == "iot.device.NullDeviceName"

    def test_a_deleted_gateway_is_none(self, plant: Plant) -> None:
        edge = plant.ready()
        plant.api.call("DeleteDevice", ProductKey=plant.gateways, DeviceName="gateway-1")
        assert plant.api.call("QueryEdgeInstanceGateway", InstanceId=edge)["GatewayList"] == []


class TestDrivers:
    def drivers(self, plant: Plant, edge: str) -> dict[str, str]:
        answer = plant.api.call("QueryEdgeInstanceDriver", InstanceId=edge, **PAGE)["Data"]
        assert answer["Total"] == len(answer["DriverList"])
        return {driver["DriverId"]: driver["DriverVersion"] for driver in answer["DriverList"]}

    def configs(self, plant: Plant, edge: str, *driver_ids: str) -> dict[str, list[dict[str, str]]]:
        answer = plant.api.call("BatchGetEdgeInstanceDriverConfigs", InstanceId=edge, DriverIds=driver_ids)
        return {item["DriverId"]: item["ConfigList"] for item in answer["DriverConfigList"]}

    def test_bound_once_more_in_another_version_and_unbound(self, plant: Plant) -> None:
        edge = plant.edge()
        own = "0123456789abcdef" * 2
        for driver, version in ((MODBUS, None), (own, "2.1.0"), (MODBUS, "1.2.0")):
            plant.api.call(
                "BindDriverToEdgeInstance", InstanceId=edge, DriverId=driver, DriverVersion=version
            )
        assert self.drivers(plant, edge) == {MODBUS: "1.2.0", own: "2.1.0"}
        for _ in range(2):
            plant.api.call("UnbindDriverFromEdgeInstance", InstanceId=edge, DriverId=own)
        assert self.drivers(plant, edge) == {MODBUS: "1.2.0"}

    def test_refused(self, plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
        edge = plant.ready()
        bind = "BindDriverToEdgeInstance"
        assert plant.api.refused(bind, InstanceId=edge) == "MissingDriverId"
        assert plant.api.refused(bind, InstanceId=edge, DriverId="modbus") == "iot.edge.DriverNotExist"
        monkeypatch.setattr(edge_drivers, "MAX_DRIVERS", 1)
        plant.api.call(bind, InstanceId=edge, DriverId=MODBUS)
        assert plant.api.refused(bind, InstanceId=edge, DriverId=OPCUA) == "iot.edge.InstanceDriverLimitation"
        plant.bind(edge, "meter-1")
        unbind = "UnbindDriverFromEdgeInstance"
        assert plant.api.refused(unbind, InstanceId=edge, DriverId=MODBUS) == "iot.edge.DriverHasDevice"
        assert plant.api.refused(unbind, InstanceId=edge, DriverId="modbus") == "iot.edge.DriverNotExist"

    def test_configurations_take_the_place_of_the_old_ones(self, plant: Plant) -> None:
        edge = plant.ready()
        one = [{"Format": "JSON", "Content": '{"test":123}'}]
        two = [
            {"Format": "KV", "Content": "baud=9600", "Key": "serial"},
            {"Format": "FILE", "Content": "https://bucket.oss-cn-shanghai.aliyuncs.com/c.txt", "Key": "file"},
        ]
        for configs in (one, two):
            plant.api.call("SetEdgeInstanceDriverConfigs", InstanceId=edge, DriverId=MODBUS, Configs=configs)
            told = self.configs(plant, edge, OPCUA, MODBUS)
            assert list(told) == [MODBUS]
            assert [{k: v for k, v in item.items() if k != "ConfigId"} for item in told[MODBUS]] == configs
            assert len({item["ConfigId"] for item in told[MODBUS]}) == len(configs)
        plant.api.call("ClearEdgeInstanceDriverConfigs", InstanceId=edge, DriverId=MODBUS)
        assert self.configs(plant, edge, MODBUS) == {MODBUS: []}

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
    def test_configurations_refused(self, plant: Plant, configs: Any, code: str) -> None:
        edge = plant.ready()
        assert (
            plant.api.refused(
                "SetEdgeInstanceDriverConfigs", InstanceId=edge, DriverId=MODBUS, Configs=configs
            )
            == code
        )

    def test_of_drivers_it_has(self, plant: Plant) -> None:
        edge = plant.ready()
        missing = "iot.edge.InstanceDriverNotExist"
        config = [{"Format": "KV", "Content": "a"}]
        pair = {"InstanceId": edge, "DriverId": OPCUA}
        assert plant.api.refused("SetEdgeInstanceDriverConfigs", **pair, Configs=config) == missing
        assert plant.api.refused("ClearEdgeInstanceDriverConfigs", **pair) == missing
        assert plant.api.refused("QueryDeviceByDriver", **pair, **PAGE) == missing
        assert plant.api.refused("ClearEdgeInstanceDriverConfigs", InstanceId=edge) == "MissingDriverId"
        many = "BatchGetEdgeInstanceDriverConfigs"
        assert plant.api.refused(many, InstanceId=edge) == "MissingDriverIds"
        assert (
            plant.api.refused(many, InstanceId=edge, DriverIds=[MODBUS] * 21)
            == "iot.common.ParameterSizeLimit"
        )


class TestDevices:
    def test_bound_under_a_driver_moved_to_another_and_unbound(self, plant: Plant) -> None:
        edge = plant.ready()
        plant.api.call("BindDriverToEdgeInstance", InstanceId=edge, DriverId=OPCUA)
        one, two = plant.bind(edge, "meter-1", "meter-2")
        plant.bind(edge, "meter-2", driver=OPCUA)
        assert plant.devices(edge) == ["meter-2", "meter-1"]
        drivers = plant.api.call("BatchGetDeviceDriver", InstanceId=edge, IotIds=[two, "nothing", one])
        assert drivers["DeviceDriverList"] == [
            {"IotId": two, "DriverId": OPCUA},
            {"IotId": one, "DriverId": MODBUS},
        ]
        under = plant.api.call("QueryDeviceByDriver", InstanceId=edge, DriverId=OPCUA, **PAGE)["Data"]
        assert (under["Total"], under["DeviceList"]) == (
            1,
            [{"IotId": two, "ProductKey": plant.meters, "DeviceName": "meter-2"}],
        )
        for _ in range(2):
            plant.api.call("BatchUnbindDeviceFromEdgeInstance", InstanceId=edge, IotIds=[one])
        assert plant.devices(edge) == ["meter-2"]
        plant.api.call("DeleteDevice", ProductKey=plant.meters, DeviceName="meter-2")
        assert plant.devices(edge) == []

    def test_in_one_instance_only(self, plant: Plant) -> None:
        first, second = plant.ready(), plant.ready("plant-2", "gateway-2")
        plant.bind(first, "meter-1")
        ids = [plant.iot_id(name) for name in ("meter-2", "meter-1")]
        bind = "BatchBindDeviceToEdgeInstanceWithDriver"
        code = plant.api.refused(bind, InstanceId=second, DriverId=MODBUS, IotIds=ids)
        assert code == "iot.edge.InstanceAlreadyBindDevice"
        assert plant.devices(second) == []  # all or none

    def test_refused(self, plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
        edge = plant.ready()

        def code(driver: str = MODBUS, **params: Any) -> str:
            return plant.api.refused(
                "BatchBindDeviceToEdgeInstanceWithDriver", InstanceId=edge, DriverId=driver, **params
            )

        assert code() == "MissingIotIds"
        assert code(IotIds=["x"] * 21) == "iot.common.ParameterSizeLimit"
        assert code(IotIds=["nothing"]) == "iot.device.NotExistedDevice"
        assert code(IotIds=[plant.iot_id("gateway-2")]) == "iot.common.InvalidParam"
        assert code(OPCUA, IotIds=[plant.iot_id("meter-1")]) == "iot.edge.InstanceDriverNotExist"
        monkeypatch.setattr(edge_devices, "MAX_DEVICES", 1)
        two = [plant.iot_id("meter-1"), plant.iot_id("meter-2")]
        assert code(IotIds=two) == "iot.edge.InstanceDeviceLimitation"
        unbind = "BatchUnbindDeviceFromEdgeInstance"
        assert plant.api.refused(unbind, InstanceId=edge) == "MissingIotIds"
        assert plant.api.refused(unbind, InstanceId=edge, IotIds=["x"]) == "iot.device.NotExistedDevice"

    def test_configurations_are_kept_told_and_cleared(self, plant: Plant) -> None:
        edge = plant.ready()
        one, two, three = plant.bind(edge, "meter-1", "meter-2", "meter-3")
        texts = {one: '{"a": 1}', two: "oss://bucket/key", three: "a=1"}
        plant.api.call(
            "BatchSetEdgeInstanceDeviceConfig",
            InstanceId=edge,
            DeviceConfigs=[{"IotId": iot_id, "Content": text} for iot_id, text in texts.items()],
        )

        def told(*iot_ids: str) -> list[tuple[str, str, str]]:
            answer = plant.api.call("BatchGetEdgeInstanceDeviceConfig", InstanceId=edge, IotIds=list(iot_ids))
            return [
                (item["IotId"], item["Config"]["Format"], item["Config"]["Content"])
                for item in answer["DeviceConfigList"]
            ]

        assert told(three, one, two) == [
            (three, "KV", "a=1"),
            (one, "JSON", '{"a": 1}'),
            (two, "FILE", "oss://bucket/key"),
        ]
        plant.api.call("BatchClearEdgeInstanceDeviceConfig", InstanceId=edge, IotIds=[one, two])
        assert told(one, two, three) == [(three, "KV", "a=1")]

    def test_configurations_refused(self, plant: Plant) -> None:
        edge = plant.ready()
        (one,) = plant.bind(edge, "meter-1")
        stranger = plant.iot_id("meter-2")

        def code(configs: Any) -> str:
            return plant.api.refused(
                "BatchSetEdgeInstanceDeviceConfig", InstanceId=edge, DeviceConfigs=configs
            )

        assert code(None) == "MissingDeviceConfigs"
        assert code([{"IotId": one}]) == "iot.common.InvalidParam"
        assert code([{"IotId": one, "Content": "a"}] * 21) == "iot.common.ParameterSizeLimit"
        both = [{"IotId": one, "Content": "a"}, {"IotId": stranger, "Content": "a"}]
        assert code(both) == "iot.edge.InstanceDeviceNotExist"
        clear, get = "BatchClearEdgeInstanceDeviceConfig", "BatchGetEdgeInstanceDeviceConfig"
        assert plant.api.refused(clear, InstanceId=edge) == "MissingIotIds"
        assert (
            plant.api.refused(clear, InstanceId=edge, IotIds=[stranger]) == "iot.edge.InstanceDeviceNotExist"
        )
        assert plant.api.refused(get, InstanceId=edge, IotIds=["x"] * 21) == "iot.common.ParameterSizeLimit"
        assert plant.api.call(get, InstanceId=edge, IotIds=[one])["DeviceConfigList"] == []


class TestDeployments:
    def test_passes_its_stages_and_is_kept(self, plant: Plant) -> None:
        edge = plant.ready()
        plant.bind(edge, "meter-1")
        made = plant.deploy(edge)
        seen = []
        for _ in range(12):
            data = plant.deployment(edge, made)
            (task,) = data["TaskList"]
            if not seen or seen[-1] != (data["Status"], task["Stage"]):
                seen.append((data["Status"], task["Stage"]))
            assert plant.get(edge)["LatestDeploymentStatus"] == data["Status"] == task["Status"]
            plant.api.clock.advance(1)
        assert seen == [(INIT, 0), (GOING, 8), (GOING, 16), (GOING, 24), (SUCCEEDED, 32)]
        assert task["GatewayId"] == plant.iot_id("gateway-1")
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
        assert plant.get(edge)["LatestDeploymentType"] == "deploy"

    def test_turned_far_in_one_step_it_ends_when_it_would_have(self, plant: Plant) -> None:
        edge = plant.ready()
        made = plant.deploy(edge)
        plant.api.clock.advance(86_400)
        data = plant.deployment(edge, made)
        assert data["Status"] == SUCCEEDED
        assert data["GmtCompletedTimestamp"] - data["GmtCreateTimestamp"] == 8000

    def test_what_is_no_more_is_taken_off_the_gateway(self, plant: Plant) -> None:
        edge = plant.ready()
        plant.deploy(edge)
        plant.api.clock.advance(60)
        plant.api.call("UnbindDriverFromEdgeInstance", InstanceId=edge, DriverId=MODBUS)
        plant.api.call("BindDriverToEdgeInstance", InstanceId=edge, DriverId=OPCUA)

        def carried(kind: str) -> list[tuple[str, int]]:
            made = plant.deploy(edge, kind)
            plant.api.clock.advance(60)
            (task,) = plant.deployment(edge, made)["TaskList"]
            return [(s["ResourceId"], s["OperateType"]) for s in task["ResourceSnapshotList"]]

        assert carried("deploy") == [("gateway_config", 0), (OPCUA, 0), (MODBUS, 1)]
        assert carried("reset") == [("gateway_config", 1), (OPCUA, 1)]
        assert plant.get(edge)["LatestDeploymentType"] == "reset"

    def test_it_waits_for_a_gateway_that_is_not_online_and_then_fails(self, plant: Plant) -> None:
        edge = plant.ready()
        plant.set_status("gateway-1", "OFFLINE")
        patient, late = plant.deploy(edge), 0
        plant.api.clock.advance(200)
        assert plant.deployment(edge, patient)["Status"] == GOING
        plant.set_status("gateway-1", "ONLINE")
        plant.api.clock.advance(10)
        assert plant.deployment(edge, patient)["Status"] == SUCCEEDED
        plant.set_status("gateway-1", "OFFLINE")
        vain = plant.deploy(edge)
        plant.api.clock.advance(400)
        data = plant.deployment(edge, vain)
        late = data["GmtCompletedTimestamp"] - data["GmtCreateTimestamp"]
        assert (data["Status"], late) == (FAILED, 308_000)
        assert data["TaskList"][0]["Stage"] == 24
        assert "not online" in data["TaskList"][0]["ResourceSnapshotList"][0]["Log"]

    def test_closed_it_fails_where_it_is(self, plant: Plant) -> None:
        edge = plant.ready()
        made = plant.deploy(edge)
        plant.api.clock.advance(2)
        for _ in range(2):
            plant.api.call("CloseEdgeInstanceDeployment", InstanceId=edge)
        plant.api.clock.advance(60)
        data = plant.deployment(edge, made)
        assert (data["Status"], data["TaskList"][0]["Stage"]) == (FAILED, 8)
        plant.deploy(edge)

    def test_refused(self, plant: Plant) -> None:
        edge = plant.edge()

        def code(**params: Any) -> str:
            return plant.api.refused("CreateEdgeInstanceDeployment", InstanceId=edge, **params)

        assert code(Type="deploy") == "iot.edge.InstanceHasNoGateway"
        assert code() == "MissingType"
        assert code(Type="undeploy") == "iot.common.InvalidParam"
        edge = plant.ready("plant-2")
        plant.deploy(edge)
        assert code(Type="reset") == "iot.edge.InstanceIsRunning"
        get = "GetEdgeInstanceDeployment"
        assert plant.api.refused(get, InstanceId=edge) == "MissingDeploymentId"
        assert (
            plant.api.refused(get, InstanceId=edge, DeploymentId="nothing") == "iot.edge.DeploymentNotExist"
        )

    def test_history_newest_first_and_by_time(self, plant: Plant) -> None:
        edge = plant.ready()
        made = []
        for kind in ("deploy", "reset", "deploy"):
            made.append(plant.deploy(edge, kind))
            plant.api.clock.advance(3600)

        def history(**params: Any) -> list[str]:
            name = "QueryEdgeInstanceHistoricDeployment"
            data = plant.api.call(name, InstanceId=edge, **PAGE, **params)["Data"]
            assert data["Total"] == len(data["DeploymentList"])
            return [item["DeploymentId"] for item in data["DeploymentList"]]

        assert history() == made[::-1]
        first = plant.deployment(edge, made[0])["GmtCreateTimestamp"]
        assert history(StartTime=first + 1) == [made[2], made[1]]
        assert history(StartTime=first, EndTime=first + 3_600_000) == [made[1], made[0]]
        name = "QueryEdgeInstanceHistoricDeployment"
        assert (
            plant.api.refused(name, InstanceId=edge, **PAGE, StartTime=2, EndTime=1)
            == "iot.check.ParameterIsNotLessThanMax"
        )
        assert plant.api.refused(name, InstanceId=edge, **PAGE, StartTime=-1) == "iot.common.InvalidParam"
        assert plant.api.refused(name, InstanceId=edge, CurrentPage=1) == "MissingPageSize"


def test_answers_have_the_shape_of_the_reference(plant: Plant) -> None:
    edge = plant.ready()
    ids = plant.bind(edge, "meter-1")
    config = [{"Format": "KV", "Content": "a", "Key": "b"}]
    plant.api.call("SetEdgeInstanceDriverConfigs", InstanceId=edge, DriverId=MODBUS, Configs=config)
    plant.api.call(
        "BatchSetEdgeInstanceDeviceConfig",
        InstanceId=edge,
        DeviceConfigs=[{"IotId": ids[0], "Content": "a"}],
    )
    made = plant.deploy(edge)
    plant.api.clock.advance(60)
    calls: dict[str, dict[str, Any]] = {
        "GetEdgeInstance": {"InstanceId": edge},
        "QueryEdgeInstance": PAGE,
        "QueryEdgeInstanceGateway": {"InstanceId": edge},
        "QueryEdgeInstanceDriver": {"InstanceId": edge, **PAGE},
        "BatchGetEdgeInstanceDriverConfigs": {"InstanceId": edge, "DriverIds": [MODBUS]},
        "QueryEdgeInstanceDevice": {"InstanceId": edge, **PAGE},
        "BatchGetDeviceDriver": {"InstanceId": edge, "IotIds": ids},
        "BatchGetEdgeInstanceDeviceConfig": {"InstanceId": edge, "IotIds": ids},
        "GetEdgeInstanceDeployment": {"InstanceId": edge, "DeploymentId": made},
        "QueryEdgeInstanceHistoricDeployment": {"InstanceId": edge, **PAGE},
    }
    for name, params in calls.items():
        known = dict(catalogue.operation(name).response)
        answer = plant.api.call(name, **params)
        assert deviations(answer, "", known) == [], name
        assert answer["Code"] == "Success"


class TestSample:
    """What the sample fleet has of it."""

    def test_three_instances_with_deployments_in_every_state(self, api: Api, emulator: Emulator) -> None:
        emulator.seed(devices=400)
        edges = {e["Name"]: e for e in api.call("QueryEdgeInstance", **PAGE)["Data"]["InstanceList"]}
        latest = {name: edge["LatestDeploymentStatus"] for name, edge in edges.items()}
        assert latest == {"Starlight_Court": SUCCEEDED, "Jinji_Lake": GOING, "Canal_Mansions": INIT}
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

    def test_the_waiting_ones_go_on(self, api: Api, emulator: Emulator) -> None:
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
    def test_a_small_fleet_has_what_its_gateways_allow(
        self, api: Api, emulator: Emulator, devices: int
    ) -> None:
        emulator.seed(devices=devices)
        assert api.call("QueryEdgeInstance", **PAGE)["Data"]["Total"] <= 3
