"""The tables of thing models and thing data; reading and writing the models in them.

Each model is stored as one text (`features.dump_model`): the draft of a product, and each published version. The
product's devices use the newest version.

Only data that results from requests is stored, not the reports that devices make by themselves (see simulation.py).
`thing_reports` has property values that were set, `thing_calls` services that were called, `thing_pending_values`
values that an offline device receives when it comes online, `device_absences` when a device was offline. Triggers
maintain the last two when a device comes online. Rows are deleted together with their device or product.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from iot_emulator.devices_schema import ARRIVAL, CAME_ONLINE
from iot_emulator.things.features import Model, dump_model, load_model

KEEP_DAYS = 30
KEEP_MS = KEEP_DAYS * 86_400_000
DELIVERY_DELAY_MS = 1_000  # from coming online until a device has received its pending values

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
CREATE TABLE IF NOT EXISTS thing_pending_values (
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
CREATE TRIGGER IF NOT EXISTS record_device_absence AFTER UPDATE OF status ON devices
WHEN old.status IN ('OFFLINE', 'DISABLE') AND new.status_since <> old.status_since AND old.activated IS NOT NULL BEGIN
    INSERT OR REPLACE INTO device_absences VALUES (new.iot_id, old.status_since, {ARRIVAL});
    DELETE FROM device_absences WHERE iot_id = new.iot_id AND until < new.status_since - {KEEP_MS + 86_400_000};
END;
CREATE TRIGGER IF NOT EXISTS deliver_pending_values AFTER UPDATE OF status ON devices WHEN {CAME_ONLINE} BEGIN
    INSERT OR REPLACE INTO thing_reports
        SELECT iot_id, identifier, {ARRIVAL} + {DELIVERY_DELAY_MS}, value
        FROM thing_pending_values WHERE iot_id = new.iot_id;
    DELETE FROM thing_pending_values WHERE iot_id = new.iot_id;
END;
"""


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """A published version: its number, description, time (ms) and model."""

    version: str
    description: str
    created: int
    model: Model


def read_draft(db: sqlite3.Connection, product_key: str) -> Model:
    """Read the model being edited: the newest published one until it is changed; an empty model if there is none."""
    row = db.execute("SELECT model FROM thing_drafts WHERE product_key = ?", (product_key,)).fetchone()
    return load_model(row["model"]) if row else Model()


def save_draft(db: sqlite3.Connection, product_key: str, model: Model) -> str:
    """Store a draft; returns its stored text."""
    text = dump_model(model)
    db.execute(
        "INSERT INTO thing_drafts VALUES (?, ?) ON CONFLICT DO UPDATE SET model = excluded.model",
        (product_key, text),
    )
    return text


def publish_draft(db: sqlite3.Connection, product_key: str, version: str, description: str, now: int) -> None:
    """Make the draft the newest version; raises sqlite3.IntegrityError if the version exists."""
    db.execute(
        "INSERT INTO thing_versions (product_key, version, description, model, created) VALUES (?, ?, ?, ?, ?)",
        (product_key, version, description, dump_model(read_draft(db, product_key)), now),
    )


def find_version(db: sqlite3.Connection, product_key: str, version: str = "") -> ModelVersion | None:
    """Find a published version, the newest if `version` is ""; None if there is none."""
    where = "AND version = ?" if version else ""
    row = db.execute(
        f"SELECT * FROM thing_versions WHERE product_key = ? {where} ORDER BY id DESC LIMIT 1",
        (product_key, version) if version else (product_key,),
    ).fetchone()
    if row is None:
        return None
    return ModelVersion(row["version"], row["description"], row["created"], load_model(row["model"]))


def list_versions(db: sqlite3.Connection, product_key: str) -> list[sqlite3.Row]:
    """List `version`, `description`, `created` of all published versions, newest first."""
    return db.execute(
        "SELECT version, description, created FROM thing_versions WHERE product_key = ? ORDER BY id DESC",
        (product_key,),
    ).fetchall()


def read_current_model(db: sqlite3.Connection, product_key: str) -> Model:
    """Read the model that the product's devices use: the newest published version; an empty model if there is none."""
    newest = find_version(db, product_key)
    return newest.model if newest else Model()
