"""Which devices a batch takes. The choice is left in temp.ota_targets: position, iot_id, name, version."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from console.emulator import objects
from console.emulator.call import Call
from console.emulator.clock import Pace
from console.emulator.errors import ServiceError, invalid_parameter
from console.emulator.ota import common, running

NAMES_LIMIT = 200
LIST_LIMIT = 1_000_000
DELTA = 1


def everything(call: Call, package: sqlite3.Row, src_versions: list[str]) -> int:
    """All devices of the product that have another version than the package's, or one of `src_versions`."""
    only = f"AND m.version IN ({common.marks(src_versions)})" if src_versions else ""
    return _fill(
        call.db,
        f"""SELECT d.id, d.iot_id, d.name, m.version FROM devices d INDEXED BY devices_page
            CROSS JOIN device_modules m ON m.iot_id = d.iot_id AND m.module = ?
            WHERE d.product_key = ? AND m.version <> ? {only}""",
        (*_scope(call, package), *src_versions),
    )


def phase(call: Call, package: sqlite3.Row, src_versions: list[str], percent: str) -> int:
    """A part of `everything`, in percent, rounded down; spread over the fleet and not its oldest devices."""
    count = everything(call, package, src_versions)
    part = int(Decimal(percent) * count / 100)
    if count and part < 1:
        raise ServiceError("iot.firmware.InvalidGrayPercent", "The percentage leaves no device to update.")
    call.db.execute(
        "DELETE FROM temp.ota_targets WHERE position NOT IN "
        "(SELECT position FROM temp.ota_targets ORDER BY (position * 2654435761) % 4294967296 LIMIT ?)",
        (part,),
    )
    return part


def named(call: Call, package: sqlite3.Row, names: list[str], *, most: int = NAMES_LIMIT) -> int:
    """The devices of these names. Any that cannot be updated makes the whole request fail, except one that has the
    version already, which is left out."""
    if len(names) > most:
        raise ServiceError(
            "iot.firmware.ParameterSizeExceedMax", f"At most {most} device names can be given."
        )
    if len(set(names)) < len(names):
        raise invalid_parameter("The device names must be unique.")
    _note_names(call.db, names)
    _refuse_unknown(call, package)
    _refuse(
        call,
        package,
        "m.version IS NULL OR m.version = ''",
        "iot.firmware.NonVersionedDeviceInArray",
        "has not submitted a version",
    )
    if package["kind"] == DELTA:
        _refuse(
            call,
            package,
            "m.version NOT IN (:src, :dest)",
            "iot.firmware.SrcVersionMismatch",
            "does not have the source version",
        )
    return _named_targets(call, package)


def listed(call: Call, package: sqlite3.Row, url: str) -> int:
    """The devices of an uploaded list, one name a line; those that need no update or cannot take it are left out."""
    key = objects.key_from_url(url)
    found = objects.find_object(call.db, key) if key else None
    if found is None:
        raise ServiceError(
            "iot.common.InvalidFormattedParameter", "There is no uploaded device list at this address."
        )
    lines = (
        line.strip().rstrip(",").strip('"')
        for line in objects.open_store(call.emulator).read_lines(found.key)
    )
    _note_names(call.db, (line for line in lines if line))
    count = call.db.execute("SELECT count(*) FROM temp.ota_names").fetchone()[0]
    if count > LIST_LIMIT:
        raise ServiceError(
            "iot.ota.UpgradeDeviceCountExceedLimit", f"At most {LIST_LIMIT} devices can be listed."
        )
    if count == 0:
        raise ServiceError("iot.firmware.NullTargetDeviceNames", "The device list is empty.")
    _refuse_unknown(call, package)
    return _named_targets(call, package)


def grouped(call: Call, package: sqlite3.Row, group_id: str) -> int:
    """The product's devices in a group."""
    only = "AND m.version = ?" if package["kind"] == DELTA else ""
    return _fill(
        call.db,
        f"""SELECT d.id, d.iot_id, d.name, m.version FROM group_devices g
            CROSS JOIN devices d ON d.iot_id = g.iot_id
            CROSS JOIN device_modules m ON m.iot_id = d.iot_id AND m.module = ?
            WHERE d.product_key = ? AND m.version <> ? AND g.group_id = ? {only}""",
        (*_scope(call, package), group_id, *([package["src_version"]] if only else [])),
    )


