"""Updates: batches, their tasks, and verifying."""

from __future__ import annotations

from typing import Any

from tests.conformance.devices import HALF, NO_DEVICE, ONE
from tests.conformance.ota_packages import BAD_PAGE, FIRMWARE, NO_PACKAGE, PAGE, UNKNOWN_PRODUCT, package
from tests.conformance.platform import PreparedPlatform, column
from tests.conformance.rows import Asked, Row

NO_JOB = ({"JobId": "none"}, f"{FIRMWARE}InvalidOTAJobId")
NO_TASK = ({"TaskId": ["none"]}, f"{FIRMWARE}InvalidOTATaskId")
TAG = [{"Key": "wave", "Value": "1"}]
NAMES = ("dev-1", "dev-2")
TASKS = f"{FIRMWARE}ParameterSizeExceedMax"
OF_DYNAMIC = {"Data.DynamicMode"}
OF_GRAY = {"Data.GrayPercent"}
OF_SCHEDULE = {"Data.UtcScheduleTime", "Data.UtcScheduleFinishTime"}
OF_START, OF_END = {"Data.UtcStartTime"}, {"Data.UtcEndTime"}
OF_RETRY = {"Data.RetryInterval", "Data.RetryCount", "Data.TimeoutInMinutes"}
OF_SOURCES = {"Data.SrcVersions.SrcVersion[]"}


def fleet(platform: PreparedPlatform, status: str = "ONLINE") -> str:
    """A product with two devices that have told version 1.0.0."""
    key = platform.devices(*NAMES)
    for name in NAMES:
        platform.hold(name, status)
        platform.version(name)
    return key


def ready(platform: PreparedPlatform, status: str = "ONLINE", **params: Any) -> Asked:
    """A fleet and a package for it."""
    key = fleet(platform, status)
    return {"FirmwareId": package(platform, key, **params), "ProductKey": key}


def static(platform: PreparedPlatform, status: str = "ONLINE", **params: Any) -> Asked:
    """A static batch of the whole fleet; with the package and the product."""
    asked = ready(platform, status)
    params = {"TargetSelection": "ALL", "Tag": TAG, **params}
    told = platform.call("CreateOTAStaticUpgradeJob", **asked, **params)
    return asked | {"JobId": told["Data"]["JobId"]}


def dynamic(platform: PreparedPlatform, **params: Any) -> Asked:
    asked = ready(platform)
    params = {"SrcVersion": ["1.0.0"], "DynamicMode": 2, "Tag": TAG, **params}
    told = platform.call("CreateOTADynamicUpgradeJob", **asked, **params)
    return asked | {"JobId": told["Data"]["JobId"]}


def grouped(platform: PreparedPlatform) -> Asked:
    """What a batch of a group asks for."""
    asked = ready(platform)
    group = platform.group()
    platform.grouped(group, asked["ProductKey"], "dev-1")
    return asked | {"TargetSelection": "GROUP", "GroupType": "LINK_PLATFORM", "GroupId": group}


def job(platform: PreparedPlatform, job_id: str) -> dict[str, Any]:
    return platform.call("QueryOTAJob", JobId=job_id)["Data"]


def tasks(platform: PreparedPlatform, job_id: str) -> list[dict[str, Any]]:
    told = platform.call("ListOTATaskByJob", JobId=job_id, CurrentPage=1, PageSize=100)["Data"]
    return told.get("SimpleOTATaskInfo") or []


def states(platform: PreparedPlatform, asked: Asked) -> set[str]:
    return set(column(tasks(platform, asked["JobId"]), "TaskStatus"))


def run_out(platform: PreparedPlatform, seconds: float = 900, step: float = 30) -> None:
    """Let time pass, with somebody looking."""
    for _ in range(int(seconds / step)):
        platform.clock.advance(step)
        platform.emulator.run_due_work()


def finished(platform: PreparedPlatform, **params: Any) -> Asked:
    asked = static(platform, **params)
    run_out(platform)
    return asked


