"""Deployments: copy the configuration in the cloud to the gateway (`deploy`), or remove it from there (`reset`).

A deployment has the status 0 (not started), 1 (running), 2 (succeeded) or 3 (failed or closed). Its only task, and the
resources of the task, pass the stages 0, 8 (assembled), 16 (packed), 24 (sent to the gateway) and 32 (done). The
deployment waits up to five minutes for a gateway that is not online. Nothing runs in the background: see `run_due`.
"""

from __future__ import annotations

import json
import sqlite3
import uuid
from typing import TYPE_CHECKING, Any

from iot_emulator.call import Call, DeferredWork, Handler
from iot_emulator.clock import Pace
from iot_emulator.edge import codes
from iot_emulator.edge.common import find_edge_instance, format_times, list_response, read_edge_page
from iot_emulator.edge.drivers import driver_name
from iot_emulator.errors import ServiceError

if TYPE_CHECKING:
    from iot_emulator.app import Emulator

WAITING, RUNNING, SUCCEEDED, FAILED = 0, 1, 2, 3
ASSEMBLY, PACKAGE, DISPATCH, DONE = 8, 16, 24, 32
MAX_PER_REQUEST = 200  # deployments that one request advances
_SECONDS = {0: 1.0, ASSEMBLY: 2.0, PACKAGE: 2.0, DISPATCH: 3.0}  # how long a stage lasts
_NEXT_STAGE = {0: ASSEMBLY, ASSEMBLY: PACKAGE, PACKAGE: DISPATCH}
_STAGE_MESSAGES = {
    0: "init success",
    ASSEMBLY: "assembly success",
    PACKAGE: "package success",
    DISPATCH: "dispatched",
}
_GATEWAY_TIMEOUT, _GATEWAY_RETRY = 300.0, 5.0  # seconds, for a gateway that is not online


def create_edge_instance_deployment(call: Call) -> dict[str, Any]:
    """CreateEdgeInstanceDeployment: only one at a time, and only with a gateway."""
    edge_id = find_edge_instance(call)["edge_id"]
    gateway = call.db.execute("SELECT iot_id FROM edge_gateways WHERE edge_id = ?", (edge_id,)).fetchone()
    if gateway is None:
        raise ServiceError(codes.NO_GATEWAY, "The edge instance has no gateway.")
    if _find_unfinished(call.db, edge_id) is not None:
        raise ServiceError(codes.RUNNING, "A deployment of the edge instance is running.")
    deployment_id = insert_deployment(
        call.db,
        edge_id,
        call.params["Type"],
        gateway["iot_id"],
        call.now,
        due=call.now + call.emulator.pace.work(_SECONDS[0]),
    )
    return {"DeploymentId": deployment_id}


def insert_deployment(
    db: sqlite3.Connection,
    edge_id: str,
    kind: str,
    gateway: str,
    now: int,
    *,
    due: int,
    deployment_id: str = "",
) -> str:
    """Insert a deployment that starts at `due` (ms), with the resources of this moment; return its ID."""
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
            json.dumps(_collect_resources(db, edge_id, kind)),
            "[]",
            now,
            now,
            due,
        ),
    )
    return deployment_id


def _collect_resources(db: sqlite3.Connection, edge_id: str, kind: str) -> list[dict[str, Any]]:
    """Return the resources of a deployment: the present ones, and the removal of those deployed before that are gone."""
    present = [("gateway_config", "gateway_config", "gateway_config")]
    present += [
        ("driver", row["driver_id"], driver_name(row["driver_id"]))
        for row in db.execute(
            "SELECT driver_id FROM edge_drivers WHERE edge_id = ? ORDER BY created", (edge_id,)
        )
    ]
    for resource, table in (("driver_config", "edge_driver_configs"), ("device_config", "edge_devices")):
        if db.execute(f"SELECT 1 FROM {table} WHERE edge_id = ? LIMIT 1", (edge_id,)).fetchone():
            present.append((resource, resource, resource))
    last = db.execute(
        "SELECT type, resources FROM edge_deployments WHERE edge_id = ? AND status = ? ORDER BY created DESC, id DESC"
        " LIMIT 1",
        (edge_id, SUCCEEDED),
    ).fetchone()
    deployed = (
        [
            (item["type"], item["id"], item["name"])
            for item in json.loads(last["resources"])
            if not item["delete"]
        ]
        if last is not None and last["type"] == "deploy"
        else []
    )
    if kind == "reset":
        resources = [(resource, True) for resource in deployed or present]
    else:
        resources = [(resource, False) for resource in present]
        resources += [(resource, True) for resource in deployed if resource not in present]
    return [
        {"snapshot": uuid.uuid4().hex, "type": type_, "id": id_, "name": name, "delete": delete}
        for (type_, id_, name), delete in resources
    ]


def close_edge_instance_deployment(call: Call) -> dict[str, Any]:
    """CloseEdgeInstanceDeployment: the running deployment fails in its present stage. Without one, nothing happens."""
    row = _find_unfinished(call.db, find_edge_instance(call)["edge_id"])
    if row is not None:
        _finish(
            call.db,
            row,
            FAILED,
            row["stage"],
            call.now,
            [*json.loads(row["log"]), _log_entry(row["stage"], call.now, "closed")],
        )
    return {}


