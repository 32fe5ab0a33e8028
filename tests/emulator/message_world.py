"""What tests of messages need of the world: devices that are, and stay, as a test wants them."""

from __future__ import annotations

import base64

from console.emulator import Emulator


def put(emulator: Emulator, product_key: str, name: str, status: str = "ONLINE", ago: float = 3600) -> None:
    """Set a device's status, held since so many seconds, and let it stay there: real ones come and go by chance."""
    since = emulator.clock.now() - int(ago * 1000)
    with emulator.store.write() as db:
        changed = db.execute(
            "UPDATE devices SET status = ?, status_since = ?, due = NULL, activated = coalesce(activated, ?),"
            " last_online = ? WHERE product_key = ? AND name = ?",
            (status, since, since, since, product_key, name),
        ).rowcount
    assert changed == 1


def encoded(text: str) -> str:
    """The Base64 of a text."""
    return base64.b64encode(text.encode()).decode()
