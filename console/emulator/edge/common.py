"""What the edge operations share: finding the edge instance, pages, and the way times are told."""

from __future__ import annotations

import sqlite3
from typing import Any

from console.emulator.call import Call
from console.emulator.edge import codes
from console.emulator.errors import ServiceError
from console.emulator.formats import local
from console.emulator.paging import Page

SMALLEST_PAGE = 10


def edge_of(call: Call) -> sqlite3.Row:
    """The edge instance named by `InstanceId`; raises `iot.edge.InstanceNotExist`."""
    row: sqlite3.Row | None = call.db.execute(
        "SELECT * FROM edge_instances WHERE edge_id = ? AND account = ? AND instance = ?",
        (call.params["InstanceId"], call.account, call.instance),
    ).fetchone()
    if row is None:
        raise ServiceError(codes.NO_INSTANCE, "The edge instance does not exist.")
    return row


def edge_page(call: Call) -> Page:
    """The page asked for. Numbers below 1 count as 1 and sizes below 10 as 10; the catalogue refuses sizes above 30."""
    return Page(max(call.params["CurrentPage"], 1), max(call.params["PageSize"], SMALLEST_PAGE))


def paged(page: Page, total: int, name: str, items: list[dict[str, Any]]) -> dict[str, Any]:
    """The `Data` of a list, its entries under `name`."""
    return {"Data": {"Total": total, "PageSize": page.size, "CurrentPage": page.number, name: items}}


def times(row: sqlite3.Row, *, completed: bool = False) -> dict[str, Any]:
    """When a thing was made, last changed and, if asked for and so, completed: as text and in milliseconds."""
    told: dict[str, Any] = {}
    for name, column in (("GmtCreate", "created"), ("GmtModified", "modified")):
        told[name], told[f"{name}Timestamp"] = local(row[column]), row[column]
    if completed and row["completed"] is not None:
        told["GmtCompleted"], told["GmtCompletedTimestamp"] = local(row["completed"]), row["completed"]
    return told


def touch(call: Call, edge_id: str) -> None:
    """Note that the edge instance was changed now."""
    call.db.execute("UPDATE edge_instances SET modified = ? WHERE edge_id = ?", (call.now, edge_id))


def bad(message: str) -> ServiceError:
    """A parameter that cannot be accepted."""
    return ServiceError(codes.INVALID, message)
