"""Repeatable random numbers: each is computed from a seed and a position, and is the same each time."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from functools import lru_cache

HOUR = 3_600_000
DAY = 24 * HOUR
_REGION_OFFSET = 8 * HOUR  # devices use the region's local time, UTC+8
_MASK = (1 << 64) - 1


@lru_cache(maxsize=16_384)
def make_seed(*parts: str) -> int:
    """Make a 64-bit seed from texts."""
    return int.from_bytes(hashlib.blake2b("\0".join(parts).encode(), digest_size=8).digest(), "big")


def random_fraction(seed: int, position: int = 0) -> float:
    """Return a number from 0 to 1, uniformly distributed over positions."""
    x = (seed + position * 0x9E3779B97F4A7C15) & _MASK
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & _MASK
    return (x ^ (x >> 31)) / 2**64


def smooth_noise(seed: int, time: int, period: int) -> float:
    """Return a point of a smooth random curve from -1 to 1 that has a new target each `period` (`time`, `period` in ms)."""
    index, rest = divmod(time, period)
    before, after = random_fraction(seed, index), random_fraction(seed, index + 1)
    share = (1 - math.cos(math.pi * rest / period)) / 2
    return 2 * (before + (after - before) * share) - 1


@dataclass(frozen=True, slots=True)
class Moment:
    """The input of a curve: the seed of the device's value, the time and the time of activation (ms)."""

    seed: int
    time: int
    activated: int

    @property
    def hour(self) -> float:
        """Hour of the local day, 0 to 24."""
        return (self.time + _REGION_OFFSET) % DAY / HOUR

    @property
    def days(self) -> float:
        """Days since the device was activated."""
        return max(self.time - self.activated, 0) / DAY

    def device_factor(self, number: int = 0) -> float:
        """A number from 0 to 1 that is constant for the device's value."""
        return random_fraction(self.seed, -1 - number)

    def noise(self) -> float:
        """A number from -1 to 1, different at each time."""
        return 2 * random_fraction(self.seed ^ 0x5DEECE66D, self.time) - 1
