"""Update tasks: one device in one batch. Listing, confirming and canceling tasks."""

from __future__ import annotations

import sqlite3
from typing import Any

from iot_emulator.call import Call
from iot_emulator.errors import ServiceError
from iot_emulator.formats import format_utc
from iot_emulator.lookups import find_device, find_product
from iot_emulator.ota import common, running
from iot_emulator.paging import Page, read_page

MAX_LISTED_TASKS = 100_000
CANCELED_BY_USER = "canceled by user"


def list_ota_task_by_job(call: Call) -> dict[str, Any]:
    """ListOTATaskByJob: the tasks of a batch in the order of creation; optionally of one status, or of named
    devices."""
    batch = common.find_batch(call)
    where, values, tasks = ["batch = ?"], [batch["id"]], "ota_tasks"
    names = call.params.get("DeviceNames")
    page = Page(1, max(len(names), 1)) if names else read_page(call, max_entries=MAX_LISTED_TASKS)
    if names:
        where.append(f"name IN ({common.placeholders(names)})")
        values += names
        tasks += " INDEXED BY ota_tasks_name"
    if call.params.get("TaskStatus"):
        where.append("status = ?")
        values.append(call.params["TaskStatus"])
    condition = " AND ".join(where)
    total = call.db.execute(f"SELECT count(*) FROM {tasks} WHERE {condition}", values).fetchone()[0]
    rows = call.db.execute(
        f"SELECT * FROM {tasks} WHERE {condition} ORDER BY id LIMIT ? OFFSET ?",
        (*values, page.size, page.offset),
    ).fetchall()
    product_name = common.find_product_name(call.db, batch["product_key"])
    infos = []
    for row in rows:
        info = _task_info(row, batch, product_name)
        info["Progress"] = f"{running.calculate_progress(row, call.now):.2f}"
        info["TaskDesc"] = row["description"]
        info["Timeout"] = None if batch["timeout"] is None else str(batch["timeout"])
        infos.append(info)
    return {"Data": {"SimpleOTATaskInfo": infos}, **common.write_paging(page, total)}


def list_ota_unfinished_task_by_device(call: Call) -> dict[str, Any]:
    """ListOTAUnfinishedTaskByDevice: a device's tasks with one unfinished status, or with several
    (TaskStatusList)."""
    device = find_device(call)
    statuses = call.params.get("TaskStatusList") or [call.params["TaskStatus"]]
    if not set(statuses) <= set(common.UNFINISHED):
        raise ServiceError(
            "iot.firmware.InvalidTaskStatus",
            "The task status is invalid. Use CONFIRM, QUEUED, NOTIFIED or IN_PROGRESS.",
        )
    rows = call.db.execute(
        f"SELECT * FROM ota_tasks WHERE iot_id = ? AND active AND status IN ({common.placeholders(statuses)}) ORDER BY id DESC",
        (device["iot_id"], *statuses),
    ).fetchall()
    module = call.params.get("ModuleName")
    infos = []
    for row in rows:
        if module and row["module"].lower() != module.lower():
            continue
        batch = call.db.execute("SELECT * FROM ota_batches WHERE id = ?", (row["batch"],)).fetchone()
        info = _task_info(row, batch, common.find_product_name(call.db, batch["product_key"]))
        infos.append({**info, "ModuleName": row["module"]})
    return {"Data": {"SimpleOTATaskInfo": infos}}


def confirm_ota_task(call: Call) -> dict[str, Any]:
    """ConfirmOTATask: confirms up to 10 tasks that wait for confirmation, all or none; their batch must have started."""
    ids = common.read_task_ids(call)
    rows = call.db.execute(
        "SELECT t.id, t.status, b.status AS batch_status FROM ota_tasks t JOIN ota_batches b ON b.id = t.batch "
        f"WHERE t.task_id IN ({common.placeholders(ids)}) AND b.account = ? AND b.instance = ?",
        (*ids, call.account, call.instance),
    ).fetchall()
    if len(rows) < len(ids):
        raise ServiceError("iot.firmware.InvalidOTATaskId", "An update task does not exist.")
    if any(row["status"] != "CONFIRM" for row in rows):
        raise ServiceError(
            "iot.firmware.InvalidTaskStatus", "An update task is not waiting for confirmation."
        )
    if any(row["batch_status"] == "PLANNED" for row in rows):
        raise ServiceError("iot.ota.ConfirmNotAllowedNow", "The batch of an update task has not started.")
    call.db.executemany(
        "UPDATE ota_tasks SET status = 'QUEUED', due = ?, modified = ? WHERE id = ?",
        ((call.now, call.now, row["id"]) for row in rows),
    )
    return {}


def cancel_ota_task_by_job(call: Call) -> dict[str, Any]:
    """CancelOTATaskByJob: cancels the tasks of a batch, by status.

    CancelQueuedTask also cancels tasks that wait for confirmation, unless CancelUnconfirmedTask is set. The status of the
    batch becomes CANCELED when its last task has ended.
    """
    batch = common.find_batch(call)
    options = {
        name: call.params.get(f"Cancel{name}Task")
        for name in ("Scheduled", "Queued", "Notified", "InProgress", "Unconfirmed")
    }
    if not any(options.values()):
        raise ServiceError("iot.firmware.CancelOptionIsMandatory", "Set at least one of the cancel options.")
    _refuse_ended_batch(call, batch)
    statuses = _select_statuses(batch, options)
    count = call.db.execute(
        f"""UPDATE ota_tasks SET status = 'CANCELED', active = 0, due = NULL, modified = ?, description = ?
            WHERE batch = ? AND active AND status IN ({common.placeholders(statuses)})""",
        (call.now, CANCELED_BY_USER, batch["id"], *statuses),
    ).rowcount
    cancels_start = batch["status"] == "PLANNED" and options["Scheduled"]
    if (count or cancels_start) and not batch["dynamic"]:
        call.db.execute(
            "UPDATE ota_batches SET canceled = 1, modified = ?, status = 'IN_PROGRESS' WHERE id = ?",
            (call.now, batch["id"]),
        )
        running.finish_batches(call.db, call.now)
    return {}


