"""Deployments: what is configured in the cloud brought to the gateway (`deploy`), or taken off it again (`reset`).

A deployment is 0 (not begun), 1 (going on), 2 (succeeded) or 3 (failed, or closed). Its one task, and what that
carries, pass the stages 0, 8 (assembled), 16 (packed), 24 (sent to the gateway) and 32 (done). Sending waits for a gateway
that is not online, five minutes at most. Nothing runs in the background: see `settle`.
"""

from __future__ import annotations

import json
import sqlite3
import uuid
from typing import TYPE_CHECKING, Any

from console.emulator.call import Call, Handler, Settler
from console.emulator.clock import Pace
from console.emulator.edge import codes
from console.emulator.edge.common import edge_of, edge_page, paged, times
from console.emulator.edge.drivers import name_of
from console.emulator.errors import ServiceError

if TYPE_CHECKING:
    from console.emulator.app import Emulator

WAITING, GOING, SUCCEEDED, FAILED = 0, 1, 2, 3
ASSEMBLY, PACKAGE, DISPATCH, DONE = 8, 16, 24, 32
AT_ONCE = 200  # deployments settled by one request
_SECONDS = {0: 1.0, ASSEMBLY: 2.0, PACKAGE: 2.0, DISPATCH: 3.0}  # how long a stage lasts
_NEXT = {0: ASSEMBLY, ASSEMBLY: PACKAGE, PACKAGE: DISPATCH}
_PASSED = {
    0: "init success",
    ASSEMBLY: "assembly success",
    PACKAGE: "package success",
    DISPATCH: "dispatched",
}
_PATIENCE, _LOOK_AGAIN = 300.0, 5.0  # for a gateway that is not online


def create_edge_instance_deployment(call: Call) -> dict[str, Any]:
    """CreateEdgeInstanceDeployment: one at a time, and only with a gateway."""
    edge_id = edge_of(call)["edge_id"]
    gateway = call.db.execute("SELECT iot_id FROM edge_gateways WHERE edge_id = ?", (edge_id,)).fetchone()
    if gateway is None:
        raise ServiceError(codes.NO_GATEWAY, "The edge instance has no gateway.")
    if _unfinished(call.db, edge_id) is not None:
        raise ServiceError(codes.RUNNING, "The edge instance is being deployed.")
    deployment_id = add(
        call.db,
        edge_id,
        call.params["Type"],
        gateway["iot_id"],
        call.now,
        due=call.now + call.emulator.pace.work(_SECONDS[0]),
    )
    return {"DeploymentId": deployment_id}


def add(
    db: sqlite3.Connection,
    edge_id: str,
    kind: str,
    gateway: str,
    now: int,
    *,
    due: int,
    deployment_id: str = "",
) -> str:
    """Note a deployment that begins at `due` (ms), with what it carries at this moment; returns its id."""
    deployment_id = deployment_id or uuid.uuid4().hex
    db.execute(
        "INSERT INTO edge_deployments (deployment_id, edge_id, type, task_id, gateway, resources, log, created, modified,"
        " due) VALUES (?,?,?,?,?,?,?,?,?,?)",
        (
            deployment_id,
            edge_id,
            kind,
            uuid.uuid5(uuid.NAMESPACE_OID, deployment_id).hex,
            gateway,
            json.dumps(_resources(db, edge_id, kind)),
            "[]",
            now,
            now,
            due,
        ),
    )
    return deployment_id


