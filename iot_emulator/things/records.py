"""One sequence of records for each kind: stored reports and calls, merged with the simulated ones."""

from __future__ import annotations

import heapq
import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar

from iot_emulator.call import Call
from iot_emulator.errors import ServiceError
from iot_emulator.things import simulation
from iot_emulator.things.common import to_compact_json
from iot_emulator.things.features import Model, Property
from iot_emulator.things.noise import DAY
from iot_emulator.things.simulation import Lifetime, Report
from iot_emulator.things.specs import format_value
from iot_emulator.things.store import KEEP_MS

T = TypeVar("T")
_REGION_OFFSET = 8 * 3_600_000  # local time of the region, UTC+8


@dataclass(frozen=True, slots=True)
class Period:
    """A requested period, in ms, both ends included, and the order of its records."""

    low: int
    high: int
    ascending: bool


def read_period(call: Call, *, swap_when_descending: bool = False) -> Period:
    """Read the period from StartTime, EndTime and Asc (default 0: newest first).

    `swap_when_descending`: with Asc 0, StartTime must be later than EndTime (QueryDevicePropertiesData). Records are
    kept for 30 days, counted from the day of their creation. Raises `iot.check.ParameterIsNotLessThanMax` for times in
    the wrong order, `iot.device.InvalidTimeBucket` for a start before the oldest day.
    """
    ascending = call.params.get("Asc", 0) == 1
    low, high = call.params["StartTime"], call.params["EndTime"]
    if swap_when_descending and not ascending:
        low, high = high, low
        if low >= high:
            raise ServiceError(
                "iot.check.ParameterIsNotLessThanMax", "StartTime must be later than EndTime if Asc is 0."
            )
    elif low >= high:
        raise ServiceError("iot.check.ParameterIsNotLessThanMax", "StartTime must be earlier than EndTime.")
    oldest = call.now - (call.now + _REGION_OFFSET) % DAY - KEEP_MS
    if low < oldest:
        raise ServiceError("iot.device.InvalidTimeBucket", "Records are kept for 30 days.")
    return Period(low, min(high, call.now), ascending)


def read_property_records(
    db: sqlite3.Connection,
    iot_id: str,
    lifetime: Lifetime | None,
    identifier: str,
    item: Property,
    period: Period,
) -> Iterator[Report]:
    """Read the reports of a property in a period, in order.

    After a writable property was set, its reports have the value that was set.
    """
    order = "ASC" if period.ascending else "DESC"
    rows = db.execute(
        "SELECT time, value FROM thing_reports WHERE iot_id = ? AND identifier = ? AND time BETWEEN ? AND ?"
        f" ORDER BY time {order}",
        (iot_id, identifier, period.low, period.high),
    )
    stored = (Report(row["time"], json.loads(row["value"])) for row in rows)
    if lifetime is None:
        return iter(stored)
    simulated = simulation.simulate_reports(
        lifetime, identifier, item, period.low, period.high, period.ascending
    )
    if item.writable:
        simulated = _apply_set_values(db, iot_id, identifier, simulated)
    return heapq.merge(stored, simulated, key=lambda report: report.time, reverse=not period.ascending)


def _apply_set_values(
    db: sqlite3.Connection, iot_id: str, identifier: str, simulated: Iterator[Report]
) -> Iterator[Report]:
    """Replace the values of simulated reports with the last value that was set before each report."""
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


def find_last_report(
    db: sqlite3.Connection, iot_id: str, lifetime: Lifetime | None, identifier: str, item: Property, now: int
) -> Report | None:
    """Find the newest valid report of a property until `now`; None if there is none."""
    period = Period(lifetime.activated if lifetime else 0, now, False)
    records = read_property_records(db, iot_id, lifetime, identifier, item, period)
    return next((report for report in records if not report.is_invalid), None)


@dataclass(frozen=True, slots=True)
class EventRecord:
    """An event that a device reported."""

    time: int
    identifier: str
    name: str
    kind: str
    output: dict[str, Any]


def read_event_records(
    lifetime: Lifetime | None, model: Model, period: Period, identifier: str = "", kind: str = ""
) -> Iterator[EventRecord]:
    """Read the events of a device in a period, in order; all, or those of an identifier or a kind."""
    if lifetime is None:
        return
    for occurrence in simulation.simulate_events(
        lifetime, model, period.low, period.high, period.ascending, identifier, kind
    ):
        event = model.find_event(occurrence.identifier)
        if event is not None:
            output = simulation.simulate_parameters(lifetime, event.outputs, occurrence.time, for_event=True)
            yield EventRecord(occurrence.time, occurrence.identifier, event.name, event.kind, output)


@dataclass(frozen=True, slots=True)
class CallRecord:
    """A call of a service: `input` and `output` are JSON texts."""

    time: int
    identifier: str
    name: str
    input: str
    output: str


def read_call_records(
    db: sqlite3.Connection,
    iot_id: str,
    lifetime: Lifetime | None,
    model: Model,
    period: Period,
    identifier: str = "",
) -> Iterator[CallRecord]:
    """Read the calls of services in a period, in order: stored calls, and simulated calls of the fleet's schedules."""
    order = "ASC" if period.ascending else "DESC"
    named, values = ("AND identifier = ?", [identifier]) if identifier else ("", [])
    rows = db.execute(
        f"SELECT * FROM thing_calls WHERE iot_id = ? AND time BETWEEN ? AND ? {named} ORDER BY time {order}",
        (iot_id, period.low, period.high, *values),
    )
    stored = (
        CallRecord(row["time"], row["identifier"], row["name"], row["input"], row["output"]) for row in rows
    )
    if lifetime is None:
        return iter(stored)
    return heapq.merge(
        stored,
        _read_scheduled_calls(lifetime, model, period, identifier),
        key=lambda record: record.time,
        reverse=not period.ascending,
    )


def _read_scheduled_calls(
    lifetime: Lifetime, model: Model, period: Period, identifier: str
) -> Iterator[CallRecord]:
    for occurrence in simulation.simulate_calls(
        lifetime, model, period.low, period.high, period.ascending, identifier
    ):
        service = model.find_service(occurrence.identifier)
        if service is not None:
            inputs = simulation.simulate_parameters(lifetime, service.inputs, occurrence.time)
            outputs = simulation.simulate_parameters(lifetime, service.outputs, occurrence.time)
            response = write_device_response(outputs, str(100_000 + occurrence.time % 900_000))
            yield CallRecord(
                occurrence.time, occurrence.identifier, service.name, to_compact_json(inputs), response
            )


def write_device_response(data: Any, message_id: str, code: int = 200) -> str:
    """Write a device's response to a request, as JSON text."""
    message = "success" if code == 200 else "failed"
    return to_compact_json(
        {"code": code, "data": data, "id": message_id, "message": message, "version": "1.0"}
    )


def read_record_page(records: Iterator[T], size: int) -> tuple[list[T], bool]:
    """Read the first `size` records, and whether there are more."""
    page = list(islice(records, size + 1))
    return page[:size], len(page) > size


def format_report_value(report: Report) -> str:
    """Write a report's value as in API responses."""
    return format_value(report.value)
