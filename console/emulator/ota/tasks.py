"""Update tasks: one device in one batch. Listing, confirming and cancelling them."""

from __future__ import annotations

import sqlite3
from typing import Any

from console.emulator.call import Call
from console.emulator.errors import ServiceError
from console.emulator.formats import format_utc
from console.emulator.lookups import find_device, find_product
from console.emulator.ota import common, running
from console.emulator.paging import Page, read_page

LIST_REACH = 100_000
CANCELED_BY_USER = "canceled by user"


def list_ota_task_by_job(call: Call) -> dict[str, Any]:
    """ListOTATaskByJob: the tasks of a batch in the order they were made; of one status, or of named devices."""
    job = common.job(call)
    where, values, tasks = ["job = ?"], [job["id"]], "ota_tasks"
    names = call.params.get("DeviceNames")
    page = Page(1, max(len(names), 1)) if names else read_page(call, max_entries=LIST_REACH)
    if names:
        where.append(f"name IN ({common.marks(names)})")
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
    product_name = common.product_name(call.db, job["product_key"])
    shown = []
    for row in rows:
        info = _shown(row, job, product_name)
        info["Progress"] = f"{running.progress(row, call.now):.2f}"
        info["TaskDesc"] = row["description"]
        info["Timeout"] = None if job["timeout"] is None else str(job["timeout"])
        shown.append(info)
    return {"Data": {"SimpleOTATaskInfo": shown}, **common.paging(page, total)}


def list_ota_unfinished_task_by_device(call: Call) -> dict[str, Any]:
    """ListOTAUnfinishedTaskByDevice: a device's tasks of one unfinished status, or of several by TaskStatusList."""
    device = find_device(call)
    statuses = call.params.get("TaskStatusList") or [call.params["TaskStatus"]]
    if not set(statuses) <= set(common.UNFINISHED):
        raise ServiceError("iot.firmware.InvalidTaskStatus", "The task status is invalid.")
    rows = call.db.execute(
        f"SELECT * FROM ota_tasks WHERE iot_id = ? AND active AND status IN ({common.marks(statuses)}) ORDER BY id DESC",
        (device["iot_id"], *statuses),
    ).fetchall()
    module = call.params.get("ModuleName")
    shown = []
    for row in rows:
        if module and row["module"].lower() != module.lower():
            continue
        job = call.db.execute("SELECT * FROM ota_jobs WHERE id = ?", (row["job"],)).fetchone()
        info = _shown(row, job, common.product_name(call.db, job["product_key"]))
        shown.append({**info, "ModuleName": row["module"]})
    return {"Data": {"SimpleOTATaskInfo": shown}}


def confirm_ota_task(call: Call) -> dict[str, Any]:
    """ConfirmOTATask: release up to 10 tasks that wait for it, all or none, while their batch is running."""
    ids = common.task_ids(call)
    rows = call.db.execute(
        "SELECT t.id, t.status, j.status AS job_status FROM ota_tasks t JOIN ota_jobs j ON j.id = t.job "
        f"WHERE t.task_id IN ({common.marks(ids)}) AND j.account = ? AND j.instance = ?",
        (*ids, call.account, call.instance),
    ).fetchall()
    if len(rows) < len(ids):
        raise ServiceError("iot.firmware.InvalidOTATaskId", "An update task does not exist.")
    if any(row["status"] != "CONFIRM" for row in rows):
        raise ServiceError("iot.firmware.InvalidTaskStatus", "An update task does not wait for confirmation.")
    if any(row["job_status"] == "PLANNED" for row in rows):
        raise ServiceError("iot.ota.ConfirmNotAllowedNow", "The batch of an update task has not started yet.")
    call.db.executemany(
        "UPDATE ota_tasks SET status = 'QUEUED', due = ?, modified = ? WHERE id = ?",
        ((call.now, call.now, row["id"]) for row in rows),
    )
    return {}


def cancel_ota_task_by_job(call: Call) -> dict[str, Any]:
    """CancelOTATaskByJob: the tasks of a batch, by what they are at.

    Queued ones take those waiting for confirmation along, unless that is said apart. A batch that was cancelled ends
    as CANCELED once its last task is over.
    """
    job = common.job(call)
    options = {
        name: call.params.get(f"Cancel{name}Task")
        for name in ("Scheduled", "Queued", "Notified", "InProgress", "Unconfirmed")
    }
    if not any(options.values()):
        raise ServiceError("iot.firmware.CancelOptionIsMandatory", "Say which tasks to cancel.")
    _refuse_ended(call, job)
    statuses = _statuses(job, options)
    count = call.db.execute(
        f"""UPDATE ota_tasks SET status = 'CANCELED', active = 0, due = NULL, modified = ?, description = ?
            WHERE job = ? AND active AND status IN ({common.marks(statuses)})""",
        (call.now, CANCELED_BY_USER, job["id"], *statuses),
    ).rowcount
    if count and not job["dynamic"]:
        call.db.execute(
            "UPDATE ota_jobs SET canceled = 1, modified = ?, status = 'IN_PROGRESS' WHERE id = ?",
            (call.now, job["id"]),
        )
        running.finish_jobs(call.db, call.now)
    return {}


