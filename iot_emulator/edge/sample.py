"""The edge instances of the sample fleet: two in use, and one that was created today.

The first one has no problems. The gateway of the second one has never been online, so its deployment waits. The third
one only has a gateway.
"""

from __future__ import annotations

import json
import sqlite3
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

from iot_emulator.edge.deployments import DISPATCH, DONE, FAILED, RUNNING, SUCCEEDED, insert_deployment
from iot_emulator.edge.drivers import OFFICIAL
from iot_emulator.things.noise import DAY, HOUR

if TYPE_CHECKING:
    from iot_emulator.fleet.devices import Owner

MODBUS, _, LORA, LIGHT = OFFICIAL
_DEVICES = 24  # of the first edge instance
_DEADLINE = 30 * DAY  # of the waiting deployment
_STAGES = (
    (0, "init success"),
    (8, "assembly success"),
    (16, "package success"),
    (24, "dispatched"),
    (32, "download success"),
)


@dataclass(frozen=True, slots=True)
class _PastDeployment:
    """A deployment that ended `days` ago."""

    days: float
    kind: str
    status: int
    stage: int
    error: str = ""


_HISTORY = (
    _PastDeployment(210, "deploy", SUCCEEDED, DONE),
    _PastDeployment(96, "deploy", FAILED, DISPATCH, "the gateway is not online"),
    _PastDeployment(95.8, "deploy", SUCCEEDED, DONE),
    _PastDeployment(40, "reset", SUCCEEDED, DONE),
    _PastDeployment(39.9, "deploy", FAILED, 8, "closed"),
    _PastDeployment(39.7, "deploy", SUCCEEDED, DONE),
)


def add_sample_edge_instances(db: sqlite3.Connection, owner: Owner, gateway_key: str, now: int) -> None:
    """Add the edge instances to a sample fleet: up to three, one for each suitable gateway."""
    gateways = {
        # Online with sub-devices; never activated; any other that is online.
        "first": "g.status = 'ONLINE' ORDER BY (SELECT count(*) FROM topology t WHERE t.gateway_iot_id = g.iot_id) DESC",
        "second": "g.activated IS NULL AND g.due IS NULL ORDER BY g.id",
        "third": "g.status = 'ONLINE' ORDER BY g.id DESC",
    }
    selected: dict[str, str] = {}
    for which, order in gateways.items():
        for row in db.execute(
            f"SELECT g.iot_id FROM devices g WHERE g.product_key = ? AND {order} LIMIT 3", (gateway_key,)
        ):
            if row["iot_id"] not in selected.values():
                selected[which] = row["iot_id"]
                break
    if "first" in selected:
        _insert_first(db, owner, selected["first"], now)
    if "second" in selected:
        _insert_second(db, owner, selected["second"], now)
    if "third" in selected:
        edge_id = _insert_instance(db, owner, "Canal_Mansions", "", 10, now - HOUR, selected["third"])
        insert_deployment(
            db,
            edge_id,
            "deploy",
            selected["third"],
            now,
            due=now + 600_000,
            deployment_id=_stable_id(owner, "third"),
        )


def _insert_first(db: sqlite3.Connection, owner: Owner, gateway: str, now: int) -> None:
    created = now - 220 * DAY
    edge_id = _insert_instance(db, owner, "Starlight_Court", "site:hangzhou,floor:roof", 30, created, gateway)
    arn = "acs:ram::1000000000000000:role/edge-reports"
    db.execute(
        "UPDATE edge_instances SET role_arn = ?, role_attached = ? WHERE edge_id = ?",
        (arn, created + 2 * HOUR, edge_id),
    )
    _insert_drivers(db, edge_id, [(LORA, "1.0.0"), (MODBUS, "1.2.0")], created + HOUR)
    lora = {"band": "CN470", "channels": 8, "adr": True}
    _configure(db, owner, edge_id, LORA, [("JSON", json.dumps(lora), "radio"), ("KV", "log=info", "log")])
    _configure(db, owner, edge_id, MODBUS, [("KV", "port=/dev/ttyS1\nbaud=9600\nparity=none", "")])
    devices = db.execute(
        "SELECT iot_id FROM topology WHERE gateway_iot_id = ? ORDER BY iot_id LIMIT ?", (gateway, _DEVICES)
    ).fetchall()
    for number, row in enumerate(devices):
        config = json.dumps({"interval": 60 + 30 * (number % 3), "unit": number + 1}) if number % 4 else None
        db.execute(
            "INSERT INTO edge_devices (iot_id, edge_id, driver_id, config) VALUES (?, ?, ?, ?)",
            (row["iot_id"], edge_id, MODBUS if number % 5 == 0 else LORA, config),
        )
    for number, past in enumerate(_HISTORY):
        at = now - int(past.days * DAY)
        _insert_past_deployment(db, edge_id, past, gateway, at, _stable_id(owner, f"past {number}"))


