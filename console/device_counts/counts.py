"""The numbers of devices of a connection, a product or a group."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DeviceCounts:
    """The numbers of devices: all, activated (connected at least once), and online now."""

    total: int = 0
    activated: int = 0
    online: int = 0

    def __add__(self, other: DeviceCounts) -> DeviceCounts:
        return DeviceCounts(
            self.total + other.total, self.activated + other.activated, self.online + other.online
        )

    @property
    def offline(self) -> int:
        """The number of activated devices that are not online."""
        return max(0, self.activated - self.online)

    @property
    def not_activated(self) -> int:
        """The number of devices that never connected."""
        return max(0, self.total - self.activated)
