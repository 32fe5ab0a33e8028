"""Update batches: verify, static and dynamic; making them and reading them."""

from __future__ import annotations

import json
import re
import sqlite3
from typing import Any

from console.emulator.call import Call
from console.emulator.errors import ServiceError
from console.emulator.formats import format_utc
from console.emulator.lookups import find_device, find_product
from console.emulator.ota import common, running, targets
from console.emulator.ota.packages import Status, files_of
from console.emulator.paging import read_page

MINUTE_MS = 60_000
DAY_MS = 24 * 60 * MINUTE_MS
SRC_VERSIONS_LIMIT = 10
TAGS_LIMIT = 10
TAGS_LENGTH = 4_096
TAG_KEY = re.compile(r"[A-Za-z0-9.]{1,30}")
TAG_VALUE_LENGTH = 1_024
MQTT_LIMIT = 16 * 1024 * 1024
DELTA = 1
PERCENT = re.compile(r"\d{1,3}(\.\d{1,3})?")


def create_ota_verify_job(call: Call) -> dict[str, Any]:
    """CreateOTAVerifyJob: try an unverified package on up to 10 devices; its outcome is the package's status."""
    package = _package(call)
    if package["status"] in (Status.NO_NEED, Status.VERIFIED):
        raise ServiceError(
            "iot.firmware.VerifyFirmwareNoNeed", "The update package does not need to be verified."
        )
    if package["status"] == Status.VERIFYING:
        raise ServiceError("iot.firmware.InProgressVerifyJobExisted", "The update package is being verified.")
    names = call.params.get("TargetDeviceName") or []
    if not names:
        raise ServiceError(
            "iot.firmware.NullTargetDeviceNames", "The devices to verify the package on are missing."
        )
    settings = _settings(call, package)
    count = targets.named(call, package, names, most=10)
    if count < len(names):
        raise ServiceError(
            "iot.firmware.DeviceWithDestinationVersionInArray",
            "A device already has the version of the package.",
        )
    answer = _create(call, package, {**settings, "verify": 1, "target": "SPECIFIC"})
    call.db.execute(
        "UPDATE ota_packages SET status = ?, modified = ? WHERE id = ?",
        (Status.VERIFYING, call.now, package["id"]),
    )
    return answer


def create_ota_static_upgrade_job(call: Call) -> dict[str, Any]:
    """CreateOTAStaticUpgradeJob: the devices that fit now, at once or at a planned time."""
    package = _package(call)
    _need_verified(package)
    settings = {**_settings(call, package), **_schedule(call)}
    target = call.params["TargetSelection"]
    _refuse_what_does_not_belong(call, target)
    src_versions = _src_versions(call, package) if target in ("ALL", "GRAY") else []
    if target == "ALL":
        count = targets.everything(call, package, src_versions)
    elif target == "GRAY":
        settings["gray_percent"] = _percent(call)
        count = targets.phase(call, package, src_versions, settings["gray_percent"])
    elif target == "GROUP":
        settings.update(_group(call))
        count = targets.grouped(call, package, settings["group_id"])
    else:
        count = _specific(call, package)
    if not count:
        raise ServiceError("iot.firmware.NoDeviceCanUpgrade", "There is no device to update.")
    given = json.dumps(call.params.get("SrcVersion") or src_versions)
    return _create(call, package, {**settings, "target": target, "src_versions": given})


def create_ota_dynamic_upgrade_job(call: Call) -> dict[str, Any]:
    """CreateOTADynamicUpgradeJob: the devices that have a source version (mode 1), and those that will submit it,
    until the policy is cancelled."""
    package = _package(call)
    _need_verified(package)
    settings = _settings(call, package)
    src_versions = _src_versions(call, package)
    if not src_versions:
        raise ServiceError("iot.firmware.NullSrcVersions", "The source versions are missing.")
    if package["dest_version"] in src_versions:
        raise ServiceError(
            "iot.firmware.SrcDestVersionMatched", "A source version is the version of the package."
        )
    running_already = call.db.execute(
        "SELECT 1 FROM ota_jobs WHERE package_id = ? AND dynamic AND status = 'IN_PROGRESS'", (package["id"],)
    ).fetchone()
    if running_already:
        raise ServiceError(
            "iot.firmware.InProgressDynamicJobExisted", "The package already has a dynamic batch."
        )
    mode = call.params.get("DynamicMode", 1)
    targets.everything(call, package, src_versions)
    if mode == 2:
        targets.forget(call.db)
    settings = {"per_minute": 1000, **settings, "dynamic": 1, "dynamic_mode": mode, "target": "ALL"}
    return _create(call, package, {**settings, "src_versions": json.dumps(src_versions)})


