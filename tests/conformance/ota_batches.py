"""Updates: batches, tasks and verification."""

from __future__ import annotations

from typing import Any

from tests.conformance.devices import MISSING_NAME, NO_DEVICE, UNKNOWN_DEVICES
from tests.conformance.ota_packages import (
    FIRMWARE,
    INVALID_PAGE,
    PAGE,
    UNKNOWN_PACKAGE,
    UNKNOWN_PRODUCT,
    create_package,
)
from tests.conformance.platform import PreparedPlatform, column
from tests.conformance.rows import Request, Row

UNKNOWN_BATCH = ({"JobId": "none"}, f"{FIRMWARE}InvalidOTAJobId")
UNKNOWN_TASK = ({"TaskId": ["none"]}, f"{FIRMWARE}InvalidOTATaskId")
TAG = [{"Key": "wave", "Value": "1"}]
NAMES = ("dev-1", "dev-2")
TOO_MANY = f"{FIRMWARE}ParameterSizeExceedMax"
DYNAMIC_FIELDS = {"Data.DynamicMode"}
GRAY_FIELDS = {"Data.GrayPercent"}
SCHEDULE_FIELDS = {"Data.UtcScheduleTime", "Data.UtcScheduleFinishTime"}
START_FIELDS, END_FIELDS = {"Data.UtcStartTime"}, {"Data.UtcEndTime"}
RETRY_FIELDS = {"Data.RetryInterval", "Data.RetryCount", "Data.TimeoutInMinutes"}
SOURCE_FIELDS = {"Data.SrcVersions.SrcVersion[]"}


def register_fleet(platform: PreparedPlatform, status: str = "ONLINE") -> str:
    """Register a product with two devices that reported version 1.0.0; returns the ProductKey."""
    key = platform.register_devices(*NAMES)
    for name in NAMES:
        platform.set_device_status(name, status)
        platform.set_version(name)
    return key


def create_fleet_and_package(platform: PreparedPlatform, status: str = "ONLINE", **params: Any) -> Request:
    """Create a fleet and a package for it."""
    key = register_fleet(platform, status)
    return {"FirmwareId": create_package(platform, key, **params), "ProductKey": key}


def create_static_batch(platform: PreparedPlatform, status: str = "ONLINE", **params: Any) -> Request:
    """Create a static batch of all devices; returns the package, the product and the batch."""
    request = create_fleet_and_package(platform, status)
    params = {"TargetSelection": "ALL", "Tag": TAG, **params}
    response = platform.call("CreateOTAStaticUpgradeJob", **request, **params)
    return request | {"JobId": response["Data"]["JobId"]}


def create_dynamic_batch(platform: PreparedPlatform, **params: Any) -> Request:
    request = create_fleet_and_package(platform)
    params = {"SrcVersion": ["1.0.0"], "DynamicMode": 2, "Tag": TAG, **params}
    response = platform.call("CreateOTADynamicUpgradeJob", **request, **params)
    return request | {"JobId": response["Data"]["JobId"]}


def build_group_request(platform: PreparedPlatform) -> Request:
    """Build the request of a batch for a group."""
    request = create_fleet_and_package(platform)
    group = platform.create_group()
    platform.add_to_group(group, request["ProductKey"], "dev-1")
    return request | {"TargetSelection": "GROUP", "GroupType": "LINK_PLATFORM", "GroupId": group}


def read_batch(platform: PreparedPlatform, batch_id: str) -> dict[str, Any]:
    return platform.call("QueryOTAJob", JobId=batch_id)["Data"]


def list_tasks(platform: PreparedPlatform, batch_id: str) -> list[dict[str, Any]]:
    response = platform.call("ListOTATaskByJob", JobId=batch_id, CurrentPage=1, PageSize=100)["Data"]
    return response.get("SimpleOTATaskInfo") or []


def read_task_statuses(platform: PreparedPlatform, request: Request) -> set[str]:
    return set(column(list_tasks(platform, request["JobId"]), "TaskStatus"))


def run_for(platform: PreparedPlatform, seconds: float = 900, step: float = 30) -> None:
    """Advance the clock in steps and run the due work after each step."""
    for _ in range(int(seconds / step)):
        platform.clock.advance(step)
        platform.emulator.run_due_work()


def create_finished_batch(platform: PreparedPlatform, **params: Any) -> Request:
    request = create_static_batch(platform, **params)
    run_for(platform)
    return request


def create_unconfirmed_batch(platform: PreparedPlatform) -> Request:
    """Create a batch whose tasks wait for confirmation; returns it with one of the tasks."""
    request = create_static_batch(platform, NeedConfirm=True)
    return request | {"TaskId": [list_tasks(platform, request["JobId"])[0]["TaskId"]]}