def repeated(db: sqlite3.Connection, package: sqlite3.Row, tasks: list[int]) -> int:
    """The devices of these tasks (`ota_tasks.id`, which becomes the position) that still need the package: those that
    have another version, or for a delta package its source version."""
    only = "AND m.version = ?" if package["kind"] == DELTA else ""
    return _fill(
        db,
        f"""SELECT t.id, t.iot_id, t.name, m.version FROM ota_tasks t
            CROSS JOIN device_modules m ON m.iot_id = t.iot_id AND m.module = t.module
            WHERE t.id IN ({common.marks(tasks)}) AND m.version <> ? {only}""",
        (*tasks, package["dest_version"], *([package["src_version"]] if only else [])),
    )


def take_reports(db: sqlite3.Connection, now: int, pace: Pace) -> None:
    """Give devices that have submitted a version since the last look to the dynamic batches that want it.

    The newest batch comes first, and a device is given to the same batch once.
    """
    if db.execute("SELECT 1 FROM ota_reports LIMIT 1").fetchone() is None:
        return
    jobs = db.execute(
        "SELECT * FROM ota_jobs WHERE dynamic AND status = 'IN_PROGRESS' ORDER BY id DESC"
    ).fetchall()
    for job in jobs:
        versions = json.loads(job["src_versions"])
        count = _fill(
            db,
            f"""SELECT d.id, d.iot_id, d.name, m.version FROM ota_reports r
                CROSS JOIN devices d ON d.iot_id = r.iot_id
                CROSS JOIN device_modules m ON m.iot_id = r.iot_id AND m.module = r.module
                WHERE r.module = ? AND d.product_key = ? AND m.version IN ({common.marks(versions)})
                    AND NOT EXISTS (SELECT 1 FROM ota_tasks t WHERE t.iot_id = r.iot_id AND t.job = ?)""",
            (job["module"], job["product_key"], *versions, job["id"]),
        )
        if count:
            running.start_tasks(db, job, pace, now)
    db.execute("DELETE FROM ota_reports")


def forget(db: sqlite3.Connection) -> None:
    """Drop the choice once its tasks are made."""
    db.execute("DELETE FROM temp.ota_targets")


def _fill(db: sqlite3.Connection, query: str, values: Any) -> int:
    db.execute(
        "CREATE TEMP TABLE IF NOT EXISTS ota_targets "
        "(position INTEGER PRIMARY KEY, iot_id TEXT UNIQUE, name TEXT, version TEXT, blocked INTEGER DEFAULT 0)"
    )
    db.execute("DELETE FROM temp.ota_targets")
    return db.execute(
        f"INSERT OR IGNORE INTO temp.ota_targets (position, iot_id, name, version) {query}", values
    ).rowcount


def _scope(call: Call, package: sqlite3.Row) -> tuple[str, ...]:
    """Module, product (whose owner was checked) and version, as the queries above want them."""
    return package["module"], call.params["ProductKey"], package["dest_version"]


def _note_names(db: sqlite3.Connection, names: Iterable[str]) -> None:
    db.execute("CREATE TEMP TABLE IF NOT EXISTS ota_names (name TEXT PRIMARY KEY) WITHOUT ROWID")
    db.execute("DELETE FROM temp.ota_names")
    db.executemany("INSERT OR IGNORE INTO temp.ota_names VALUES (?)", ((name,) for name in names))


_NAMED = """FROM temp.ota_names n
    LEFT JOIN devices d ON d.product_key = :product AND d.name = n.name
    LEFT JOIN device_modules m ON m.iot_id = d.iot_id AND m.module = :module"""


def _named_values(call: Call, package: sqlite3.Row) -> Mapping[str, str]:
    return {
        "product": call.params["ProductKey"],
        "module": package["module"],
        "dest": package["dest_version"],
        "src": package["src_version"],
    }


def _refuse_unknown(call: Call, package: sqlite3.Row) -> None:
    _refuse(call, package, "d.iot_id IS NULL", "iot.ota.DeviceNotExist", "does not exist in the product")


def _refuse(call: Call, package: sqlite3.Row, condition: str, code: str, words: str) -> None:
    row = call.db.execute(
        f"SELECT n.name {_NAMED} WHERE {condition} LIMIT 1", _named_values(call, package)
    ).fetchone()
    if row is not None:
        raise ServiceError(code, f"The device {row[0]} {words}.")


def _named_targets(call: Call, package: sqlite3.Row) -> int:
    fitting = "m.version = :src" if package["kind"] == DELTA else "m.version <> :dest"
    count = _fill(
        call.db,
        f"SELECT d.id, d.iot_id, d.name, m.version {_NAMED} WHERE {fitting}",
        _named_values(call, package),
    )
    call.db.execute("DELETE FROM temp.ota_names")
    return count
