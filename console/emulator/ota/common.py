"""What the OTA operations share: finding what a request names, pages, ids."""

from __future__ import annotations

import sqlite3
from typing import Any

from console.emulator.call import Call
from console.emulator.errors import ServiceError
from console.emulator.formats import random_text
from console.emulator.paging import Page

UNFINISHED = ("CONFIRM", "QUEUED", "NOTIFIED", "IN_PROGRESS")
TASKS_LIMIT = 10


def paging(page: Page, total: int) -> dict[str, int]:
    """The paging part of an answer."""
    return {"Total": total, "PageCount": page.count(total), "PageSize": page.size, "CurrentPage": page.number}


def new_id() -> str:
    """An id of a package, batch or task: 26 characters."""
    return random_text(22) + "0100"


def package(call: Call, package_id: str) -> sqlite3.Row:
    """The caller's package of this id; raises `iot.firmware.FirmwareNotFound`."""
    row: sqlite3.Row | None = call.db.execute(
        "SELECT * FROM ota_packages WHERE id = ? AND account = ? AND instance = ?",
        (package_id, call.account, call.instance),
    ).fetchone()
    if row is None:
        raise ServiceError("iot.firmware.FirmwareNotFound", "The update package does not exist.")
    return row


def job(call: Call, unknown: str = "iot.firmware.InvalidOTAJobId") -> sqlite3.Row:
    """The caller's batch, by `JobId`; raises ServiceError with the code `unknown`."""
    row: sqlite3.Row | None = call.db.execute(
        "SELECT * FROM ota_jobs WHERE job_id = ? AND account = ? AND instance = ?",
        (call.params["JobId"], call.account, call.instance),
    ).fetchone()
    if row is None:
        raise ServiceError(unknown, "The update batch does not exist.")
    return row


def task_ids(call: Call) -> list[str]:
    """The ids under `TaskId`, each once; raises `iot.ota.TaskIdIsNull` and `iot.ota.TooManyOtaTask`."""
    ids = list(dict.fromkeys(call.params.get("TaskId") or []))
    if not ids:
        raise ServiceError("iot.ota.TaskIdIsNull", "The IDs of the update tasks are missing.")
    if len(ids) > TASKS_LIMIT:
        raise ServiceError("iot.ota.TooManyOtaTask", f"At most {TASKS_LIMIT} tasks can be given in one call.")
    return ids


def product_name(db: sqlite3.Connection, product_key: str) -> str:
    """A product's name; "" for a product that is gone or was never told."""
    row = db.execute("SELECT name FROM products WHERE product_key = ?", (product_key,)).fetchone()
    return str(row[0]) if row else ""


def marks(values: Any) -> str:
    """As many question marks as there are values, for `IN (…)`."""
    return ", ".join("?" * len(values))