def get_edge_instance_deployment(call: Call) -> dict[str, Any]:
    """GetEdgeInstanceDeployment."""
    row = call.db.execute(
        "SELECT * FROM edge_deployments WHERE deployment_id = ? AND edge_id = ?",
        (call.params["DeploymentId"], find_edge_instance(call)["edge_id"]),
    ).fetchone()
    if row is None:
        raise ServiceError(codes.NO_DEPLOYMENT, "The edge instance does not have this deployment.")
    times = format_times(row, completed=True)
    progress = {"Status": row["status"], "Stage": row["stage"]}
    log = json.loads(row["log"])
    task = {
        **times,
        **progress,
        "TaskId": row["task_id"],
        "GatewayId": row["gateway"],
        "ResourceSnapshotList": [
            {
                **times,
                **progress,
                "SnapshotId": item["snapshot"],
                "ResourceType": item["type"],
                "ResourceId": item["id"],
                "ResourceName": item["name"],
                "OperateType": int(item["delete"]),
                "Log": _resource_log(item, log),
            }
            for item in json.loads(row["resources"])
        ],
    }
    return {"Data": {**_describe_deployment(row), "TaskList": [task]}}


def query_edge_instance_historic_deployment(call: Call) -> dict[str, Any]:
    """QueryEdgeInstanceHistoricDeployment: newest first, optionally of a time range (ms, both ends included)."""
    edge_id, page = find_edge_instance(call)["edge_id"], read_edge_page(call)
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
    return list_response(page, total, "DeploymentList", [_describe_deployment(row) for row in rows])


def _describe_deployment(row: sqlite3.Row) -> dict[str, Any]:
    return {
        "DeploymentId": row["deployment_id"],
        "Description": f"{row['type']}_{row['created']}",
        "Type": row["type"],
        "Status": row["status"],
        **format_times(row, completed=True),
    }


def _resource_log(item: dict[str, Any], log: list[dict[str, Any]]) -> str:
    """Return the log of a resource as JSON text, in the platform's format."""
    entries = [
        {
            "resourceId": item["id"],
            "code": "0" if entry["level"] == "INFO" else "1",
            "stage": entry["stage"],
            "level": entry["level"],
            "message": entry["message"],
            "resourceType": item["type"].upper(),
            "timestamp": entry["at"],
        }
        for entry in log
    ]
    return json.dumps(entries, separators=(",", ":"))


def _find_unfinished(db: sqlite3.Connection, edge_id: str) -> sqlite3.Row | None:
    row: sqlite3.Row | None = db.execute(
        "SELECT * FROM edge_deployments WHERE edge_id = ? AND due IS NOT NULL", (edge_id,)
    ).fetchone()
    return row


def _log_entry(stage: int, at: int, message: str, level: str = "INFO") -> dict[str, Any]:
    return {"stage": stage, "at": at, "level": level, "message": message}


def _finish(
    db: sqlite3.Connection, row: sqlite3.Row, status: int, stage: int, at: int, log: list[dict[str, Any]]
) -> None:
    db.execute(
        "UPDATE edge_deployments SET status = ?, stage = ?, log = ?, modified = ?, completed = ?, due = NULL WHERE id = ?",
        (status, stage, json.dumps(log), at, at, row["id"]),
    )


def _next_due(db: sqlite3.Connection) -> int | None:
    (due,) = db.execute("SELECT min(due) FROM edge_deployments WHERE due IS NOT NULL").fetchone()
    return due if due is None else int(due)


def run_due(db: sqlite3.Connection, now: int, emulator: Emulator) -> None:
    """Advance deployments to their state at `now`."""
    rows = db.execute(
        "SELECT * FROM edge_deployments WHERE due <= ? ORDER BY due LIMIT ?", (now, MAX_PER_REQUEST)
    ).fetchall()
    for row in rows:
        _advance(db, row, now, emulator.pace)


def _advance(db: sqlite3.Connection, row: sqlite3.Row, now: int, pace: Pace) -> None:
    stage, at, deadline = row["stage"], row["due"], row["deadline"]
    log: list[dict[str, Any]] = json.loads(row["log"])
    stage_started = row["modified"]
    gateway = db.execute("SELECT status FROM devices WHERE iot_id = ?", (row["gateway"],)).fetchone()
    while at <= now:
        if stage != DISPATCH:
            log.append(_log_entry(stage, at, _STAGE_MESSAGES[stage]))
            stage, stage_started = _NEXT_STAGE[stage], at
            at += pace.work(_SECONDS[stage])
            continue
        if gateway is None:
            return _finish(
                db, row, FAILED, stage, at, [*log, _log_entry(stage, at, "the gateway was deleted", "ERROR")]
            )
        if gateway["status"] == "ONLINE":
            log += [_log_entry(stage, at, _STAGE_MESSAGES[stage]), _log_entry(DONE, at, "download success")]
            return _finish(db, row, SUCCEEDED, DONE, at, log)
        deadline = deadline or at + pace.background(_GATEWAY_TIMEOUT)
        if at >= deadline:
            entry = _log_entry(stage, at, "the gateway is not online", "ERROR")
            return _finish(db, row, FAILED, stage, at, [*log, entry])
        at = min(max(at + pace.background(_GATEWAY_RETRY), now), deadline)
    db.execute(
        "UPDATE edge_deployments SET status = ?, stage = ?, log = ?, modified = ?, due = ?, deadline = ? WHERE id = ?",
        (RUNNING, stage, json.dumps(log), stage_started, at, deadline, row["id"]),
    )
    return None


DEFERRED_WORK = DeferredWork(next_due=_next_due, run_due=run_due)

OPERATIONS: dict[str, Handler] = {
    "CreateEdgeInstanceDeployment": create_edge_instance_deployment,
    "CloseEdgeInstanceDeployment": close_edge_instance_deployment,
    "GetEdgeInstanceDeployment": get_edge_instance_deployment,
    "QueryEdgeInstanceHistoricDeployment": query_edge_instance_historic_deployment,
}
