"""What the sample fleet has of edge computing: two edge instances in use, and one that was begun today.

The first is in good order. The second's gateway has never come online, so that a deployment waits for it. The third has
only been told its gateway.
"""

from __future__ import annotations

import json
import sqlite3
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

from console.emulator.edge.deployments import DISPATCH, DONE, FAILED, GOING, SUCCEEDED, add
from console.emulator.edge.drivers import OFFICIAL
from console.emulator.things.noise import DAY, HOUR

if TYPE_CHECKING:
    from console.emulator.fleet.devices import Owner

MODBUS, _, LORA, LIGHT = OFFICIAL
_DEVICES = 24  # of the first edge instance
_LONG = 30 * DAY  # that the waiting deployment waits
_STEPS = (
    (0, "init success"),
    (8, "assembly success"),
    (16, "package success"),
    (24, "dispatched"),
    (32, "download success"),
)


@dataclass(frozen=True, slots=True)
class _Past:
    """A deployment that ended so many days ago."""

    days: float
    kind: str
    status: int
    stage: int
    trouble: str = ""


_HISTORY = (
    _Past(210, "deploy", SUCCEEDED, DONE),
    _Past(96, "deploy", FAILED, DISPATCH, "the gateway is not online"),
    _Past(95.8, "deploy", SUCCEEDED, DONE),
    _Past(40, "reset", SUCCEEDED, DONE),
    _Past(39.9, "deploy", FAILED, 8, "closed"),
    _Past(39.7, "deploy", SUCCEEDED, DONE),
)


def write(db: sqlite3.Connection, owner: Owner, gateway_key: str, now: int) -> None:
    """Make the edge instances of a seeded fleet, on its gateways; on fewer than three gateways, fewer of them."""
    gateways = {
        # In use and with sensors; never activated; any other.
        "first": "g.status = 'ONLINE' ORDER BY (SELECT count(*) FROM topology t WHERE t.gateway_iot_id = g.iot_id) DESC",
        "second": "g.activated IS NULL AND g.due IS NULL ORDER BY g.id",
        "third": "g.status = 'ONLINE' ORDER BY g.id DESC",
    }
    taken: dict[str, str] = {}
    for which, order in gateways.items():
        for row in db.execute(
            f"SELECT g.iot_id FROM devices g WHERE g.product_key = ? AND {order} LIMIT 3", (gateway_key,)
        ):
            if row["iot_id"] not in taken.values():
                taken[which] = row["iot_id"]
                break
    if "first" in taken:
        _first(db, owner, taken["first"], now)
    if "second" in taken:
        _second(db, owner, taken["second"], now)
    if "third" in taken:
        edge_id = _instance(db, owner, "Canal_Mansions", "", 10, now - HOUR, taken["third"])
        add(
            db,
            edge_id,
            "deploy",
            taken["third"],
            now,
            due=now + 600_000,
            deployment_id=_made_up(owner, "third"),
        )


def _first(db: sqlite3.Connection, owner: Owner, gateway: str, now: int) -> None:
    created = now - 220 * DAY
    edge_id = _instance(db, owner, "Starlight_Court", "site:hangzhou,floor:roof", 30, created, gateway)
    arn = "acs:ram::1000000000000000:role/edge-reports"
    db.execute(
        "UPDATE edge_instances SET role_arn = ?, role_attached = ? WHERE edge_id = ?",
        (arn, created + 2 * HOUR, edge_id),
    )
    _drivers(db, edge_id, [(LORA, "1.0.0"), (MODBUS, "1.2.0")], created + HOUR)
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
        _past(db, edge_id, past, gateway, now - int(past.days * DAY), _made_up(owner, f"past {number}"))


def _second(db: sqlite3.Connection, owner: Owner, gateway: str, now: int) -> None:
    created = now - 6 * DAY
    edge_id = _instance(db, owner, "Jinji_Lake", "site:suzhou", 20, created, gateway)
    _drivers(db, edge_id, [(LIGHT, "1.0.0")], created + HOUR)
    begun = now - 5 * DAY
    deployment_id = add(
        db, edge_id, "deploy", gateway, begun, due=now, deployment_id=_made_up(owner, "second")
    )
    db.execute(
        "UPDATE edge_deployments SET status = ?, stage = ?, log = ?, modified = ?, deadline = ? WHERE deployment_id = ?",
        (GOING, DISPATCH, _log(begun, DISPATCH), begun + 5000, now + _LONG, deployment_id),
    )


def _instance(
    db: sqlite3.Connection, owner: Owner, name: str, tags: str, spec: int, created: int, gateway: str
) -> str:
    edge_id = _made_up(owner, name)[:20]
    db.execute(
        "INSERT INTO edge_instances (edge_id, account, instance, name, tags, spec, created, modified)"
        " VALUES (?,?,?,?,?,?,?,?)",
        (edge_id, owner.account, owner.instance, name, tags, spec, created, created + HOUR),
    )
    db.execute("INSERT INTO edge_gateways (edge_id, iot_id) VALUES (?, ?)", (edge_id, gateway))
    return edge_id


def _drivers(db: sqlite3.Connection, edge_id: str, drivers: list[tuple[str, str]], at: int) -> None:
    db.executemany(
        "INSERT INTO edge_drivers (edge_id, driver_id, version, created, modified) VALUES (?,?,?,?,?)",
        [(edge_id, driver_id, version, at, at) for driver_id, version in drivers],
    )


def _configure(
    db: sqlite3.Connection, owner: Owner, edge_id: str, driver_id: str, configs: list[tuple[str, str, str]]
) -> None:
    db.executemany(
        "INSERT INTO edge_driver_configs (edge_id, driver_id, config_id, format, content, key) VALUES (?,?,?,?,?,?)",
        [(edge_id, driver_id, _made_up(owner, f"{driver_id} {config[2]}"), *config) for config in configs],
    )


def _past(
    db: sqlite3.Connection, edge_id: str, past: _Past, gateway: str, at: int, deployment_id: str
) -> None:
    add(db, edge_id, past.kind, gateway, at, due=at, deployment_id=deployment_id)
    ended = at + 8000 if past.status == SUCCEEDED else at + 308_000
    db.execute(
        "UPDATE edge_deployments SET status = ?, stage = ?, log = ?, modified = ?, completed = ?, due = NULL"
        " WHERE deployment_id = ?",
        (past.status, past.stage, _log(at, past.stage, past.trouble), ended, ended, deployment_id),
    )


def _log(begun: int, stage: int, trouble: str = "") -> str:
    """The lines of a deployment that has come to `stage`, and perhaps no further because of some trouble."""
    lines = [
        {"stage": passed, "at": begun + number * 2000, "level": "INFO", "message": message}
        for number, (passed, message) in enumerate(_STEPS)
        if passed < stage or stage == DONE
    ]
    if trouble:
        lines.append({"stage": stage, "at": begun + 300_000, "level": "ERROR", "message": trouble})
    return json.dumps(lines)


def _made_up(owner: Owner, what: str) -> str:
    """32 hexadecimal characters that only the owner and `what` decide."""
    return uuid.uuid5(uuid.NAMESPACE_OID, f"{owner.account}/{owner.instance}/edge {what}").hex