def _resources(db: sqlite3.Connection, edge_id: str, kind: str) -> list[dict[str, Any]]:
    """What a deployment carries: what there is, and the removal of what was brought last time and is no more."""
    here = [("gateway_config", "gateway_config", "gateway_config")]
    here += [
        ("driver", row["driver_id"], name_of(row["driver_id"]))
        for row in db.execute(
            "SELECT driver_id FROM edge_drivers WHERE edge_id = ? ORDER BY created", (edge_id,)
        )
    ]
    for resource, table in (("driver_config", "edge_driver_configs"), ("device_config", "edge_devices")):
        if db.execute(f"SELECT 1 FROM {table} WHERE edge_id = ? LIMIT 1", (edge_id,)).fetchone():
            here.append((resource, resource, resource))
    last = db.execute(
        "SELECT type, resources FROM edge_deployments WHERE edge_id = ? AND status = ? ORDER BY created DESC, id DESC"
        " LIMIT 1",
        (edge_id, SUCCEEDED),
    ).fetchone()
    there = (
        [
            (item["type"], item["id"], item["name"])
            for item in json.loads(last["resources"])
            if not item["delete"]
        ]
        if last is not None and last["type"] == "deploy"
        else []
    )
    if kind == "reset":
        carried = [(resource, True) for resource in there or here]
    else:
        carried = [(resource, False) for resource in here]
        carried += [(resource, True) for resource in there if resource not in here]
    return [
        {"snapshot": uuid.uuid4().hex, "type": type_, "id": id_, "name": name, "delete": delete}
        for (type_, id_, name), delete in carried
    ]


def close_edge_instance_deployment(call: Call) -> dict[str, Any]:
    """CloseEdgeInstanceDeployment: the one that is not finished fails where it is; without one there is nothing to do."""
    row = _unfinished(call.db, edge_of(call)["edge_id"])
    if row is not None:
        _end(
            call.db,
            row,
            FAILED,
            row["stage"],
            call.now,
            [*json.loads(row["log"]), _line(row["stage"], call.now, "closed")],
        )
    return {}


def get_edge_instance_deployment(call: Call) -> dict[str, Any]:
    """GetEdgeInstanceDeployment."""
    row = call.db.execute(
        "SELECT * FROM edge_deployments WHERE deployment_id = ? AND edge_id = ?",
        (call.params["DeploymentId"], edge_of(call)["edge_id"]),
    ).fetchone()
    if row is None:
        raise ServiceError(codes.NO_DEPLOYMENT, "The edge instance has no such deployment.")
    moments = times(row, completed=True)
    state = {"Status": row["status"], "Stage": row["stage"]}
    log = json.loads(row["log"])
    task = {
        **moments,
        **state,
        "TaskId": row["task_id"],
        "GatewayId": row["gateway"],
        "ResourceSnapshotList": [
            {
                **moments,
                **state,
                "SnapshotId": item["snapshot"],
                "ResourceType": item["type"],
                "ResourceId": item["id"],
                "ResourceName": item["name"],
                "OperateType": int(item["delete"]),
                "Log": _log_of(item, log),
            }
            for item in json.loads(row["resources"])
        ],
    }
    return {"Data": {**_told(row), "TaskList": [task]}}


def query_edge_instance_historic_deployment(call: Call) -> dict[str, Any]:
    """QueryEdgeInstanceHistoricDeployment: newest first; of a time when one is given (ms, both ends counted in)."""
    edge_id, page = edge_of(call)["edge_id"], edge_page(call)
    start, end = call.params.get("StartTime"), call.params.get("EndTime")
    if start is not None and end is not None and start >= end:
        raise ServiceError("iot.check.ParameterIsNotLessThanMax", "StartTime must be before EndTime.")
    values = (edge_id, start or 0, end if end is not None else (1 << 62))
    where = "edge_id = ? AND created BETWEEN ? AND ?"
    (total,) = call.db.execute(f"SELECT count(*) FROM edge_deployments WHERE {where}", values).fetchone()
    rows = call.db.execute(
        f"SELECT * FROM edge_deployments WHERE {where} ORDER BY created DESC, id DESC LIMIT ? OFFSET ?",
        (*values, page.size, page.offset),
    )
    return paged(page, total, "DeploymentList", [_told(row) for row in rows])


def _told(row: sqlite3.Row) -> dict[str, Any]:
    return {
        "DeploymentId": row["deployment_id"],
        "Description": f"{row['type']}_{row['created']}",
        "Type": row["type"],
        "Status": row["status"],
        **times(row, completed=True),
    }


