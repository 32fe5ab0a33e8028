"""Device shadows: a JSON document a device, with what is wished and what it reported.

A simulated device that is online reports what is wished of it after a moment; one that is away does so when it comes
back. Its reports leave the version alone, so that the next update's version only has to pass the last update's.
"""

from __future__ import annotations

import json
import sqlite3
from typing import Any

from console.emulator.call import Call, Handler
from console.emulator.errors import ServiceError
from console.emulator.lookups import find_device, find_product
from console.emulator.things.common import dumped, sound_json
from console.emulator.things.telling import latency

MAX_BYTES = 16 * 1024
MAX_PROPERTIES = 128
_CODE = "iot.messagebroker."

SCHEMA = """
CREATE TABLE IF NOT EXISTS device_shadows (
    iot_id TEXT PRIMARY KEY REFERENCES devices (iot_id) ON DELETE CASCADE,
    version INTEGER NOT NULL,
    desired TEXT NOT NULL,
    desired_times TEXT NOT NULL,
    reported TEXT NOT NULL DEFAULT '{}',
    reported_at INTEGER NOT NULL DEFAULT 0,
    report_due INTEGER,
    modified INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TRIGGER IF NOT EXISTS devices_take_shadows AFTER UPDATE OF status ON devices
WHEN new.status = 'ONLINE' AND old.status <> 'ONLINE' BEGIN
    UPDATE device_shadows SET report_due = new.status_since + 1000
        WHERE iot_id = new.iot_id AND report_due IS NULL AND reported_at < modified;
END;
"""


def get_device_shadow(call: Call) -> dict[str, Any]:
    """GetDeviceShadow: the document as text. One that was never updated has version 0 and an empty state."""
    device = _device(call)
    row = _row(call, device)
    if row is None:
        return {"ShadowMessage": dumped({"method": "update", "state": {}, "version": 0})}
    reported, at = _reported(row, call.now)
    state: dict[str, Any] = {"desired": json.loads(row["desired"])}
    metadata: dict[str, Any] = {
        "desired": {
            name: {"timestamp": time // 1000} for name, time in json.loads(row["desired_times"]).items()
        }
    }
    if reported:
        state["reported"] = reported
        metadata["reported"] = {name: {"timestamp": at // 1000} for name in reported}
    document = {
        "method": "update",
        "state": state,
        "metadata": metadata,
        "timestamp": max(row["modified"], at) // 1000,
        "version": row["version"],
    }
    return {"ShadowMessage": dumped(document)}


def update_device_shadow(call: Call) -> dict[str, Any]:
    """UpdateDeviceShadow: what is wished becomes `state.desired`, or with DeltaUpdate also that.

    The version has to be later than the present one.
    """
    device = _device(call)
    desired, version = _read(call.params["ShadowMessage"])
    row = _row(call, device)
    if row is not None and version <= row["version"]:
        raise _refused(
            "InvalidVersionValueInShadowMessage",
            f"The version must be later than {row['version']}, the present one.",
        )
    times = dict.fromkeys(desired, call.now)
    reported, reported_at = _reported(row, call.now) if row else ({}, 0)
    if row is not None and call.params.get("DeltaUpdate"):
        desired = {**json.loads(row["desired"]), **desired}
        times = {**json.loads(row["desired_times"]), **times}
    _check_size(desired)
    due = call.now + latency(call, device["iot_id"]) if device["status"] == "ONLINE" else None
    call.db.execute(
        "INSERT OR REPLACE INTO device_shadows VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            device["iot_id"],
            version,
            dumped(desired),
            dumped(times),
            dumped(reported),
            reported_at,
            due,
            call.now,
        ),
    )
    return {}


def _device(call: Call) -> sqlite3.Row:
    product = find_product(call)
    return find_device(call, product_key=product["product_key"], name=call.params["DeviceName"])


def _row(call: Call, device: sqlite3.Row) -> sqlite3.Row | None:
    row: sqlite3.Row | None = call.db.execute(
        "SELECT * FROM device_shadows WHERE iot_id = ?", (device["iot_id"],)
    ).fetchone()
    return row


def _reported(row: sqlite3.Row, now: int) -> tuple[dict[str, Any], int]:
    """What the device has reported by `now`, and when (ms)."""
    if row["report_due"] is not None and row["report_due"] <= now:
        return json.loads(row["desired"]), row["report_due"]
    return json.loads(row["reported"]), row["reported_at"]


def _read(text: str) -> tuple[dict[str, Any], int]:
    """What an update wishes, and its version. Raises what the reference names for each mistake."""
    if not text.strip():
        raise _refused("NullShadowMessage", "ShadowMessage is empty.")
    if len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise _refused("ShadowMessageLengthIsLarge", "A shadow has at most 16 KB.")
    try:
        message = sound_json(text)
    except ValueError:
        message = None
    if not isinstance(message, dict):
        raise _refused("ShadowMessageIsNotJson", "ShadowMessage must be a JSON object.")
    if "method" not in message:
        raise _refused("NotFoundMethodInShadowMessage", "method is missing.")
    if message["method"] != "update":
        raise _refused("MethodValueIsNotUpdate", "method must be update.")
    if not isinstance(message.get("state"), dict):
        raise _refused("NotFoundStateInShadowMessage", "state is missing.")
    desired = _wished(message["state"])
    version = message.get("version")
    if version is None or version == "":
        raise _refused("NotFoundVersionOrNullVersionValue", "version is missing.")
    if isinstance(version, bool) or not isinstance(version, int) or not 0 <= version < 2**63:
        raise _refused("InvalidVersionValueInShadowMessage", "version must be a whole number.")
    return desired, version


def _wished(state: dict[str, Any]) -> dict[str, Any]:
    if "desired" not in state:
        raise _refused("NotFoundDesireInShadowMessage", "state.desired is missing.")
    desired = state["desired"]
    if desired is None:
        raise _refused("DesireValueIsNullInShadowMessage", "state.desired is null.")
    if not isinstance(desired, dict):
        raise _refused("DesireInfoInShadowMessageIsNotJson", "state.desired must be a JSON object.")
    if not desired:
        raise _refused("NoneElementInDesire", "state.desired has no property.")
    if any(not name or value is None or value == "" for name, value in desired.items()):
        raise _refused("ElementKeyOrValueIsNullInDesire", "A property has no name or no value.")
    return desired


def _check_size(desired: dict[str, Any]) -> None:
    if len(desired) > MAX_PROPERTIES:
        raise _refused("TooManyElementInDesire", f"A shadow has at most {MAX_PROPERTIES} properties.")
    if len(dumped(desired).encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise _refused("ShadowMessageLengthIsLarge", "A shadow has at most 16 KB.")


def _refused(code: str, message: str) -> ServiceError:
    return ServiceError(_CODE + code, message)


OPERATIONS: dict[str, Handler] = {
    "GetDeviceShadow": get_device_shadow,
    "UpdateDeviceShadow": update_device_shadow,
}
