"""Shared functions of the edge operations: they find the edge instance of a call, read pages and format times."""

from __future__ import annotations

import sqlite3
from typing import Any

from iot_emulator.call import Call
from iot_emulator.edge import codes
from iot_emulator.errors import ServiceError
from iot_emulator.formats import format_local
from iot_emulator.paging import Page

MIN_PAGE_SIZE = 10


def find_edge_instance(call: Call) -> sqlite3.Row:
    """Return the edge instance that `InstanceId` names. Raises `iot.edge.InstanceNotExist`."""
    row: sqlite3.Row | None = call.db.execute(
        "SELECT * FROM edge_instances WHERE edge_id = ? AND account = ? AND instance = ?",
        (call.params["InstanceId"], call.account, call.instance),
    ).fetchone()
    if row is None:
        raise ServiceError(codes.NO_INSTANCE, "The edge instance does not exist.")
    return row


def read_edge_page(call: Call) -> Page:
    """Return the requested page. Numbers below 1 count as 1, sizes below 10 as 10; the catalogue refuses more than 30."""
    return Page(max(call.params["CurrentPage"], 1), max(call.params["PageSize"], MIN_PAGE_SIZE))


def list_response(page: Page, total: int, name: str, items: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the response of a list operation, with its items under `name`."""
    return {"Data": {"Total": total, "PageSize": page.size, "CurrentPage": page.number, name: items}}


def format_times(row: sqlite3.Row, *, completed: bool = False) -> dict[str, Any]:
    """Return the times of creation, of the last change and, if `completed`, of completion: as text and in milliseconds."""
    columns = [("GmtCreate", "created"), ("GmtModified", "modified")]
    if completed and row["completed"] is not None:
        columns.append(("GmtCompleted", "completed"))
    times: dict[str, Any] = {}
    for name, column in columns:
        times[name], times[f"{name}Timestamp"] = format_local(row[column]), row[column]
    return times


def mark_modified(call: Call, edge_id: str) -> None:
    """Set the modification time of an edge instance to now."""
    call.db.execute("UPDATE edge_instances SET modified = ? WHERE edge_id = ?", (call.now, edge_id))


def invalid_edge_parameter(message: str) -> ServiceError:
    """Return the error for an invalid parameter."""
    return ServiceError(codes.INVALID, message)
