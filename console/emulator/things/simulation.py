"""What simulated devices tell by themselves, computed on demand: nothing of it is stored.

Every report, event and scheduled call has a place in an endless row of slots; a slot's content follows from the
device's IotId, the identifier and the slot's number. So any stretch of time can be read from either end, at flat
memory, and reads the same each time. A device tells something only while it is connected: from its activation to now
or to when it went away, without its absences, and without outages of a few hours that now and then a day has.
"""

from __future__ import annotations

import sqlite3
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from console.emulator.things.curves import curve_for, told_at, value_at
from console.emulator.things.features import Event, Model, Property, Service
from console.emulator.things.noise import DAY, HOUR, chance, seed_of
from console.emulator.things.specs import Member

_OUTAGES = 0.05  # of a device's days have one
_SETTLED_DAYS = 2  # after activation, before there are any
_LOST = 0.004  # of the reports
_EVENT_SLOT = 6 * HOUR
_EVENT_CHANCE = {"info": 0.08, "alert": 0.012, "error": 0.004}
_CALL_SLOT = 2 * DAY
_CALL_CHANCE = 0.12
_GARBLED = 0.003  # of the reports fail the check against the model, and are seen in the original data only


@dataclass(frozen=True, slots=True)
class Life:
    """When a device can have told something, in ms: from `born` to `end`, not in `absences` (since, until; sorted)."""

    iot_id: str
    seed: int
    born: int
    end: int
    absences: tuple[tuple[int, int], ...] = ()

    def connected(self, time: int) -> bool:
        """Whether it could tell anything at this time."""
        if not self.born <= time <= self.end:
            return False
        place = bisect_right(self.absences, (time, 2**63))
        if place and time < self.absences[place - 1][1]:
            return False
        day, rest = divmod(time, DAY)
        seed = self.seed ^ 0xABCDEF
        if time < self.born + _SETTLED_DAYS * DAY or chance(seed, day) >= _OUTAGES:
            return True
        length = int((0.3 + 3.7 * chance(seed, day ^ 0x10000)) * HOUR)
        start = int(chance(seed, day ^ 0x20000) * (DAY - length))
        return not start <= rest < start + length


def life_of(db: sqlite3.Connection, device: sqlite3.Row, now: int) -> Life | None:
    """The life of a device until `now`; None for one that was never connected."""
    if device["activated"] is None:
        return None
    end = now if device["status"] == "ONLINE" else min(now, device["status_since"])
    absences = tuple(
        (row["since"], row["until"])
        for row in db.execute(
            "SELECT since, until FROM device_absences WHERE iot_id = ? ORDER BY since", (device["iot_id"],)
        )
    )
    return Life(device["iot_id"], seed_of(device["iot_id"]), device["activated"], end, absences)


# --- reports


@dataclass(frozen=True, slots=True)
class Report:
    """A property's value (decoded JSON) at a time (ms). A garbled one breaks the model's rules."""

    time: int
    value: Any
    garbled: bool = False


def reports(
    life: Life, identifier: str, item: Property, low: int, high: int, ascending: bool
) -> Iterator[Report]:
    """The reports of one property from `low` to `high`, both included, in order.

    Properties that are reported equally often are reported together, at the same times. The first report of each is
    a second after the activation.
    """
    every = curve_for(item.identifier, item.spec, item.writable).every * 60_000
    seed = seed_of(life.iot_id, identifier)
    phase = int(chance(life.seed, every) * every)
    low, high = max(low, life.born), min(high, life.end)
    first = life.born + 1_000
    if ascending and low <= first <= high:
        yield Report(first, _value(seed, item, first, life.born))
    for number in _slots(low - every, high, phase, every, ascending):
        time = number * every + phase + int(chance(life.seed ^ every, number) * every * 0.1)
        if not low <= time <= high or time == first or not life.connected(time):
            continue
        luck = chance(life.seed ^ ~every, number)
        if luck < _LOST:
            continue
        if chance(seed ^ 0x6A6A, number) < _GARBLED:
            yield Report(time, "ERR", garbled=True)
        else:
            yield Report(time, _value(seed, item, time, life.born))
    if not ascending and low <= first <= high:
        yield Report(first, _value(seed, item, first, life.born))


