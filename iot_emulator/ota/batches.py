"""Update batches: creating and reading verify, static and dynamic batches."""

from __future__ import annotations

import json
import re
import sqlite3
from typing import Any

from iot_emulator.call import Call
from iot_emulator.errors import ServiceError
from iot_emulator.formats import format_utc
from iot_emulator.lookups import find_device, find_product
from iot_emulator.ota import common, running, targets
from iot_emulator.ota.packages import Status, parse_files
from iot_emulator.paging import read_page

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
    """CreateOTAVerifyJob: tests an unverified package on up to 10 devices; the result sets the status of the package."""
    package = _find_batch_package(call)
    if package["status"] in (Status.NO_NEED, Status.VERIFIED):
        raise ServiceError(
            "iot.firmware.VerifyFirmwareNoNeed", "The update package does not need verification."
        )
    if package["status"] == Status.VERIFYING:
        raise ServiceError(
            "iot.firmware.InProgressVerifyJobExisted", "The update package is already being verified."
        )
    names = call.params.get("TargetDeviceName") or []
    if not names:
        raise ServiceError("iot.firmware.NullTargetDeviceNames", "TargetDeviceName is missing.")
    settings = _read_settings(call, package)
    count = targets.select_named(call, package, names, limit=10)
    if count < len(names):
        raise ServiceError(
            "iot.firmware.DeviceWithDestinationVersionInArray",
            "A device already has the version of the package.",
        )
    response = _create_batch(call, package, {**settings, "verify": 1, "target": "SPECIFIC"})
    call.db.execute(
        "UPDATE ota_packages SET status = ?, modified = ? WHERE id = ?",
        (Status.VERIFYING, call.now, package["id"]),
    )
    return response


def create_ota_static_upgrade_job(call: Call) -> dict[str, Any]:
    """CreateOTAStaticUpgradeJob: updates the devices that match now, at once or at a scheduled time."""
    package = _find_batch_package(call)
    _require_verified(package)
    settings = {**_read_settings(call, package), **_read_schedule(call)}
    target = call.params["TargetSelection"]
    _refuse_conflicting_targets(call, target)
    src_versions = _read_src_versions(call, package) if target in ("ALL", "GRAY") else []
    if target == "ALL":
        count = targets.select_all(call, package, src_versions)
    elif target == "GRAY":
        settings["gray_percent"] = _read_percent(call)
        count = targets.select_percentage(call, package, src_versions, settings["gray_percent"])
    elif target == "GROUP":
        settings.update(_read_group(call))
        count = targets.select_group(call, package, settings["group_id"])
    else:
        count = _select_specific(call, package)
    if not count:
        raise ServiceError("iot.firmware.NoDeviceCanUpgrade", "No device matches the target.")
    versions_json = json.dumps(call.params.get("SrcVersion") or src_versions)
    return _create_batch(call, package, {**settings, "target": target, "src_versions": versions_json})


def create_ota_dynamic_upgrade_job(call: Call) -> dict[str, Any]:
    """CreateOTADynamicUpgradeJob: updates the devices that have a source version (mode 1 only), and those that
    report one later, until the policy is canceled."""
    package = _find_batch_package(call)
    _require_verified(package)
    settings = _read_settings(call, package)
    src_versions = _read_src_versions(call, package)
    if not src_versions:
        raise ServiceError("iot.firmware.NullSrcVersions", "SrcVersion is missing.")
    if package["dest_version"] in src_versions:
        raise ServiceError(
            "iot.firmware.SrcDestVersionMatched", "SrcVersion contains the version of the package."
        )
    dynamic_batch = call.db.execute(
        "SELECT 1 FROM ota_batches WHERE package_id = ? AND dynamic AND status = 'IN_PROGRESS'",
        (package["id"],),
    ).fetchone()
    if dynamic_batch:
        raise ServiceError(
            "iot.firmware.InProgressDynamicJobExisted",
            "The package already has a dynamic batch that is running. Cancel its policy first.",
        )
    mode = call.params.get("DynamicMode", 1)
    targets.select_all(call, package, src_versions)
    if mode == 2:
        targets.clear_targets(call.db)
    settings = {"per_minute": 1000, **settings, "dynamic": 1, "dynamic_mode": mode, "target": "ALL"}
    return _create_batch(call, package, {**settings, "src_versions": json.dumps(src_versions)})


