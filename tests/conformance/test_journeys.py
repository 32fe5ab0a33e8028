"""Complete workflows through the official SDK."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from Tea.exceptions import TeaException

from iot_client import object_storage
from tests.conformance.edge import MODBUS, OPCUA
from tests.conformance.ota_packages import upload_file
from tests.conformance.platform import KEY_ID, PreparedPlatform, Server, column
from tests.conformance.sdk import SCHEMES, Sdk
from tests.conformance.things import MODEL, build_property

# A batch of the largest size, and one more; more devices than the 200 pages that can be read by number.
BATCH, FLEET = 10_000, 10_120


@pytest.fixture(params=SCHEMES)
def platform(
    request: pytest.FixtureRequest, server: Server, copied_database: Path
) -> Iterator[PreparedPlatform]:
    with PreparedPlatform.start(server, copied_database, request.param) as platform:
        yield platform


@pytest.mark.parametrize("platform", SCHEMES[:1], indirect=True)
def test_devices_are_registered_in_the_largest_batches_and_read_beyond_the_last_numbered_page(
    platform: PreparedPlatform,
) -> None:
    key = platform.create_product("Meters_1")
    names = [f"meter-{n:05}" for n in range(FLEET)]
    deployment_id: dict[str, str] = {}
    for start in range(0, FLEET, BATCH):
        batch = names[start : start + BATCH]
        apply_id = platform.call("BatchCheckDeviceNames", ProductKey=key, DeviceName=batch)["Data"]["ApplyId"]
        wait_for(platform, key, apply_id, "CHECK_SUCCESS")
        platform.call("BatchRegisterDeviceWithApplyId", ProductKey=key, ApplyId=apply_id)
        wait_for(platform, key, apply_id, "CREATE_SUCCESS")
        page = 1
        while True:
            response = platform.call("QueryPageByApplyId", ApplyId=apply_id, CurrentPage=page, PageSize=50)
            for device in response["ApplyDeviceList"]["ApplyDeviceInfo"]:
                deployment_id[device["DeviceName"]] = device["DeviceSecret"]
            if page >= response["PageCount"]:
                break
            page += 1
        assert response["Total"] == len(batch)
    assert list(deployment_id) == names

    names_read: list[str] = []
    secrets: dict[str, str] = {}
    token, page = None, 1
    while token != "":
        params = {"NextToken": token} if token else {}
        response = platform.call("QueryDevice", ProductKey=key, PageSize=50, CurrentPage=page, **params)
        assert response["Total"] == FLEET
        for device in response["Data"]["DeviceInfo"]:
            names_read.append(device["DeviceName"])
            secrets[device["DeviceName"]] = device["DeviceSecret"]
        token, page = response["NextToken"], page + 1
    assert names_read == names[::-1]
    assert secrets == deployment_id
    assert (
        platform.error_code("QueryDevice", ProductKey=key, PageSize=50, CurrentPage=201)
        == "iot.common.InvalidPageParams"
    )
    assert platform.call("QueryDeviceStatistics", ProductKey=key)["Data"]["deviceCount"] == FLEET


def wait_for(platform: PreparedPlatform, key: str, apply_id: int, status: str) -> None:
    """Read the status of an application until it is `status`."""
    for _ in range(20):
        response = platform.call("QueryBatchRegisterDeviceStatus", ProductKey=key, ApplyId=apply_id)["Data"]
        if response["Status"] == status:
            return
        platform.clock.advance(0.5)
    raise AssertionError(f"the status is not {status} but {response['Status']}")


def test_an_update_from_upload_to_cancellation(platform: PreparedPlatform) -> None:
    key = platform.register_devices(*(f"dev-{n:02}" for n in range(30)))
    for n in range(30):
        platform.set_device_status(f"dev-{n:02}")
        platform.set_version(f"dev-{n:02}", "1.0.0" if n < 28 else "0.9.0")
    platform.call("CreateOTAModule", ProductKey=key, ModuleName="radio", AliasName="Radio")

    package = platform.call(
        "CreateOTAFirmware",
        ProductKey=key,
        FirmwareName="release-2",
        DestVersion="2.0.0",
        FirmwareUrl=upload_file(platform, b"image" * 1000),
        SignMethod="MD5",
        NeedToVerify=True,
    )["Data"]["FirmwareId"]
    every = {"FirmwareId": package, "ProductKey": key, "TargetSelection": "ALL"}
    assert platform.error_code("CreateOTAStaticUpgradeJob", **every) == "iot.firmware.FirmwareNotVerified"

    verify_batch = platform.call(
        "CreateOTAVerifyJob", FirmwareId=package, ProductKey=key, TargetDeviceName=["dev-00", "dev-01"]
    )
    run_until_ended(platform, verify_batch["Data"]["JobId"])
    for _ in range(5):  # an update may fail; then verify with other devices
        if platform.call("QueryOTAFirmware", FirmwareId=package)["FirmwareInfo"]["Status"] == 1:
            break
        remaining = [
            f"dev-{n:02}" for n in range(28) if read_device_version(platform, key, f"dev-{n:02}") == "1.0.0"
        ][:2]
        verify_batch = platform.call(
            "CreateOTAVerifyJob", FirmwareId=package, ProductKey=key, TargetDeviceName=remaining
        )
        run_until_ended(platform, verify_batch["Data"]["JobId"])

    form = platform.call("GenerateDeviceNameListURL")["Data"]
    first_names = [
        name for n in range(28) if read_device_version(platform, key, name := f"dev-{n:02}") == "1.0.0"
    ][:10]
    object_storage.upload_file(
        object_storage.UploadForm.from_response(form), io.BytesIO("\r\n".join(first_names).encode())
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
    run_until_ended(platform, first, 4 * 3600)
    done = {task["DeviceName"]: task["TaskStatus"] for task in list_tasks(platform, first)}
    assert set(done) == set(first_names)
    assert {
        read_device_version(platform, key, name) for name, state in done.items() if state == "SUCCEEDED"
    } == {"2.0.0"}
    assert list(done.values()).count("SUCCEEDED") >= 5

    policy = {
        "FirmwareId": package,
        "ProductKey": key,
        "SrcVersion": ["1.0.0"],
        "DynamicMode": 1,
        "NeedConfirm": True,
    }
    dynamic_batch = platform.call("CreateOTADynamicUpgradeJob", **policy)["Data"]["JobId"]
    assert (
        platform.error_code("CreateOTADynamicUpgradeJob", **policy)
        == "iot.firmware.InProgressDynamicJobExisted"
    )
    read_backlog = column(list_tasks(platform, dynamic_batch, TaskStatus="CONFIRM"), "TaskId")
    platform.call("ConfirmOTATask", TaskId=read_backlog[:5])
    run_until_ended(platform, dynamic_batch, 1800)
    after = column(list_tasks(platform, dynamic_batch), "TaskStatus")
    assert after.count("CONFIRM") == len(read_backlog) - 5
    assert after.count("SUCCEEDED") + after.count("FAILED") == 5
    platform.call(
        "CancelOTATaskByJob", JobId=dynamic_batch, CancelQueuedTask=True, CancelUnconfirmedTask=True
    )
    platform.call("CancelOTAStrategyByJob", JobId=dynamic_batch)
    assert (
        column(list_tasks(platform, dynamic_batch), "TaskStatus").count("CANCELED") == len(read_backlog) - 5
    )
    jobs = platform.call("ListOTAJobByFirmware", FirmwareId=package, CurrentPage=1, PageSize=10)["Data"][
        "SimpleOTAJobInfo"
    ]
    assert column(jobs, "JobId")[:2] == [dynamic_batch, first]
    assert column(jobs, "JobStatus")[1] == "COMPLETED"


def list_tasks(platform: PreparedPlatform, job: str, **params: Any) -> list[dict[str, Any]]:
    response = platform.call("ListOTATaskByJob", JobId=job, CurrentPage=1, PageSize=100, **params)["Data"]
    return response.get("SimpleOTATaskInfo") or []


def run_until_ended(platform: PreparedPlatform, job: str, seconds: int = 1200) -> None:
    """Advance the clock in steps until the batch has ended, for at most `seconds`."""
    for _ in range(seconds // 60):
        if platform.call("QueryOTAJob", JobId=job)["Data"]["JobStatus"] in ("COMPLETED", "CANCELED"):
            break
        platform.clock.advance(60)


def read_device_version(platform: PreparedPlatform, key: str, name: str) -> str:
    """Read the version of a device's default module."""
    response = platform.call(
        "ListOTAModuleVersionsByDevice", ProductKey=key, DeviceName=name, CurrentPage=1, PageSize=10
    )
    versions = {item["ModuleName"]: item["ModuleVersion"] for item in response["Data"]["SimpleOTAModuleInfo"]}
    return versions["default"]


