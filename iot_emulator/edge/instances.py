"""Edge instances: create, update, query and delete."""

from __future__ import annotations

import sqlite3
from typing import Any

from iot_emulator.call import Call, Handler
from iot_emulator.edge import codes
from iot_emulator.edge.common import (
    find_edge_instance,
    format_times,
    invalid_edge_parameter,
    list_response,
    read_edge_page,
)
from iot_emulator.errors import ServiceError
from iot_emulator.formats import format_local, random_text

MAX_INSTANCES = 100_000  # of an account
STANDARD_EDITION = 20
_SELECT_WITH_LATEST_DEPLOYMENT = (
    "SELECT e.*, d.status AS latest_status, d.type AS latest_type FROM edge_instances e LEFT JOIN edge_deployments d"
    " ON d.id = (SELECT id FROM edge_deployments l WHERE l.edge_id = e.edge_id ORDER BY l.created DESC, l.id DESC LIMIT 1)"
)


def create_edge_instance(call: Call) -> dict[str, Any]:
    """CreateEdgeInstance: by default with the standard edition."""
    _check_name_is_unique(call, except_id="")
    (count,) = call.db.execute(
        "SELECT count(*) FROM edge_instances WHERE account = ? AND instance = ?",
        (call.account, call.instance),
    ).fetchone()
    if count >= MAX_INSTANCES:
        raise ServiceError(
            codes.TOO_MANY_INSTANCES, f"An account can have at most {MAX_INSTANCES:,} edge instances."
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
            _read_tags(call),
            call.params.get("Spec", STANDARD_EDITION),
            call.now,
            call.now,
        ),
    )
    return {"InstanceId": edge_id}


def update_edge_instance(call: Call) -> dict[str, Any]:
    """UpdateEdgeInstance: changes the name, and the other parameters that are sent. Empty Tags remove the tags."""
    row = find_edge_instance(call)
    _check_name_is_unique(call, except_id=row["edge_id"])
    call.db.execute(
        "UPDATE edge_instances SET name = ?, tags = ?, spec = ?, enabled = ?, modified = ? WHERE edge_id = ?",
        (
            call.params["Name"],
            _read_tags(call) if "Tags" in call.params else row["tags"],
            call.params.get("Spec", row["spec"]),
            call.params.get("BizEnable", bool(row["enabled"])),
            call.now,
            row["edge_id"],
        ),
    )
    return {}


def delete_edge_instance(call: Call) -> dict[str, Any]:
    """DeleteEdgeInstance: also deletes the binding of its gateway and its deployments.

    Refused during a deployment and while the edge instance has devices or drivers.
    """
    edge_id = find_edge_instance(call)["edge_id"]
    for table, code, message in (
        (
            "edge_deployments WHERE due IS NOT NULL AND",
            codes.RUNNING,
            "A deployment of the edge instance is running.",
        ),
        ("edge_devices WHERE", codes.HAS_DEVICES, "The edge instance has devices. Unbind them first."),
        ("edge_drivers WHERE", codes.HAS_DRIVERS, "The edge instance has drivers. Unbind them first."),
    ):
        if call.db.execute(f"SELECT 1 FROM {table} edge_id = ? LIMIT 1", (edge_id,)).fetchone():
            raise ServiceError(code, message)
    call.db.execute("DELETE FROM edge_instances WHERE edge_id = ?", (edge_id,))
    return {}


def get_edge_instance(call: Call) -> dict[str, Any]:
    """GetEdgeInstance."""
    edge_id = find_edge_instance(call)["edge_id"]
    row = call.db.execute(f"{_SELECT_WITH_LATEST_DEPLOYMENT} WHERE e.edge_id = ?", (edge_id,)).fetchone()
    return {"Data": _describe_instance(row)}


def query_edge_instance(call: Call) -> dict[str, Any]:
    """QueryEdgeInstance: newest first; with Name, only the edge instance with this name."""
    page = read_edge_page(call)
    where, values = "e.account = ? AND e.instance = ?", [call.account, call.instance]
    if call.params.get("Name"):
        where += " AND e.name = ?"
        values.append(call.params["Name"])
    (total,) = call.db.execute(f"SELECT count(*) FROM edge_instances e WHERE {where}", values).fetchone()
    rows = call.db.execute(
        f"{_SELECT_WITH_LATEST_DEPLOYMENT} WHERE {where} ORDER BY e.created DESC, e.id DESC LIMIT ? OFFSET ?",
        (*values, page.size, page.offset),
    )
    return list_response(page, total, "InstanceList", [_describe_instance(row) for row in rows])


def _describe_instance(row: sqlite3.Row) -> dict[str, Any]:
    instance: dict[str, Any] = {
        "InstanceId": row["edge_id"],
        "Name": row["name"],
        "Tags": row["tags"],
        "Spec": row["spec"],
        "BizEnable": bool(row["enabled"]),
        **format_times(row),
    }
    if row["latest_type"] is not None:
        instance["LatestDeploymentStatus"] = row["latest_status"]
        instance["LatestDeploymentType"] = row["latest_type"]
    if row["role_arn"]:
        instance["RoleArn"] = row["role_arn"]
        instance["RoleName"] = row["role_arn"].rpartition("/")[2]
        instance["RoleAttachTime"] = format_local(row["role_attached"])
        instance["RoleAttachTimestamp"] = row["role_attached"]
    return instance


def _read_tags(call: Call) -> str:
    """Return the tags of the request after a check that each key is sent once. Their format is checked by the catalogue."""
    tags: str = call.params.get("Tags", "")
    keys = [tag.partition(":")[0] for tag in tags.split(",")]
    for key in keys:
        if keys.count(key) > 1:
            raise invalid_edge_parameter(f"The tag key '{key}' was sent twice.")
    return tags


def _check_name_is_unique(call: Call, *, except_id: str) -> None:
    other = call.db.execute(
        "SELECT 1 FROM edge_instances WHERE account = ? AND instance = ? AND name = ? AND edge_id <> ?",
        (call.account, call.instance, call.params["Name"], except_id),
    ).fetchone()
    if other:
        raise ServiceError(codes.NAME_TAKEN, "Another edge instance has this name.")


OPERATIONS: dict[str, Handler] = {
    "CreateEdgeInstance": create_edge_instance,
    "UpdateEdgeInstance": update_edge_instance,
    "DeleteEdgeInstance": delete_edge_instance,
    "GetEdgeInstance": get_edge_instance,
    "QueryEdgeInstance": query_edge_instance,
}
