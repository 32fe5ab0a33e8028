"""ClientIDs of devices that register without having been registered before (unique-certificate-per-product).

A simulated device gets one when it is activated; one in five has registered again since, and so has more. A device whose
ClientIDs were deleted gets a new one when it next comes online.
"""

from __future__ import annotations

import sqlite3
from typing import Any

from console.emulator.call import Call, Handler
from console.emulator.errors import invalid
from console.emulator.formats import random_text
from console.emulator.lookups import device_of
from console.emulator.things.noise import chance, seed_of

SCHEMA = """
CREATE TABLE IF NOT EXISTS client_ids (
    client_id TEXT PRIMARY KEY,
    iot_id TEXT NOT NULL REFERENCES devices (iot_id) ON DELETE CASCADE,
    created INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS client_ids_device ON client_ids (iot_id, created);
CREATE TABLE IF NOT EXISTS client_ids_known (
    iot_id TEXT PRIMARY KEY REFERENCES devices (iot_id) ON DELETE CASCADE,
    deleted INTEGER
) WITHOUT ROWID;
"""

MOST = 6  # that a simulated device has; the platform wants them deleted when there are more than five


def query_client_ids(call: Call) -> dict[str, Any]:
    """QueryClientIds: oldest first; none of a device that was never online."""
    device = device_of(call)
    rows = _rows(call, device)
    return {
        "Data": {
            "IotId": device["iot_id"],
            "DynamicRegClientIds": [
                {"ClientId": row["client_id"], "CreateTime": row["created"]} for row in rows
            ],
        }
    }


def transform_client_id(call: Call) -> dict[str, Any]:
    """TransformClientId: from now on the device may use this one only; the others are gone."""
    device = device_of(call)
    wanted = call.params["ClientId"]
    if wanted not in {row["client_id"] for row in _rows(call, device)}:
        raise invalid("The device has no such ClientID.")
    call.db.execute("DELETE FROM client_ids WHERE iot_id = ? AND client_id <> ?", (device["iot_id"], wanted))
    return {"Code": "Success"}


def delete_client_ids(call: Call) -> dict[str, Any]:
    """DeleteClientIds: all of the device's."""
    device = device_of(call)
    call.db.execute("DELETE FROM client_ids WHERE iot_id = ?", (device["iot_id"],))
    call.db.execute(
        "INSERT INTO client_ids_known (iot_id, deleted) VALUES (?, ?)"
        " ON CONFLICT DO UPDATE SET deleted = excluded.deleted",
        (device["iot_id"], call.now),
    )
    return {"Code": "Success"}


def _rows(call: Call, device: sqlite3.Row) -> list[sqlite3.Row]:
    """The device's ClientIDs, made now if nobody has asked for them before."""
    iot_id = device["iot_id"]
    if device["activated"] is not None:
        known = call.db.execute("SELECT deleted FROM client_ids_known WHERE iot_id = ?", (iot_id,)).fetchone()
        if known is None:
            _make(call, iot_id, _first_times(iot_id, device["activated"], call.now))
        elif known["deleted"] is not None and (device["last_online"] or 0) > known["deleted"]:
            _make(call, iot_id, [device["last_online"]])
    return call.db.execute(
        "SELECT client_id, created FROM client_ids WHERE iot_id = ? ORDER BY created, client_id", (iot_id,)
    ).fetchall()


def _make(call: Call, iot_id: str, times: list[int]) -> None:
    call.db.executemany(
        "INSERT INTO client_ids (client_id, iot_id, created) VALUES (?, ?, ?)",
        [(f"{random_text(20)}000100", iot_id, at) for at in times],
    )
    call.db.execute(
        "INSERT INTO client_ids_known (iot_id, deleted) VALUES (?, NULL) ON CONFLICT DO UPDATE SET deleted = NULL",
        (iot_id,),
    )


def _first_times(iot_id: str, activated: int, now: int) -> list[int]:
    seed = seed_of("client ids", iot_id)
    more = int(chance(seed, 1) * MOST) if chance(seed) < 0.2 else 0
    return sorted(
        [activated, *(activated + int(chance(seed, 2 + n) * (now - activated)) for n in range(more))]
    )


OPERATIONS: dict[str, Handler] = {
    "QueryClientIds": query_client_ids,
    "TransformClientId": transform_client_id,
    "DeleteClientIds": delete_client_ids,
}
# It reads by its access level; yet the first look at a device's ClientIDs makes them.
WRITING = frozenset({"QueryClientIds"})