def test_a_thing_model_is_created_published_copied_and_imported(platform: PreparedPlatform) -> None:
    senior = {"AliyunCommodityCode": "iothub_senior", "DataFormat": 1}
    first, second, third = (
        platform.create_product(name, **senior) for name in ("First_1", "Second_1", "Third_1")
    )
    platform.call("CreateThingModel", ProductKey=first, ThingModelJson=json.dumps(MODEL))
    block = {"FunctionBlockId": "Battery", "FunctionBlockName": "Battery_Module"}
    charge = json.dumps({"properties": [build_property("Charge")]})
    platform.call("CreateThingModel", ProductKey=first, ThingModelJson=charge, **block)
    platform.call("PublishThingModel", ProductKey=first, ModelVersion="v1", Description="first")
    change = json.dumps(
        {
            "properties": [
                build_property("Level", dataSpecs={"dataType": "INT", "min": "0", "max": "9", "step": "1"})
            ]
        }
    )
    platform.call("UpdateThingModel", ProductKey=first, Identifier="Level", ThingModelJson=change)
    assert read_maximum(platform, first, "QueryThingModel") == "9"
    assert read_maximum(platform, first, "QueryThingModelPublished") == "100"
    platform.call("PublishThingModel", ProductKey=first, ModelVersion="v2", Description="second")
    versions = platform.call("ListThingModelVersion", ProductKey=first)["Data"]["ModelVersions"]
    assert sorted(column(versions, "ModelVersion")) == ["v1", "v2"]
    assert read_maximum(platform, first, "QueryThingModelPublished", ModelVersion="v1") == "100"
    assert read_maximum(platform, first, "QueryThingModelPublished") == "9"

    platform.call("CopyThingModel", SourceProductKey=first, SourceModelVersion="v1", TargetProductKey=second)
    assert read_maximum(platform, second, "QueryThingModel") == "100"
    tsl = platform.call("GetThingModelTslPublished", ProductKey=first)["Data"]["TslStr"]
    platform.call("ImportThingModelTsl", ProductKey=third, TslStr=tsl)
    assert read_maximum(platform, third, "QueryThingModel") == "9"
    platform.call("DeleteThingModel", ProductKey=third, ServiceIdentifier=["Restart"])
    platform.call("PublishThingModel", ProductKey=third, ModelVersion="v1")

    device = platform.register_device(third, "dev-1")
    platform.set_device_status("dev-1")
    request = {"IotId": device["IotId"], "Items": json.dumps({"Level": 10})}
    assert platform.error_code("SetDeviceProperty", **request) == "iot.device.SetDevicePropertyFailed"
    platform.call("SetDeviceProperty", IotId=device["IotId"], Items=json.dumps({"Level": 7}))
    platform.clock.advance(5)
    status = platform.call("QueryDevicePropertyStatus", IotId=device["IotId"])["Data"]["List"][
        "PropertyStatusInfo"
    ]
    assert {info["Identifier"]: info["Value"] for info in status} == {"Level": "7"}
    platform.call("ReleaseProduct", ProductKey=third)
    error_code = platform.error_code("CreateThingModel", ProductKey=third, ThingModelJson=charge)
    assert error_code == "iot.prod.UpdateProductFailed"