def unconfirmed(platform: PreparedPlatform) -> Asked:
    """A batch whose tasks wait for being confirmed; and one of them."""
    asked = static(platform, NeedConfirm=True)
    return asked | {"TaskId": [tasks(platform, asked["JobId"])[0]["TaskId"]]}


def failed(platform: PreparedPlatform) -> Asked:
    """A completed batch whose tasks took longer than they may; and one of them."""
    asked = finished(platform, TimeoutInMinutes=1)
    return asked | {"TaskId": [tasks(platform, asked["JobId"])[0]["TaskId"]]}


def only(asked: Asked, *names: str) -> Asked:
    return {name: asked[name] for name in names}


STATIC_BAD = [
    ({"TargetSelection": "SOME"}, f"{FIRMWARE}InvalidTargetSelection"),
    ({"TargetSelection": "GRAY", "GrayPercent": "1.0001"}, f"{FIRMWARE}BadlyFormattedGrayPercent"),
    ({"MaximumPerMinute": 9}, f"{FIRMWARE}InvalidMaximumPerMinute"),
    ({"RetryInterval": 5}, f"{FIRMWARE}InvalidRetryInterval"),
    ({"TimeoutInMinutes": 1441}, f"{FIRMWARE}InvalidTimeoutSetting"),
    ({"Tag": [{"Key": "bad key", "Value": "v"}]}, f"{FIRMWARE}JobTagKeyInvalid"),
    (lambda w, asked: {"ScheduleTime": w.clock.now() + 60_000}, f"{FIRMWARE}FireTimeTooShort"),
]

