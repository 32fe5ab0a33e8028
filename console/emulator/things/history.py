"""Looking back: property values, events and calls of services over time, and the present values of all properties.

Only what passed the check against the model is told here; originals.py tells the rest. Devices of a product without
any check (ValidateType 2) tell nothing here.
"""

from __future__ import annotations

import sqlite3
from itertools import islice
from typing import Any

from console.emulator.call import Call, Handler
from console.emulator.errors import ServiceError, invalid_parameter
from console.emulator.things.common import dumped, modelled_device_of, unknown_block
from console.emulator.things.features import Model, Property
from console.emulator.things.reading import (
    Stretch,
    call_records,
    event_records,
    last_report,
    page_of_records,
    property_records,
    stretch_of,
    value_text,
)
from console.emulator.things.simulation import Life, Report, life_of

DEFAULT_SIZE = 10


def query_device_property_data(call: Call) -> dict[str, Any]:
    """QueryDevicePropertyData. `NextTime` continues: as the EndTime when newest first, else as the StartTime."""
    device, life, model = _looked_at(call)
    identifier = call.params["Identifier"]
    item = _property(model, identifier)
    when = stretch_of(call)
    records = _valid(call, device, life, identifier, item, when)
    page, more = page_of_records(records, call.params["PageSize"])
    return {
        "Data": {
            "NextValid": more,
            "NextTime": _next_time([report.time for report in page], when),
            "List": {
                "PropertyInfo": [{"Time": str(report.time), "Value": value_text(report)} for report in page]
            },
        }
    }


def query_device_properties_data(call: Call) -> dict[str, Any]:
    """QueryDevicePropertiesData: several properties side by side.

    Reading stops for all of them where the first reaches PageSize; `NextTime` is where to start again.
    """
    device, life, model = _looked_at(call)
    identifiers = call.params["Identifier"]
    if len(set(identifiers)) < len(identifiers):
        raise invalid_parameter("The identifiers must be unique.")
    items = [(identifier, _property(model, identifier)) for identifier in identifiers]
    when = stretch_of(call, turned=True)
    found: dict[str, list[Report]] = {}
    stops: list[int] = []
    for identifier, item in items:
        records = _valid(call, device, life, identifier, item, when)
        size = call.params["PageSize"]
        page = list(islice(records, size + 1))
        if len(page) > size:
            stops.append(page[size].time)
        found[identifier] = page[:size]
    if stops:
        stop = min(stops) if when.ascending else max(stops)
        found = {
            identifier: [r for r in page if (r.time < stop if when.ascending else r.time > stop)]
            for identifier, page in found.items()
        }
    else:
        stop = when.high if when.ascending else when.low
    return {
        "NextValid": bool(stops),
        "NextTime": stop,
        "PropertyDataInfos": {
            "PropertyDataInfo": [
                {
                    "Identifier": identifier,
                    "List": {
                        "PropertyInfo": [
                            {"Time": report.time, "Value": value_text(report)} for report in page
                        ]
                    },
                }
                for identifier, page in found.items()
            ]
        },
    }


def query_device_event_data(call: Call) -> dict[str, Any]:
    """QueryDeviceEventData: all events, or those of an identifier or a kind."""
    _, life, model = _looked_at(call)
    wanted = call.params.get("Identifier") or ""
    if wanted and model.find_event(wanted) is None:
        raise ServiceError("iot.device.QueryDeviceEventHistoryFailed", f"The model has no event {wanted}.")
    when = stretch_of(call)
    records = event_records(life, model, when, wanted, call.params.get("EventType") or "")
    page, more = page_of_records(records, call.params.get("PageSize", DEFAULT_SIZE))
    return {
        "Data": {
            "NextValid": more,
            "NextTime": _next_time([record.time for record in page], when),
            "List": {
                "EventInfo": [
                    {
                        "Time": str(record.time),
                        "Identifier": record.identifier,
                        "Name": record.name,
                        "EventType": record.kind,
                        "OutputData": dumped(record.output),
                    }
                    for record in page
                ]
            },
        }
    }


def query_device_service_data(call: Call) -> dict[str, Any]:
    """QueryDeviceServiceData: calls of services; setting properties is a call of the service `set`."""
    device, life, model = _looked_at(call)
    wanted = call.params.get("Identifier") or ""
    if wanted and wanted not in ("set", "get") and model.find_service(wanted) is None:
        raise ServiceError(
            "iot.device.QueryDeviceServiceHistoryFailed", f"The model has no service {wanted}."
        )
    when = stretch_of(call)
    records = call_records(call.db, device["iot_id"], life, model, when, wanted)
    page, more = page_of_records(records, call.params.get("PageSize", DEFAULT_SIZE))
    return {
        "Data": {
            "NextValid": more,
            "NextTime": _next_time([record.time for record in page], when),
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
    """QueryDevicePropertyStatus: all properties of a module; `Value` and `Time` once the device has told them."""
    device, life, model = _looked_at(call)
    block_id = call.params.get("FunctionBlockId") or ""
    block = model.block(block_id)
    if block is None:
        raise unknown_block(block_id)
    prefix = f"{block_id}:" if block_id else ""
    infos = []
    for item in block.properties:
        info: dict[str, Any] = {
            "Identifier": item.identifier,
            "Name": item.name,
            "DataType": item.spec.kind,
            "Unit": item.spec.unit,
        }
        report = last_report(call.db, device["iot_id"], life, prefix + item.identifier, item, call.now)
        if report is not None:
            info |= {"Value": value_text(report), "Time": str(report.time)}
        infos.append(info)
    return {"Data": {"List": {"PropertyStatusInfo": infos}}}


def _looked_at(call: Call) -> tuple[sqlite3.Row, Life | None, Model]:
    device, product, model = modelled_device_of(call)
    life = life_of(call.db, device, call.now) if product["validate_type"] != 2 else None
    return device, life, model


def _property(model: Model, identifier: str) -> Property:
    item = model.find_property(identifier)
    if item is None:
        raise ServiceError("iot.device.NoneDeviceProperties", f"The model has no property {identifier}.")
    return item


def _valid(
    call: Call, device: sqlite3.Row, life: Life | None, identifier: str, item: Property, when: Stretch
) -> Any:
    records = property_records(call.db, device["iot_id"], life, identifier, item, when)
    return (report for report in records if not report.garbled)


def _next_time(times: list[int], when: Stretch) -> int:
    """Just past the last record of a page; the far end of the stretch when there is none."""
    if not times:
        return when.high if when.ascending else when.low
    return times[-1] + 1 if when.ascending else times[-1] - 1


OPERATIONS: dict[str, Handler] = {
    "QueryDevicePropertyData": query_device_property_data,
    "QueryDevicePropertiesData": query_device_properties_data,
    "QueryDeviceEventData": query_device_event_data,
    "QueryDeviceServiceData": query_device_service_data,
    "QueryDevicePropertyStatus": query_device_property_status,
}
