"""Selecting the devices of a batch. The selection is stored in temp.ota_targets: position, iot_id, name, version. Each
`select_*` function returns the number of selected devices."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from iot_emulator import objects
from iot_emulator.call import Call
from iot_emulator.clock import Pace
from iot_emulator.errors import ServiceError, invalid_parameter
from iot_emulator.ota import common, running

NAMES_LIMIT = 200
LIST_LIMIT = 1_000_000
DELTA = 1


def select_all(call: Call, package: sqlite3.Row, src_versions: list[str]) -> int:
    """Select all devices of the product whose version is not the package's and, if `src_versions` is set, is one of those."""
    version_filter = f"AND m.version IN ({common.placeholders(src_versions)})" if src_versions else ""
    return _store_targets(
        call.db,
        f"""SELECT d.id, d.iot_id, d.name, m.version FROM devices d INDEXED BY devices_page
            CROSS JOIN device_modules m ON m.iot_id = d.iot_id AND m.module = ?
            WHERE d.product_key = ? AND m.version <> ? {version_filter}""",
        (*_filter_values(call, package), *src_versions),
    )


def select_percentage(call: Call, package: sqlite3.Row, src_versions: list[str], percent: str) -> int:
    """Select a percentage of the devices of `select_all`, rounded down, spread over the fleet."""
    count = select_all(call, package, src_versions)
    count_limit = int(Decimal(percent) * count / 100)
    if count and count_limit < 1:
        raise ServiceError(
            "iot.firmware.InvalidGrayPercent", "The percentage is less than one device. Increase it."
        )
    call.db.execute(
        "DELETE FROM temp.ota_targets WHERE position NOT IN "
        "(SELECT position FROM temp.ota_targets ORDER BY (position * 2654435761) % 4294967296 LIMIT ?)",
        (count_limit,),
    )
    return count_limit


def select_named(call: Call, package: sqlite3.Row, names: list[str], *, limit: int = NAMES_LIMIT) -> int:
    """Select devices by name. One that cannot be updated makes the whole request fail, except one that already has the
    version: it is skipped."""
    if len(names) > limit:
        raise ServiceError(
            "iot.firmware.ParameterSizeExceedMax", f"The request has more than {limit} device names."
        )
    if len(set(names)) < len(names):
        raise invalid_parameter("The device names must be unique.")
    _store_names(call.db, names)
    _refuse_unknown_names(call, package)
    _refuse_names(
        call,
        package,
        "m.version IS NULL OR m.version = ''",
        "iot.firmware.NonVersionedDeviceInArray",
        "has not reported a version",
    )
    if package["kind"] == DELTA:
        _refuse_names(
            call,
            package,
            "m.version NOT IN (:src, :dest)",
            "iot.firmware.SrcVersionMismatch",
            "does not have the source version",
        )
    return _store_named_targets(call, package)


def select_listed(call: Call, package: sqlite3.Row, url: str) -> int:
    """Select the devices of an uploaded list, one name per row; those that do not need the update or cannot get it are
    skipped."""
    key = objects.key_from_url(url)
    stored = objects.find_object(call.db, key) if key else None
    if stored is None:
        raise ServiceError("iot.common.InvalidFormattedParameter", "No uploaded device list has this URL.")
    lines = (
        line.strip().rstrip(",").strip('"')
        for line in objects.open_store(call.emulator).read_lines(stored.key)
    )
    _store_names(call.db, (line for line in lines if line))
    count = call.db.execute("SELECT count(*) FROM temp.ota_names").fetchone()[0]
    if count > LIST_LIMIT:
        raise ServiceError(
            "iot.ota.UpgradeDeviceCountExceedLimit", f"The device list has more than {LIST_LIMIT} devices."
        )
    if count == 0:
        raise ServiceError("iot.firmware.NullTargetDeviceNames", "The device list is empty.")
    _refuse_unknown_names(call, package)
    return _store_named_targets(call, package)


def select_group(call: Call, package: sqlite3.Row, group_id: str) -> int:
    """Select the product's devices in a group."""
    version_filter = "AND m.version = ?" if package["kind"] == DELTA else ""
    return _store_targets(
        call.db,
        f"""SELECT d.id, d.iot_id, d.name, m.version FROM group_devices g
            CROSS JOIN devices d ON d.iot_id = g.iot_id
            CROSS JOIN device_modules m ON m.iot_id = d.iot_id AND m.module = ?
            WHERE d.product_key = ? AND m.version <> ? AND g.group_id = ? {version_filter}""",
        (*_filter_values(call, package), group_id, *([package["src_version"]] if version_filter else [])),
    )


