"""Whole pieces of work, done through the official SDK."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from Tea.exceptions import TeaException

from console.cloud import object_storage
from tests.conformance.edge import MODBUS, OPCUA
from tests.conformance.ota_packages import upload
from tests.conformance.platform import KEY_ID, PreparedPlatform, Server, column
from tests.conformance.sdk import SCHEMES, Sdk
from tests.conformance.things import MODEL, prop

FLEET, BATCH = 25_000, 10_000


@pytest.fixture(params=SCHEMES)
def platform(request: pytest.FixtureRequest, server: Server, tmp_path: Path) -> Iterator[PreparedPlatform]:
    with PreparedPlatform.on(server, tmp_path, request.param) as platform:
        yield platform


@pytest.mark.parametrize("platform", SCHEMES[:1], indirect=True)
def test_25_000_devices_are_registered_in_batches_and_paged_through(platform: PreparedPlatform) -> None:
    key = platform.product("Meters_1")
    names = [f"meter-{n:05}" for n in range(FLEET)]
    made: dict[str, str] = {}
    for start in range(0, FLEET, BATCH):
        batch = names[start : start + BATCH]
        apply_id = platform.call("BatchCheckDeviceNames", ProductKey=key, DeviceName=batch)["Data"]["ApplyId"]
        wait_for(platform, key, apply_id, "CHECK_SUCCESS")
        platform.call("BatchRegisterDeviceWithApplyId", ProductKey=key, ApplyId=apply_id)
        wait_for(platform, key, apply_id, "CREATE_SUCCESS")
        page = 1
        while True:
            told = platform.call("QueryPageByApplyId", ApplyId=apply_id, CurrentPage=page, PageSize=50)
            for device in told["ApplyDeviceList"]["ApplyDeviceInfo"]:
                made[device["DeviceName"]] = device["DeviceSecret"]
            if page >= told["PageCount"]:
                break
            page += 1
        assert told["Total"] == len(batch)
    assert list(made) == names

    seen: list[str] = []
    secrets: dict[str, str] = {}
    token, page = None, 1
    while token != "":
        params = {"NextToken": token} if token else {}
        told = platform.call("QueryDevice", ProductKey=key, PageSize=50, CurrentPage=page, **params)
        assert told["Total"] == FLEET
        for device in told["Data"]["DeviceInfo"]:
            seen.append(device["DeviceName"])
            secrets[device["DeviceName"]] = device["DeviceSecret"]
        token, page = told["NextToken"], page + 1
    assert seen == names[::-1]
    assert secrets == made
    assert (
        platform.refused("QueryDevice", ProductKey=key, PageSize=50, CurrentPage=201)
        == "iot.common.InvalidPageParams"
    )
    assert platform.call("QueryDeviceStatistics", ProductKey=key)["Data"]["deviceCount"] == FLEET


def wait_for(platform: PreparedPlatform, key: str, apply_id: int, wanted: str) -> None:
    """Ask for an application's state until it is that one."""
    for _ in range(20):
        told = platform.call("QueryBatchRegisterDeviceStatus", ProductKey=key, ApplyId=apply_id)["Data"]
        if told["Status"] == wanted:
            return
        platform.clock.advance(0.5)
    raise AssertionError(f"never {wanted}, but {told['Status']}")


