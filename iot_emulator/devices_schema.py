"""The tables of devices, and the function that inserts devices.

`devices` is made for a million rows per product: lookup by `iot_id` or by product and name, paging by `id` within a
product, and counts (`device_counts`, for each instance, updated by triggers) take the same time for any number of rows.

The `status` of a device is UNACTIVE, ONLINE, OFFLINE or DISABLE, since `status_since`. `activated` is NULL until the
device was first online. `due` is the time of its next status change (see devices_presence.py), NULL for never. IDs grow
with the registration time.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from iot_emulator.formats import new_device_secret, new_iot_id

# For triggers after an update of `devices.status`. One update can stand for several changes (see devices_presence.py).
CAME_ONLINE = (
    "new.status = 'ONLINE' AND old.status <> 'ONLINE' OR new.last_online > coalesce(old.last_online, 0)"
)
ARRIVAL = "min(new.status_since, coalesce(old.due, new.status_since))"  # the end of the old status

SCHEMA = """
CREATE TABLE IF NOT EXISTS devices (
    id INTEGER PRIMARY KEY,
    iot_id TEXT NOT NULL UNIQUE,
    account TEXT NOT NULL,
    instance TEXT NOT NULL,
    product_key TEXT NOT NULL,
    name TEXT NOT NULL,
    nickname TEXT NOT NULL DEFAULT '',
    secret TEXT NOT NULL,
    status TEXT NOT NULL DEFAULT 'UNACTIVE',
    created INTEGER NOT NULL,
    modified INTEGER NOT NULL,
    activated INTEGER,
    last_online INTEGER,
    status_since INTEGER NOT NULL,
    ip TEXT NOT NULL DEFAULT '',
    region TEXT NOT NULL DEFAULT 'cn-shanghai',
    apply_id INTEGER,
    due INTEGER,
    UNIQUE (product_key, name)
);
CREATE INDEX IF NOT EXISTS devices_page ON devices (product_key, id);
CREATE INDEX IF NOT EXISTS devices_status ON devices (product_key, status, id);
CREATE INDEX IF NOT EXISTS devices_owner ON devices (account, instance, status, id);
CREATE INDEX IF NOT EXISTS devices_name ON devices (account, instance, name);
CREATE INDEX IF NOT EXISTS devices_nickname ON devices (account, instance, nickname) WHERE nickname <> '';
CREATE INDEX IF NOT EXISTS devices_due ON devices (due) WHERE due IS NOT NULL;
CREATE INDEX IF NOT EXISTS devices_apply ON devices (apply_id, id) WHERE apply_id IS NOT NULL;

CREATE TABLE IF NOT EXISTS device_counts (
    product_key TEXT NOT NULL,
    instance TEXT NOT NULL,
    status TEXT NOT NULL,
    active INTEGER NOT NULL,
    devices INTEGER NOT NULL,
    PRIMARY KEY (product_key, instance, status, active)
) WITHOUT ROWID;
CREATE TRIGGER IF NOT EXISTS devices_counted AFTER INSERT ON devices BEGIN
    INSERT INTO device_counts VALUES (new.product_key, new.instance, new.status, new.activated IS NOT NULL, 1)
        ON CONFLICT DO UPDATE SET devices = devices + 1;
END;
CREATE TRIGGER IF NOT EXISTS devices_uncounted AFTER DELETE ON devices BEGIN
    UPDATE device_counts SET devices = devices - 1 WHERE product_key = old.product_key
        AND instance = old.instance AND status = old.status AND active = (old.activated IS NOT NULL);
END;
CREATE TRIGGER IF NOT EXISTS devices_recounted AFTER UPDATE OF instance, status, activated ON devices BEGIN
    UPDATE device_counts SET devices = devices - 1 WHERE product_key = old.product_key
        AND instance = old.instance AND status = old.status AND active = (old.activated IS NOT NULL);
    INSERT INTO device_counts VALUES (new.product_key, new.instance, new.status, new.activated IS NOT NULL, 1)
        ON CONFLICT DO UPDATE SET devices = devices + 1;
END;

CREATE TABLE IF NOT EXISTS device_tags (
    iot_id TEXT NOT NULL REFERENCES devices (iot_id) ON DELETE CASCADE,
    account TEXT NOT NULL,
    instance TEXT NOT NULL,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (iot_id, key)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS device_tags_value ON device_tags (account, instance, key, value, iot_id);

CREATE TABLE IF NOT EXISTS device_modules (
    account TEXT NOT NULL,
    instance TEXT NOT NULL,
    iot_id TEXT NOT NULL REFERENCES devices (iot_id) ON DELETE CASCADE,
    module TEXT NOT NULL,
    version TEXT NOT NULL,
    reported INTEGER NOT NULL,
    PRIMARY KEY (iot_id, module)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS device_modules_version ON device_modules (account, instance, module, version, iot_id);

CREATE TABLE IF NOT EXISTS topology (
    iot_id TEXT PRIMARY KEY REFERENCES devices (iot_id) ON DELETE CASCADE,
    gateway_iot_id TEXT NOT NULL REFERENCES devices (iot_id) ON DELETE CASCADE
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS topology_gateway ON topology (gateway_iot_id, iot_id);
"""


@dataclass(slots=True)
class NewDevice:
    """A device to insert. An empty IotId or secret is generated; times are milliseconds since the epoch."""

    name: str
    nickname: str = ""
    status: str = "UNACTIVE"
    created: int | None = None
    activated: int | None = None
    last_online: int | None = None
    ip: str = ""
    due: int | None = None
    apply_id: int | None = None
    iot_id: str = ""
    secret: str = ""


def insert_devices(
    db: sqlite3.Connection,
    account: str,
    instance: str,
    product_key: str,
    devices: Iterable[NewDevice],
    now: int,
) -> Sequence[str]:
    """Insert devices in their order (also a million) and return their IotIds.

    The caller must have checked names and limits. Raises sqlite3.IntegrityError for a name that the product already has.
    """
    iot_ids: list[str] = []

    def rows() -> Iterable[tuple[object, ...]]:
        for device in devices:
            iot_id = device.iot_id or new_iot_id()
            iot_ids.append(iot_id)
            created = device.created if device.created is not None else now
            yield (
                iot_id,
                account,
                instance,
                product_key,
                device.name,
                device.nickname,
                device.secret or new_device_secret(),
                device.status,
                created,
                created,
                device.activated,
                device.last_online,
                created if device.last_online is None else device.last_online,
                device.ip,
                device.apply_id,
                device.due,
            )

    db.executemany(
        "INSERT INTO devices (iot_id, account, instance, product_key, name, nickname, secret, status, created,"
        " modified, activated, last_online, status_since, ip, apply_id, due)"
        " VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
        rows(),
    )
    return iot_ids
