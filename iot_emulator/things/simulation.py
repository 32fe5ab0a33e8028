"""The reports, events and scheduled calls of simulated devices. They are computed on demand and never stored.

Time is divided into numbered slots; the device's IotId, the identifier and the slot's number define the content of a
slot. So any period can be read from either end, with constant memory, and always with the same result. A device sends
data only while it is connected: from its activation until now or until it went offline, except during its absences and
during outages of a few hours on some days.
"""

from __future__ import annotations

import sqlite3
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from iot_emulator.things.curves import calculate_event_value, calculate_value, find_curve
from iot_emulator.things.features import Event, Model, Property, Service
from iot_emulator.things.noise import DAY, HOUR, make_seed, random_fraction
from iot_emulator.things.specs import Member

_OUTAGE_SHARE = 0.05  # share of a device's days that have an outage
_SETTLED_DAYS = 2  # after activation, without outages
_LOST_SHARE = 0.004  # share of the reports that are lost
_EVENT_SLOT = 6 * HOUR
_EVENT_CHANCE = {"info": 0.08, "alert": 0.012, "error": 0.004}
_CALL_SLOT = 2 * DAY
_CALL_CHANCE = 0.12
_INVALID_SHARE = (
    0.003  # share of the reports that fail the check against the model; only in the original data
)


@dataclass(frozen=True, slots=True)
class Lifetime:
    """When a device could send data, in ms: from `activated` to `end`, except in `absences` (since, until; sorted)."""

    iot_id: str
    seed: int
    activated: int
    end: int
    absences: tuple[tuple[int, int], ...] = ()

    def is_connected(self, time: int) -> bool:
        """Whether the device could send data at this time (ms)."""
        if not self.activated <= time <= self.end:
            return False
        position = bisect_right(self.absences, (time, 2**63))
        if position and time < self.absences[position - 1][1]:
            return False
        day, rest = divmod(time, DAY)
        seed = self.seed ^ 0xABCDEF
        if time < self.activated + _SETTLED_DAYS * DAY or random_fraction(seed, day) >= _OUTAGE_SHARE:
            return True
        length = int((0.3 + 3.7 * random_fraction(seed, day ^ 0x10000)) * HOUR)
        start = int(random_fraction(seed, day ^ 0x20000) * (DAY - length))
        return not start <= rest < start + length


def find_lifetime(db: sqlite3.Connection, device: sqlite3.Row, now: int) -> Lifetime | None:
    """Find the lifetime of a device until `now`; None if the device was never connected."""
    if device["activated"] is None:
        return None
    end = now if device["status"] == "ONLINE" else min(now, device["status_since"])
    absences = tuple(
        (row["since"], row["until"])
        for row in db.execute(
            "SELECT since, until FROM device_absences WHERE iot_id = ? ORDER BY since", (device["iot_id"],)
        )
    )
    return Lifetime(device["iot_id"], make_seed(device["iot_id"]), device["activated"], end, absences)


# --- reports


@dataclass(frozen=True, slots=True)
class Report:
    """A property's value (decoded JSON) at a time (ms). An invalid one breaks the rules of the model."""

    time: int
    value: Any
    is_invalid: bool = False


def simulate_reports(
    lifetime: Lifetime, identifier: str, item: Property, low: int, high: int, ascending: bool
) -> Iterator[Report]:
    """Simulate the reports of one property from `low` to `high`, both included, in order.

    Properties with the same interval are reported together, at the same times. The first report of each property is
    one second after the activation.
    """
    every = find_curve(item.identifier, item.spec, item.writable).interval_minutes * 60_000
    seed = make_seed(lifetime.iot_id, identifier)
    phase = int(random_fraction(lifetime.seed, every) * every)
    low, high = max(low, lifetime.activated), min(high, lifetime.end)
    first = lifetime.activated + 1_000
    if ascending and low <= first <= high:
        yield Report(first, _calculate_value(seed, item, first, lifetime.activated))
    for number in _list_slots(low - every, high, phase, every, ascending):
        time = number * every + phase + int(random_fraction(lifetime.seed ^ every, number) * every * 0.1)
        if not low <= time <= high or time == first or not lifetime.is_connected(time):
            continue
        draw = random_fraction(lifetime.seed ^ ~every, number)
        if draw < _LOST_SHARE:
            continue
        if random_fraction(seed ^ 0x6A6A, number) < _INVALID_SHARE:
            yield Report(time, "ERR", is_invalid=True)
        else:
            yield Report(time, _calculate_value(seed, item, time, lifetime.activated))
    if not ascending and low <= first <= high:
        yield Report(first, _calculate_value(seed, item, first, lifetime.activated))


