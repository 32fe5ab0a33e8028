"""The tables of this room, and the models' way into and out of them.

A model is one text (`features.dump`): the draft of a product, and each published version. The newest version is what
the product's devices live by.

What devices were told is kept, what they report by themselves is not (see simulation.py): `thing_reports` are property
values that were really set, `thing_calls` the services that were really called, `thing_waiting` what a device that is
away will take when it comes back, `device_absences` when it was away. The trigger does both latter at the moment of
coming back. Rows go with their device or product.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from console.emulator.things.features import Model, dump, load

KEEP_DAYS = 30
KEEP_MS = KEEP_DAYS * 86_400_000
TAKE_MS = 1_000  # after coming online, until a device has taken what waited for it

SCHEMA = f"""
CREATE TABLE IF NOT EXISTS thing_drafts (
    product_key TEXT PRIMARY KEY REFERENCES products (product_key) ON DELETE CASCADE,
    model TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS thing_versions (
    id INTEGER PRIMARY KEY,
    product_key TEXT NOT NULL REFERENCES products (product_key) ON DELETE CASCADE,
    version TEXT NOT NULL,
    description TEXT NOT NULL,
    model TEXT NOT NULL,
    created INTEGER NOT NULL,
    UNIQUE (product_key, version)
);
CREATE INDEX IF NOT EXISTS thing_versions_newest ON thing_versions (product_key, id);
CREATE TABLE IF NOT EXISTS thing_scripts (
    product_key TEXT PRIMARY KEY REFERENCES products (product_key) ON DELETE CASCADE,
    type TEXT NOT NULL,
    modified INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS thing_reports (
    iot_id TEXT NOT NULL REFERENCES devices (iot_id) ON DELETE CASCADE,
    identifier TEXT NOT NULL,
    time INTEGER NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (iot_id, identifier, time)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS thing_calls (
    iot_id TEXT NOT NULL REFERENCES devices (iot_id) ON DELETE CASCADE,
    time INTEGER NOT NULL,
    identifier TEXT NOT NULL,
    name TEXT NOT NULL,
    input TEXT NOT NULL,
    output TEXT NOT NULL,
    PRIMARY KEY (iot_id, time)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS thing_desired (
    iot_id TEXT NOT NULL REFERENCES devices (iot_id) ON DELETE CASCADE,
    identifier TEXT NOT NULL,
    value TEXT,
    version INTEGER NOT NULL,
    time INTEGER NOT NULL,
    PRIMARY KEY (iot_id, identifier)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS thing_waiting (
    iot_id TEXT NOT NULL REFERENCES devices (iot_id) ON DELETE CASCADE,
    identifier TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (iot_id, identifier)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS device_absences (
    iot_id TEXT NOT NULL REFERENCES devices (iot_id) ON DELETE CASCADE,
    since INTEGER NOT NULL,
    until INTEGER NOT NULL,
    PRIMARY KEY (iot_id, since)
) WITHOUT ROWID;
CREATE TRIGGER IF NOT EXISTS devices_were_away AFTER UPDATE OF status ON devices
WHEN old.status IN ('OFFLINE', 'DISABLE') AND new.status <> old.status AND old.activated IS NOT NULL BEGIN
    INSERT OR REPLACE INTO device_absences VALUES (new.iot_id, old.status_since, new.status_since);
    DELETE FROM device_absences WHERE iot_id = new.iot_id AND until < new.status_since - {KEEP_MS + 86_400_000};
END;
CREATE TRIGGER IF NOT EXISTS devices_take AFTER UPDATE OF status ON devices
WHEN new.status = 'ONLINE' AND old.status <> 'ONLINE' BEGIN
    INSERT OR REPLACE INTO thing_reports
        SELECT iot_id, identifier, new.status_since + {TAKE_MS}, value FROM thing_waiting WHERE iot_id = new.iot_id;
    DELETE FROM thing_waiting WHERE iot_id = new.iot_id;
END;
"""


@dataclass(frozen=True, slots=True)
class Version:
    """A published version: its number, words, time (ms) and model."""

    version: str
    description: str
    created: int
    model: Model


def draft(db: sqlite3.Connection, product_key: str) -> Model:
    """The model being edited: the newest published one until somebody edits it, at first an empty one."""
    row = db.execute("SELECT model FROM thing_drafts WHERE product_key = ?", (product_key,)).fetchone()
    return load(row["model"]) if row else Model()


def save_draft(db: sqlite3.Connection, product_key: str, model: Model) -> str:
    """Keep a draft; returns the text it is kept as."""
    text = dump(model)
    db.execute(
        "INSERT INTO thing_drafts VALUES (?, ?) ON CONFLICT DO UPDATE SET model = excluded.model",
        (product_key, text),
    )
    return text


def publish(db: sqlite3.Connection, product_key: str, version: str, description: str, now: int) -> None:
    """Make the draft the newest version; raises sqlite3.IntegrityError for a version there is already."""
    db.execute(
        "INSERT INTO thing_versions (product_key, version, description, model, created) VALUES (?, ?, ?, ?, ?)",
        (product_key, version, description, dump(draft(db, product_key)), now),
    )


def published(db: sqlite3.Connection, product_key: str, version: str = "") -> Version | None:
    """A published version, the newest unless named; None when there is none."""
    where = "AND version = ?" if version else ""
    row = db.execute(
        f"SELECT * FROM thing_versions WHERE product_key = ? {where} ORDER BY id DESC LIMIT 1",
        (product_key, version) if version else (product_key,),
    ).fetchone()
    if row is None:
        return None
    return Version(row["version"], row["description"], row["created"], load(row["model"]))


def versions(db: sqlite3.Connection, product_key: str) -> list[sqlite3.Row]:
    """`version`, `description`, `created` of all published versions, the newest first."""
    return db.execute(
        "SELECT version, description, created FROM thing_versions WHERE product_key = ? ORDER BY id DESC",
        (product_key,),
    ).fetchall()


def current(db: sqlite3.Connection, product_key: str) -> Model:
    """The model that the product's devices live by: the newest published one; an empty one when there is none."""
    found = published(db, product_key)
    return found.model if found else Model()