def list_ota_job_by_firmware(call: Call) -> dict[str, Any]:
    """ListOTAJobByFirmware: the batches of a package, newest first."""
    package = common.package(call, call.params["FirmwareId"])
    page = read_page(call)
    total = call.db.execute(
        "SELECT count(*) FROM ota_jobs WHERE package_id = ?", (package["id"],)
    ).fetchone()[0]
    rows = call.db.execute(
        "SELECT * FROM ota_jobs WHERE package_id = ? ORDER BY created DESC, id DESC LIMIT ? OFFSET ?",
        (package["id"], page.size, page.offset),
    ).fetchall()
    return {"Data": {"SimpleOTAJobInfo": [_shown(row) for row in rows]}, **common.paging(page, total)}


def list_ota_job_by_device(call: Call) -> dict[str, Any]:
    """ListOTAJobByDevice: the batches of a package that a device is or was in, newest first."""
    package = common.package(call, call.params["FirmwareId"])
    device = find_device(call)
    page = read_page(call)
    where = "package_id = ? AND id IN (SELECT job FROM ota_tasks WHERE iot_id = ?)"
    values = (package["id"], device["iot_id"])
    total = call.db.execute(f"SELECT count(*) FROM ota_jobs WHERE {where}", values).fetchone()[0]
    rows = call.db.execute(
        f"SELECT * FROM ota_jobs WHERE {where} ORDER BY created DESC, id DESC LIMIT ? OFFSET ?",
        (*values, page.size, page.offset),
    ).fetchall()
    return {"Data": {"SimpleOTAJobInfo": [_shown(row) for row in rows]}, **common.paging(page, total)}


def query_ota_job(call: Call) -> dict[str, Any]:
    """QueryOTAJob: all of one batch."""
    row = common.job(call)
    info = _shown(row)
    info.update(
        Name=row["package_name"],
        DestVersion=row["dest_version"],
        JobDesc="",
        DownloadProtocol=row["protocol"],
        NeedPush=bool(row["need_push"]),
        NeedConfirm=bool(row["need_confirm"]),
        OverwriteMode=row["overwrite"],
        MultiModuleMode=bool(row["multi"]),
        MaximumPerMinute=row["per_minute"],
        GroupId=row["group_id"],
        GroupName=row["group_name"],
        SrcVersions={"SrcVersion": json.loads(row["src_versions"])},
    )
    given: dict[str, Any] = {
        "TimeoutInMinutes": row["timeout"],
        "RetryInterval": row["retry_interval"],
        "RetryCount": row["retry_count"] or None,
        "GrayPercent": row["gray_percent"] or None,
        "DynamicMode": row["dynamic_mode"] if row["dynamic"] else None,
        "UtcScheduleTime": format_utc(row["schedule"]) or None,
        "UtcScheduleFinishTime": format_utc(row["finish"]) or None,
    }
    info.update({name: value for name, value in given.items() if value is not None})
    return {"Data": info}


def _package(call: Call) -> sqlite3.Row:
    package = common.package(call, call.params["FirmwareId"])
    find_product(call)
    if package["product_key"] and package["product_key"] != call.params["ProductKey"]:
        raise ServiceError("iot.firmware.FirmwareAndProductKeyMismatch", "The package is another product's.")
    return package


def _need_verified(package: sqlite3.Row) -> None:
    if package["status"] not in (Status.NO_NEED, Status.VERIFIED):
        raise ServiceError("iot.firmware.FirmwareNotVerified", "The update package is not verified.")


def _settings(call: Call, package: sqlite3.Row) -> dict[str, Any]:
    """What all kinds of batches can be told, as columns of `ota_jobs`."""
    params = call.params
    interval, timeout = params.get("RetryInterval"), params.get("TimeoutInMinutes")
    if interval is not None and timeout is not None and interval >= timeout:
        raise ServiceError(
            "iot.firmware.InvalidRetryInterval", "RetryInterval must be less than TimeoutInMinutes."
        )
    if interval is not None and not params.get("RetryCount"):
        raise ServiceError("iot.firmware.InvalidRetryCount", "RetryCount is needed with RetryInterval.")
    multi, overwrite = bool(params.get("MultiModuleMode")), params.get("OverwriteMode", 1)
    if multi and overwrite == 2:
        raise ServiceError(
            "iot.ota.OverWriteAndMultiModuleConflict", "OverwriteMode 2 excludes MultiModuleMode."
        )
    if multi and not call.instance:
        raise ServiceError(
            "iot.ota.multiModuleModeForbiddenInDefaultInstance", "The public instance has no MultiModuleMode."
        )
    protocol = params.get("DownloadProtocol") or "HTTPS"
    if protocol == "MQTT" and (len(files_of(package)) > 1 or package["size"] > MQTT_LIMIT):
        raise ServiceError(
            "iot.ota.DownloadProtocolMqttNotSuitable", "MQTT needs a single file of at most 16 MB."
        )
    settings = {
        "tags": json.dumps(_tags(call)),
        "retry_interval": interval,
        "retry_count": params.get("RetryCount", 0),
        "timeout": timeout,
        "overwrite": overwrite,
        "multi": multi,
        "need_push": params.get("NeedPush", True),
        "need_confirm": params.get("NeedConfirm", False),
        "protocol": protocol,
    }
    if "MaximumPerMinute" in params:
        settings["per_minute"] = params["MaximumPerMinute"]
    return settings