def read_maximum(platform: PreparedPlatform, key: str, operation: str, **params: Any) -> str:
    """Read the maximum of the property Level with this operation."""
    response = platform.call(operation, ProductKey=key, **params)["Data"]["ThingModelJson"]
    (level,) = (item for item in json.loads(response)["properties"] if item["identifier"] == "Level")
    return str(level["dataSpecs"]["max"]).removesuffix(".0")


def test_a_rule_sends_data_to_consumer_groups(platform: PreparedPlatform) -> None:
    key = platform.register_devices("dev-1")
    platform.set_device_status("dev-1", status_since=platform.clock.now() - 3_600_000)
    groups = {
        name: platform.call("CreateConsumerGroup", GroupName=name)["GroupId"]
        for name in ("billing", "alerts")
    }
    rule = platform.call("CreateRule", Name="hot_rooms", ProductKey=key, TopicType=0, DataType="JSON")[
        "RuleId"
    ]
    assert platform.error_code("StartRule", RuleId=rule) == "iot.rule.NullSqlForRule"
    platform.call(
        "UpdateRule",
        RuleId=rule,
        ProductKey=key,
        ShortTopic="+/thing/event/property/post",
        TopicType=0,
        Select="deviceName() as deviceName, items.Temperature.value as t",
    )
    assert platform.error_code("StartRule", RuleId=rule) == "iot.rule.NullForwardDestForRule"
    forward = {"RuleId": rule, "Type": "AMQP", "Configuration": json.dumps({"groupId": groups["billing"]})}
    action = platform.call("CreateRuleAction", **forward)["ActionId"]
    back = json.dumps({"topic": f"/{key}/dev-1/user/get", "topicType": 1})
    platform.call("CreateRuleAction", RuleId=rule, Type="REPUBLISH", Configuration=back)
    listed = platform.call("ListRuleActions", RuleId=rule)["RuleActionList"]["RuleActionInfo"]
    assert sorted(column(listed, "Type")) == ["AMQP", "REPUBLISH"]
    platform.call("StartRule", RuleId=rule)
    assert platform.call("GetRule", RuleId=rule)["RuleInfo"]["Status"] == "RUNNING"
    assert (
        platform.error_code("DeleteConsumerGroup", GroupId=groups["billing"])
        == "iot.consumer.group.DeleteConsumerGroupFailed"
    )

    subscription = {"ProductKey": key, "Type": "AMQP", "DeviceDataFlag": True}
    platform.call("CreateSubscribeRelation", **subscription, ConsumerGroupIds=[groups["alerts"]])
    platform.call("CreateConsumerGroupSubscribeRelation", ProductKey=key, ConsumerGroupId=groups["billing"])
    platform.clock.advance(3600)
    assert read_backlog(platform, groups["billing"]) > read_backlog(platform, groups["alerts"]) > 0
    platform.call("ResetConsumerGroupPosition", GroupId=groups["alerts"])
    assert read_backlog(platform, groups["alerts"]) == 0

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
    remaining = platform.call("QueryConsumerGroupList", CurrentPage=1)["Data"]["ConsumerGroupDTO"]
    assert column(remaining, "GroupId") == ["DEFAULT_GROUP"]


