"""History: property values, events and service calls over time, and the current values of all properties.

Only data that passed the check against the model is returned; original_data.py returns all data. For a product
without any check (ValidateType 2), nothing is returned here.
"""

from __future__ import annotations

import sqlite3
from itertools import islice
from typing import Any

from iot_emulator.call import Call, Handler
from iot_emulator.errors import ServiceError, invalid_parameter
from iot_emulator.things.common import find_modeled_device, to_compact_json, unknown_block_error
from iot_emulator.things.features import Model, Property
from iot_emulator.things.records import (
    Period,
    find_last_report,
    format_report_value,
    read_call_records,
    read_event_records,
    read_period,
    read_property_records,
    read_record_page,
)
from iot_emulator.things.simulation import Lifetime, Report, find_lifetime

DEFAULT_SIZE = 10


def query_device_property_data(call: Call) -> dict[str, Any]:
    """QueryDevicePropertyData. `NextTime` is the EndTime of the next page if newest first, else its StartTime."""
    device, lifetime, model = _find_device_lifetime(call)
    identifier = call.params["Identifier"]
    item = _find_property(model, identifier)
    period = read_period(call)
    records = _read_valid_reports(call, device, lifetime, identifier, item, period)
    page, more = read_record_page(records, call.params["PageSize"])
    return {
        "Data": {
            "NextValid": more,
            "NextTime": _calculate_next_time([report.time for report in page], period),
            "List": {
                "PropertyInfo": [
                    {"Time": str(report.time), "Value": format_report_value(report)} for report in page
                ]
            },
        }
    }


def query_device_properties_data(call: Call) -> dict[str, Any]:
    """QueryDevicePropertiesData: several properties at once.

    The page ends for all properties at the time where the first one reaches PageSize; `NextTime` is where the next page
    starts.
    """
    device, lifetime, model = _find_device_lifetime(call)
    identifiers = call.params["Identifier"]
    if len(set(identifiers)) < len(identifiers):
        raise invalid_parameter("The identifiers must be unique.")
    items = [(identifier, _find_property(model, identifier)) for identifier in identifiers]
    period = read_period(call, swap_when_descending=True)
    pages: dict[str, list[Report]] = {}
    stops: list[int] = []
    for identifier, item in items:
        records = _read_valid_reports(call, device, lifetime, identifier, item, period)
        size = call.params["PageSize"]
        page = list(islice(records, size + 1))
        if len(page) > size:
            stops.append(page[size].time)
        pages[identifier] = page[:size]
    if stops:
        stop = min(stops) if period.ascending else max(stops)
        pages = {
            identifier: [r for r in page if (r.time < stop if period.ascending else r.time > stop)]
            for identifier, page in pages.items()
        }
    else:
        stop = period.high if period.ascending else period.low
    return {
        "NextValid": bool(stops),
        "NextTime": stop,
        "PropertyDataInfos": {
            "PropertyDataInfo": [
                {
                    "Identifier": identifier,
                    "List": {
                        "PropertyInfo": [
                            {"Time": report.time, "Value": format_report_value(report)} for report in page
                        ]
                    },
                }
                for identifier, page in pages.items()
            ]
        },
    }


def query_device_event_data(call: Call) -> dict[str, Any]:
    """QueryDeviceEventData: all events, or those of an identifier or a kind."""
    _, lifetime, model = _find_device_lifetime(call)
    identifier = call.params.get("Identifier") or ""
    if identifier and model.find_event(identifier) is None:
        raise ServiceError(
            "iot.device.QueryDeviceEventHistoryFailed", f"The model has no event {identifier}."
        )
    period = read_period(call)
    records = read_event_records(lifetime, model, period, identifier, call.params.get("EventType") or "")
    page, more = read_record_page(records, call.params.get("PageSize", DEFAULT_SIZE))
    return {
        "Data": {
            "NextValid": more,
            "NextTime": _calculate_next_time([record.time for record in page], period),
            "List": {
                "EventInfo": [
                    {
                        "Time": str(record.time),
                        "Identifier": record.identifier,
                        "Name": record.name,
                        "EventType": record.kind,
                        "OutputData": to_compact_json(record.output),
                    }
                    for record in page
                ]
            },
        }
    }


def query_device_service_data(call: Call) -> dict[str, Any]:
    """QueryDeviceServiceData: service calls; setting properties is a call of the service `set`."""
    device, lifetime, model = _find_device_lifetime(call)
    identifier = call.params.get("Identifier") or ""
    if identifier and identifier not in ("set", "get") and model.find_service(identifier) is None:
        raise ServiceError(
            "iot.device.QueryDeviceServiceHistoryFailed", f"The model has no service {identifier}."
        )
    period = read_period(call)
    records = read_call_records(call.db, device["iot_id"], lifetime, model, period, identifier)
    page, more = read_record_page(records, call.params.get("PageSize", DEFAULT_SIZE))
    return {
        "Data": {
            "NextValid": more,
            "NextTime": _calculate_next_time([record.time for record in page], period),
            "List": {
                "ServiceInfo": [
                    {
                        "Time": str(record.time),
                        "Identifier": record.identifier,
                        "Name": record.name,
                        "InputData": record.input,
                        "OutputData": record.output,
                    }
                    for record in page
                ]
            },
        }
    }


def query_device_property_status(call: Call) -> dict[str, Any]:
    """QueryDevicePropertyStatus: all properties of a module; `Value` and `Time` only if the device has reported them."""
    device, lifetime, model = _find_device_lifetime(call)
    block_id = call.params.get("FunctionBlockId") or ""
    block = model.block(block_id)
    if block is None:
        raise unknown_block_error(block_id)
    prefix = f"{block_id}:" if block_id else ""
    infos = []
    for item in block.properties:
        info: dict[str, Any] = {
            "Identifier": item.identifier,
            "Name": item.name,
            "DataType": item.spec.kind,
            "Unit": item.spec.unit,
        }
        report = find_last_report(
            call.db, device["iot_id"], lifetime, prefix + item.identifier, item, call.now
        )
        if report is not None:
            info |= {"Value": format_report_value(report), "Time": str(report.time)}
        infos.append(info)
    return {"Data": {"List": {"PropertyStatusInfo": infos}}}


def _find_device_lifetime(call: Call) -> tuple[sqlite3.Row, Lifetime | None, Model]:
    device, product, model = find_modeled_device(call)
    lifetime = find_lifetime(call.db, device, call.now) if product["validate_type"] != 2 else None
    return device, lifetime, model


def _find_property(model: Model, identifier: str) -> Property:
    item = model.find_property(identifier)
    if item is None:
        raise ServiceError("iot.device.NoneDeviceProperties", f"The model has no property {identifier}.")
    return item


def _read_valid_reports(
    call: Call,
    device: sqlite3.Row,
    lifetime: Lifetime | None,
    identifier: str,
    item: Property,
    period: Period,
) -> Any:
    records = read_property_records(call.db, device["iot_id"], lifetime, identifier, item, period)
    return (report for report in records if not report.is_invalid)


def _calculate_next_time(times: list[int], period: Period) -> int:
    """Calculate the time just after the last record of a page, in reading order; the end of the period if the page is
    empty."""
    if not times:
        return period.high if period.ascending else period.low
    return times[-1] + 1 if period.ascending else times[-1] - 1


OPERATIONS: dict[str, Handler] = {
    "QueryDevicePropertyData": query_device_property_data,
    "QueryDevicePropertiesData": query_device_properties_data,
    "QueryDeviceEventData": query_device_event_data,
    "QueryDeviceServiceData": query_device_service_data,
    "QueryDevicePropertyStatus": query_device_property_status,
}