def cancel_ota_task_by_device(call: Call) -> dict[str, Any]:
    """CancelOTATaskByDevice: cancels the tasks of named devices that have not started, for a package or one of its
    batches."""
    find_product(call)
    package = common.find_package(call, call.params["FirmwareId"])
    names = call.params.get("DeviceName") or []
    where, values = ["b.package_id = ?", "b.product_key = ?"], [package["id"], call.params["ProductKey"]]
    if call.params.get("JobId"):
        where.append("b.id = ?")
        values.append(common.find_batch(call)["id"])
    existing_count = call.db.execute(
        f"SELECT count(*) FROM devices WHERE product_key = ? AND name IN ({common.placeholders(names)})",
        (call.params["ProductKey"], *names),
    ).fetchone()[0]
    if existing_count < len(set(names)):
        raise ServiceError("iot.device.NotExistedDevice", "A device does not exist.")
    rows = call.db.execute(
        "SELECT t.id, t.status FROM ota_batches b JOIN ota_tasks t INDEXED BY ota_tasks_name ON t.batch = b.id "
        f"WHERE {' AND '.join(where)} AND t.active AND t.name IN ({common.placeholders(names)})",
        (*values, *names),
    ).fetchall()
    if not rows:
        raise ServiceError(
            "iot.firmware.DeviceUpgradeRecordNotFound", "The devices have no update task to cancel."
        )
    pending = [row["id"] for row in rows if row["status"] != "IN_PROGRESS"]
    if not pending:
        raise ServiceError(
            "iot.firmware.IncorrectDeviceUpgradeJobStatus", "The devices are already being updated."
        )
    call.db.executemany(
        "UPDATE ota_tasks SET status = 'CANCELED', active = 0, due = NULL, modified = ?, description = ? WHERE id = ?",
        ((call.now, CANCELED_BY_USER, number) for number in pending),
    )
    return {}


def cancel_ota_strategy_by_job(call: Call) -> dict[str, Any]:
    """CancelOTAStrategyByJob: stops adding devices to a dynamic batch. Its existing tasks continue."""
    batch = common.find_batch(call)
    if not batch["dynamic"]:
        raise ServiceError("iot.firmware.NotDynamicJob", "The batch is not dynamic.")
    if batch["status"] == "CANCELED":
        raise ServiceError("iot.firmware.JobAlreadyCanceled", "The batch is already canceled.")
    call.db.execute(
        "UPDATE ota_batches SET status = 'CANCELED', canceled = 1, modified = ?, ended = ? WHERE id = ?",
        (call.now, call.now, batch["id"]),
    )
    return {}


def _refuse_ended_batch(call: Call, batch: sqlite3.Row) -> None:
    if call.params.get("CancelScheduledTask") and batch["schedule"] is None:
        raise ServiceError("iot.firmware.JobHasNoScheduleTime", "The batch is not scheduled.")
    if batch["status"] == "COMPLETED":
        raise ServiceError("iot.firmware.IncorrectDeviceUpgradeJobStatus", "The batch is already completed.")
    active = call.db.execute(
        "SELECT 1 FROM ota_tasks INDEXED BY ota_tasks_active WHERE batch = ? AND active LIMIT 1",
        (batch["id"],),
    ).fetchone()
    if batch["status"] == "CANCELED" and not active:
        raise ServiceError("iot.firmware.JobAlreadyCanceled", "The batch is already canceled.")


def _select_statuses(batch: sqlite3.Row, options: dict[str, bool | None]) -> list[str]:
    """Select the task statuses of the options. Before its start, a scheduled batch has only scheduled tasks."""
    if batch["status"] == "PLANNED":
        return ["QUEUED", "CONFIRM"] if options["Scheduled"] else []
    statuses = []
    if options["Queued"] or options["Scheduled"]:
        statuses.append("QUEUED")
    if options["Notified"]:
        statuses.append("NOTIFIED")
    if options["InProgress"]:
        statuses.append("IN_PROGRESS")
    unconfirmed = options["Unconfirmed"]
    if unconfirmed or (unconfirmed is None and "QUEUED" in statuses):
        statuses.append("CONFIRM")
    return statuses


def _task_info(row: sqlite3.Row, batch: sqlite3.Row, product_name: str) -> dict[str, Any]:
    return {
        "TaskId": row["task_id"],
        "TaskStatus": row["status"],
        "JobId": batch["batch_id"],
        "FirmwareId": batch["package_id"],
        "ProductKey": batch["product_key"],
        "ProductName": product_name,
        "DeviceName": row["name"],
        "IotId": row["iot_id"],
        "SrcVersion": row["src_version"],
        "DestVersion": batch["dest_version"],
        "UtcCreate": format_utc(row["created"]),
        "UtcModified": format_utc(row["modified"]),
    }


OPERATIONS = {
    "ListOTATaskByJob": list_ota_task_by_job,
    "ListOTAUnfinishedTaskByDevice": list_ota_unfinished_task_by_device,
    "ConfirmOTATask": confirm_ota_task,
    "CancelOTATaskByJob": cancel_ota_task_by_job,
    "CancelOTATaskByDevice": cancel_ota_task_by_device,
    "CancelOTAStrategyByJob": cancel_ota_strategy_by_job,
}
