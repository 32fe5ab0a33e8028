"""Shared functions of the OTA handlers: finding the objects of a call, paging, ids."""

from __future__ import annotations

import sqlite3
from typing import Any

from iot_emulator.call import Call
from iot_emulator.errors import ServiceError
from iot_emulator.formats import random_text
from iot_emulator.paging import Page

UNFINISHED = ("CONFIRM", "QUEUED", "NOTIFIED", "IN_PROGRESS")
TASKS_LIMIT = 10


def write_paging(page: Page, total: int) -> dict[str, int]:
    """Write the paging fields of a response."""
    return {"Total": total, "PageCount": page.count(total), "PageSize": page.size, "CurrentPage": page.number}


def create_id() -> str:
    """Create an id of a package, batch or task: 26 characters."""
    return random_text(22) + "0100"


def find_package(call: Call, package_id: str) -> sqlite3.Row:
    """Find the caller's package by id; raises `iot.firmware.FirmwareNotFound`."""
    row: sqlite3.Row | None = call.db.execute(
        "SELECT * FROM ota_packages WHERE id = ? AND account = ? AND instance = ?",
        (package_id, call.account, call.instance),
    ).fetchone()
    if row is None:
        raise ServiceError("iot.firmware.FirmwareNotFound", "The update package does not exist.")
    return row


def find_batch(call: Call, not_found_code: str = "iot.firmware.InvalidOTAJobId") -> sqlite3.Row:
    """Find the caller's batch by `JobId`; raises ServiceError with `not_found_code`."""
    row: sqlite3.Row | None = call.db.execute(
        "SELECT * FROM ota_batches WHERE batch_id = ? AND account = ? AND instance = ?",
        (call.params["JobId"], call.account, call.instance),
    ).fetchone()
    if row is None:
        raise ServiceError(not_found_code, "The update batch does not exist.")
    return row


def read_task_ids(call: Call) -> list[str]:
    """Read the ids in `TaskId` without duplicates; raises `iot.ota.TaskIdIsNull` and `iot.ota.TooManyOtaTask`."""
    ids = list(dict.fromkeys(call.params.get("TaskId") or []))
    if not ids:
        raise ServiceError("iot.ota.TaskIdIsNull", "TaskId is missing.")
    if len(ids) > TASKS_LIMIT:
        raise ServiceError("iot.ota.TooManyOtaTask", f"TaskId has more than {TASKS_LIMIT} tasks.")
    return ids


def find_product_name(db: sqlite3.Connection, product_key: str) -> str:
    """Find a product's name; "" if the product was deleted or the package has no product."""
    row = db.execute("SELECT name FROM products WHERE product_key = ?", (product_key,)).fetchone()
    return str(row[0]) if row else ""


def placeholders(values: Any) -> str:
    """Write one question mark per value, for `IN (…)`."""
    return ", ".join("?" * len(values))
