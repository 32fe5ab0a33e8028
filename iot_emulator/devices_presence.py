"""Presence of devices: after registration most devices come online, and then go offline and online by the clock.

Nothing runs in the background. Each device row has `due`, the time of its next status change. A request first applies
the changes that are due, for at most `MAX_PER_REQUEST` devices.
"""

from __future__ import annotations

import sqlite3
import zlib
from typing import TYPE_CHECKING

from iot_emulator.call import DeferredWork
from iot_emulator.clock import Pace

if TYPE_CHECKING:
    from iot_emulator.app import Emulator

MAX_PER_REQUEST = 300
_MINUTE, _HOUR = 60, 3600
_ACTIVATED_SHARE = 0.9  # of the registered devices; the others never come online
_MAX_CHANGES = 20  # of one device at a time; more are skipped when the clock was advanced far


def first_online_time(iot_id: str, now: int, pace: Pace) -> int | None:
    """Return when a device registered at `now` first comes online: after 5 minutes to 6 hours, or never (None)."""
    chance = _chance(iot_id, 0)
    if chance >= _ACTIVATED_SHARE:
        return None
    return now + pace.background(5 * _MINUTE + chance / _ACTIVATED_SHARE * 6 * _HOUR)


def next_change_time(iot_id: str, status: str, at: int, pace: Pace) -> int:
    """Return when the status `status`, which began at `at`, ends.

    A device stays online for 2 to 24 hours and offline for 5 minutes to 3 hours.
    """
    chance = _chance(iot_id, at)
    if status == "ONLINE":
        return at + max(1, pace.background(2 * _HOUR + chance * 22 * _HOUR))
    return at + max(1, pace.background(5 * _MINUTE + chance * 3 * _HOUR))


def device_ip(iot_id: str) -> str:
    """Return the IP address of a device: invented, always the same, from a range reserved for documentation."""
    number = zlib.crc32(iot_id.encode())
    return f"{('192.0.2', '198.51.100', '203.0.113')[number % 3]}.{1 + number // 3 % 254}"


def _next_due(db: sqlite3.Connection) -> int | None:
    (due,) = db.execute("SELECT min(due) FROM devices WHERE due IS NOT NULL").fetchone()
    return due if due is None else int(due)


def _run_due(db: sqlite3.Connection, now: int, emulator: Emulator) -> None:
    rows = db.execute(
        "SELECT id, account, instance, product_key, iot_id, status, activated, last_online, status_since, due"
        " FROM devices WHERE due IS NOT NULL AND due <= ? ORDER BY due LIMIT ?",
        (now, MAX_PER_REQUEST),
    ).fetchall()
    for row in rows:
        _apply_changes(db, row, now, emulator.pace)


def _apply_changes(db: sqlite3.Connection, row: sqlite3.Row, now: int, pace: Pace) -> None:
    """Apply the status changes of one device up to `now`."""
    status, due, since = row["status"], row["due"], row["status_since"]
    activated, last_online = row["activated"], row["last_online"]
    changes = 0
    while due <= now:
        changes += 1
        if changes > _MAX_CHANGES:
            due = now + (due - since)
            break
        since = due
        if status == "ONLINE":
            status = "OFFLINE"
        else:
            status, last_online = "ONLINE", due
            if activated is None:
                activated = due
                _report_factory_version(db, row, due)
        due = next_change_time(row["iot_id"], status, since, pace)
    db.execute(
        "UPDATE devices SET status = ?, status_since = ?, activated = ?, last_online = ?, ip = ?, due = ?"
        " WHERE id = ?",
        (status, since, activated, last_online, device_ip(row["iot_id"]), due, row["id"]),
    )


def _report_factory_version(db: sqlite3.Connection, row: sqlite3.Row, at: int) -> None:
    """Store the firmware version that a device reports when it first comes online."""
    db.execute(
        "INSERT OR IGNORE INTO device_modules (account, instance, iot_id, module, version, reported)"
        " SELECT ?, ?, ?, 'default', factory_version, ? FROM products WHERE product_key = ?",
        (row["account"], row["instance"], row["iot_id"], at, row["product_key"]),
    )


def _chance(iot_id: str, salt: int) -> float:
    """Return a number from 0 to 1 that is always the same for the same device and `salt`."""
    return zlib.crc32(f"{iot_id}:{salt}".encode()) / 2**32


DEFERRED_WORK = DeferredWork(next_due=_next_due, run_due=_run_due)
