"""One row of records for each kind: what was really set and called, merged with what the device tells by itself."""

from __future__ import annotations

import heapq
import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar

from console.emulator.call import Call
from console.emulator.errors import ServiceError
from console.emulator.things import simulation
from console.emulator.things.common import dumped
from console.emulator.things.features import Model, Property
from console.emulator.things.noise import DAY
from console.emulator.things.simulation import Life, Report
from console.emulator.things.specs import as_text
from console.emulator.things.store import KEEP_MS

T = TypeVar("T")
_HOME = 8 * 3_600_000  # days of the region, UTC+8


@dataclass(frozen=True, slots=True)
class Stretch:
    """A stretch of time asked for, in ms, both ends included, and the order wanted."""

    low: int
    high: int
    ascending: bool


def stretch_of(call: Call, *, turned: bool = False) -> Stretch:
    """The stretch that StartTime, EndTime and Asc name (0, newest first, when Asc is absent).

    `turned`: newest first wants StartTime later than EndTime (QueryDevicePropertiesData). Records live for 30 days,
    counted from the day they were made. Raises `iot.check.ParameterIsNotLessThanMax` for ends in the wrong order,
    `iot.device.InvalidTimeBucket` for what begins before the oldest day.
    """
    ascending = call.params.get("Asc", 0) == 1
    low, high = call.params["StartTime"], call.params["EndTime"]
    if turned and not ascending:
        low, high = high, low
        if low >= high:
            raise ServiceError(
                "iot.check.ParameterIsNotLessThanMax", "With Asc 0, StartTime must be later than EndTime."
            )
    elif low >= high:
        raise ServiceError("iot.check.ParameterIsNotLessThanMax", "StartTime must be earlier than EndTime.")
    oldest = call.now - (call.now + _HOME) % DAY - KEEP_MS
    if low < oldest:
        raise ServiceError("iot.device.InvalidTimeBucket", "Records are kept for 30 days.")
    return Stretch(low, min(high, call.now), ascending)


def property_records(
    db: sqlite3.Connection, iot_id: str, life: Life | None, identifier: str, item: Property, when: Stretch
) -> Iterator[Report]:
    """The reports of a property in a stretch, in order.

    A writable property, once set, is reported with the value it was set to.
    """
    order = "ASC" if when.ascending else "DESC"
    told = db.execute(
        "SELECT time, value FROM thing_reports WHERE iot_id = ? AND identifier = ? AND time BETWEEN ? AND ?"
        f" ORDER BY time {order}",
        (iot_id, identifier, when.low, when.high),
    )
    stored = (Report(row["time"], json.loads(row["value"])) for row in told)
    if life is None:
        return iter(stored)
    simulated = simulation.reports(life, identifier, item, when.low, when.high, when.ascending)
    if item.writable:
        simulated = _as_set(db, iot_id, identifier, simulated)
    return heapq.merge(stored, simulated, key=lambda report: report.time, reverse=not when.ascending)


def _as_set(
    db: sqlite3.Connection, iot_id: str, identifier: str, simulated: Iterator[Report]
) -> Iterator[Report]:
    """Reports of a writable property with the values that it was set to before them."""
    first = db.execute(
        "SELECT min(time) FROM thing_reports WHERE iot_id = ? AND identifier = ?", (iot_id, identifier)
    ).fetchone()[0]
    for report in simulated:
        if first is None or report.time < first:
            yield report
            continue
        row = db.execute(
            "SELECT value FROM thing_reports WHERE iot_id = ? AND identifier = ? AND time <= ?"
            " ORDER BY time DESC LIMIT 1",
            (iot_id, identifier, report.time),
        ).fetchone()
        yield Report(report.time, json.loads(row["value"]))


def last_report(
    db: sqlite3.Connection, iot_id: str, life: Life | None, identifier: str, item: Property, now: int
) -> Report | None:
    """The newest report of a property until `now` that the model allows, or None."""
    when = Stretch(life.born if life else 0, now, False)
    records = property_records(db, iot_id, life, identifier, item, when)
    return next((report for report in records if not report.garbled), None)


@dataclass(frozen=True, slots=True)
class EventRecord:
    """An event that a device told."""

    time: int
    identifier: str
    name: str
    kind: str
    output: dict[str, Any]


def event_records(
    life: Life | None, model: Model, when: Stretch, wanted: str = "", kind: str = ""
) -> Iterator[EventRecord]:
    """The events of a device in a stretch, in order."""
    if life is None:
        return
    for found in simulation.events(life, model, when.low, when.high, when.ascending, wanted, kind):
        event = model.find_event(found.identifier)
        if event is not None:
            output = simulation.parameters(life, event.outputs, found.time, telling=True)
            yield EventRecord(found.time, found.identifier, event.name, event.kind, output)


@dataclass(frozen=True, slots=True)
class CallRecord:
    """A call of a service: `input` and `output` are JSON texts."""

    time: int
    identifier: str
    name: str
    input: str
    output: str


def call_records(
    db: sqlite3.Connection, iot_id: str, life: Life | None, model: Model, when: Stretch, wanted: str = ""
) -> Iterator[CallRecord]:
    """The calls of services in a stretch, in order: those really made, and those of the fleet's own schedules."""
    order = "ASC" if when.ascending else "DESC"
    named, values = ("AND identifier = ?", [wanted]) if wanted else ("", [])
    told = db.execute(
        f"SELECT * FROM thing_calls WHERE iot_id = ? AND time BETWEEN ? AND ? {named} ORDER BY time {order}",
        (iot_id, when.low, when.high, *values),
    )
    stored = (
        CallRecord(row["time"], row["identifier"], row["name"], row["input"], row["output"]) for row in told
    )
    if life is None:
        return iter(stored)
    return heapq.merge(
        stored,
        _scheduled(life, model, when, wanted),
        key=lambda record: record.time,
        reverse=not when.ascending,
    )


def _scheduled(life: Life, model: Model, when: Stretch, wanted: str) -> Iterator[CallRecord]:
    for found in simulation.calls(life, model, when.low, when.high, when.ascending, wanted):
        service = model.find_service(found.identifier)
        if service is not None:
            inputs = simulation.parameters(life, service.inputs, found.time)
            outputs = simulation.parameters(life, service.outputs, found.time)
            reply = answer_text(outputs, str(100_000 + found.time % 900_000))
            yield CallRecord(found.time, found.identifier, service.name, dumped(inputs), reply)


def answer_text(data: Any, message_id: str, code: int = 200) -> str:
    """A device's answer to a request, as JSON text."""
    message = "success" if code == 200 else "failed"
    return dumped({"code": code, "data": data, "id": message_id, "message": message, "version": "1.0"})


def page_of_records(records: Iterator[T], size: int) -> tuple[list[T], bool]:
    """The first `size` records, and whether there are more."""
    page = list(islice(records, size + 1))
    return page[:size], len(page) > size


def value_text(report: Report) -> str:
    """A report's value as answers write it."""
    return as_text(report.value)
