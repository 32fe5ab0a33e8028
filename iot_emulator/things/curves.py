"""Curves of values over time: the value that a simulated device reports for a property at a given time.

A curve is chosen by the identifier if a category defines it, else by the data type (unit, name, range, whether it can
be set). The same device, property and time always give the same value.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Any, Protocol

from iot_emulator.things.noise import DAY, HOUR, Moment, make_seed, random_fraction, smooth_noise
from iot_emulator.things.specs import NUMBERS, Spec

_TURN = 2 * math.pi


class Curve(Protocol):
    """A number over time; `interval_minutes` is the time between two reports of it."""

    @property
    def interval_minutes(self) -> int: ...

    def at(self, moment: Moment) -> float: ...


@dataclass(frozen=True, slots=True)
class Daily:
    """A mean with a daily swing that peaks at the hour `peak`, a slow drift, and noise. Devices differ slightly."""

    mean: float
    swing: float
    peak: float = 14
    drift: float = 0
    noise: float = 0
    interval_minutes: int = 15

    def at(self, moment: Moment) -> float:
        device_mean = self.mean + (moment.device_factor() - 0.5) * (abs(self.swing) + self.drift)
        return (
            device_mean
            + self.swing * math.cos(_TURN * (moment.hour - self.peak) / 24)
            + self.drift * smooth_noise(moment.seed, moment.time, DAY)
            + self.noise * moment.noise()
        )


@dataclass(frozen=True, slots=True)
class Counter:
    """Only grows: by `per_day` on average, faster by day than by night, and at different speed on the days of the week."""

    per_day: float
    interval_minutes: int = 15

    def at(self, moment: Moment) -> float:
        days, start = moment.days, (moment.activated + 8 * HOUR) / DAY
        daily = -0.6 / _TURN * (math.sin(_TURN * (start + days - 0.1)) - math.sin(_TURN * (start - 0.1)))
        weekly = 0.2 * 7 / _TURN * (1 - math.cos(_TURN * days / 7))
        return self.per_day * (0.5 + 1.1 * moment.device_factor()) * (days + daily + weekly)


@dataclass(frozen=True, slots=True)
class Sawtooth:
    """Grows by `per_day` and restarts at 0 after `least` to `most` days: running times, days since a service."""

    per_day: float
    least: float = 9
    most: float = 30
    interval_minutes: int = 15

    def at(self, moment: Moment) -> float:
        return moment.days % (self.least + moment.device_factor() * (self.most - self.least)) * self.per_day


@dataclass(frozen=True, slots=True)
class Battery:
    """Full at activation, empty after one and a half to three years, then replaced."""

    interval_minutes: int = 360

    def at(self, moment: Moment) -> float:
        lifetime = 550 + 550 * moment.device_factor()
        return 100 - 93 * (moment.days % lifetime) / lifetime


@dataclass(frozen=True, slots=True)
class Night:
    """`value` from dusk to dawn, else `day`; lamps switch at slightly different times."""

    value: float
    day: float = 0
    noise: float = 0
    interval_minutes: int = 15

    def at(self, moment: Moment) -> float:
        offset = 0.2 * moment.device_factor()
        dark = moment.hour >= 18.2 + offset or moment.hour < 5.9 + offset
        return self.value + self.noise * moment.noise() if dark else self.day


@dataclass(frozen=True, slots=True)
class Rare:
    """`value` in one of `one_in` slots of `minutes`, else `usual`: alarms, opened relays."""

    one_in: int
    minutes: int = 90
    value: float = 1
    usual: float = 0
    interval_minutes: int = 30

    def at(self, moment: Moment) -> float:
        slot = moment.time // (self.minutes * 60_000)
        return self.value if random_fraction(moment.seed, slot) < 1 / self.one_in else self.usual


@dataclass(frozen=True, slots=True)
class Activity:
    """`value` occasionally, far more often by day than by night: motion, ignition, charging."""

    value: float = 1
    idle: float = 0
    minutes: int = 40
    interval_minutes: int = 15

    def at(self, moment: Moment) -> float:
        slot = moment.time // (self.minutes * 60_000)
        busy = 0.45 if 7 <= moment.hour < 20 else 0.06
        if random_fraction(moment.seed, slot) >= busy:
            return self.idle
        return self.idle + (self.value - self.idle) * (
            0.6 + 0.4 * random_fraction(moment.seed ^ 1, moment.time)
        )


@dataclass(frozen=True, slots=True)
class Constant:
    """A value that never changes: a setting of the device."""

    value: float
    interval_minutes: int = 1440

    def at(self, moment: Moment) -> float:
        return self.value


# By identifier, or by identifier and upper limit if several categories use the same identifier.
_CURVES: Mapping[str, Curve] = {
    "LightStatus": Night(1),
    "LightAdjustLevel": Night(80),
    "LightVolt": Daily(226, -4, 20, 3, 0.8),
    "LightCurrent": Night(0.53, 0.01, 0.02),
    "ActivePower/1000": Night(118, 0.6, 2.5),
    "PowerRatio": Night(0.95, 0.4, 0.01),
    "PowerConsumption": Counter(1.4),
    "TiltValue": Daily(1, 0, 0, 1, 0.3, interval_minutes=60),
    "TiltThreshold": Constant(15),
    "OverVoltThreshold": Constant(265),
    "OverTiltEnable": Constant(1),
    "LampError": Rare(400),
    "LeakageError": Rare(900),
    "LightLux": Daily(-6000, 18000, 12.5, 2000, 400),
    "TotalActiveEnergy": Counter(8.6),
    "Voltage": Daily(229, -4, 20, 3, 0.9),
    "Current": Daily(3.1, 2.2, 19.5, 0.8, 0.4),
    "ActivePower": Daily(720, 480, 19.5, 180, 120),
    "ActivePower/4000": Daily(95, 80, 19, 40, 15),
    "ActivePower/150000": Activity(7000),
    "PowerFactor": Daily(0.94, 0.02, 3, 0.02, 0.01),
    "Frequency/960": Constant(470.3),
    "Frequency/65": Daily(50, 0.01, 4, 0.02, 0.02),
    "RelayStatus": Rare(700, 120, 0, 1),
    "ReportInterval": Constant(15),
    "OverloadThreshold": Constant(8000),
    "SignalStrength": Daily(-82, 3, 4, 6, 3, interval_minutes=60),
    "TotalWater": Counter(0.32),
    "FlowRate": Activity(0.6, 0),
    "FlowRate/500": Daily(78, 22, 10, 8, 3),
    "WaterTemperature": Daily(16, 1.5, 15, 1.2, 0.2),
    "ValveStatus": Rare(900, 240, 0, 1),
    "BatteryPercentage": Battery(),
    "TotalGas": Counter(0.9),
    "Temperature": Daily(23, 3.5, 15, 2, 0.2, interval_minutes=10),
    "Humidity": Daily(54, -9, 15, 6, 0.8, interval_minutes=10),
    "PM25": Daily(38, 8, 8, 24, 3, interval_minutes=10),
    "HighTemperature": Constant(35),
    "SmokeSensorState": Rare(2500, 30),
    "SmokeConcentration": Daily(0.12, 0.03, 12, 0.05, 0.03),
    "DetectorTemperature": Daily(24, 2, 15, 1.5, 0.2),
    "DustLevel": Sawtooth(0.2, 300, 500, interval_minutes=360),
    "Muted": Constant(0),
    "WaterLeakState": Rare(1500, 60),
    "Sensitivity": Constant(1),
    "CpuUsage": Daily(24, 9, 14, 6, 5, interval_minutes=5),
    "MemoryUsage": Daily(47, 3, 14, 6, 1, interval_minutes=5),
    "BoardTemperature": Daily(41, 4, 15, 2, 0.5, interval_minutes=5),
    "OnlineSubDevices": Daily(46, 1, 12, 3, 1, interval_minutes=15),
    "UplinkPackets": Counter(41_000),
    "Uptime": Sawtooth(86_400, interval_minutes=5),
    "HeartbeatInterval": Constant(60),
    "LogLevel": Constant(2),
    "PowerSwitch": Activity(1, 0, 180),
    "TargetTemperature": Constant(25.5),
    "CurrentTemperature": Daily(25.5, 1.5, 15, 1, 0.2),
    "WorkMode": Constant(1),
    "ActivePower/5000": Activity(1150, 3, 60),
    "FilterHours": Sawtooth(7, 60, 120, interval_minutes=60),
    "StorageRemain": Sawtooth(1.9, 20, 33, interval_minutes=60),
    "StorageStatus": Rare(900, 600, 4, 1),
    "BitRate": Daily(2100, 600, 13, 300, 150),
    "LockState": Activity(0, 1, 15),
    "DoorState": Rare(14, 10, 1, interval_minutes=15),
    "KeyCount": Constant(7),
    "TargetPressure": Constant(0.45),
    "OutletPressure": Daily(0.45, -0.02, 8, 0.02, 0.008, interval_minutes=5),
    "MotorCurrent": Daily(34, 6, 10, 3, 0.8, interval_minutes=5),
    "MotorTemperature": Daily(58, 7, 14, 4, 0.6, interval_minutes=5),
    "Vibration": Daily(1.9, 0.3, 12, 0.5, 0.25, interval_minutes=10),
    "RunningHours": Counter(13.5),
    "Speed": Activity(68, 0, 25, interval_minutes=2),
    "Ignition": Activity(1, 0, 25, interval_minutes=2),
    "Mileage": Counter(84, interval_minutes=2),
    "Floor": Activity(18, 1, 5, interval_minutes=5),
    "Trips": Counter(310),
    "CabinTemperature": Daily(25, 2, 15, 1.5, 0.3),
    "VibrationThreshold": Constant(8),
    "ChargeState": Activity(2, 0, 120),
    "Passed": Constant(1),
    "RoundTrip": Daily(24, 5, 14, 10, 8),
    "ConnectorTemperature": Daily(31, 4, 14, 4, 1),
}
# Ranges of event parameters, regardless of the value that the property of the same name has at the time.
_EVENT_RANGES: Mapping[str, tuple[float, float]] = {
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
_DAILY_REPORT = Constant(0)


@lru_cache(maxsize=4096)
def find_curve(identifier: str, spec: Spec, writable: bool) -> Curve:
    """Find the curve of a property; for texts, times, arrays and structures only its `interval_minutes` is used."""
    curve = _CURVES.get(f"{identifier}/{spec.high}") or _CURVES.get(identifier)
    if curve is not None:
        return curve
    if spec.kind == "struct":
        return Daily(
            0, 0, interval_minutes=5 if any(m.identifier == "longitude" for m in spec.members) else 30
        )
    if spec.kind == "array":
        return Daily(0, 0, interval_minutes=30)
    if spec.kind in ("text", "date"):
        return _DAILY_REPORT
    if writable:
        return Constant(_choose_setting(identifier, spec))
    if spec.kind in ("bool", "enum"):
        values = [value for value, _ in spec.items]
        return Rare(40, 120, values[-1], values[0])
    return _choose_curve(identifier, spec)


def _choose_setting(identifier: str, spec: Spec) -> float:
    if spec.default:
        try:
            return float(spec.default)
        except ValueError:
            pass
    if spec.kind in ("bool", "enum"):
        return spec.items[make_seed(identifier) % len(spec.items)][0]
    low, high = _read_range(spec)
    return low + (high - low) * (0.2 + 0.4 * random_fraction(make_seed(identifier)))


def _choose_curve(identifier: str, spec: Spec) -> Curve:
    low, high = _read_range(spec)
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


def _read_range(spec: Spec) -> tuple[float, float]:
    if spec.low is None or spec.high is None:
        return 0.0, 100.0
    return float(spec.low), float(spec.high)


def calculate_value(
    seed: int, identifier: str, spec: Spec, time: int, activated: int, writable: bool = False
) -> Any:
    """Calculate the value, as decoded JSON, that fits `spec`. `seed` belongs to the device and the property."""
    if spec.kind in (*NUMBERS, "bool", "enum"):
        curve = find_curve(identifier, spec, writable)
        number = curve.at(Moment(seed, time, activated))
        return _fit_to_spec(spec, number, growing=isinstance(curve, Counter))
    if spec.kind == "text":
        return _make_text(seed, identifier, spec)
    if spec.kind == "date":
        return str(time - time % 60_000)
    if spec.kind == "array" and spec.item is not None:
        count = max(1, min(spec.size, 1 + seed % spec.size))
        if spec.size <= 8:
            count = spec.size
        return [
            calculate_value(seed + number, identifier, spec.item, time, activated) for number in range(count)
        ]
    if any(member.identifier == "longitude" for member in spec.members):
        return _make_location(seed, spec, time, moving=not writable)
    return {
        member.identifier: calculate_value(seed + number, member.identifier, member.spec, time, activated)
        for number, member in enumerate(spec.members)
    }


def calculate_event_value(seed: int, identifier: str, spec: Spec, time: int, activated: int) -> Any:
    """Calculate a value for an event parameter, as decoded JSON: an overload event has a power that is an overload."""
    value_range = _EVENT_RANGES.get(f"{identifier}/{spec.high}") or _EVENT_RANGES.get(identifier)
    if value_range is None or spec.kind not in (*NUMBERS, "bool", "enum"):
        return calculate_value(seed, identifier, spec, time, activated)
    low, high = value_range
    return _fit_to_spec(spec, low + (high - low) * random_fraction(seed, time), growing=False)


def _fit_to_spec(spec: Spec, number: float, *, growing: bool) -> int | float:
    """Move `number` into the range and to a step (rounded down if `growing`), or to the nearest item."""
    if spec.items:
        values = [value for value, _ in spec.items]
        return min(values, key=lambda value: abs(value - number))
    if spec.low is None or spec.high is None or spec.step is None:
        return round(number) if spec.kind == "int" else round(number, 2)
    low, step = float(spec.low), float(spec.step)
    max_steps = _count_steps(spec)
    steps = (number - low) / step
    if growing and max_steps and steps > max_steps:
        steps %= max_steps + 1  # a full counter starts again
    whole_steps = math.floor(steps) if growing else round(steps)
    value = spec.low + min(max(whole_steps, 0), max_steps) * spec.step
    return int(value) if spec.kind == "int" else float(value)


@lru_cache(maxsize=4096)
def _count_steps(spec: Spec) -> int:
    low, high, step = (spec.low or Decimal(0), spec.high or Decimal(0), spec.step or Decimal(1))
    return int((high - low) / step)


def _make_text(seed: int, identifier: str, spec: Spec) -> str:
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


def _make_location(seed: int, spec: Spec, time: int, *, moving: bool) -> dict[str, Any]:
    """Choose a location near Hangzhou; a moving device stays within a few kilometers of it."""
    radius = 0.05 if moving else 0.0
    numbers = {
        "longitude": 120.16
        + 0.4 * (random_fraction(seed, 1) - 0.5)
        + radius * smooth_noise(seed, time, 2 * HOUR),
        "latitude": 30.27
        + 0.3 * (random_fraction(seed, 2) - 0.5)
        + radius * smooth_noise(seed ^ 7, time, 2 * HOUR),
        "altitude": 8 + 40 * random_fraction(seed, 3),
        "CoordinateSystem": 1,
    }
    location: dict[str, Any] = {}
    for number, member in enumerate(spec.members):
        if member.identifier in numbers and member.spec.kind in (*NUMBERS, "enum"):
            location[member.identifier] = _fit_to_spec(member.spec, numbers[member.identifier], growing=False)
        else:
            location[member.identifier] = calculate_value(
                seed + number, member.identifier, member.spec, time, time
            )
    return location
