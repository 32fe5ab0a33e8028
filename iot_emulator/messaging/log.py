"""The last messages of each account, with their outcome.

A message to a device that is not online is lost with QoS 0. With QoS 1 it is stored for seven days; it counts as delivered
if the device was online in this time.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Literal

from iot_emulator.call import Call

SCHEMA = """
CREATE TABLE IF NOT EXISTS messages (
    id INTEGER PRIMARY KEY,
    account TEXT NOT NULL,
    instance TEXT NOT NULL,
    at INTEGER NOT NULL,
    operation TEXT NOT NULL,
    direction TEXT NOT NULL,
    message_id INTEGER NOT NULL,
    topic TEXT NOT NULL,
    product_key TEXT NOT NULL,
    device_name TEXT NOT NULL DEFAULT '',
    qos INTEGER NOT NULL DEFAULT 0,
    size INTEGER NOT NULL,
    payload BLOB NOT NULL,
    recipients INTEGER NOT NULL DEFAULT 1,
    outcome TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS messages_account ON messages (account, id);
"""

MAX_MESSAGES = 1000  # of an account
MAX_PAYLOAD_BYTES = 1024  # the stored part of a payload
STORAGE_MS = 7 * 86_400_000  # how long QoS 1 messages are stored (BatchPub)
_TRIM_EVERY = 50

Direction = Literal["down", "up"]
Outcome = Literal["delivered", "stored", "lost", "expired"]


@dataclass(frozen=True, slots=True)
class Message:
    """A message in the log.

    `at` is in milliseconds since the epoch, `size` in bytes, and `payload` is the first part of the content. For a
    broadcast, `device_name` is "" and `recipients` any number. `direction` is "down" (to devices) or "up" (from them).
    """

    message_id: int
    at: int
    operation: str
    direction: str
    topic: str
    product_key: str
    device_name: str
    qos: int
    size: int
    payload: bytes
    recipients: int
    outcome: str


def record_message(
    call: Call,
    *,
    topic: str,
    product_key: str,
    payload: bytes,
    message_id: int,
    outcome: Outcome,
    device_name: str = "",
    direction: Direction = "down",
    qos: int = 0,
    recipients: int = 1,
) -> None:
    """Add a message to the log, and delete the oldest messages if there are too many."""
    row_id = call.db.execute(
        "INSERT INTO messages (account, instance, at, operation, direction, message_id, topic, product_key,"
        " device_name, qos, size, payload, recipients, outcome) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
        (
            call.account,
            call.instance,
            call.now,
            call.operation,
            direction,
            message_id,
            topic,
            product_key,
            device_name,
            qos,
            len(payload),
            payload[:MAX_PAYLOAD_BYTES],
            recipients,
            outcome,
        ),
    ).lastrowid
    if row_id is not None and row_id % _TRIM_EVERY == 0:
        call.db.execute(
            "DELETE FROM messages WHERE account = ?1 AND id <= ("
            "SELECT id FROM messages WHERE account = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)",
            (call.account, MAX_MESSAGES),
        )


def recent_messages(db: sqlite3.Connection, account: str, now: int, limit: int = 100) -> list[Message]:
    """Return the last messages of an account, newest first, with their outcome at `now` (ms)."""
    rows = db.execute(
        "SELECT m.*, d.last_online, d.status FROM messages m"
        " LEFT JOIN devices d ON d.product_key = m.product_key AND d.name = m.device_name"
        " WHERE m.account = ? ORDER BY m.id DESC LIMIT ?",
        (account, min(limit, MAX_MESSAGES)),
    )
    return [_to_message(row, now) for row in rows]


def _to_message(row: sqlite3.Row, now: int) -> Message:
    outcome = row["outcome"]
    if outcome == "stored":
        last_online = row["last_online"]
        if last_online is not None and row["at"] < last_online <= row["at"] + STORAGE_MS:
            outcome = "delivered"
        elif now > row["at"] + STORAGE_MS:
            outcome = "expired"
    return Message(
        message_id=row["message_id"],
        at=row["at"],
        operation=row["operation"],
        direction=row["direction"],
        topic=row["topic"],
        product_key=row["product_key"],
        device_name=row["device_name"],
        qos=row["qos"],
        size=row["size"],
        payload=row["payload"],
        recipients=row["recipients"],
        outcome=outcome,
    )