def _tags(call: Call) -> list[dict[str, str]]:
    tags = [
        {"Key": tag.get("Key", ""), "Value": tag.get("Value", "")} for tag in call.params.get("Tag") or []
    ]
    keys = [tag["Key"] for tag in tags]
    if len(tags) > TAGS_LIMIT:
        raise ServiceError("iot.firmware.JobTagTooMany", f"A batch has at most {TAGS_LIMIT} tags.")
    if not all(TAG_KEY.fullmatch(key) for key in keys):
        raise ServiceError("iot.firmware.JobTagKeyInvalid", "The format of a tag's key is invalid.")
    if not all(1 <= len(tag["Value"]) <= TAG_VALUE_LENGTH for tag in tags):
        raise ServiceError("iot.firmware.JobTagValueInvalid", "A tag's value is missing or too long.")
    if len(set(keys)) < len(keys):
        raise ServiceError("iot.ota.tag.KeyDuplicated", "Two tags have the same key.")
    if sum(len(tag["Key"]) + len(tag["Value"]) for tag in tags) > TAGS_LENGTH:
        raise ServiceError(
            "iot.firmware.JobTagIsTooLong", f"The tags have more than {TAGS_LENGTH} characters."
        )
    return tags


def _schedule(call: Call) -> dict[str, Any]:
    """Start 5 minutes to 7 days ahead; end an hour to 30 days after the start."""
    start, finish = call.params.get("ScheduleTime"), call.params.get("ScheduleFinishTime")
    if finish is not None and start is None:
        raise ServiceError(
            "iot.firmware.ScheduleFinishTimeWithoutStartTime", "A finish time needs a start time."
        )
    if start is None:
        return {}
    if start <= call.now:
        raise ServiceError(
            "iot.firmware.FireTimeMustLargeThanCurrentTime", "The start time is not in the future."
        )
    if start < call.now + 5 * MINUTE_MS:
        raise ServiceError("iot.firmware.FireTimeTooShort", "The start time is less than 5 minutes ahead.")
    if start > call.now + 7 * DAY_MS:
        raise ServiceError("iot.firmware.FireTimeTooLate", "The start time is more than 7 days ahead.")
    if finish is not None:
        if finish <= start:
            raise ServiceError(
                "iot.firmware.ScheduleFinishTimeEarlierThanStartTime",
                "The finish time is not after the start time.",
            )
        if finish < start + 60 * MINUTE_MS:
            raise ServiceError(
                "iot.firmware.ScheduleFinishTimeTooEarly", "The update must have an hour at least."
            )
        if finish > start + 30 * DAY_MS:
            raise ServiceError(
                "iot.firmware.ScheduleFinishTimeTooLate", "The update can have 30 days at most."
            )
    return {"schedule": start, "finish": finish}


def _refuse_what_does_not_belong(call: Call, target: str) -> None:
    """Source versions choose among all devices, names are for SPECIFIC."""
    if call.params.get("SrcVersion") and target not in ("ALL", "GRAY"):
        raise ServiceError("iot.firmware.SrcVersionsNotAllowed", f"SrcVersion does not go with {target}.")
    if call.params.get("TargetDeviceName") and target != "SPECIFIC":
        raise ServiceError(
            "iot.firmware.TargetDeviceNamesNotAllowed", f"TargetDeviceName does not go with {target}."
        )


def _src_versions(call: Call, package: sqlite3.Row) -> list[str]:
    """The versions to update from; for a delta package, its own source version and no other."""
    versions: list[str] = call.params.get("SrcVersion") or []
    if len(versions) > SRC_VERSIONS_LIMIT:
        raise ServiceError(
            "iot.firmware.SrcVersionsSizeExceedMax",
            f"At most {SRC_VERSIONS_LIMIT} source versions can be given.",
        )
    if len(set(versions)) < len(versions):
        raise ServiceError("iot.firmware.IncorrectFormattedSrcVersion", "The source versions must be unique.")
    if package["kind"] != DELTA:
        return versions
    if len(versions) > 1:
        raise ServiceError(
            "iot.firmware.MoreThanOneSrcVersion", "A delta package updates from one version only."
        )
    if versions and versions[0] != package["src_version"]:
        raise ServiceError(
            "iot.firmware.UpgradeSrcVersionMismatch", "The delta package is for another source version."
        )
    return [package["src_version"]]