def create_failed_batch(platform: PreparedPlatform) -> Request:
    """Create a completed batch whose tasks timed out; returns it with one of the tasks."""
    request = create_finished_batch(platform, TimeoutInMinutes=1)
    return request | {"TaskId": [list_tasks(platform, request["JobId"])[0]["TaskId"]]}


def select_parameters(request: Request, *names: str) -> Request:
    return {name: request[name] for name in names}


INVALID_SETTINGS = [
    ({"TargetSelection": "SOME"}, f"{FIRMWARE}InvalidTargetSelection"),
    ({"TargetSelection": "GRAY", "GrayPercent": "1.0001"}, f"{FIRMWARE}BadlyFormattedGrayPercent"),
    ({"MaximumPerMinute": 9}, f"{FIRMWARE}InvalidMaximumPerMinute"),
    ({"RetryInterval": 5}, f"{FIRMWARE}InvalidRetryInterval"),
    ({"TimeoutInMinutes": 1441}, f"{FIRMWARE}InvalidTimeoutSetting"),
    ({"Tag": [{"Key": "bad key", "Value": "v"}]}, f"{FIRMWARE}JobTagKeyInvalid"),
    (
        lambda platform, request: {"ScheduleTime": platform.clock.now() + 60_000},
        f"{FIRMWARE}FireTimeTooShort",
    ),
]