def select_tasks(db: sqlite3.Connection, package: sqlite3.Row, tasks: list[int]) -> int:
    """Select the devices of these tasks that still need the package: those with another version, or for a delta package
    with its source version. `tasks` are `ota_tasks.id`; the id becomes the position."""
    version_filter = "AND m.version = ?" if package["kind"] == DELTA else ""
    return _store_targets(
        db,
        f"""SELECT t.id, t.iot_id, t.name, m.version FROM ota_tasks t
            CROSS JOIN device_modules m ON m.iot_id = t.iot_id AND m.module = t.module
            WHERE t.id IN ({common.placeholders(tasks)}) AND m.version <> ? {version_filter}""",
        (*tasks, package["dest_version"], *([package["src_version"]] if version_filter else [])),
    )


def add_reported_devices(db: sqlite3.Connection, now: int, pace: Pace) -> None:
    """Add devices that reported a version since the last run to the dynamic batches that have it as a source version.

    The newest batch comes first. A device is added to the same batch only once.
    """
    if db.execute("SELECT 1 FROM ota_reports LIMIT 1").fetchone() is None:
        return
    batches = db.execute(
        "SELECT * FROM ota_batches WHERE dynamic AND status = 'IN_PROGRESS' ORDER BY id DESC"
    ).fetchall()
    for batch in batches:
        versions = json.loads(batch["src_versions"])
        count = _store_targets(
            db,
            f"""SELECT d.id, d.iot_id, d.name, m.version FROM ota_reports r
                CROSS JOIN devices d ON d.iot_id = r.iot_id
                CROSS JOIN device_modules m ON m.iot_id = r.iot_id AND m.module = r.module
                WHERE r.module = ? AND d.product_key = ? AND m.version IN ({common.placeholders(versions)})
                    AND NOT EXISTS (SELECT 1 FROM ota_tasks t WHERE t.iot_id = r.iot_id AND t.batch = ?)""",
            (batch["module"], batch["product_key"], *versions, batch["id"]),
        )
        if count:
            running.start_tasks(db, batch, pace, now)
    db.execute("DELETE FROM ota_reports")


def clear_targets(db: sqlite3.Connection) -> None:
    """Clear the selection after its tasks were created."""
    db.execute("DELETE FROM temp.ota_targets")


def _store_targets(db: sqlite3.Connection, query: str, values: Any) -> int:
    db.execute(
        "CREATE TEMP TABLE IF NOT EXISTS ota_targets "
        "(position INTEGER PRIMARY KEY, iot_id TEXT UNIQUE, name TEXT, version TEXT, blocked INTEGER DEFAULT 0)"
    )
    db.execute("DELETE FROM temp.ota_targets")
    return db.execute(
        f"INSERT OR IGNORE INTO temp.ota_targets (position, iot_id, name, version) {query}", values
    ).rowcount


def _filter_values(call: Call, package: sqlite3.Row) -> tuple[str, ...]:
    """Return module, product (whose owner was checked) and version, in the order of the queries above."""
    return package["module"], call.params["ProductKey"], package["dest_version"]


def _store_names(db: sqlite3.Connection, names: Iterable[str]) -> None:
    db.execute("CREATE TEMP TABLE IF NOT EXISTS ota_names (name TEXT PRIMARY KEY) WITHOUT ROWID")
    db.execute("DELETE FROM temp.ota_names")
    db.executemany("INSERT OR IGNORE INTO temp.ota_names VALUES (?)", ((name,) for name in names))


_NAMES_JOIN = """FROM temp.ota_names n
    LEFT JOIN devices d ON d.product_key = :product AND d.name = n.name
    LEFT JOIN device_modules m ON m.iot_id = d.iot_id AND m.module = :module"""


def _name_filters(call: Call, package: sqlite3.Row) -> Mapping[str, str]:
    return {
        "product": call.params["ProductKey"],
        "module": package["module"],
        "dest": package["dest_version"],
        "src": package["src_version"],
    }


def _refuse_unknown_names(call: Call, package: sqlite3.Row) -> None:
    _refuse_names(
        call, package, "d.iot_id IS NULL", "iot.ota.DeviceNotExist", "does not exist in the product"
    )


def _refuse_names(call: Call, package: sqlite3.Row, condition: str, code: str, text: str) -> None:
    row = call.db.execute(
        f"SELECT n.name {_NAMES_JOIN} WHERE {condition} LIMIT 1", _name_filters(call, package)
    ).fetchone()
    if row is not None:
        raise ServiceError(code, f"The device {row[0]} {text}.")


def _store_named_targets(call: Call, package: sqlite3.Row) -> int:
    version_filter = "m.version = :src" if package["kind"] == DELTA else "m.version <> :dest"
    count = _store_targets(
        call.db,
        f"SELECT d.id, d.iot_id, d.name, m.version {_NAMES_JOIN} WHERE {version_filter}",
        _name_filters(call, package),
    )
    call.db.execute("DELETE FROM temp.ota_names")
    return count