def test_the_whole_life_of_an_update(platform: PreparedPlatform) -> None:
    key = platform.devices(*(f"dev-{n:02}" for n in range(30)))
    for n in range(30):
        platform.hold(f"dev-{n:02}")
        platform.version(f"dev-{n:02}", "1.0.0" if n < 28 else "0.9.0")
    platform.call("CreateOTAModule", ProductKey=key, ModuleName="radio", AliasName="Radio")

    package = platform.call(
        "CreateOTAFirmware",
        ProductKey=key,
        FirmwareName="release-2",
        DestVersion="2.0.0",
        FirmwareUrl=upload(platform, b"image" * 1000),
        SignMethod="MD5",
        NeedToVerify=True,
    )["Data"]["FirmwareId"]
    every = {"FirmwareId": package, "ProductKey": key, "TargetSelection": "ALL"}
    assert platform.refused("CreateOTAStaticUpgradeJob", **every) == "iot.firmware.FirmwareNotVerified"

    trial = platform.call(
        "CreateOTAVerifyJob", FirmwareId=package, ProductKey=key, TargetDeviceName=["dev-00", "dev-01"]
    )
    run_out(platform, trial["Data"]["JobId"])
    for _ in range(5):  # an update may fail, and then is tried again
        if platform.call("QueryOTAFirmware", FirmwareId=package)["FirmwareInfo"]["Status"] == 1:
            break
        left = [f"dev-{n:02}" for n in range(28) if world_version(platform, key, f"dev-{n:02}") == "1.0.0"][
            :2
        ]
        again = platform.call("CreateOTAVerifyJob", FirmwareId=package, ProductKey=key, TargetDeviceName=left)
        run_out(platform, again["Data"]["JobId"])

    form = platform.call("GenerateDeviceNameListURL")["Data"]
    wave = [name for n in range(28) if world_version(platform, key, name := f"dev-{n:02}") == "1.0.0"][:10]
    object_storage.upload_file(
        object_storage.UploadForm.from_response(form), io.BytesIO("\r\n".join(wave).encode())
    )
    first = platform.call(
        "CreateOTAStaticUpgradeJob",
        FirmwareId=package,
        ProductKey=key,
        TargetSelection="SPECIFIC",
        DnListFileUrl=form["FileUrl"],
        RetryInterval=10,
        RetryCount=5,
        Tag=[{"Key": "wave", "Value": "1"}],
    )["Data"]["JobId"]
    run_out(platform, first, 4 * 3600)
    done = {task["DeviceName"]: task["TaskStatus"] for task in tasks(platform, first)}
    assert set(done) == set(wave)
    assert {world_version(platform, key, name) for name, state in done.items() if state == "SUCCEEDED"} == {
        "2.0.0"
    }
    assert list(done.values()).count("SUCCEEDED") >= 5

    policy = {
        "FirmwareId": package,
        "ProductKey": key,
        "SrcVersion": ["1.0.0"],
        "DynamicMode": 1,
        "NeedConfirm": True,
    }
    rest = platform.call("CreateOTADynamicUpgradeJob", **policy)["Data"]["JobId"]
    assert (
        platform.refused("CreateOTADynamicUpgradeJob", **policy) == "iot.firmware.InProgressDynamicJobExisted"
    )
    waiting = column(tasks(platform, rest, TaskStatus="CONFIRM"), "TaskId")
    platform.call("ConfirmOTATask", TaskId=waiting[:5])
    run_out(platform, rest, 1800)
    after = column(tasks(platform, rest), "TaskStatus")
    assert after.count("CONFIRM") == len(waiting) - 5
    assert after.count("SUCCEEDED") + after.count("FAILED") == 5
    platform.call("CancelOTATaskByJob", JobId=rest, CancelQueuedTask=True, CancelUnconfirmedTask=True)
    platform.call("CancelOTAStrategyByJob", JobId=rest)
    assert column(tasks(platform, rest), "TaskStatus").count("CANCELED") == len(waiting) - 5
    jobs = platform.call("ListOTAJobByFirmware", FirmwareId=package, CurrentPage=1, PageSize=10)["Data"][
        "SimpleOTAJobInfo"
    ]
    assert column(jobs, "JobId")[:2] == [rest, first]
    assert column(jobs, "JobStatus")[1] == "COMPLETED"


def tasks(platform: PreparedPlatform, job: str, **params: Any) -> list[dict[str, Any]]:
    told = platform.call("ListOTATaskByJob", JobId=job, CurrentPage=1, PageSize=100, **params)["Data"]
    return told.get("SimpleOTATaskInfo") or []


