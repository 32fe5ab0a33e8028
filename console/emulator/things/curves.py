"""How values move: what a device of the simulated fleet would report for a property at a time.

A curve is chosen by identifier where a category gives it a meaning, else by what the data type tells (unit, name,
range, whether it can be set). The same device, property and time always give the same value.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Any, Protocol

from console.emulator.things.noise import DAY, HOUR, Moment, chance, seed_of, wander
from console.emulator.things.specs import NUMBERS, Spec

_TURN = 2 * math.pi


class Curve(Protocol):
    """A number over time; `every` is the minutes between two reports of it."""

    @property
    def every(self) -> int: ...

    def at(self, moment: Moment) -> float: ...


@dataclass(frozen=True, slots=True)
class Daily:
    """A mean with a daily swing that peaks at an hour, slow wandering, and noise. Each device is a bit different."""

    mean: float
    swing: float
    peak: float = 14
    drift: float = 0
    noise: float = 0
    every: int = 15

    def at(self, moment: Moment) -> float:
        own = self.mean + (moment.own() - 0.5) * (abs(self.swing) + self.drift)
        return (
            own
            + self.swing * math.cos(_TURN * (moment.hour - self.peak) / 24)
            + self.drift * wander(moment.seed, moment.time, DAY)
            + self.noise * moment.white()
        )


@dataclass(frozen=True, slots=True)
class Counter:
    """Only ever grows: by `per_day`, faster by day than by night, and on some days of the week more than on others."""

    per_day: float
    every: int = 15

    def at(self, moment: Moment) -> float:
        days, start = moment.days, (moment.born + 8 * HOUR) / DAY
        daily = -0.6 / _TURN * (math.sin(_TURN * (start + days - 0.1)) - math.sin(_TURN * (start - 0.1)))
        weekly = 0.2 * 7 / _TURN * (1 - math.cos(_TURN * days / 7))
        return self.per_day * (0.5 + 1.1 * moment.own()) * (days + daily + weekly)


@dataclass(frozen=True, slots=True)
class Sawtooth:
    """Grows by `per_day` and begins anew every few weeks: running times, days since a service."""

    per_day: float
    least: float = 9
    most: float = 30
    every: int = 15

    def at(self, moment: Moment) -> float:
        return moment.days % (self.least + moment.own() * (self.most - self.least)) * self.per_day


@dataclass(frozen=True, slots=True)
class Battery:
    """Full when the device was activated, then emptied in one and a half to three years, then exchanged."""

    every: int = 360

    def at(self, moment: Moment) -> float:
        life = 550 + 550 * moment.own()
        return 100 - 93 * (moment.days % life) / life


@dataclass(frozen=True, slots=True)
class Night:
    """`value` from dusk to dawn, else `day`; each lamp a few minutes apart."""

    value: float
    day: float = 0
    noise: float = 0
    every: int = 15

    def at(self, moment: Moment) -> float:
        apart = 0.2 * moment.own()
        dark = moment.hour >= 18.2 + apart or moment.hour < 5.9 + apart
        return self.value + self.noise * moment.white() if dark else self.day


@dataclass(frozen=True, slots=True)
class Rare:
    """`value` in one of `one_in` stretches of `minutes`, else `usual`: alarms, opened relays."""

    one_in: int
    minutes: int = 90
    value: float = 1
    usual: float = 0
    every: int = 30

    def at(self, moment: Moment) -> float:
        stretch = moment.time // (self.minutes * 60_000)
        return self.value if chance(moment.seed, stretch) < 1 / self.one_in else self.usual


@dataclass(frozen=True, slots=True)
class Busy:
    """`value` now and then, far more so by day than by night: motion, ignition, charging."""

    value: float = 1
    idle: float = 0
    minutes: int = 40
    every: int = 15

    def at(self, moment: Moment) -> float:
        stretch = moment.time // (self.minutes * 60_000)
        busy = 0.45 if 7 <= moment.hour < 20 else 0.06
        if chance(moment.seed, stretch) >= busy:
            return self.idle
        return self.idle + (self.value - self.idle) * (0.6 + 0.4 * chance(moment.seed ^ 1, moment.time))


@dataclass(frozen=True, slots=True)
class Held:
    """Set once and kept: what a device was configured to."""

    value: float
    every: int = 1440

    def at(self, moment: Moment) -> float:
        return self.value


# By identifier, or by identifier and upper limit where several categories share a name.
_CURVES: Mapping[str, Curve] = {
    "LightStatus": Night(1),
    "LightAdjustLevel": Night(80),
    "LightVolt": Daily(226, -4, 20, 3, 0.8),
    "LightCurrent": Night(0.53, 0.01, 0.02),
    "ActivePower/1000": Night(118, 0.6, 2.5),
    "PowerRatio": Night(0.95, 0.4, 0.01),
    "PowerConsumption": Counter(1.4),
    "TiltValue": Daily(1, 0, 0, 1, 0.3, every=60),
    "TiltThreshold": Held(15),
    "OverVoltThreshold": Held(265),
    "OverTiltEnable": Held(1),
    "LampError": Rare(400),
    "LeakageError": Rare(900),
    "LightLux": Daily(-6000, 18000, 12.5, 2000, 400),
    "TotalActiveEnergy": Counter(8.6),
    "Voltage": Daily(229, -4, 20, 3, 0.9),
    "Current": Daily(3.1, 2.2, 19.5, 0.8, 0.4),
    "ActivePower": Daily(720, 480, 19.5, 180, 120),
    "ActivePower/4000": Daily(95, 80, 19, 40, 15),
    "ActivePower/150000": Busy(7000),
    "PowerFactor": Daily(0.94, 0.02, 3, 0.02, 0.01),
    "Frequency/960": Held(470.3),
    "Frequency/65": Daily(50, 0.01, 4, 0.02, 0.02),
    "RelayStatus": Rare(700, 120, 0, 1),
    "ReportInterval": Held(15),
    "OverloadThreshold": Held(8000),
    "SignalStrength": Daily(-82, 3, 4, 6, 3, every=60),
    "TotalWater": Counter(0.32),
    "FlowRate": Busy(0.6, 0),
    "FlowRate/500": Daily(78, 22, 10, 8, 3),
    "WaterTemperature": Daily(16, 1.5, 15, 1.2, 0.2),
    "ValveStatus": Rare(900, 240, 0, 1),
    "BatteryPercentage": Battery(),
    "TotalGas": Counter(0.9),
    "Temperature": Daily(23, 3.5, 15, 2, 0.2, every=10),
    "Humidity": Daily(54, -9, 15, 6, 0.8, every=10),
    "PM25": Daily(38, 8, 8, 24, 3, every=10),
    "HighTemperature": Held(35),
    "SmokeSensorState": Rare(2500, 30),
    "SmokeConcentration": Daily(0.12, 0.03, 12, 0.05, 0.03),
    "DetectorTemperature": Daily(24, 2, 15, 1.5, 0.2),
    "DustLevel": Sawtooth(0.2, 300, 500, every=360),
    "Muted": Held(0),
    "WaterLeakState": Rare(1500, 60),
    "Sensitivity": Held(1),
    "CpuUsage": Daily(24, 9, 14, 6, 5, every=5),
    "MemoryUsage": Daily(47, 3, 14, 6, 1, every=5),
    "BoardTemperature": Daily(41, 4, 15, 2, 0.5, every=5),
    "OnlineSubDevices": Daily(46, 1, 12, 3, 1, every=15),
    "UplinkPackets": Counter(41_000),
    "Uptime": Sawtooth(86_400, every=5),
    "HeartbeatInterval": Held(60),
    "LogLevel": Held(2),
    "PowerSwitch": Busy(1, 0, 180),
    "TargetTemperature": Held(25.5),
    "CurrentTemperature": Daily(25.5, 1.5, 15, 1, 0.2),
    "WorkMode": Held(1),
    "ActivePower/5000": Busy(1150, 3, 60),
    "FilterHours": Sawtooth(7, 60, 120, every=60),
    "StorageRemain": Sawtooth(1.9, 20, 33, every=60),
    "StorageStatus": Rare(900, 600, 4, 1),
    "BitRate": Daily(2100, 600, 13, 300, 150),
    "LockState": Busy(0, 1, 15),
    "DoorState": Rare(14, 10, 1, every=15),
    "KeyCount": Held(7),
    "TargetPressure": Held(0.45),
    "OutletPressure": Daily(0.45, -0.02, 8, 0.02, 0.008, every=5),
    "MotorCurrent": Daily(34, 6, 10, 3, 0.8, every=5),
    "MotorTemperature": Daily(58, 7, 14, 4, 0.6, every=5),
    "Vibration": Daily(1.9, 0.3, 12, 0.5, 0.25, every=10),
    "RunningHours": Counter(13.5),
    "Speed": Busy(68, 0, 25, every=2),
    "Ignition": Busy(1, 0, 25, every=2),
    "Mileage": Counter(84, every=2),
    "Floor": Busy(18, 1, 5, every=5),
    "Trips": Counter(310),
    "CabinTemperature": Daily(25, 2, 15, 1.5, 0.3),
    "VibrationThreshold": Held(8),
    "ChargeState": Busy(2, 0, 120),
    "Passed": Held(1),
    "RoundTrip": Daily(24, 5, 14, 10, 8),
    "ConnectorTemperature": Daily(31, 4, 14, 4, 1),
}
# What events and answers tell: a value from a range, whatever the property of that name is at the time.
_TOLD: Mapping[str, tuple[float, float]] = {
    "ActivePower/1000": (0, 3),
    "ActivePower/4000": (3300, 3900),
    "ActivePower/60000": (8100, 11500),
    "BatteryPercentage": (7, 20),
    "Concentration": (6, 35),
    "Energy": (6, 62),
    "FilterHours": (400, 520),
    "FlowRate/50": (0.3, 1.8),
    "FlowRate/500": (0, 4),
    "Force": (4, 15),
    "MotorTemperature": (88, 108),
    "Score": (60, 99),
    "SmokeConcentration": (0.8, 6),
    "Speed": (101, 138),
    "Temperature": (35.5, 47),
    "TiltValue": (16, 41),
    "Vibration": (9, 22),
}
_COUNTS = ("total", "consumption", "energy", "mileage", "count", "times", "hours")
_SLOW = Held(0)


@lru_cache(maxsize=4096)
def curve_for(identifier: str, spec: Spec, writable: bool) -> Curve:
    """The curve of a property; for texts, times, arrays and structures only its `every` matters."""
    known = _CURVES.get(f"{identifier}/{spec.high}") or _CURVES.get(identifier)
    if known is not None:
        return known
    if spec.kind == "struct":
        return Daily(0, 0, every=5 if any(m.identifier == "longitude" for m in spec.members) else 30)
    if spec.kind == "array":
        return Daily(0, 0, every=30)
    if spec.kind in ("text", "date"):
        return _SLOW
    if writable:
        return Held(_configured(identifier, spec))
    if spec.kind in ("bool", "enum"):
        values = [value for value, _ in spec.items]
        return Rare(40, 120, values[-1], values[0])
    return _measured(identifier, spec)


def _configured(identifier: str, spec: Spec) -> float:
    if spec.default:
        try:
            return float(spec.default)
        except ValueError:
            pass
    if spec.kind in ("bool", "enum"):
        return spec.items[seed_of(identifier) % len(spec.items)][0]
    low, high = _range(spec)
    return low + (high - low) * (0.2 + 0.4 * chance(seed_of(identifier)))


def _measured(identifier: str, spec: Spec) -> Curve:
    low, high = _range(spec)
    if any(word in identifier.lower() for word in _COUNTS):
        return Counter(min((high - low) / 3650, 24))
    unit = spec.unit.lower()
    if unit in ("°c", "℃") and low <= 15 and high >= 30:
        return Daily(23, 3, 15, 2, 0.2)
    if unit == "v" and low <= 210 and high >= 240:
        return Daily(228, -3, 20, 3, 1)
    if unit == "dbm":
        return Daily(max(low, -120) * 0.7 + min(high, -30) * 0.3, 3, 4, 6, 3)
    span = high - low
    return Daily(low + 0.45 * span, 0.15 * span, 14, 0.1 * span, 0.02 * span)


def _range(spec: Spec) -> tuple[float, float]:
    if spec.low is None or spec.high is None:
        return 0.0, 100.0
    return float(spec.low), float(spec.high)


def value_at(seed: int, identifier: str, spec: Spec, time: int, born: int, writable: bool = False) -> Any:
    """The value, as decoded JSON, that fits `spec`. `seed` is the device's and the property's."""
    if spec.kind in (*NUMBERS, "bool", "enum"):
        curve = curve_for(identifier, spec, writable)
        number = curve.at(Moment(seed, time, born))
        return _fitted(spec, number, growing=isinstance(curve, Counter))
    if spec.kind == "text":
        return _text(seed, identifier, spec)
    if spec.kind == "date":
        return str(time - time % 60_000)
    if spec.kind == "array" and spec.item is not None:
        count = max(1, min(spec.size, 1 + seed % spec.size))
        if spec.size <= 8:
            count = spec.size
        return [value_at(seed + number, identifier, spec.item, time, born) for number in range(count)]
    if any(member.identifier == "longitude" for member in spec.members):
        return _place(seed, spec, time, moving=not writable)
    return {
        member.identifier: value_at(seed + number, member.identifier, member.spec, time, born)
        for number, member in enumerate(spec.members)
    }


def told_at(seed: int, identifier: str, spec: Spec, time: int, born: int) -> Any:
    """A value that an event tells, as decoded JSON: an overload tells a power that is one."""
    told = _TOLD.get(f"{identifier}/{spec.high}") or _TOLD.get(identifier)
    if told is None or spec.kind not in (*NUMBERS, "bool", "enum"):
        return value_at(seed, identifier, spec, time, born)
    low, high = told
    return _fitted(spec, low + (high - low) * chance(seed, time), growing=False)


def _fitted(spec: Spec, number: float, *, growing: bool) -> int | float:
    """`number` within the range, on a step (below it for what only grows), or the nearest item."""
    if spec.items:
        values = [value for value, _ in spec.items]
        return min(values, key=lambda value: abs(value - number))
    if spec.low is None or spec.high is None or spec.step is None:
        return round(number) if spec.kind == "int" else round(number, 2)
    low, step = float(spec.low), float(spec.step)
    most = _steps(spec)
    steps = (number - low) / step
    if growing and most and steps > most:
        steps %= most + 1  # a counter that is full begins anew
    whole = math.floor(steps) if growing else round(steps)
    value = spec.low + min(max(whole, 0), most) * spec.step
    return int(value) if spec.kind == "int" else float(value)


@lru_cache(maxsize=4096)
def _steps(spec: Spec) -> int:
    low, high, step = (spec.low or Decimal(0), spec.high or Decimal(0), spec.step or Decimal(1))
    return int((high - low) / step)


def _text(seed: int, identifier: str, spec: Spec) -> str:
    name = identifier.lower()
    if "address" in name or "host" in name or name.endswith("ip"):
        text = f"192.168.{seed % 250}.{2 + seed // 250 % 250}"
    elif "version" in name:
        text = f"{1 + seed % 3}.{seed // 3 % 9}.{seed // 27 % 9}"
    elif "iccid" in name:
        text = f"898604{seed % 10**14:014d}"
    else:
        text = f"{seed:016x}"[:8].upper()
    return text[: spec.length]


def _place(seed: int, spec: Spec, time: int, *, moving: bool) -> dict[str, Any]:
    """A place near Hangzhou; what moves roams a few kilometres around it."""
    reach = 0.05 if moving else 0.0
    numbers = {
        "longitude": 120.16 + 0.4 * (chance(seed, 1) - 0.5) + reach * wander(seed, time, 2 * HOUR),
        "latitude": 30.27 + 0.3 * (chance(seed, 2) - 0.5) + reach * wander(seed ^ 7, time, 2 * HOUR),
        "altitude": 8 + 40 * chance(seed, 3),
        "CoordinateSystem": 1,
    }
    place: dict[str, Any] = {}
    for number, member in enumerate(spec.members):
        if member.identifier in numbers and member.spec.kind in (*NUMBERS, "enum"):
            place[member.identifier] = _fitted(member.spec, numbers[member.identifier], growing=False)
        else:
            place[member.identifier] = value_at(seed + number, member.identifier, member.spec, time, time)
    return place
