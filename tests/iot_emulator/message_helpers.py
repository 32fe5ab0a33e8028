"""Helpers of the tests of messages: devices with a fixed status, and Base64."""

from __future__ import annotations

import base64

from iot_emulator import Emulator


def set_device_status(
    emulator: Emulator, product_key: str, name: str, status: str = "ONLINE", ago: float = 3600
) -> None:
    """Set the status of a device since `ago` seconds, and keep it; other devices change their status by themselves."""
    since = emulator.clock.now() - int(ago * 1000)
    with emulator.store.write() as db:
        changed = db.execute(
            "UPDATE devices SET status = ?, status_since = ?, due = NULL, activated = coalesce(activated, ?),"
            " last_online = ? WHERE product_key = ? AND name = ?",
            (status, since, since, since, product_key, name),
        ).rowcount
    assert changed == 1


def encode_base64(text: str) -> str:
    """Return a text in Base64."""
    return base64.b64encode(text.encode()).decode()