def run_out(platform: PreparedPlatform, job: str, seconds: int = 1200) -> None:
    """Let time pass in steps, with somebody looking at the batch, until it is over or so many seconds are."""
    for _ in range(seconds // 60):
        if platform.call("QueryOTAJob", JobId=job)["Data"]["JobStatus"] in ("COMPLETED", "CANCELED"):
            break
        platform.clock.advance(60)


def world_version(platform: PreparedPlatform, key: str, name: str) -> str:
    """The version that a device tells of its default module."""
    told = platform.call(
        "ListOTAModuleVersionsByDevice", ProductKey=key, DeviceName=name, CurrentPage=1, PageSize=10
    )
    versions = {item["ModuleName"]: item["ModuleVersion"] for item in told["Data"]["SimpleOTAModuleInfo"]}
    return versions["default"]


def test_a_thing_model_is_made_published_copied_and_imported(platform: PreparedPlatform) -> None:
    senior = {"AliyunCommodityCode": "iothub_senior", "DataFormat": 1}
    first, second, third = (platform.product(name, **senior) for name in ("First_1", "Second_1", "Third_1"))
    platform.call("CreateThingModel", ProductKey=first, ThingModelJson=json.dumps(MODEL))
    block = {"FunctionBlockId": "Battery", "FunctionBlockName": "Battery_Module"}
    charge = json.dumps({"properties": [prop("Charge")]})
    platform.call("CreateThingModel", ProductKey=first, ThingModelJson=charge, **block)
    platform.call("PublishThingModel", ProductKey=first, ModelVersion="v1", Description="first")
    change = json.dumps(
        {"properties": [prop("Level", dataSpecs={"dataType": "INT", "min": "0", "max": "9", "step": "1"})]}
    )
    platform.call("UpdateThingModel", ProductKey=first, Identifier="Level", ThingModelJson=change)
    assert maximum(platform, first, "QueryThingModel") == "9"
    assert maximum(platform, first, "QueryThingModelPublished") == "100"
    platform.call("PublishThingModel", ProductKey=first, ModelVersion="v2", Description="second")
    versions = platform.call("ListThingModelVersion", ProductKey=first)["Data"]["ModelVersions"]
    assert sorted(column(versions, "ModelVersion")) == ["v1", "v2"]
    assert maximum(platform, first, "QueryThingModelPublished", ModelVersion="v1") == "100"
    assert maximum(platform, first, "QueryThingModelPublished") == "9"

    platform.call("CopyThingModel", SourceProductKey=first, SourceModelVersion="v1", TargetProductKey=second)
    assert maximum(platform, second, "QueryThingModel") == "100"
    tsl = platform.call("GetThingModelTslPublished", ProductKey=first)["Data"]["TslStr"]
    platform.call("ImportThingModelTsl", ProductKey=third, TslStr=tsl)
    assert maximum(platform, third, "QueryThingModel") == "9"
    platform.call("DeleteThingModel", ProductKey=third, ServiceIdentifier=["Restart"])
    platform.call("PublishThingModel", ProductKey=third, ModelVersion="v1")

    device = platform.device(third, "dev-1")
    platform.hold("dev-1")
    asked = {"IotId": device["IotId"], "Items": json.dumps({"Level": 10})}
    assert platform.refused("SetDeviceProperty", **asked) == "iot.device.SetDevicePropertyFailed"
    platform.call("SetDeviceProperty", IotId=device["IotId"], Items=json.dumps({"Level": 7}))
    platform.clock.advance(5)
    status = platform.call("QueryDevicePropertyStatus", IotId=device["IotId"])["Data"]["List"][
        "PropertyStatusInfo"
    ]
    assert {info["Identifier"]: info["Value"] for info in status} == {"Level": "7"}
    platform.call("ReleaseProduct", ProductKey=third)
    frozen = platform.refused("CreateThingModel", ProductKey=third, ThingModelJson=charge)
    assert frozen == "iot.prod.UpdateProductFailed"


def maximum(platform: PreparedPlatform, key: str, operation: str, **params: Any) -> str:
    """The largest value of the property Level, as that operation tells it."""
    told = platform.call(operation, ProductKey=key, **params)["Data"]["ThingModelJson"]
    (level,) = (item for item in json.loads(told)["properties"] if item["identifier"] == "Level")
    return str(level["dataSpecs"]["max"]).removesuffix(".0")


def test_a_rule_sends_data_to_consumer_groups(platform: PreparedPlatform) -> None:
    key = platform.devices("dev-1")
    platform.hold("dev-1", status_since=platform.clock.now() - 3_600_000)
    groups = {
        name: platform.call("CreateConsumerGroup", GroupName=name)["GroupId"]
        for name in ("billing", "alerts")
    }
    rule = platform.call("CreateRule", Name="hot_rooms", ProductKey=key, TopicType=0, DataType="JSON")[
        "RuleId"
    ]
    assert platform.refused("StartRule", RuleId=rule) == "iot.rule.NullSqlForRule"
    platform.call(
        "UpdateRule",
        RuleId=rule,
        ProductKey=key,
        ShortTopic="+/thing/event/property/post",
        TopicType=0,
        Select="deviceName() as deviceName, items.Temperature.value as t",
    )
    assert platform.refused("StartRule", RuleId=rule) == "iot.rule.NullForwardDestForRule"
    forward = {"RuleId": rule, "Type": "AMQP", "Configuration": json.dumps({"groupId": groups["billing"]})}
    action = platform.call("CreateRuleAction", **forward)["ActionId"]
    back = json.dumps({"topic": f"/{key}/dev-1/user/get", "topicType": 1})
    platform.call("CreateRuleAction", RuleId=rule, Type="REPUBLISH", Configuration=back)
    listed = platform.call("ListRuleActions", RuleId=rule)["RuleActionList"]["RuleActionInfo"]
    assert sorted(column(listed, "Type")) == ["AMQP", "REPUBLISH"]
    platform.call("StartRule", RuleId=rule)
    assert platform.call("GetRule", RuleId=rule)["RuleInfo"]["Status"] == "RUNNING"
    assert (
        platform.refused("DeleteConsumerGroup", GroupId=groups["billing"])
        == "iot.consumer.group.DeleteConsumerGroupFailed"
    )

    subscription = {"ProductKey": key, "Type": "AMQP", "DeviceDataFlag": True}
    platform.call("CreateSubscribeRelation", **subscription, ConsumerGroupIds=[groups["alerts"]])
    platform.call("CreateConsumerGroupSubscribeRelation", ProductKey=key, ConsumerGroupId=groups["billing"])
    platform.clock.advance(3600)
    assert waiting(platform, groups["billing"]) > waiting(platform, groups["alerts"]) > 0
    platform.call("ResetConsumerGroupPosition", GroupId=groups["alerts"])
    assert waiting(platform, groups["alerts"]) == 0

    platform.call("StopRule", RuleId=rule)
    platform.call(
        "UpdateRuleAction",
        ActionId=action,
        Type="AMQP",
        Configuration=json.dumps({"groupId": groups["alerts"]}),
    )
    platform.call("DeleteSubscribeRelation", ProductKey=key, Type="AMQP")
    platform.call("DeleteConsumerGroup", GroupId=groups["billing"])
    platform.call("DeleteRule", RuleId=rule)
    platform.call("DeleteConsumerGroup", GroupId=groups["alerts"])
    left = platform.call("QueryConsumerGroupList", CurrentPage=1)["Data"]["ConsumerGroupDTO"]
    assert column(left, "GroupId") == ["DEFAULT_GROUP"]


def waiting(platform: PreparedPlatform, group: str) -> int:
    return int(platform.call("QueryConsumerGroupStatus", GroupId=group)["AccumulationCount"])


def test_an_edge_instance_is_deployed(platform: PreparedPlatform) -> None:
    gateway = platform.device(platform.gateways(), "gateway-1")
    meters = platform.devices("dev-1", "dev-2", "dev-3")
    ids = [
        platform.call("QueryDeviceInfo", ProductKey=meters, DeviceName=f"dev-{n}")["Data"]["IotId"]
        for n in (1, 2, 3)
    ]
    edge = {
        "InstanceId": platform.call("CreateEdgeInstance", Name="hall-1", Tags="room:1", Spec=20)["InstanceId"]
    }
    assert (
        platform.refused("CreateEdgeInstanceDeployment", **edge, Type="deploy")
        == "iot.edge.InstanceHasNoGateway"
    )
    platform.call("BindGatewayToEdgeInstance", **edge, IotId=gateway["IotId"])
    for driver in (MODBUS, OPCUA):
        platform.call("BindDriverToEdgeInstance", **edge, DriverId=driver)
    configs = [{"Format": "JSON", "Content": '{"baud":9600}', "Key": "serial"}]
    platform.call("SetEdgeInstanceDriverConfigs", **edge, DriverId=MODBUS, Configs=configs)
    platform.call("BatchBindDeviceToEdgeInstanceWithDriver", **edge, DriverId=MODBUS, IotIds=ids[:2])
    platform.call("BatchBindDeviceToEdgeInstanceWithDriver", **edge, DriverId=OPCUA, IotIds=ids[2:])
    settings = [{"IotId": ids[0], "Content": "address=7"}]
    platform.call("BatchSetEdgeInstanceDeviceConfig", **edge, DeviceConfigs=settings)
    assert column(
        platform.call("BatchGetDeviceDriver", **edge, IotIds=ids)["DeviceDriverList"], "DriverId"
    ) == [
        MODBUS,
        MODBUS,
        OPCUA,
    ]
    platform.hold("gateway-1")
    made = platform.call("CreateEdgeInstanceDeployment", **edge, Type="deploy")["DeploymentId"]
    states = []
    for _ in range(20):
        told = platform.call("GetEdgeInstanceDeployment", **edge, DeploymentId=made)["Data"]
        states.append((told["Status"], told["TaskList"][0]["Stage"]))
        platform.clock.advance(1)
    assert states == sorted(states)
    assert (states[0], states[-1]) == ((0, 0), (2, 32))
    carried = column(told["TaskList"][0]["ResourceSnapshotList"], "ResourceType")
    assert carried.count("driver") == 2
    platform.call("CreateEdgeInstanceDeployment", **edge, Type="reset")
    platform.clock.advance(60)
    history = platform.call("QueryEdgeInstanceHistoricDeployment", **edge, CurrentPage=1, PageSize=10)["Data"]
    assert column(history["DeploymentList"], "Type") == ["reset", "deploy"]
    platform.call("BatchUnbindDeviceFromEdgeInstance", **edge, IotIds=ids)
    for driver in (MODBUS, OPCUA):
        platform.call("UnbindDriverFromEdgeInstance", **edge, DriverId=driver)
    platform.call("DeleteEdgeInstance", **edge)
    assert platform.call("QueryEdgeInstance", CurrentPage=1, PageSize=10)["Data"]["Total"] == 0


def test_keys_that_are_wrong_are_refused(
    platform: PreparedPlatform, server: Server, request: pytest.FixtureRequest
) -> None:
    scheme = request.node.callspec.params["platform"]
    for key, secret, code in (
        (KEY_ID, "wrong", "SignatureDoesNotMatch"),
        ("LTAInobody", "wrong", "InvalidAccessKeyId.NotFound"),
    ):
        assert Sdk.of(server.address, key, secret, scheme).refused("ListThingTemplates", {}) == code


def test_a_throttle_is_told_so_that_the_sdk_sees_it(platform: PreparedPlatform) -> None:
    platform.emulator.faults.add("QueryProduct", kind="throttle", times=1)
    key = platform.product()
    with pytest.raises(TeaException) as refusal:
        platform.sdk.call("QueryProduct", {"ProductKey": key})
    assert refusal.value.code.startswith("Throttling")
    assert platform.call("QueryProduct", ProductKey=key)["Data"]["ProductKey"] == key