def _insert_second(db: sqlite3.Connection, owner: Owner, gateway: str, now: int) -> None:
    created = now - 6 * DAY
    edge_id = _insert_instance(db, owner, "Jinji_Lake", "site:suzhou", 20, created, gateway)
    _insert_drivers(db, edge_id, [(LIGHT, "1.0.0")], created + HOUR)
    started = now - 5 * DAY
    deployment_id = insert_deployment(
        db, edge_id, "deploy", gateway, started, due=now, deployment_id=_stable_id(owner, "second")
    )
    db.execute(
        "UPDATE edge_deployments SET status = ?, stage = ?, log = ?, modified = ?, deadline = ? WHERE deployment_id = ?",
        (RUNNING, DISPATCH, _log(started, DISPATCH), started + 5000, now + _DEADLINE, deployment_id),
    )


def _insert_instance(
    db: sqlite3.Connection, owner: Owner, name: str, tags: str, spec: int, created: int, gateway: str
) -> str:
    edge_id = _stable_id(owner, name)[:20]
    db.execute(
        "INSERT INTO edge_instances (edge_id, account, instance, name, tags, spec, created, modified)"
        " VALUES (?,?,?,?,?,?,?,?)",
        (edge_id, owner.account, owner.instance, name, tags, spec, created, created + HOUR),
    )
    db.execute("INSERT INTO edge_gateways (edge_id, iot_id) VALUES (?, ?)", (edge_id, gateway))
    return edge_id


def _insert_drivers(db: sqlite3.Connection, edge_id: str, drivers: list[tuple[str, str]], at: int) -> None:
    db.executemany(
        "INSERT INTO edge_drivers (edge_id, driver_id, version, created, modified) VALUES (?,?,?,?,?)",
        [(edge_id, driver_id, version, at, at) for driver_id, version in drivers],
    )


def _configure(
    db: sqlite3.Connection, owner: Owner, edge_id: str, driver_id: str, configs: list[tuple[str, str, str]]
) -> None:
    db.executemany(
        "INSERT INTO edge_driver_configs (edge_id, driver_id, config_id, format, content, key) VALUES (?,?,?,?,?,?)",
        [(edge_id, driver_id, _stable_id(owner, f"{driver_id} {config[2]}"), *config) for config in configs],
    )


def _insert_past_deployment(
    db: sqlite3.Connection, edge_id: str, past: _PastDeployment, gateway: str, at: int, deployment_id: str
) -> None:
    insert_deployment(db, edge_id, past.kind, gateway, at, due=at, deployment_id=deployment_id)
    ended = at + 8000 if past.status == SUCCEEDED else at + 308_000
    db.execute(
        "UPDATE edge_deployments SET status = ?, stage = ?, log = ?, modified = ?, completed = ?, due = NULL"
        " WHERE deployment_id = ?",
        (past.status, past.stage, _log(at, past.stage, past.error), ended, ended, deployment_id),
    )


def _log(started: int, stage: int, error: str = "") -> str:
    """Return the log of a deployment that reached `stage`, and that ended there if there is an error."""
    entries = [
        {"stage": passed, "at": started + number * 2000, "level": "INFO", "message": message}
        for number, (passed, message) in enumerate(_STAGES)
        if passed < stage or stage == DONE
    ]
    if error:
        entries.append({"stage": stage, "at": started + 300_000, "level": "ERROR", "message": error})
    return json.dumps(entries)


def _stable_id(owner: Owner, what: str) -> str:
    """Return 32 hexadecimal characters that are always the same for an owner and a `what` (the name of an object)."""
    return uuid.uuid5(uuid.NAMESPACE_OID, f"{owner.account}/{owner.instance}/edge {what}").hex
