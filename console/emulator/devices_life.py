"""Devices that live: after being registered most come online, and then come and go, by the emulator's clock.

Nothing runs in the background. Each device row carries `due`, the time of its next move; what has become due is done
at the start of the next request, at most `BATCH` devices of it.
"""

from __future__ import annotations

import sqlite3
import zlib
from typing import TYPE_CHECKING

from console.emulator.call import Settler
from console.emulator.clock import Pace

if TYPE_CHECKING:
    from console.emulator.app import Emulator

BATCH = 300
_MINUTE, _HOUR = 60, 3600
_EVER_ACTIVE = 0.9  # of the registered devices; the others stay in their boxes
_MOST_MOVES = 20  # of one device at once; a clock turned by a year does not replay it


def first_due(iot_id: str, now: int, pace: Pace) -> int | None:
    """When a device registered at `now` first comes online: after 5 minutes to 6 hours, or never."""
    chance = _dice(iot_id, 0)
    if chance >= _EVER_ACTIVE:
        return None
    return now + pace.life(5 * _MINUTE + chance / _EVER_ACTIVE * 6 * _HOUR)


def next_due(iot_id: str, status: str, at: int, pace: Pace) -> int:
    """When a device that became `status` at `at` moves on: online lasts 2 to 24 hours, offline 5 minutes to 3 hours."""
    chance = _dice(iot_id, at)
    if status == "ONLINE":
        return at + max(1, pace.life(2 * _HOUR + chance * 22 * _HOUR))
    return at + max(1, pace.life(5 * _MINUTE + chance * 3 * _HOUR))


def device_ip(iot_id: str) -> str:
    """The address a device connects from: made up, always the same, in a range kept for documentation."""
    number = zlib.crc32(iot_id.encode())
    return f"{('192.0.2', '198.51.100', '203.0.113')[number % 3]}.{1 + number // 3 % 254}"


def _due(db: sqlite3.Connection) -> int | None:
    (due,) = db.execute("SELECT min(due) FROM devices WHERE due IS NOT NULL").fetchone()
    return due if due is None else int(due)


def _settle(db: sqlite3.Connection, now: int, emulator: Emulator) -> None:
    rows = db.execute(
        "SELECT id, account, instance, product_key, iot_id, status, activated, last_online, status_since, due"
        " FROM devices WHERE due IS NOT NULL AND due <= ? ORDER BY due LIMIT ?",
        (now, BATCH),
    ).fetchall()
    for row in rows:
        _live(db, row, now, emulator.pace)


def _live(db: sqlite3.Connection, row: sqlite3.Row, now: int, pace: Pace) -> None:
    """Move one device on to where it is at `now`."""
    status, due, since = row["status"], row["due"], row["status_since"]
    activated, last_online = row["activated"], row["last_online"]
    moves = 0
    while due <= now:
        moves += 1
        if moves > _MOST_MOVES:
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
        due = next_due(row["iot_id"], status, since, pace)
    db.execute(
        "UPDATE devices SET status = ?, status_since = ?, activated = ?, last_online = ?, ip = ?, due = ?"
        " WHERE id = ?",
        (status, since, activated, last_online, device_ip(row["iot_id"]), due, row["id"]),
    )


def _report_factory_version(db: sqlite3.Connection, row: sqlite3.Row, at: int) -> None:
    """A device that comes online for the first time tells the firmware it left the factory with."""
    db.execute(
        "INSERT OR IGNORE INTO device_modules (account, instance, iot_id, module, version, reported)"
        " SELECT ?, ?, ?, 'default', factory_version, ? FROM products WHERE product_key = ?",
        (row["account"], row["instance"], row["iot_id"], at, row["product_key"]),
    )


def _dice(iot_id: str, salt: int) -> float:
    """A number from 0 to 1 that is always the same for the same device and moment."""
    return zlib.crc32(f"{iot_id}:{salt}".encode()) / 2**32


SETTLER = Settler(due=_due, settle=_settle)
