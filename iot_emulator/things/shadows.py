"""Device shadows: one JSON document per device, with desired and reported values.

A simulated device that is online reports the desired values after a short latency; an offline one when it comes
online. Reports do not change the version, so the next update only needs a version later than that of the last update.
"""

from __future__ import annotations

import json
import sqlite3
from typing import Any

from iot_emulator.call import Call, Handler
from iot_emulator.devices_schema import ARRIVAL, CAME_ONLINE
from iot_emulator.errors import ServiceError
from iot_emulator.lookups import find_device, find_product
from iot_emulator.things.commands import calculate_latency
from iot_emulator.things.common import parse_json, to_compact_json

MAX_BYTES = 16 * 1024
MAX_PROPERTIES = 128
_CODE = "iot.messagebroker."

SCHEMA = f"""
CREATE TABLE IF NOT EXISTS device_shadows (
    iot_id TEXT PRIMARY KEY REFERENCES devices (iot_id) ON DELETE CASCADE,
    version INTEGER NOT NULL,
    desired TEXT NOT NULL,
    desired_times TEXT NOT NULL,
    reported TEXT NOT NULL DEFAULT '{{}}',
    reported_at INTEGER NOT NULL DEFAULT 0,
    report_due INTEGER,
    modified INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TRIGGER IF NOT EXISTS deliver_shadows AFTER UPDATE OF status ON devices WHEN {CAME_ONLINE} BEGIN
    UPDATE device_shadows SET report_due = {ARRIVAL} + 1000
        WHERE iot_id = new.iot_id AND report_due IS NULL AND reported_at < modified;
END;
"""


def get_device_shadow(call: Call) -> dict[str, Any]:
    """GetDeviceShadow: the document as text. A shadow that was never updated has version 0 and an empty state."""
    device = _find_device(call)
    row = _find_shadow(call, device)
    if row is None:
        return {"ShadowMessage": to_compact_json({"method": "update", "state": {}, "version": 0})}
    reported, at = _read_reported(row, call.now)
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
    return {"ShadowMessage": to_compact_json(document)}


def update_device_shadow(call: Call) -> dict[str, Any]:
    """UpdateDeviceShadow: replaces `state.desired`; with DeltaUpdate, adds to it.

    The version must be later than the current one.
    """
    device = _find_device(call)
    desired, version = _parse_message(call.params["ShadowMessage"])
    row = _find_shadow(call, device)
    if row is not None and version <= row["version"]:
        raise _shadow_error(
            "InvalidVersionValueInShadowMessage",
            f"The version must be later than the current version {row['version']}.",
        )
    times = dict.fromkeys(desired, call.now)
    reported, reported_at = _read_reported(row, call.now) if row else ({}, 0)
    if row is not None and call.params.get("DeltaUpdate"):
        desired = {**json.loads(row["desired"]), **desired}
        times = {**json.loads(row["desired_times"]), **times}
    _check_size(desired)
    due = call.now + calculate_latency(call, device["iot_id"]) if device["status"] == "ONLINE" else None
    call.db.execute(
        "INSERT OR REPLACE INTO device_shadows VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            device["iot_id"],
            version,
            to_compact_json(desired),
            to_compact_json(times),
            to_compact_json(reported),
            reported_at,
            due,
            call.now,
        ),
    )
    return {}


def _find_device(call: Call) -> sqlite3.Row:
    product = find_product(call)
    return find_device(call, product_key=product["product_key"], name=call.params["DeviceName"])


def _find_shadow(call: Call, device: sqlite3.Row) -> sqlite3.Row | None:
    row: sqlite3.Row | None = call.db.execute(
        "SELECT * FROM device_shadows WHERE iot_id = ?", (device["iot_id"],)
    ).fetchone()
    return row


def _read_reported(row: sqlite3.Row, now: int) -> tuple[dict[str, Any], int]:
    """Read the values that the device has reported by `now`, and the times of the reports (ms)."""
    if row["report_due"] is not None and row["report_due"] <= now:
        return json.loads(row["desired"]), row["report_due"]
    return json.loads(row["reported"]), row["reported_at"]


def _parse_message(text: str) -> tuple[dict[str, Any], int]:
    """Read the desired values of an update, and its version. Raises the error code of the reference for each mistake."""
    if not text.strip():
        raise _shadow_error("NullShadowMessage", "ShadowMessage is empty.")
    if len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise _shadow_error("ShadowMessageLengthIsLarge", "The shadow is larger than 16 KB.")
    try:
        message = parse_json(text)
    except ValueError:
        message = None
    if not isinstance(message, dict):
        raise _shadow_error("ShadowMessageIsNotJson", "ShadowMessage must be a JSON object.")
    if "method" not in message:
        raise _shadow_error("NotFoundMethodInShadowMessage", "method is missing.")
    if message["method"] != "update":
        raise _shadow_error("MethodValueIsNotUpdate", "method must be update.")
    if not isinstance(message.get("state"), dict):
        raise _shadow_error("NotFoundStateInShadowMessage", "state is missing.")
    desired = _parse_desired(message["state"])
    version = message.get("version")
    if version is None or version == "":
        raise _shadow_error("NotFoundVersionOrNullVersionValue", "version is missing.")
    if isinstance(version, bool) or not isinstance(version, int) or not 0 <= version < 2**63:
        raise _shadow_error("InvalidVersionValueInShadowMessage", "version must be a non-negative integer.")
    return desired, version


def _parse_desired(state: dict[str, Any]) -> dict[str, Any]:
    if "desired" not in state:
        raise _shadow_error("NotFoundDesireInShadowMessage", "state.desired is missing.")
    desired = state["desired"]
    if desired is None:
        raise _shadow_error("DesireValueIsNullInShadowMessage", "state.desired is null.")
    if not isinstance(desired, dict):
        raise _shadow_error("DesireInfoInShadowMessageIsNotJson", "state.desired must be a JSON object.")
    if not desired:
        raise _shadow_error("NoneElementInDesire", "state.desired has no property.")
    if any(not name or value is None or value == "" for name, value in desired.items()):
        raise _shadow_error("ElementKeyOrValueIsNullInDesire", "A property has no name or no value.")
    return desired


def _check_size(desired: dict[str, Any]) -> None:
    if len(desired) > MAX_PROPERTIES:
        raise _shadow_error(
            "TooManyElementInDesire", f"The shadow has more than {MAX_PROPERTIES} properties."
        )
    if len(to_compact_json(desired).encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise _shadow_error("ShadowMessageLengthIsLarge", "The shadow is larger than 16 KB.")


def _shadow_error(code: str, message: str) -> ServiceError:
    return ServiceError(_CODE + code, message)


OPERATIONS: dict[str, Handler] = {
    "GetDeviceShadow": get_device_shadow,
    "UpdateDeviceShadow": update_device_shadow,
}