def _percent(call: Call) -> str:
    percent = str(call.params.get("GrayPercent") or "")
    if not percent:
        raise ServiceError("iot.firmware.NullGrayPercent", "The percentage of a phased update is missing.")
    if not PERCENT.fullmatch(percent):
        raise ServiceError(
            "iot.firmware.BadlyFormattedGrayPercent", "The format of the percentage is invalid."
        )
    if not 0 < float(percent) <= 100:
        raise ServiceError(
            "iot.firmware.InvalidGrayPercent", "The percentage must be more than 0 and at most 100."
        )
    return percent


def _group(call: Call) -> dict[str, Any]:
    group_id = call.params.get("GroupId")
    if (call.params.get("GroupType") or "") != "LINK_PLATFORM":
        raise ServiceError("iot.ota.GroupTypeInvalid", "The group type is invalid.")
    row = call.db.execute(
        "SELECT group_id, name FROM groups WHERE group_id = ? AND account = ? AND instance = ?",
        (group_id, call.account, call.instance),
    ).fetchone()
    if row is None:
        raise ServiceError("iot.ota.GroupNotExist", "The group does not exist.")
    return {"group_id": row["group_id"], "group_name": row["name"]}


def _specific(call: Call, package: sqlite3.Row) -> int:
    names, url = call.params.get("TargetDeviceName"), call.params.get("DnListFileUrl")
    if bool(names) == bool(url):
        raise ServiceError(
            "iot.firmware.NullTargetDeviceNames", "SPECIFIC needs either TargetDeviceName or DnListFileUrl."
        )
    if url:
        return targets.listed(call, package, url)
    count = targets.named(call, package, names or [])
    if not count:
        raise ServiceError(
            "iot.firmware.DeviceWithDestinationVersionInArray",
            "The devices already have the version of the package.",
        )
    return count


def _create(call: Call, package: sqlite3.Row, settings: dict[str, Any]) -> dict[str, Any]:
    """Make the batch and its tasks for the devices in temp.ota_targets."""
    job_id = common.new_id()
    before = call.db.execute(
        "SELECT count(*) FROM ota_jobs WHERE package_id = ?", (package["id"],)
    ).fetchone()[0]
    planned = settings.get("schedule") is not None
    values = {
        "job_id": job_id,
        "account": call.account,
        "instance": call.instance,
        "package_id": package["id"],
        "package_name": package["name"],
        "product_key": call.params["ProductKey"],
        "module": package["module"],
        "dest_version": package["dest_version"],
        "status": "PLANNED" if planned else "IN_PROGRESS",
        "round": before,
        "created": call.now,
        "modified": call.now,
        "started": None if planned else call.now,
        **settings,
    }
    number = call.db.execute(
        f"INSERT INTO ota_jobs ({', '.join(values)}) VALUES ({common.marks(values)})", tuple(values.values())
    ).lastrowid
    job = call.db.execute("SELECT * FROM ota_jobs WHERE id = ?", (number,)).fetchone()
    running.start_tasks(call.db, job, call.emulator.pace, call.now)
    targets.forget(call.db)
    return {"Data": {"JobId": job_id, "UtcCreate": format_utc(call.now)}}


def _shown(row: sqlite3.Row) -> dict[str, Any]:
    shown = {
        "JobId": row["job_id"],
        "JobStatus": row["status"],
        "JobType": "VERFIY_FIRMWARE" if row["verify"] else "UPGRADE_FIRMWARE",
        "SelectionType": "DYNAMIC" if row["dynamic"] else "STATIC",
        "TargetSelection": row["target"],
        "FirmwareId": row["package_id"],
        "ProductKey": row["product_key"],
        "Tags": {"OtaTagDTO": json.loads(row["tags"])},
        "UtcCreate": format_utc(row["created"]),
        "UtcModified": format_utc(row["modified"]),
    }
    if row["started"] is not None:
        shown["UtcStartTime"] = format_utc(row["started"])
    if row["ended"] is not None:
        shown["UtcEndTime"] = format_utc(row["ended"])
    return shown


OPERATIONS = {
    "CreateOTAVerifyJob": create_ota_verify_job,
    "CreateOTAStaticUpgradeJob": create_ota_static_upgrade_job,
    "CreateOTADynamicUpgradeJob": create_ota_dynamic_upgrade_job,
    "ListOTAJobByFirmware": list_ota_job_by_firmware,
    "ListOTAJobByDevice": list_ota_job_by_device,
    "QueryOTAJob": query_ota_job,
}
