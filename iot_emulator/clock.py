"""Time. The emulator reads it only from these clocks, so that a test can control it.

There are two clocks. `Emulator.clock` is the emulated time: it gives records their timestamps, and slow work (a batch
registration, a device that comes online, an update) becomes due by it. `Emulator.wall` is the wall clock, used for
signatures, nonces and quotas: a client signs with the real time, whatever the emulated time is.
"""

from __future__ import annotations

import threading
import time
from datetime import datetime


class Clock:
    """The real time plus the time by which the clock was advanced."""

    def __init__(self) -> None:
        self._offset = 0
        self._lock = threading.Lock()

    def now(self) -> int:
        """Milliseconds since the epoch."""
        return time.time_ns() // 1_000_000 + self._offset

    def advance(self, seconds: float) -> int:
        """Advance the clock by `seconds`; return the new time in milliseconds since the epoch."""
        with self._lock:
            self._offset += int(seconds * 1000)
        return self.now()


class ManualClock(Clock):
    """a clock that does not move until it is advanced.

    `start` is an aware datetime, or milliseconds since the epoch; by default the time of creation.
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
        """Advance the clock by `seconds`; return the new time in milliseconds since the epoch."""
        with self._lock:
            self._now += int(seconds * 1000)
            return self._now


class Pace:
    """The duration of slow work: `real` as on the platform, `fast` a twentieth of that, `instant` no time.

    `work(seconds)` scales work that a client waits for (a batch registration, an update task). `background(seconds)`
    scales what goes on permanently (devices that come online and go offline). `instant` leaves the background at real
    speed: a device whose status changed all the time would be of no use.
    """

    NAMES = ("real", "fast", "instant")

    def __init__(self, name: str = "real") -> None:
        if name not in self.NAMES:
            raise ValueError(f"pace must be one of {', '.join(self.NAMES)}, not {name!r}")
        self.name = name
        self._work = {"real": 1000.0, "fast": 50.0, "instant": 0.0}[name]
        self._background = {"real": 1000.0, "fast": 50.0, "instant": 1000.0}[name]

    def work(self, seconds: float) -> int:
        """Return the milliseconds that work of `seconds` at real pace takes at this pace."""
        return int(seconds * self._work)

    def background(self, seconds: float) -> int:
        """Return the milliseconds until a background event that comes after `seconds` at real pace."""
        return int(seconds * self._background)