def list_ota_job_by_firmware(call: Call) -> dict[str, Any]:
    """ListOTAJobByFirmware: the batches of a package, newest first."""
    package = common.find_package(call, call.params["FirmwareId"])
    page = read_page(call)
    total = call.db.execute(
        "SELECT count(*) FROM ota_batches WHERE package_id = ?", (package["id"],)
    ).fetchone()[0]
    rows = call.db.execute(
        "SELECT * FROM ota_batches WHERE package_id = ? ORDER BY created DESC, id DESC LIMIT ? OFFSET ?",
        (package["id"], page.size, page.offset),
    ).fetchall()
    return {
        "Data": {"SimpleOTAJobInfo": [_batch_info(row) for row in rows]},
        **common.write_paging(page, total),
    }


def list_ota_job_by_device(call: Call) -> dict[str, Any]:
    """ListOTAJobByDevice: the batches of a package that include a device, newest first."""
    package = common.find_package(call, call.params["FirmwareId"])
    device = find_device(call)
    page = read_page(call)
    where = "package_id = ? AND id IN (SELECT batch FROM ota_tasks WHERE iot_id = ?)"
    values = (package["id"], device["iot_id"])
    total = call.db.execute(f"SELECT count(*) FROM ota_batches WHERE {where}", values).fetchone()[0]
    rows = call.db.execute(
        f"SELECT * FROM ota_batches WHERE {where} ORDER BY created DESC, id DESC LIMIT ? OFFSET ?",
        (*values, page.size, page.offset),
    ).fetchall()
    return {
        "Data": {"SimpleOTAJobInfo": [_batch_info(row) for row in rows]},
        **common.write_paging(page, total),
    }


def query_ota_job(call: Call) -> dict[str, Any]:
    """QueryOTAJob: the details of one batch."""
    row = common.find_batch(call)
    info = _batch_info(row)
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
    optional: dict[str, Any] = {
        "TimeoutInMinutes": row["timeout"],
        "RetryInterval": row["retry_interval"],
        "RetryCount": row["retry_count"] or None,
        "GrayPercent": row["gray_percent"] or None,
        "DynamicMode": row["dynamic_mode"] if row["dynamic"] else None,
        "UtcScheduleTime": format_utc(row["schedule"]) or None,
        "UtcScheduleFinishTime": format_utc(row["finish"]) or None,
    }
    info.update({name: value for name, value in optional.items() if value is not None})
    return {"Data": info}


def _find_batch_package(call: Call) -> sqlite3.Row:
    package = common.find_package(call, call.params["FirmwareId"])
    find_product(call)
    if package["product_key"] and package["product_key"] != call.params["ProductKey"]:
        raise ServiceError(
            "iot.firmware.FirmwareAndProductKeyMismatch", "The package belongs to another product."
        )
    return package


def _require_verified(package: sqlite3.Row) -> None:
    if package["status"] not in (Status.NO_NEED, Status.VERIFIED):
        raise ServiceError(
            "iot.firmware.FirmwareNotVerified", "The update package is not verified. Verify it first."
        )


