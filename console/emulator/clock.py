"""Time: the emulator never asks the machine for it directly, so that a test can turn it.

Two clocks are in use. `Emulator.clock` is the world's: records are stamped with it, and slow things (a batch
registration, a device coming online, an update) become due on it. `Emulator.wall` is what signatures, nonces and
quotas are judged by: a client signs with its own real time, whatever day the world is at.
"""

from __future__ import annotations

import threading
import time
from datetime import datetime


class Clock:
    """The real time, and as much later as it has been advanced."""

    def __init__(self) -> None:
        self._ahead = 0
        self._lock = threading.Lock()

    def now(self) -> int:
        """Milliseconds since the epoch."""
        return time.time_ns() // 1_000_000 + self._ahead

    def advance(self, seconds: float) -> int:
        """Move time on by `seconds`; returns the new time in milliseconds."""
        with self._lock:
            self._ahead += int(seconds * 1000)
        return self.now()


class ManualClock(Clock):
    """Stands still until it is advanced.

    `start` is an aware datetime, milliseconds since the epoch as `now()` gives them, or nothing for the moment of
    making it.
    """

    def __init__(self, start: datetime | int | None = None) -> None:
        super().__init__()
        if start is None:
            self._now = time.time_ns() // 1_000_000
        elif isinstance(start, datetime):
            self._now = round(start.timestamp() * 1000)
        else:
            self._now = start

    def now(self) -> int:
        return self._now

    def advance(self, seconds: float) -> int:
        """Move time on by `seconds`; returns the new time in milliseconds."""
        with self._lock:
            self._now += int(seconds * 1000)
            return self._now


class Pace:
    """How long slow things take: `real` as on the platform, `fast` a twentieth of it, `instant` no time at all.

    `work(seconds)` scales what somebody waits for (a batch registration, an update task). `life(seconds)` scales
    what goes on by itself for ever (devices going on- and offline); `instant` leaves it at real speed, since a
    device that changes its state every moment shows nothing.
    """

    NAMES = ("real", "fast", "instant")

    def __init__(self, name: str = "real") -> None:
        if name not in self.NAMES:
            raise ValueError(f"pace must be one of {', '.join(self.NAMES)}, not {name!r}")
        self.name = name
        self._work = {"real": 1000.0, "fast": 50.0, "instant": 0.0}[name]
        self._life = {"real": 1000.0, "fast": 50.0, "instant": 1000.0}[name]

    def work(self, seconds: float) -> int:
        """Milliseconds that a piece of work of `seconds` takes at this pace."""
        return int(seconds * self._work)

    def life(self, seconds: float) -> int:
        """Milliseconds until a device's next move that would come after `seconds` at real pace."""
        return int(seconds * self._life)
