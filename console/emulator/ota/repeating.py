"""ReupgradeOTATask: tasks that have ended without success run again in their batch."""

from __future__ import annotations

import sqlite3
from typing import Any

from console.emulator.call import Call
from console.emulator.errors import ServiceError
from console.emulator.ota import common, running, targets
from console.emulator.ota.packages import Status

REPEATABLE = ("FAILED", "CANCELED")


def reupgrade_ota_task(call: Call) -> dict[str, Any]:
    """ReupgradeOTATask: run up to 10 failed or cancelled tasks of a batch again.

    A task in another state refuses the whole call. A completed batch is in progress again until its tasks have ended.
    Tasks of devices that no longer need the package stay as they are, and those of devices in another batch fail at
    once; if no other device is left, the call is refused.
    """
    ids = common.task_ids(call)
    job = common.job(call, unknown="iot.ota.InvalidJobId")
    tasks = _tasks(call, job, ids)
    if job["status"] == "CANCELED":
        raise ServiceError("iot.ota.JobCanceled", "The update batch is cancelled.")
    package = _package(call, job)
    _refuse_others(call, job, tasks)
    over = job["finish"] is not None and job["finish"] <= call.now
    if job["verify"] or over or not _restart(call, job, package, tasks):
        raise ServiceError(
            "iot.ota.DeviceNotReUpgraded", "There is no device whose update can be started again."
        )
    call.db.execute(
        "UPDATE ota_jobs SET status = CASE status WHEN 'COMPLETED' THEN 'IN_PROGRESS' ELSE status END, ended = NULL, "
        "modified = ? WHERE id = ?",
        (call.now, job["id"]),
    )
    return {}


def _tasks(call: Call, job: sqlite3.Row, ids: list[str]) -> list[sqlite3.Row]:
    """The caller's tasks of these ids, all of them of the batch."""
    rows = call.db.execute(
        "SELECT t.* FROM ota_tasks t JOIN ota_jobs j ON j.id = t.job "
        f"WHERE t.task_id IN ({common.marks(ids)}) AND j.account = ? AND j.instance = ?",
        (*ids, call.account, call.instance),
    ).fetchall()
    if len(rows) < len(ids):
        raise ServiceError("iot.ota.InvalidTaskId", "An update task does not exist.")
    if any(row["job"] != job["id"] for row in rows):
        raise ServiceError("iot.ota.UnmatchedJob", "An update task belongs to another batch.")
    return rows


def _package(call: Call, job: sqlite3.Row) -> sqlite3.Row:
    """The batch's package, which must be there and allowed to update devices."""
    row: sqlite3.Row | None = call.db.execute(
        "SELECT * FROM ota_packages WHERE id = ?", (job["package_id"],)
    ).fetchone()
    if row is None:
        raise ServiceError("iot.ota.InvalidFirmwareUid", "The update package does not exist.")
    if row["status"] == Status.VERIFYING:
        raise ServiceError("iot.ota.FirmwareNotVerified", "The update package is being verified.")
    if row["status"] not in (Status.NO_NEED, Status.VERIFIED):
        raise ServiceError(
            "iot.firmware.ReUpgradeFailedFirmwareNotVerified", "The update package is not verified."
        )
    return row


def _refuse_others(call: Call, job: sqlite3.Row, tasks: list[sqlite3.Row]) -> None:
    """Refuse tasks that have succeeded or have not ended, and those of deleted devices."""
    if any(task["status"] not in REPEATABLE for task in tasks):
        ended = call.db.execute(
            f"SELECT 1 FROM ota_tasks WHERE job = ? AND status IN ({common.marks(REPEATABLE)}) LIMIT 1",
            (job["id"], *REPEATABLE),
        ).fetchone()
        if ended is None:
            raise ServiceError(
                "iot.ota.FailedTaskNotFound", "The batch has no update task that failed or was cancelled."
            )
        raise ServiceError(
            "iot.ota.InvalidTaskExist", "An update task has neither failed nor been cancelled."
        )
    devices = {task["iot_id"] for task in tasks}
    known = call.db.execute(
        f"SELECT count(*) FROM devices WHERE iot_id IN ({common.marks(devices)})", tuple(devices)
    ).fetchone()[0]
    if known < len(devices):
        raise ServiceError("iot.ota.DeviceNotExist", "A device does not exist.")


def _restart(call: Call, job: sqlite3.Row, package: sqlite3.Row, tasks: list[sqlite3.Row]) -> int:
    targets.repeated(call.db, package, [task["id"] for task in tasks])
    started = running.restart_tasks(call.db, job, call.emulator.pace, call.now)
    targets.forget(call.db)
    return started


OPERATIONS = {"ReupgradeOTATask": reupgrade_ota_task}
