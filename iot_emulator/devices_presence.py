"""Presence of devices: after registration most devices come online, and then go offline and online by the clock.

Nothing runs in the background. Each device row has `due`, the time of its next status change. A request first applies
the changes that are due, for at most `MAX_PER_REQUEST` devices. If the clock was advanced far, a device can have had
several changes. The row is updated once, to the last of them; the first one was at the old `due`, and whether the
device was online in between shows in `last_online` (see `CAME_ONLINE` and `ARRIVAL` of devices_schema.py).
"""

from __future__ import annotations

import sqlite3
import zlib
from typing import TYPE_CHECKING

from iot_emulator.call import DeferredWork
from iot_emulator.clock import Pace

if TYPE_CHECKING:
    from iot_emulator.app import Emulator

MAX_PER_REQUEST = 20_000
_MINUTE, _HOUR = 60, 3600
_ACTIVATED_SHARE = 0.9  # of the registered devices; the others never come online
_COMPUTED = 36 * _HOUR  # before now; earlier changes are skipped when the clock was advanced far


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
        "SELECT id, iot_id, status, activated, last_online, status_since, due FROM devices"
        " WHERE due IS NOT NULL AND due <= ? ORDER BY due LIMIT ?",
        (now, MAX_PER_REQUEST),
    ).fetchall()
    db.execute(
        "CREATE TEMP TABLE IF NOT EXISTS device_changes (id INTEGER PRIMARY KEY, status TEXT, status_since INTEGER,"
        " activated INTEGER, last_online INTEGER, ip TEXT, due INTEGER)"
    )
    db.executemany(
        "INSERT INTO temp.device_changes VALUES (?, ?, ?, ?, ?, ?, ?)",
        (_find_current_state(row, now, emulator.pace) for row in rows),
    )
    # The firmware version that a device reports when it first comes online.
    db.execute(
        "INSERT OR IGNORE INTO device_modules (account, instance, iot_id, module, version, reported)"
        " SELECT d.account, d.instance, d.iot_id, 'default', p.factory_version, c.activated"
        " FROM temp.device_changes c CROSS JOIN devices d ON d.id = c.id"
        " CROSS JOIN products p ON p.product_key = d.product_key WHERE d.activated IS NULL"
    )
    # One statement: the triggers of devices cost less than with a statement for each device.
    db.execute(
        "UPDATE devices SET status = c.status, status_since = c.status_since, activated = c.activated,"
        " last_online = c.last_online, ip = c.ip, due = c.due FROM temp.device_changes c WHERE c.id = devices.id"
    )
    db.execute("DELETE FROM temp.device_changes")


def _find_current_state(row: sqlite3.Row, now: int, pace: Pace) -> tuple[object, ...]:
    """Return a row of `device_changes`: the state of a device at `now` after all changes since its `due`."""
    iot_id, status, since, due = row["iot_id"], row["status"], row["status_since"], row["due"]
    activated, last_online = row["activated"], row["last_online"]
    computed_from = now - pace.background(_COMPUTED)
    while due <= now:
        if status == "ONLINE" and due < computed_from:
            since = last_online = computed_from
            due = next_change_time(iot_id, status, since, pace)
            continue
        since = due
        status = "OFFLINE" if status == "ONLINE" else "ONLINE"
        if status == "ONLINE":
            last_online = since
            activated = activated or since
        due = next_change_time(iot_id, status, since, pace)
    return row["id"], status, since, activated, last_online, device_ip(iot_id), due


def _chance(iot_id: str, salt: int) -> float:
    """Return a number from 0 to 1 that is always the same for the same device and `salt`."""
    return zlib.crc32(f"{iot_id}:{salt}".encode()) / 2**32


DEFERRED_WORK = DeferredWork(next_due=_next_due, run_due=_run_due)