ROWS = [
    Row(
        "CreateOTAVerifyJob",
        lambda w: ready(w, NeedToVerify=True) | {"TargetDeviceName": ["dev-1"], "TimeoutInMinutes": 60},
        "the batch has the chosen device",
        lambda w, asked, told: column(tasks(w, told["Data"]["JobId"]), "DeviceName") == ["dev-1"],
        bad=[
            ({"TimeoutInMinutes": 1441}, f"{FIRMWARE}InvalidTimeoutSetting"),
            ({"DownloadProtocol": "FTP"}, "iot.ota.DownloadProtocolInvalid"),
            ({"TargetDeviceName": [f"n{n}" for n in range(11)]}, TASKS),
        ],
        absent=[NO_PACKAGE, UNKNOWN_PRODUCT, ({"TargetDeviceName": ["nobody"]}, "iot.ota.DeviceNotExist")],
    ),
    Row(
        "CreateOTAStaticUpgradeJob",
        lambda w: (
            ready(w)
            | {
                "TargetSelection": "ALL",
                "RetryInterval": 60,
                "RetryCount": 2,
                "MaximumPerMinute": 100,
                "Tag": TAG,
            }
        ),
        "the batch has all devices",
        lambda w, asked, told: len(tasks(w, told["Data"]["JobId"])) == 2,
        bad=STATIC_BAD,
        absent=[
            NO_PACKAGE,
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
        grouped,
        "the batch has the group's devices",
        lambda w, asked, told: column(tasks(w, told["Data"]["JobId"]), "DeviceName") == ["dev-1"],
        missing={"GroupId": "iot.ota.GroupNotExist"},
    ),
    Row(
        "CreateOTADynamicUpgradeJob",
        lambda w: ready(w) | {"SrcVersion": ["1.0.0"], "MaximumPerMinute": 100, "DynamicMode": 1},
        "a device that tells its version later is taken too",
        lambda w, asked, told: (
            job(w, told["Data"]["JobId"])["JobType"] == "UPGRADE_FIRMWARE"
            and len(tasks(w, told["Data"]["JobId"])) == 2
        ),
        bad=[
            ({"SrcVersion": ["2.0.0"]}, f"{FIRMWARE}SrcDestVersionMatched"),
            ({"MaximumPerMinute": 1001}, f"{FIRMWARE}InvalidMaximumPerMinute"),
            ({"DynamicMode": 3}, f"{FIRMWARE}InvalidDynamicMode"),
        ],
        absent=[NO_PACKAGE, UNKNOWN_PRODUCT],
    ),
    Row(
        "ListOTAJobByFirmware",
        lambda w: only(finished(w), "FirmwareId") | PAGE,
        "a package's batches, with their tags",
        lambda w, asked, told: column(told["Data"]["SimpleOTAJobInfo"], "JobStatus") == ["COMPLETED"],
        bad=[BAD_PAGE, ({"PageSize": 201}, "iot.common.InvalidPageParams")],
        absent=[NO_PACKAGE],
    ),
    Row(
        "ListOTAJobByDevice",
        lambda w: only(finished(w), "FirmwareId", "ProductKey") | {"DeviceName": "dev-1"} | PAGE,
        "a device's batches, with their tags",
        lambda w, asked, told: column(told["Data"]["SimpleOTAJobInfo"], "JobStatus") == ["COMPLETED"],
        bad=[BAD_PAGE, ({"PageSize": 101}, "iot.common.InvalidPageParams")],
        absent=[
            NO_PACKAGE,
            ({"DeviceName": "nobody"}, NO_DEVICE),
            ({"ProductKey": "a1Unknown00"}, NO_DEVICE),
        ],
    ),
    Row(
        "ListOTATaskByJob",
        lambda w: only(finished(w, TimeoutInMinutes=60), "JobId") | {"DeviceNames": ["dev-1"]},
        "how far each device is",
        lambda w, asked, told: (
            told["Total"] == 1
            and {*column(told["Data"]["SimpleOTATaskInfo"], "TaskStatus")} <= {"SUCCEEDED", "FAILED"}
        ),
        bad=[
            BAD_PAGE,
            ({"PageSize": 101}, "iot.common.InvalidPageParams"),
            ({"TaskStatus": "DONE"}, f"{FIRMWARE}InvalidTaskStatus"),
            ({"DeviceNames": [f"d{n}" for n in range(51)]}, TASKS),
        ],
        absent=[NO_JOB],
    ),
    Row(
        "QueryOTAJob",
        lambda w: only(
            dynamic(w, RetryInterval=60, RetryCount=2, MaximumPerMinute=100, TimeoutInMinutes=90), "JobId"
        ),
        "a dynamic batch",
        lambda w, asked, told: (told["Data"]["DynamicMode"], told["Data"]["RetryCount"]) == (2, 2),
        absent=[NO_JOB],
        without=OF_GRAY | OF_SCHEDULE | OF_END,
    ),
    Row(
        "QueryOTAJob",
        lambda w: {
            "JobId": w.call(
                "CreateOTAStaticUpgradeJob",
                **ready(w),
                TargetSelection="GRAY",
                GrayPercent="50",
                SrcVersion=["1.0.0"],
                ScheduleTime=w.clock.now() + 3_600_000,
                ScheduleFinishTime=w.clock.now() + 3 * 3_600_000,
            )["Data"]["JobId"]
        },
        "a batch of a part of the fleet, at a time to come",
        lambda w, asked, told: (told["Data"]["JobStatus"], told["Data"]["GrayPercent"]) == ("PLANNED", "50"),
        without=OF_DYNAMIC
        | OF_START
        | OF_END
        | OF_RETRY
        | {"Data.Tags.OtaTagDTO[].Key", "Data.Tags.OtaTagDTO[].Value"},
    ),
    Row(
        "QueryOTAJob",
        lambda w: (
            {"JobId": w.call("CreateOTAStaticUpgradeJob", **grouped(w), Tag=TAG)["Data"]["JobId"]}
            | (run_out(w) or {})
        ),
        "a batch of a group that is done",
        lambda w, asked, told: (
            (told["Data"]["JobStatus"], told["Data"]["GroupName"]) == ("COMPLETED", "plant")
        ),
        without=OF_DYNAMIC | OF_GRAY | OF_SCHEDULE | OF_RETRY | OF_SOURCES,
    ),
    Row(
        "CancelOTAStrategyByJob",
        lambda w: only(dynamic(w), "JobId"),
        "the batch takes no more devices",
        lambda w, asked, told: (
            w.refused("CancelOTAStrategyByJob", **asked) == f"{FIRMWARE}JobAlreadyCanceled"
        ),
        bad=[(lambda w, asked: only(static_of(w), "JobId"), f"{FIRMWARE}NotDynamicJob")],
        absent=[NO_JOB],
    ),
    Row(
        "CancelOTATaskByJob",
        lambda w: (
            only(static(w, "OFFLINE", NeedConfirm=True), "JobId")
            | {"CancelQueuedTask": True, "CancelUnconfirmedTask": True, "CancelInProgressTask": False}
        ),
        "all its tasks are cancelled",
        lambda w, asked, told: states(w, asked) == {"CANCELED"},
        bad=[
            ({"CancelQueuedTask": None, "CancelUnconfirmedTask": None}, f"{FIRMWARE}CancelOptionIsMandatory"),
            ({"CancelScheduledTask": True}, f"{FIRMWARE}JobHasNoScheduleTime"),
        ],
        absent=[NO_JOB],
    ),
    Row(
        "CancelOTATaskByDevice",
        lambda w: only(static(w, "OFFLINE"), "FirmwareId", "ProductKey", "JobId") | {"DeviceName": ["dev-1"]},
        "that device's task is cancelled, the other is not",
        lambda w, asked, told: (
            {task["DeviceName"] for task in tasks(w, asked["JobId"]) if task["TaskStatus"] == "CANCELED"}
            == {"dev-1"}
        ),
        bad=[({"DeviceName": [f"d{n}" for n in range(201)]}, TASKS)],
        absent=[NO_PACKAGE, UNKNOWN_PRODUCT, NO_JOB, ({"DeviceName": ["nobody"]}, NO_DEVICE)],
        alien="iot.prod.NotExistedProduct",
    ),
    Row(
        "ConfirmOTATask",
        lambda w: only(unconfirmed(w), "TaskId"),
        "the task is no longer waiting for it",
        lambda w, asked, told: w.refused("ConfirmOTATask", **asked) == f"{FIRMWARE}InvalidTaskStatus",
        bad=[({"TaskId": [str(n) for n in range(11)]}, "iot.ota.TooManyOtaTask")],
        absent=[NO_TASK],
    ),
    Row(
        "ReupgradeOTATask",
        lambda w: only(failed(w), "JobId", "TaskId"),
        "that device's task waits to run again, the other is left as it was, and the batch is in progress",
        lambda w, asked, told: (
            {task["TaskStatus"]: [task["TaskId"]] == asked["TaskId"] for task in tasks(w, asked["JobId"])}
            == {"QUEUED": True, "FAILED": False}
            and job(w, asked["JobId"])["JobStatus"] == "IN_PROGRESS"
        ),
        bad=[({"TaskId": [str(n) for n in range(11)]}, "iot.ota.TooManyOtaTask")],
        absent=[
            ({"JobId": "none"}, "iot.ota.InvalidJobId"),
            ({"TaskId": ["none"]}, "iot.ota.InvalidTaskId"),
        ],
    ),
    Row(
        "ListOTAUnfinishedTaskByDevice",
        lambda w: only(unconfirmed(w), "ProductKey") | {"DeviceName": "dev-1", "TaskStatus": "CONFIRM"},
        "what a device has not done yet",
        lambda w, asked, told: column(told["Data"]["SimpleOTATaskInfo"], "TaskStatus") == ["CONFIRM"],
        missing=HALF,
        bad=[({"TaskStatus": "FAILED"}, f"{FIRMWARE}InvalidTaskStatus")],
        absent=ONE,
    ),
]


def static_of(platform: PreparedPlatform) -> Asked:
    """A static batch in a platform that has devices of these names already."""
    key = platform.devices(*NAMES)
    for name in NAMES:
        platform.version(name)
    asked = {"FirmwareId": package(platform, key, FirmwareName="pkg-other"), "ProductKey": key}
    told = platform.call("CreateOTAStaticUpgradeJob", **asked, TargetSelection="ALL")
    return asked | {"JobId": told["Data"]["JobId"]}