def _log_of(item: dict[str, Any], log: list[dict[str, Any]]) -> str:
    """The log of one of the things carried, as the JSON text that the platform gives."""
    lines = [
        {
            "resourceId": item["id"],
            "code": "0" if line["level"] == "INFO" else "1",
            "stage": line["stage"],
            "level": line["level"],
            "message": line["message"],
            "resourceType": item["type"].upper(),
            "timestamp": line["at"],
        }
        for line in log
    ]
    return json.dumps(lines, separators=(",", ":"))


def _unfinished(db: sqlite3.Connection, edge_id: str) -> sqlite3.Row | None:
    row: sqlite3.Row | None = db.execute(
        "SELECT * FROM edge_deployments WHERE edge_id = ? AND due IS NOT NULL", (edge_id,)
    ).fetchone()
    return row


def _line(stage: int, at: int, message: str, level: str = "INFO") -> dict[str, Any]:
    return {"stage": stage, "at": at, "level": level, "message": message}


def _end(
    db: sqlite3.Connection, row: sqlite3.Row, status: int, stage: int, at: int, log: list[dict[str, Any]]
) -> None:
    db.execute(
        "UPDATE edge_deployments SET status = ?, stage = ?, log = ?, modified = ?, completed = ?, due = NULL WHERE id = ?",
        (status, stage, json.dumps(log), at, at, row["id"]),
    )


def _due(db: sqlite3.Connection) -> int | None:
    (due,) = db.execute("SELECT min(due) FROM edge_deployments WHERE due IS NOT NULL").fetchone()
    return due if due is None else int(due)


def settle(db: sqlite3.Connection, now: int, emulator: Emulator) -> None:
    """Bring deployments to where they are at `now`."""
    rows = db.execute(
        "SELECT * FROM edge_deployments WHERE due <= ? ORDER BY due LIMIT ?", (now, AT_ONCE)
    ).fetchall()
    for row in rows:
        _move(db, row, now, emulator.pace)


def _move(db: sqlite3.Connection, row: sqlite3.Row, now: int, pace: Pace) -> None:
    stage, at, deadline = row["stage"], row["due"], row["deadline"]
    log: list[dict[str, Any]] = json.loads(row["log"])
    begun = row["modified"]
    gateway = db.execute("SELECT status FROM devices WHERE iot_id = ?", (row["gateway"],)).fetchone()
    while at <= now:
        if stage != DISPATCH:
            log.append(_line(stage, at, _PASSED[stage]))
            stage, begun = _NEXT[stage], at
            at += pace.work(_SECONDS[stage])
            continue
        if gateway is None:
            return _end(
                db, row, FAILED, stage, at, [*log, _line(stage, at, "the gateway was deleted", "ERROR")]
            )
        if gateway["status"] == "ONLINE":
            log += [_line(stage, at, _PASSED[stage]), _line(DONE, at, "download success")]
            return _end(db, row, SUCCEEDED, DONE, at, log)
        deadline = deadline or at + pace.life(_PATIENCE)
        if at >= deadline:
            return _end(
                db, row, FAILED, stage, at, [*log, _line(stage, at, "the gateway is not online", "ERROR")]
            )
        at = min(max(at + pace.life(_LOOK_AGAIN), now), deadline)
    db.execute(
        "UPDATE edge_deployments SET status = ?, stage = ?, log = ?, modified = ?, due = ?, deadline = ? WHERE id = ?",
        (GOING, stage, json.dumps(log), begun, at, deadline, row["id"]),
    )
    return None


SETTLER = Settler(due=_due, settle=settle)

OPERATIONS: dict[str, Handler] = {
    "CreateEdgeInstanceDeployment": create_edge_instance_deployment,
    "CloseEdgeInstanceDeployment": close_edge_instance_deployment,
    "GetEdgeInstanceDeployment": get_edge_instance_deployment,
    "QueryEdgeInstanceHistoricDeployment": query_edge_instance_historic_deployment,
}