def calculate_property_value(lifetime: Lifetime, identifier: str, item: Property, time: int) -> Any:
    """Calculate the value of a property at a time (ms), whether it is reported then or not."""
    return _calculate_value(make_seed(lifetime.iot_id, identifier), item, time, lifetime.activated)


def _calculate_value(seed: int, item: Property, time: int, activated: int) -> Any:
    return calculate_value(seed, item.identifier, item.spec, time, activated, item.writable)


def _list_slots(low: int, high: int, phase: int, every: int, ascending: bool) -> range:
    first, last = (low - phase) // every, (high - phase) // every
    return range(first, last + 1) if ascending else range(last, first - 1, -1)


# --- events and calls


@dataclass(frozen=True, slots=True)
class Occurrence:
    """An event or a service call at a time (ms); `identifier` as in requests (`module:Fault`)."""

    time: int
    identifier: str
    feature: Event | Service


def simulate_events(
    lifetime: Lifetime,
    model: Model,
    low: int,
    high: int,
    ascending: bool,
    identifier_filter: str = "",
    kind: str = "",
) -> Iterator[Occurrence]:
    """Simulate the events of a device from `low` to `high` in order: all, or those of an identifier or a kind."""
    chosen = [
        (name, event, _EVENT_CHANCE[event.kind])
        for name, event in model.events()
        if (not identifier_filter or name == identifier_filter) and (not kind or event.kind == kind)
    ]
    yield from _find_occurrences(lifetime, chosen, low, high, ascending, _EVENT_SLOT)


def simulate_calls(
    lifetime: Lifetime, model: Model, low: int, high: int, ascending: bool, identifier_filter: str = ""
) -> Iterator[Occurrence]:
    """Simulate the calls of the fleet's schedules, likewise: of services that read or restart, not of those that switch."""
    chosen = [
        (name, service, _CALL_CHANCE)
        for name, service in model.services()
        if (not identifier_filter or name == identifier_filter)
        and all(member.spec.kind in ("text", "date") for member in service.inputs)
    ]
    yield from _find_occurrences(lifetime, chosen, low, high, ascending, _CALL_SLOT)


def _find_occurrences(
    lifetime: Lifetime,
    chosen: list[tuple[str, Any, float]],
    low: int,
    high: int,
    ascending: bool,
    every: int,
) -> Iterator[Occurrence]:
    low, high = max(low, lifetime.activated), min(high, lifetime.end)
    if not chosen or high < low:
        return
    seeds = [
        (make_seed(lifetime.iot_id, "happening", name), name, feature, probability)
        for name, feature, probability in chosen
    ]
    for number in _list_slots(low, high, 0, every, ascending):
        occurrences = []
        for seed, name, feature, probability in seeds:
            if random_fraction(seed, number) >= probability:
                continue
            time = number * every + int(random_fraction(seed ^ 0x777, number) * (every - 1))
            if low <= time <= high and lifetime.is_connected(time) and _is_plausible(lifetime, feature, time):
                occurrences.append(Occurrence(time, name, feature))
        occurrences.sort(
            key=lambda occurrence: (occurrence.time, occurrence.identifier), reverse=not ascending
        )
        yield from occurrences


def _is_plausible(lifetime: Lifetime, feature: Event | Service, time: int) -> bool:
    """An event with a battery level is plausible only if the battery is low at that time."""
    if not isinstance(feature, Event):
        return True
    return not any(
        member.identifier == "BatteryPercentage"
        and calculate_value(
            make_seed(lifetime.iot_id, member.identifier),
            member.identifier,
            member.spec,
            time,
            lifetime.activated,
        )
        > 20
        for member in feature.outputs
    )


def simulate_parameters(
    lifetime: Lifetime, members: tuple[Member, ...], time: int, *, for_event: bool = False
) -> dict[str, Any]:
    """Simulate values for the parameters of a call at a time; those named like properties follow the same curves.

    `for_event`: parameters of an event, whose values are out of the ordinary.
    """
    value = calculate_event_value if for_event else calculate_value
    return {
        member.identifier: value(
            make_seed(lifetime.iot_id, member.identifier)
            if member.spec.kind != "text"
            else make_seed(lifetime.iot_id, member.identifier, str(time)),
            member.identifier,
            member.spec,
            time,
            lifetime.activated,
        )
        for member in members
    }