def value_of(life: Life, identifier: str, item: Property, time: int) -> Any:
    """What a property's value is at a time, reported or not."""
    return _value(seed_of(life.iot_id, identifier), item, time, life.born)


def _value(seed: int, item: Property, time: int, born: int) -> Any:
    return value_at(seed, item.identifier, item.spec, time, born, item.writable)


def _slots(low: int, high: int, phase: int, every: int, ascending: bool) -> range:
    first, last = (low - phase) // every, (high - phase) // every
    return range(first, last + 1) if ascending else range(last, first - 1, -1)


# --- events and calls


@dataclass(frozen=True, slots=True)
class Happening:
    """An event, or a call of a service, at a time (ms); `identifier` as requests name it (`module:Fault`)."""

    time: int
    identifier: str
    feature: Event | Service


def events(
    life: Life, model: Model, low: int, high: int, ascending: bool, wanted: str = "", kind: str = ""
) -> Iterator[Happening]:
    """The events of a device from `low` to `high` in order, all or those of an identifier or a kind."""
    chosen = [
        (name, event, _EVENT_CHANCE[event.kind])
        for name, event in model.events()
        if (not wanted or name == wanted) and (not kind or event.kind == kind)
    ]
    yield from _happenings(life, chosen, low, high, ascending, _EVENT_SLOT)


def calls(
    life: Life, model: Model, low: int, high: int, ascending: bool, wanted: str = ""
) -> Iterator[Happening]:
    """The calls that the fleet's own schedules made, likewise: of services that ask and restart, not of those that switch."""
    chosen = [
        (name, service, _CALL_CHANCE)
        for name, service in model.services()
        if (not wanted or name == wanted)
        and all(member.spec.kind in ("text", "date") for member in service.inputs)
    ]
    yield from _happenings(life, chosen, low, high, ascending, _CALL_SLOT)


def _happenings(
    life: Life,
    chosen: list[tuple[str, Any, float]],
    low: int,
    high: int,
    ascending: bool,
    every: int,
) -> Iterator[Happening]:
    low, high = max(low, life.born), min(high, life.end)
    if not chosen or high < low:
        return
    seeds = [(seed_of(life.iot_id, "happening", name), name, feature, odds) for name, feature, odds in chosen]
    for number in _slots(low, high, 0, every, ascending):
        found = []
        for seed, name, feature, odds in seeds:
            if chance(seed, number) >= odds:
                continue
            time = number * every + int(chance(seed ^ 0x777, number) * (every - 1))
            if low <= time <= high and life.connected(time) and _sensible(life, feature, time):
                found.append(Happening(time, name, feature))
        found.sort(key=lambda happening: (happening.time, happening.identifier), reverse=not ascending)
        yield from found


def _sensible(life: Life, feature: Event | Service, time: int) -> bool:
    """A device tells of an empty battery only when its battery is."""
    if not isinstance(feature, Event):
        return True
    return not any(
        member.identifier == "BatteryPercentage"
        and value_at(seed_of(life.iot_id, member.identifier), member.identifier, member.spec, time, life.born)
        > 20
        for member in feature.outputs
    )


def parameters(
    life: Life, members: tuple[Member, ...], time: int, *, telling: bool = False
) -> dict[str, Any]:
    """Values for the parameters of a call at a time; those named like properties move as these do.

    `telling`: of an event, which tells what is out of the ordinary.
    """
    value = told_at if telling else value_at
    return {
        member.identifier: value(
            seed_of(life.iot_id, member.identifier)
            if member.spec.kind != "text"
            else seed_of(life.iot_id, member.identifier, str(time)),
            member.identifier,
            member.spec,
            time,
            life.born,
        )
        for member in members
    }