def read_backlog(platform: PreparedPlatform, group: str) -> int:
    return int(platform.call("QueryConsumerGroupStatus", GroupId=group)["AccumulationCount"])


def test_an_edge_instance_is_deployed(platform: PreparedPlatform) -> None:
    gateway = platform.register_device(platform.create_gateway_product(), "gateway-1")
    meters = platform.register_devices("dev-1", "dev-2", "dev-3")
    ids = [
        platform.call("QueryDeviceInfo", ProductKey=meters, DeviceName=f"dev-{n}")["Data"]["IotId"]
        for n in (1, 2, 3)
    ]
    edge = {
        "InstanceId": platform.call("CreateEdgeInstance", Name="hall-1", Tags="room:1", Spec=20)["InstanceId"]
    }
    assert (
        platform.error_code("CreateEdgeInstanceDeployment", **edge, Type="deploy")
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
    platform.set_device_status("gateway-1")
    deployment_id = platform.call("CreateEdgeInstanceDeployment", **edge, Type="deploy")["DeploymentId"]
    states = []
    for _ in range(20):
        response = platform.call("GetEdgeInstanceDeployment", **edge, DeploymentId=deployment_id)["Data"]
        states.append((response["Status"], response["TaskList"][0]["Stage"]))
        platform.clock.advance(1)
    assert states == sorted(states)
    assert (states[0], states[-1]) == ((0, 0), (2, 32))
    carried = column(response["TaskList"][0]["ResourceSnapshotList"], "ResourceType")
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


def test_wrong_keys_are_refused(
    platform: PreparedPlatform, server: Server, request: pytest.FixtureRequest
) -> None:
    scheme = request.node.callspec.params["platform"]
    for key, secret, code in (
        (KEY_ID, "wrong", "SignatureDoesNotMatch"),
        ("LTAInobody", "wrong", "InvalidAccessKeyId.NotFound"),
    ):
        assert Sdk.create(server.address, key, secret, scheme).error_code("ListThingTemplates", {}) == code


def test_the_sdk_recognizes_a_throttled_call(platform: PreparedPlatform) -> None:
    platform.emulator.faults.add("QueryProduct", kind="throttle", times=1)
    key = platform.create_product()
    with pytest.raises(TeaException) as refusal:
        platform.sdk.call("QueryProduct", {"ProductKey": key})
    assert refusal.value.code.startswith("Throttling")
    assert platform.call("QueryProduct", ProductKey=key)["Data"]["ProductKey"] == key
