"""Edge instances: making, changing, finding and deleting them."""

from __future__ import annotations

import re
import sqlite3
from typing import Any

from console.cloud.catalogue.check import width
from console.emulator.call import Call, Handler
from console.emulator.edge import codes
from console.emulator.edge.common import bad, edge_of, edge_page, paged, times
from console.emulator.errors import ServiceError
from console.emulator.formats import local, random_text

MAX_INSTANCES = 100_000  # an account
STANDARD = 20
_TAG = re.compile(r"([A-Za-z]{1,20}):([\w-]+)")
_LATEST = (
    "SELECT e.*, d.status AS latest_status, d.type AS latest_type FROM edge_instances e LEFT JOIN edge_deployments d"
    " ON d.id = (SELECT id FROM edge_deployments l WHERE l.edge_id = e.edge_id ORDER BY l.created DESC, l.id DESC LIMIT 1)"
)


def create_edge_instance(call: Call) -> dict[str, Any]:
    """CreateEdgeInstance; the standard edition unless told."""
    _refuse_taken_name(call, but="")
    (count,) = call.db.execute(
        "SELECT count(*) FROM edge_instances WHERE account = ? AND instance = ?",
        (call.account, call.instance),
    ).fetchone()
    if count >= MAX_INSTANCES:
        raise ServiceError(
            codes.TOO_MANY_INSTANCES, f"An account has at most {MAX_INSTANCES} edge instances."
        )
    edge_id = random_text(20)
    call.db.execute(
        "INSERT INTO edge_instances (edge_id, account, instance, name, tags, spec, created, modified)"
        " VALUES (?,?,?,?,?,?,?,?)",
        (
            edge_id,
            call.account,
            call.instance,
            call.params["Name"],
            _tags(call),
            call.params.get("Spec", STANDARD),
            call.now,
            call.now,
        ),
    )
    return {"InstanceId": edge_id}


def update_edge_instance(call: Call) -> dict[str, Any]:
    """UpdateEdgeInstance: the name, and what else is sent; empty tags remove the tags."""
    row = edge_of(call)
    _refuse_taken_name(call, but=row["edge_id"])
    call.db.execute(
        "UPDATE edge_instances SET name = ?, tags = ?, spec = ?, enabled = ?, modified = ? WHERE edge_id = ?",
        (
            call.params["Name"],
            _tags(call) if "Tags" in call.params else row["tags"],
            call.params.get("Spec", row["spec"]),
            call.params.get("BizEnable", bool(row["enabled"])),
            call.now,
            row["edge_id"],
        ),
    )
    return {}


def delete_edge_instance(call: Call) -> dict[str, Any]:
    """DeleteEdgeInstance: with its gateway's binding and its history; refused while it has devices or drivers."""
    edge_id = edge_of(call)["edge_id"]
    for table, code, what in (
        ("edge_deployments WHERE due IS NOT NULL AND", codes.RUNNING, "is being deployed"),
        ("edge_devices WHERE", codes.HAS_DEVICES, "still has devices"),
        ("edge_drivers WHERE", codes.HAS_DRIVERS, "still has drivers"),
    ):
        if call.db.execute(f"SELECT 1 FROM {table} edge_id = ? LIMIT 1", (edge_id,)).fetchone():
            raise ServiceError(code, f"The edge instance {what}.")
    call.db.execute("DELETE FROM edge_instances WHERE edge_id = ?", (edge_id,))
    return {}


def get_edge_instance(call: Call) -> dict[str, Any]:
    """GetEdgeInstance."""
    edge_id = edge_of(call)["edge_id"]
    row = call.db.execute(f"{_LATEST} WHERE e.edge_id = ?", (edge_id,)).fetchone()
    return {"Data": _told(row)}


def query_edge_instance(call: Call) -> dict[str, Any]:
    """QueryEdgeInstance: newest first; with Name, the one of that name."""
    page = edge_page(call)
    where, values = "e.account = ? AND e.instance = ?", [call.account, call.instance]
    if call.params.get("Name"):
        where += " AND e.name = ?"
        values.append(call.params["Name"])
    (total,) = call.db.execute(f"SELECT count(*) FROM edge_instances e WHERE {where}", values).fetchone()
    rows = call.db.execute(
        f"{_LATEST} WHERE {where} ORDER BY e.created DESC, e.id DESC LIMIT ? OFFSET ?",
        (*values, page.size, page.offset),
    )
    return paged(page, total, "InstanceList", [_told(row) for row in rows])


def _told(row: sqlite3.Row) -> dict[str, Any]:
    told: dict[str, Any] = {
        "InstanceId": row["edge_id"],
        "Name": row["name"],
        "Tags": row["tags"],
        "Spec": row["spec"],
        "BizEnable": bool(row["enabled"]),
        **times(row),
    }
    if row["latest_type"] is not None:
        told["LatestDeploymentStatus"] = row["latest_status"]
        told["LatestDeploymentType"] = row["latest_type"]
    if row["role_arn"]:
        told["RoleArn"] = row["role_arn"]
        told["RoleName"] = row["role_arn"].rpartition("/")[2]
        told["RoleAttachTime"] = local(row["role_attached"])
        told["RoleAttachTimestamp"] = row["role_attached"]
    return told


def _tags(call: Call) -> str:
    """The tags as sent, once they are known to be good: keys of letters, each once; values of up to 20 columns."""
    tags: str = call.params.get("Tags", "")
    seen = set()
    for tag in tags.split(",") if tags else ():
        found = _TAG.fullmatch(tag)
        if not found or width(found[2], "wide") > 20:
            raise bad(f"'{tag}' is not a tag: write letters:value, both up to 20 characters.")
        if found[1] in seen:
            raise bad(f"The tag '{found[1]}' is given twice.")
        seen.add(found[1])
    return tags


def _refuse_taken_name(call: Call, *, but: str) -> None:
    taken = call.db.execute(
        "SELECT 1 FROM edge_instances WHERE account = ? AND instance = ? AND name = ? AND edge_id <> ?",
        (call.account, call.instance, call.params["Name"], but),
    ).fetchone()
    if taken:
        raise ServiceError(codes.NAME_TAKEN, "There is an edge instance of this name already.")


OPERATIONS: dict[str, Handler] = {
    "CreateEdgeInstance": create_edge_instance,
    "UpdateEdgeInstance": update_edge_instance,
    "DeleteEdgeInstance": delete_edge_instance,
    "GetEdgeInstance": get_edge_instance,
    "QueryEdgeInstance": query_edge_instance,
}
