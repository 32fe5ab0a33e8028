"""ReupgradeOTATask: runs failed and canceled tasks again in their batch."""

from __future__ import annotations

import sqlite3
from typing import Any

from iot_emulator.call import Call
from iot_emulator.errors import ServiceError
from iot_emulator.ota import common, running, targets
from iot_emulator.ota.packages import Status

REPEATABLE = ("FAILED", "CANCELED")


def reupgrade_ota_task(call: Call) -> dict[str, Any]:
    """ReupgradeOTATask: runs up to 10 failed or canceled tasks of a batch again.

    One task with another status makes the whole call fail. A completed batch is in progress again until its tasks have
    ended. Tasks of devices that no longer need the package do not change. Tasks of devices in another batch fail at
    once. If no task starts, the call fails.
    """
    ids = common.read_task_ids(call)
    batch = common.find_batch(call, not_found_code="iot.ota.InvalidJobId")
    tasks = _find_tasks(call, batch, ids)
    if batch["status"] == "CANCELED":
        raise ServiceError("iot.ota.JobCanceled", "The update batch was canceled.")
    package = _find_verified_package(call, batch)
    _refuse_unrepeatable(call, batch, tasks)
    is_overdue = batch["finish"] is not None and batch["finish"] <= call.now
    if batch["verify"] or is_overdue or not _restart_tasks(call, batch, package, tasks):
        raise ServiceError("iot.ota.DeviceNotReUpgraded", "None of the update tasks can run again.")
    call.db.execute(
        "UPDATE ota_batches SET status = CASE status WHEN 'COMPLETED' THEN 'IN_PROGRESS' ELSE status END, ended = NULL, "
        "modified = ? WHERE id = ?",
        (call.now, batch["id"]),
    )
    return {}


def _find_tasks(call: Call, batch: sqlite3.Row, ids: list[str]) -> list[sqlite3.Row]:
    """Find the caller's tasks by id; all must belong to the batch."""
    rows = call.db.execute(
        "SELECT t.* FROM ota_tasks t JOIN ota_batches b ON b.id = t.batch "
        f"WHERE t.task_id IN ({common.placeholders(ids)}) AND b.account = ? AND b.instance = ?",
        (*ids, call.account, call.instance),
    ).fetchall()
    if len(rows) < len(ids):
        raise ServiceError("iot.ota.InvalidTaskId", "An update task does not exist.")
    if any(row["batch"] != batch["id"] for row in rows):
        raise ServiceError("iot.ota.UnmatchedJob", "An update task belongs to another batch.")
    return rows


def _find_verified_package(call: Call, batch: sqlite3.Row) -> sqlite3.Row:
    """Find the batch's package, which must exist and must not need verification."""
    row: sqlite3.Row | None = call.db.execute(
        "SELECT * FROM ota_packages WHERE id = ?", (batch["package_id"],)
    ).fetchone()
    if row is None:
        raise ServiceError("iot.ota.InvalidFirmwareUid", "The update package does not exist.")
    if row["status"] == Status.VERIFYING:
        raise ServiceError(
            "iot.ota.FirmwareNotVerified", "The update package is being verified. Wait for the result."
        )
    if row["status"] not in (Status.NO_NEED, Status.VERIFIED):
        raise ServiceError(
            "iot.firmware.ReUpgradeFailedFirmwareNotVerified",
            "The update package is not verified. Verify it first.",
        )
    return row


def _refuse_unrepeatable(call: Call, batch: sqlite3.Row, tasks: list[sqlite3.Row]) -> None:
    """Raise ServiceError for tasks that succeeded or have not ended, and for tasks of deleted devices."""
    if any(task["status"] not in REPEATABLE for task in tasks):
        ended = call.db.execute(
            f"SELECT 1 FROM ota_tasks WHERE batch = ? AND status IN ({common.placeholders(REPEATABLE)}) LIMIT 1",
            (batch["id"], *REPEATABLE),
        ).fetchone()
        if ended is None:
            raise ServiceError(
                "iot.ota.FailedTaskNotFound", "The batch has no failed or canceled update task."
            )
        raise ServiceError("iot.ota.InvalidTaskExist", "An update task is neither failed nor canceled.")
    devices = {task["iot_id"] for task in tasks}
    existing_count = call.db.execute(
        f"SELECT count(*) FROM devices WHERE iot_id IN ({common.placeholders(devices)})", tuple(devices)
    ).fetchone()[0]
    if existing_count < len(devices):
        raise ServiceError("iot.ota.DeviceNotExist", "A device does not exist.")


def _restart_tasks(call: Call, batch: sqlite3.Row, package: sqlite3.Row, tasks: list[sqlite3.Row]) -> int:
    targets.select_tasks(call.db, package, [task["id"] for task in tasks])
    started = running.restart_tasks(call.db, batch, call.emulator.pace, call.now)
    targets.clear_targets(call.db)
    return started


OPERATIONS = {"ReupgradeOTATask": reupgrade_ota_task}