def cancel_ota_task_by_device(call: Call) -> dict[str, Any]:
    """CancelOTATaskByDevice: the tasks of named devices that have not begun, of a package or of one batch of it."""
    find_product(call)
    package = common.package(call, call.params["FirmwareId"])
    names = call.params.get("DeviceName") or []
    where, values = ["j.package_id = ?", "j.product_key = ?"], [package["id"], call.params["ProductKey"]]
    if call.params.get("JobId"):
        where.append("j.id = ?")
        values.append(common.job(call)["id"])
    known = call.db.execute(
        f"SELECT count(*) FROM devices WHERE product_key = ? AND name IN ({common.marks(names)})",
        (call.params["ProductKey"], *names),
    ).fetchone()[0]
    if known < len(set(names)):
        raise ServiceError("iot.device.NotExistedDevice", "A device does not exist.")
    rows = call.db.execute(
        "SELECT t.id, t.status FROM ota_jobs j JOIN ota_tasks t INDEXED BY ota_tasks_name ON t.job = j.id "
        f"WHERE {' AND '.join(where)} AND t.active AND t.name IN ({common.marks(names)})",
        (*values, *names),
    ).fetchall()
    if not rows:
        raise ServiceError(
            "iot.firmware.DeviceUpgradeRecordNotFound", "The devices have no update task to cancel."
        )
    pending = [row["id"] for row in rows if row["status"] != "IN_PROGRESS"]
    if not pending:
        raise ServiceError(
            "iot.firmware.IncorrectDeviceUpgradeJobStatus", "The devices are being updated already."
        )
    call.db.executemany(
        "UPDATE ota_tasks SET status = 'CANCELED', active = 0, due = NULL, modified = ?, description = ? WHERE id = ?",
        ((call.now, CANCELED_BY_USER, number) for number in pending),
    )
    return {}


def cancel_ota_strategy_by_job(call: Call) -> dict[str, Any]:
    """CancelOTAStrategyByJob: a dynamic batch takes no more devices. Tasks that it made go on."""
    job = common.job(call)
    if not job["dynamic"]:
        raise ServiceError("iot.firmware.NotDynamicJob", "The batch is not a dynamic one.")
    if job["status"] == "CANCELED":
        raise ServiceError("iot.firmware.JobAlreadyCanceled", "The batch is cancelled already.")
    call.db.execute(
        "UPDATE ota_jobs SET status = 'CANCELED', canceled = 1, modified = ?, ended = ? WHERE id = ?",
        (call.now, call.now, job["id"]),
    )
    return {}


def _refuse_ended(call: Call, job: sqlite3.Row) -> None:
    if call.params.get("CancelScheduledTask") and job["schedule"] is None:
        raise ServiceError("iot.firmware.JobHasNoScheduleTime", "The batch is not a scheduled one.")
    if job["status"] == "COMPLETED":
        raise ServiceError("iot.firmware.IncorrectDeviceUpgradeJobStatus", "The batch is completed already.")
    active = call.db.execute(
        "SELECT 1 FROM ota_tasks INDEXED BY ota_tasks_active WHERE job = ? AND active LIMIT 1", (job["id"],)
    ).fetchone()
    if job["status"] == "CANCELED" and not active:
        raise ServiceError("iot.firmware.JobAlreadyCanceled", "The batch is cancelled already.")


def _statuses(job: sqlite3.Row, options: dict[str, bool | None]) -> list[str]:
    """The statuses that the options mean. Before its time, a scheduled batch has scheduled tasks only."""
    if job["status"] == "PLANNED":
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


def _shown(row: sqlite3.Row, job: sqlite3.Row, product_name: str) -> dict[str, Any]:
    return {
        "TaskId": row["task_id"],
        "TaskStatus": row["status"],
        "JobId": job["job_id"],
        "FirmwareId": job["package_id"],
        "ProductKey": job["product_key"],
        "ProductName": product_name,
        "DeviceName": row["name"],
        "IotId": row["iot_id"],
        "SrcVersion": row["src_version"],
        "DestVersion": job["dest_version"],
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