ROWS = [
    Row(
        "CreateOTAVerifyJob",
        lambda platform: (
            create_fleet_and_package(platform, NeedToVerify=True)
            | {"TargetDeviceName": ["dev-1"], "TimeoutInMinutes": 60}
        ),
        "the batch has the selected device",
        lambda platform, request, response: (
            column(list_tasks(platform, response["Data"]["JobId"]), "DeviceName") == ["dev-1"]
        ),
        invalid=[
            ({"TimeoutInMinutes": 1441}, f"{FIRMWARE}InvalidTimeoutSetting"),
            ({"DownloadProtocol": "FTP"}, "iot.ota.DownloadProtocolInvalid"),
            ({"TargetDeviceName": [f"n{n}" for n in range(11)]}, TOO_MANY),
        ],
        not_found=[
            UNKNOWN_PACKAGE,
            UNKNOWN_PRODUCT,
            ({"TargetDeviceName": ["nobody"]}, "iot.ota.DeviceNotExist"),
        ],
    ),
    Row(
        "CreateOTAStaticUpgradeJob",
        lambda platform: (
            create_fleet_and_package(platform)
            | {
                "TargetSelection": "ALL",
                "RetryInterval": 60,
                "RetryCount": 2,
                "MaximumPerMinute": 100,
                "Tag": TAG,
            }
        ),
        "the batch has all devices",
        lambda platform, request, response: len(list_tasks(platform, response["Data"]["JobId"])) == 2,
        invalid=INVALID_SETTINGS,
        not_found=[
            UNKNOWN_PACKAGE,
            UNKNOWN_PRODUCT,
            ({"TargetSelection": "SPECIFIC", "TargetDeviceName": ["nobody"]}, "iot.ota.DeviceNotExist"),
            (
                {"TargetSelection": "GROUP", "GroupType": "LINK_PLATFORM", "GroupId": "none"},
                "iot.ota.GroupNotExist",
            ),
        ],
    ),
    Row(
        "CreateOTAStaticUpgradeJob",
        build_group_request,
        "the batch has the group's devices",
        lambda platform, request, response: (
            column(list_tasks(platform, response["Data"]["JobId"]), "DeviceName") == ["dev-1"]
        ),
        missing={"GroupId": "iot.ota.GroupNotExist"},
    ),
    Row(
        "CreateOTADynamicUpgradeJob",
        lambda platform: (
            create_fleet_and_package(platform)
            | {"SrcVersion": ["1.0.0"], "MaximumPerMinute": 100, "DynamicMode": 1}
        ),
        "the batch has the devices with the source version",
        lambda platform, request, response: (
            read_batch(platform, response["Data"]["JobId"])["JobType"] == "UPGRADE_FIRMWARE"
            and len(list_tasks(platform, response["Data"]["JobId"])) == 2
        ),
        invalid=[
            ({"SrcVersion": ["2.0.0"]}, f"{FIRMWARE}SrcDestVersionMatched"),
            ({"MaximumPerMinute": 1001}, f"{FIRMWARE}InvalidMaximumPerMinute"),
            ({"DynamicMode": 3}, f"{FIRMWARE}InvalidDynamicMode"),
        ],
        not_found=[UNKNOWN_PACKAGE, UNKNOWN_PRODUCT],
    ),
    Row(
        "ListOTAJobByFirmware",
        lambda platform: select_parameters(create_finished_batch(platform), "FirmwareId") | PAGE,
        "a package's batches, with their tags",
        lambda platform, request, response: (
            column(response["Data"]["SimpleOTAJobInfo"], "JobStatus") == ["COMPLETED"]
        ),
        invalid=[INVALID_PAGE, ({"PageSize": 201}, "iot.common.InvalidPageParams")],
        not_found=[UNKNOWN_PACKAGE],
    ),
    Row(
        "ListOTAJobByDevice",
        lambda platform: (
            select_parameters(create_finished_batch(platform), "FirmwareId", "ProductKey")
            | {"DeviceName": "dev-1"}
            | PAGE
        ),
        "a device's batches, with their tags",
        lambda platform, request, response: (
            column(response["Data"]["SimpleOTAJobInfo"], "JobStatus") == ["COMPLETED"]
        ),
        invalid=[INVALID_PAGE, ({"PageSize": 101}, "iot.common.InvalidPageParams")],
        not_found=[
            UNKNOWN_PACKAGE,
            ({"DeviceName": "nobody"}, NO_DEVICE),
            ({"ProductKey": "a1Unknown00"}, NO_DEVICE),
        ],
    ),
    Row(
        "ListOTATaskByJob",
        lambda platform: (
            select_parameters(create_finished_batch(platform, TimeoutInMinutes=60), "JobId")
            | {"DeviceNames": ["dev-1"]}
        ),
        "the progress of each device",
        lambda platform, request, response: (
            response["Total"] == 1
            and {*column(response["Data"]["SimpleOTATaskInfo"], "TaskStatus")} <= {"SUCCEEDED", "FAILED"}
        ),
        invalid=[
            INVALID_PAGE,
            ({"PageSize": 101}, "iot.common.InvalidPageParams"),
            ({"TaskStatus": "DONE"}, f"{FIRMWARE}InvalidTaskStatus"),
            ({"DeviceNames": [f"d{n}" for n in range(51)]}, TOO_MANY),
        ],
        not_found=[UNKNOWN_BATCH],
    ),
    Row(
        "QueryOTAJob",
        lambda platform: select_parameters(
            create_dynamic_batch(
                platform, RetryInterval=60, RetryCount=2, MaximumPerMinute=100, TimeoutInMinutes=90
            ),
            "JobId",
        ),
        "a dynamic batch",
        lambda platform, request, response: (
            (response["Data"]["DynamicMode"], response["Data"]["RetryCount"]) == (2, 2)
        ),
        not_found=[UNKNOWN_BATCH],
        absent_fields=GRAY_FIELDS | SCHEDULE_FIELDS | END_FIELDS,
    ),
    Row(
        "QueryOTAJob",
        lambda platform: {
            "JobId": platform.call(
                "CreateOTAStaticUpgradeJob",
                **create_fleet_and_package(platform),
                TargetSelection="GRAY",
                GrayPercent="50",
                SrcVersion=["1.0.0"],
                ScheduleTime=platform.clock.now() + 3_600_000,
                ScheduleFinishTime=platform.clock.now() + 3 * 3_600_000,
            )["Data"]["JobId"]
        },
        "a scheduled batch of a percentage of the fleet",
        lambda platform, request, response: (
            (response["Data"]["JobStatus"], response["Data"]["GrayPercent"]) == ("PLANNED", "50")
        ),
        absent_fields=DYNAMIC_FIELDS
        | START_FIELDS
        | END_FIELDS
        | RETRY_FIELDS
        | {"Data.Tags.OtaTagDTO[].Key", "Data.Tags.OtaTagDTO[].Value"},
    ),
    Row(
        "QueryOTAJob",
        lambda platform: (
            {
                "JobId": platform.call("CreateOTAStaticUpgradeJob", **build_group_request(platform), Tag=TAG)[
                    "Data"
                ]["JobId"]
            }
            | (run_for(platform) or {})
        ),
        "a completed batch of a group",
        lambda platform, request, response: (
            (response["Data"]["JobStatus"], response["Data"]["GroupName"]) == ("COMPLETED", "plant")
        ),
        absent_fields=DYNAMIC_FIELDS | GRAY_FIELDS | SCHEDULE_FIELDS | RETRY_FIELDS | SOURCE_FIELDS,
    ),
    Row(
        "CancelOTAStrategyByJob",
        lambda platform: select_parameters(create_dynamic_batch(platform), "JobId"),
        "the batch adds no more devices",
        lambda platform, request, response: (
            platform.error_code("CancelOTAStrategyByJob", **request) == f"{FIRMWARE}JobAlreadyCanceled"
        ),
        invalid=[
            (
                lambda platform, request: select_parameters(create_other_static_batch(platform), "JobId"),
                f"{FIRMWARE}NotDynamicJob",
            )
        ],
        not_found=[UNKNOWN_BATCH],
    ),
    Row(
        "CancelOTATaskByJob",
        lambda platform: (
            select_parameters(create_static_batch(platform, "OFFLINE", NeedConfirm=True), "JobId")
            | {"CancelQueuedTask": True, "CancelUnconfirmedTask": True, "CancelInProgressTask": False}
        ),
        "all its tasks are canceled",
        lambda platform, request, response: read_task_statuses(platform, request) == {"CANCELED"},
        invalid=[
            ({"CancelQueuedTask": None, "CancelUnconfirmedTask": None}, f"{FIRMWARE}CancelOptionIsMandatory"),
            ({"CancelScheduledTask": True}, f"{FIRMWARE}JobHasNoScheduleTime"),
        ],
        not_found=[UNKNOWN_BATCH],
    ),
    Row(
        "CancelOTATaskByDevice",
        lambda platform: (
            select_parameters(create_static_batch(platform, "OFFLINE"), "FirmwareId", "ProductKey", "JobId")
            | {"DeviceName": ["dev-1"]}
        ),
        "the task of one device is canceled, the other is not",
        lambda platform, request, response: (
            {
                task["DeviceName"]
                for task in list_tasks(platform, request["JobId"])
                if task["TaskStatus"] == "CANCELED"
            }
            == {"dev-1"}
        ),
        invalid=[({"DeviceName": [f"d{n}" for n in range(201)]}, TOO_MANY)],
        not_found=[UNKNOWN_PACKAGE, UNKNOWN_PRODUCT, UNKNOWN_BATCH, ({"DeviceName": ["nobody"]}, NO_DEVICE)],
        other_account_code="iot.prod.NotExistedProduct",
    ),
    Row(
        "ConfirmOTATask",
        lambda platform: select_parameters(create_unconfirmed_batch(platform), "TaskId"),
        "the task no longer waits for confirmation",
        lambda platform, request, response: (
            platform.error_code("ConfirmOTATask", **request) == f"{FIRMWARE}InvalidTaskStatus"
        ),
        invalid=[({"TaskId": [str(n) for n in range(11)]}, "iot.ota.TooManyOtaTask")],
        not_found=[UNKNOWN_TASK],
    ),
    Row(
        "ReupgradeOTATask",
        lambda platform: select_parameters(create_failed_batch(platform), "JobId", "TaskId"),
        "the task of one device is queued, the other is unchanged, and the batch is in progress",
        lambda platform, request, response: (
            {
                task["TaskStatus"]: [task["TaskId"]] == request["TaskId"]
                for task in list_tasks(platform, request["JobId"])
            }
            == {"QUEUED": True, "FAILED": False}
            and read_batch(platform, request["JobId"])["JobStatus"] == "IN_PROGRESS"
        ),
        invalid=[({"TaskId": [str(n) for n in range(11)]}, "iot.ota.TooManyOtaTask")],
        not_found=[
            ({"JobId": "none"}, "iot.ota.InvalidJobId"),
            ({"TaskId": ["none"]}, "iot.ota.InvalidTaskId"),
        ],
    ),
    Row(
        "ListOTAUnfinishedTaskByDevice",
        lambda platform: (
            select_parameters(create_unconfirmed_batch(platform), "ProductKey")
            | {"DeviceName": "dev-1", "TaskStatus": "CONFIRM"}
        ),
        "the unfinished tasks of a device",
        lambda platform, request, response: (
            column(response["Data"]["SimpleOTATaskInfo"], "TaskStatus") == ["CONFIRM"]
        ),
        missing=MISSING_NAME,
        invalid=[({"TaskStatus": "FAILED"}, f"{FIRMWARE}InvalidTaskStatus")],
        not_found=UNKNOWN_DEVICES,
    ),
]


def create_other_static_batch(platform: PreparedPlatform) -> Request:
    """Create a static batch in a platform that already has devices with these names."""
    key = platform.register_devices(*NAMES)
    for name in NAMES:
        platform.set_version(name)
    request = {"FirmwareId": create_package(platform, key, FirmwareName="pkg-other"), "ProductKey": key}
    response = platform.call("CreateOTAStaticUpgradeJob", **request, TargetSelection="ALL")
    return request | {"JobId": response["Data"]["JobId"]}
