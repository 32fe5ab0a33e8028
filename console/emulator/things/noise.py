"""Chance that is always the same: numbers that follow from a seed and a position, computed anew whenever asked for."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from functools import lru_cache

HOUR = 3_600_000
DAY = 24 * HOUR
_HOME = 8 * HOUR  # the region's time is UTC+8; a device's day goes by it
_MASK = (1 << 64) - 1


@lru_cache(maxsize=16_384)
def seed_of(*parts: str) -> int:
    """A 64-bit seed that follows from texts."""
    return int.from_bytes(hashlib.blake2b("\0".join(parts).encode(), digest_size=8).digest(), "big")


def chance(seed: int, position: int = 0) -> float:
    """A number from 0 to 1, evenly spread over positions."""
    x = (seed + position * 0x9E3779B97F4A7C15) & _MASK
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & _MASK
    return (x ^ (x >> 31)) / 2**64


def wander(seed: int, time: int, period: int) -> float:
    """A smooth curve from -1 to 1 through a new point each `period` (both ms)."""
    index, rest = divmod(time, period)
    before, after = chance(seed, index), chance(seed, index + 1)
    share = (1 - math.cos(math.pi * rest / period)) / 2
    return 2 * (before + (after - before) * share) - 1


@dataclass(frozen=True, slots=True)
class Moment:
    """A point in the life of one device's one value: its seed, the time, and since when the device lives (ms)."""

    seed: int
    time: int
    born: int

    @property
    def hour(self) -> float:
        """Of the local day, 0 to 24."""
        return (self.time + _HOME) % DAY / HOUR

    @property
    def days(self) -> float:
        """Since the device was activated."""
        return max(self.time - self.born, 0) / DAY

    def own(self, number: int = 0) -> float:
        """Chance that stays the same for all time."""
        return chance(self.seed, -1 - number)

    def white(self) -> float:
        """-1 to 1, new at each moment."""
        return 2 * chance(self.seed ^ 0x5DEECE66D, self.time) - 1