def _read_settings(call: Call, package: sqlite3.Row) -> dict[str, Any]:
    """Read and check the settings that all types of batches have, as columns of `ota_batches`."""
    params = call.params
    interval, timeout = params.get("RetryInterval"), params.get("TimeoutInMinutes")
    if interval is not None and timeout is not None and interval >= timeout:
        raise ServiceError(
            "iot.firmware.InvalidRetryInterval", "RetryInterval must be less than TimeoutInMinutes."
        )
    if interval is not None and not params.get("RetryCount"):
        raise ServiceError(
            "iot.firmware.InvalidRetryCount", "RetryCount is required if RetryInterval is set."
        )
    multi, overwrite = bool(params.get("MultiModuleMode")), params.get("OverwriteMode", 1)
    if multi and overwrite == 2:
        raise ServiceError(
            "iot.ota.OverWriteAndMultiModuleConflict", "MultiModuleMode cannot be used with OverwriteMode 2."
        )
    if multi and not call.instance:
        raise ServiceError(
            "iot.ota.multiModuleModeForbiddenInDefaultInstance",
            "MultiModuleMode is not available in the public instance.",
        )
    protocol = params.get("DownloadProtocol") or "HTTPS"
    if protocol == "MQTT" and (len(parse_files(package)) > 1 or package["size"] > MQTT_LIMIT):
        raise ServiceError(
            "iot.ota.DownloadProtocolMqttNotSuitable",
            "Download over MQTT requires a package with one file of at most 16 MB.",
        )
    settings = {
        "tags": json.dumps(_read_tags(call)),
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


def _read_tags(call: Call) -> list[dict[str, str]]:
    tags = [
        {"Key": tag.get("Key", ""), "Value": tag.get("Value", "")} for tag in call.params.get("Tag") or []
    ]
    keys = [tag["Key"] for tag in tags]
    if len(tags) > TAGS_LIMIT:
        raise ServiceError("iot.firmware.JobTagTooMany", f"The batch has more than {TAGS_LIMIT} tags.")
    if not all(TAG_KEY.fullmatch(key) for key in keys):
        raise ServiceError(
            "iot.firmware.JobTagKeyInvalid",
            "A tag key is invalid. Use 1 to 30 characters: letters, digits, periods.",
        )
    if not all(1 <= len(tag["Value"]) <= TAG_VALUE_LENGTH for tag in tags):
        raise ServiceError(
            "iot.firmware.JobTagValueInvalid",
            f"A tag value is invalid. Use 1 to {TAG_VALUE_LENGTH} characters.",
        )
    if len(set(keys)) < len(keys):
        raise ServiceError("iot.ota.tag.KeyDuplicated", "Two tags have the same key.")
    if sum(len(tag["Key"]) + len(tag["Value"]) for tag in tags) > TAGS_LENGTH:
        raise ServiceError(
            "iot.firmware.JobTagIsTooLong", f"The tags have more than {TAGS_LENGTH} characters in total."
        )
    return tags


def _read_schedule(call: Call) -> dict[str, Any]:
    """Read the schedule: start 5 minutes to 7 days from now, finish 1 hour to 30 days after the start."""
    start, finish = call.params.get("ScheduleTime"), call.params.get("ScheduleFinishTime")
    if finish is not None and start is None:
        raise ServiceError(
            "iot.firmware.ScheduleFinishTimeWithoutStartTime",
            "ScheduleTime is required if ScheduleFinishTime is set.",
        )
    if start is None:
        return {}
    if start <= call.now:
        raise ServiceError(
            "iot.firmware.FireTimeMustLargeThanCurrentTime", "The start time must be in the future."
        )
    if start < call.now + 5 * MINUTE_MS:
        raise ServiceError(
            "iot.firmware.FireTimeTooShort", "The start time must be at least 5 minutes from now."
        )
    if start > call.now + 7 * DAY_MS:
        raise ServiceError("iot.firmware.FireTimeTooLate", "The start time must be at most 7 days from now.")
    if finish is not None:
        if finish <= start:
            raise ServiceError(
                "iot.firmware.ScheduleFinishTimeEarlierThanStartTime",
                "The finish time must be after the start time.",
            )
        if finish < start + 60 * MINUTE_MS:
            raise ServiceError(
                "iot.firmware.ScheduleFinishTimeTooEarly",
                "The finish time must be at least 1 hour after the start time.",
            )
        if finish > start + 30 * DAY_MS:
            raise ServiceError(
                "iot.firmware.ScheduleFinishTimeTooLate",
                "The finish time must be at most 30 days after the start time.",
            )
    return {"schedule": start, "finish": finish}


def _refuse_conflicting_targets(call: Call, target: str) -> None:
    """Raise ServiceError for parameters that do not belong to the target: SrcVersion is for ALL and GRAY, TargetDeviceName
    for SPECIFIC."""
    if call.params.get("SrcVersion") and target not in ("ALL", "GRAY"):
        raise ServiceError(
            "iot.firmware.SrcVersionsNotAllowed", f"SrcVersion cannot be used with the target {target}."
        )
    if call.params.get("TargetDeviceName") and target != "SPECIFIC":
        raise ServiceError(
            "iot.firmware.TargetDeviceNamesNotAllowed",
            f"TargetDeviceName cannot be used with the target {target}.",
        )


def _read_src_versions(call: Call, package: sqlite3.Row) -> list[str]:
    """Read the versions to update from; for a delta package, only its source version is possible."""
    versions: list[str] = call.params.get("SrcVersion") or []
    if len(versions) > SRC_VERSIONS_LIMIT:
        raise ServiceError(
            "iot.firmware.SrcVersionsSizeExceedMax",
            f"SrcVersion has more than {SRC_VERSIONS_LIMIT} versions.",
        )
    if len(set(versions)) < len(versions):
        raise ServiceError("iot.firmware.IncorrectFormattedSrcVersion", "The source versions must be unique.")
    if package["kind"] != DELTA:
        return versions
    if len(versions) > 1:
        raise ServiceError(
            "iot.firmware.MoreThanOneSrcVersion", "A delta package has only one source version."
        )
    if versions and versions[0] != package["src_version"]:
        raise ServiceError(
            "iot.firmware.UpgradeSrcVersionMismatch", "The delta package has another source version."
        )
    return [package["src_version"]]


def _read_percent(call: Call) -> str:
    percent = str(call.params.get("GrayPercent") or "")
    if not percent:
        raise ServiceError("iot.firmware.NullGrayPercent", "GrayPercent is missing.")
    if not PERCENT.fullmatch(percent):
        raise ServiceError(
            "iot.firmware.BadlyFormattedGrayPercent",
            "GrayPercent is invalid. Use a number with up to 3 decimal places.",
        )
    if not 0 < float(percent) <= 100:
        raise ServiceError(
            "iot.firmware.InvalidGrayPercent", "GrayPercent must be greater than 0 and at most 100."
        )
    return percent


def _read_group(call: Call) -> dict[str, Any]:
    group_id = call.params.get("GroupId")
    if (call.params.get("GroupType") or "") != "LINK_PLATFORM":
        raise ServiceError("iot.ota.GroupTypeInvalid", "The group type is invalid. Use LINK_PLATFORM.")
    row = call.db.execute(
        "SELECT group_id, name FROM groups WHERE group_id = ? AND account = ? AND instance = ?",
        (group_id, call.account, call.instance),
    ).fetchone()
    if row is None:
        raise ServiceError("iot.ota.GroupNotExist", "The group does not exist.")
    return {"group_id": row["group_id"], "group_name": row["name"]}


def _select_specific(call: Call, package: sqlite3.Row) -> int:
    names, url = call.params.get("TargetDeviceName"), call.params.get("DnListFileUrl")
    if bool(names) == bool(url):
        raise ServiceError(
            "iot.firmware.NullTargetDeviceNames",
            "Set either TargetDeviceName or DnListFileUrl for the target SPECIFIC.",
        )
    if url:
        return targets.select_listed(call, package, url)
    count = targets.select_named(call, package, names or [])
    if not count:
        raise ServiceError(
            "iot.firmware.DeviceWithDestinationVersionInArray",
            "The devices already have the version of the package.",
        )
    return count


def _create_batch(call: Call, package: sqlite3.Row, settings: dict[str, Any]) -> dict[str, Any]:
    """Create the batch, and its tasks for the devices in temp.ota_targets."""
    batch_id = common.create_id()
    earlier = call.db.execute(
        "SELECT count(*) FROM ota_batches WHERE package_id = ?", (package["id"],)
    ).fetchone()[0]
    planned = settings.get("schedule") is not None
    values = {
        "batch_id": batch_id,
        "account": call.account,
        "instance": call.instance,
        "package_id": package["id"],
        "package_name": package["name"],
        "product_key": call.params["ProductKey"],
        "module": package["module"],
        "dest_version": package["dest_version"],
        "status": "PLANNED" if planned else "IN_PROGRESS",
        "sequence": earlier,
        "created": call.now,
        "modified": call.now,
        "started": None if planned else call.now,
        **settings,
    }
    number = call.db.execute(
        f"INSERT INTO ota_batches ({', '.join(values)}) VALUES ({common.placeholders(values)})",
        tuple(values.values()),
    ).lastrowid
    batch = call.db.execute("SELECT * FROM ota_batches WHERE id = ?", (number,)).fetchone()
    running.start_tasks(call.db, batch, call.emulator.pace, call.now)
    targets.clear_targets(call.db)
    return {"Data": {"JobId": batch_id, "UtcCreate": format_utc(call.now)}}


def _batch_info(row: sqlite3.Row) -> dict[str, Any]:
    info = {
        "JobId": row["batch_id"],
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
        info["UtcStartTime"] = format_utc(row["started"])
    if row["ended"] is not None:
        info["UtcEndTime"] = format_utc(row["ended"])
    return info


OPERATIONS = {
    "CreateOTAVerifyJob": create_ota_verify_job,
    "CreateOTAStaticUpgradeJob": create_ota_static_upgrade_job,
    "CreateOTADynamicUpgradeJob": create_ota_dynamic_upgrade_job,
    "ListOTAJobByFirmware": list_ota_job_by_firmware,
    "ListOTAJobByDevice": list_ota_job_by_device,
    "QueryOTAJob": query_ota_job,
}
