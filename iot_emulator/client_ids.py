"""ClientIDs of devices that register dynamically (unique-certificate-per-product, without pre-registration).

A simulated device gets a ClientID when it is activated. One device in five has registered again since then and has
several. After its ClientIDs were deleted, a device gets a new one when it next comes online.
"""

from __future__ import annotations

import sqlite3
from typing import Any

from iot_emulator.call import Call, Handler
from iot_emulator.errors import invalid_parameter
from iot_emulator.formats import random_text
from iot_emulator.lookups import find_device
from iot_emulator.things.noise import make_seed, random_fraction

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

MAX_CLIENT_IDS = 6  # of a simulated device; the platform asks to delete them when there are more than five


def query_client_ids(call: Call) -> dict[str, Any]:
    """QueryClientIds: oldest first. A device that was never online has none."""
    device = find_device(call)
    rows = _read_client_ids(call, device)
    return {
        "Data": {
            "IotId": device["iot_id"],
            "DynamicRegClientIds": [
                {"ClientId": row["client_id"], "CreateTime": row["created"]} for row in rows
            ],
        }
    }


def transform_client_id(call: Call) -> dict[str, Any]:
    """TransformClientId: keeps one ClientID of the device and deletes the others."""
    device = find_device(call)
    client_id = call.params["ClientId"]
    if client_id not in {row["client_id"] for row in _read_client_ids(call, device)}:
        raise invalid_parameter("The device has no such ClientID.")
    call.db.execute(
        "DELETE FROM client_ids WHERE iot_id = ? AND client_id <> ?", (device["iot_id"], client_id)
    )
    return {"Code": "Success"}


def delete_client_ids(call: Call) -> dict[str, Any]:
    """DeleteClientIds: deletes all ClientIDs of the device."""
    device = find_device(call)
    call.db.execute("DELETE FROM client_ids WHERE iot_id = ?", (device["iot_id"],))
    call.db.execute(
        "INSERT INTO client_ids_known (iot_id, deleted) VALUES (?, ?)"
        " ON CONFLICT DO UPDATE SET deleted = excluded.deleted",
        (device["iot_id"], call.now),
    )
    return {"Code": "Success"}


def _read_client_ids(call: Call, device: sqlite3.Row) -> list[sqlite3.Row]:
    """Return the ClientIDs of a device. The first call for a device generates them."""
    iot_id = device["iot_id"]
    if device["activated"] is not None:
        known = call.db.execute("SELECT deleted FROM client_ids_known WHERE iot_id = ?", (iot_id,)).fetchone()
        if known is None:
            _insert_client_ids(call, iot_id, _registration_times(iot_id, device["activated"], call.now))
        elif known["deleted"] is not None and (device["last_online"] or 0) > known["deleted"]:
            _insert_client_ids(call, iot_id, [device["last_online"]])
    return call.db.execute(
        "SELECT client_id, created FROM client_ids WHERE iot_id = ? ORDER BY created, client_id", (iot_id,)
    ).fetchall()


def _insert_client_ids(call: Call, iot_id: str, times: list[int]) -> None:
    call.db.executemany(
        "INSERT INTO client_ids (client_id, iot_id, created) VALUES (?, ?, ?)",
        [(f"{random_text(20)}000100", iot_id, at) for at in times],
    )
    call.db.execute(
        "INSERT INTO client_ids_known (iot_id, deleted) VALUES (?, NULL) ON CONFLICT DO UPDATE SET deleted = NULL",
        (iot_id,),
    )


def _registration_times(iot_id: str, activated: int, now: int) -> list[int]:
    """When a device registered (ms): at its activation, and for one device in five again later."""
    seed = make_seed("client ids", iot_id)
    more = int(random_fraction(seed, 1) * MAX_CLIENT_IDS) if random_fraction(seed) < 0.2 else 0
    return sorted(
        [activated, *(activated + int(random_fraction(seed, 2 + n) * (now - activated)) for n in range(more))]
    )


OPERATIONS: dict[str, Handler] = {
    "QueryClientIds": query_client_ids,
    "TransformClientId": transform_client_id,
    "DeleteClientIds": delete_client_ids,
}
# A read operation by its access level, but the first call for a device generates its ClientIDs.
WRITE_OPERATIONS = frozenset({"QueryClientIds"})
